"""GGUF files without the package: read back by it, and its files' heads read by ours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegle.core.errors import InputError
from aegle.lm import gguf_plain

gguf = pytest.importorskip("gguf", reason="it is the reference; extra 'train'")

NAMES = st.text(min_size=1, max_size=20)
SHAPES = st.lists(st.integers(1, 7), min_size=1, max_size=3)


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(NAMES, SHAPES, min_size=1, max_size=4), st.floats(width=32, allow_nan=False))
def test_the_package_reads_what_is_written(tmp_path_factory, shapes, number):
    file = tmp_path_factory.mktemp("one") / "a.gguf"
    rng = np.random.default_rng(0)
    tensors = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    gguf_plain.write(file, {"general.type": "adapter", "a.number": number}, tensors)
    found = gguf.GGUFReader(file)
    assert found.fields["general.type"].contents() == "adapter"
    assert found.fields["a.number"].contents() == number
    assert {one.name for one in found.tensors} == set(tensors)
    for one in found.tensors:
        assert one.shape.tolist() == list(tensors[one.name].shape[::-1])
        np.testing.assert_array_equal(one.data, tensors[one.name])


def written(file: Path) -> Path:
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_token_list(["a", "bc"])
    writer.add_array("llama.numbers", [1, 2, 3])
    writer.add_bool("llama.yes", True)
    writer.add_head_count(9)
    writer.add_layer_norm_rms_eps(0.5)
    writer.add_head_count_kv([3, 3])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def test_a_head_of_the_packages_is_read_past_its_arrays(tmp_path):
    file = written(tmp_path / "a.gguf")
    eps = "llama.attention.layer_norm_rms_epsilon"
    wanted = {"general.architecture", "llama.attention.head_count", eps, "not.there", "llama.yes"}
    wanted = {*wanted, "llama.attention.head_count_kv"}
    assert gguf_plain.head(file, wanted) == {
        "general.architecture": "llama",
        "llama.attention.head_count": 9,
        "llama.attention.head_count_kv": None,  # a list: each layer its own
        "llama.yes": True,
        eps: 0.5,
    }


def test_any_cut_and_any_other_file_is_an_error_of_ours(tmp_path):
    whole = written(tmp_path / "a.gguf").read_bytes()
    cut = tmp_path / "b.gguf"
    for size in range(0, len(whole) - 64, 7):
        cut.write_bytes(whole[:size])
        with pytest.raises(InputError, match="GGUF file"):
            gguf_plain.head(cut, {"not.there"})
    with pytest.raises(InputError, match="damaged"):
        gguf_plain.head(tmp_path / "none.gguf", {"a"})
    cut.write_bytes(whole[:24] + (1 << 60).to_bytes(8, "little") + whole[32:])
    with pytest.raises(InputError, match="damaged"):
        gguf_plain.head(cut, {"not.there"})
