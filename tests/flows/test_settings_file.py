"""aegle.toml is changed where it must be, and nowhere else."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.core.errors import SettingsError
from aegle.flows.settings_file import changed

NEW = {"index": "faiss", "index_kind": "hnsw-sq", "index_options": {"m": 16, "ef": 64}}

FULL = """\
# ours
seed = 3  # lucky

[backends]   # where things are
index = "lancedb" # was # qdrant-edge
"index_kind" = "auto"
encoder_model = "minilm"

# how chunks are found
[retrieve]
index = 3 # no such thing, yet not ours to touch
k = 12
"""


def test_what_is_beside_stays_to_the_byte() -> None:
    assert (
        changed(FULL, "backends", NEW)
        == """\
# ours
seed = 3  # lucky

[backends]   # where things are
index = "faiss" # was # qdrant-edge
"index_kind" = "hnsw-sq"
encoder_model = "minilm"
index_options = { m = 16, ef = 64 }

# how chunks are found
[retrieve]
index = 3 # no such thing, yet not ours to touch
k = 12
"""
    )


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", '[backends]\nindex = "x"\n'),
        ("# ours", '# ours\n\n[backends]\nindex = "x"\n'),
        ("seed = 3\r\n", 'seed = 3\r\n\r\n[backends]\r\nindex = "x"\r\n'),
        ("[backends]", '[backends]\nindex = "x"\n'),
        ('[ backends ]\nindex = "a # b"#c', '[ backends ]\nindex = "x"#c\n'),
        ("[backends]\n\n[serve]\n", '[backends]\nindex = "x"\n\n[serve]\n'),
    ],
)
def test_files_of_all_sorts(text: str, wanted: str) -> None:
    assert changed(text, "backends", {"index": "x"}) == wanted


@pytest.mark.parametrize(
    "text",
    [
        'backends.index = "lancedb"\n',
        'backends = { index = "lancedb" }\n',
        '[backends]\nindex = """\nlancedb"""\n',
        "[backends]\n[backends.index_options]\nm = 3\n",
    ],
)
def test_what_a_machine_should_not_touch_is_left_to_a_person(text: str) -> None:
    with pytest.raises(SettingsError, match=r"set by hand: .*backends.index = \"faiss\""):
        changed(text, "backends", NEW)


def test_no_toml_is_told() -> None:
    with pytest.raises(SettingsError, match="not TOML"):
        changed("[backends", "backends", NEW)


words = st.text(max_size=12)
values = st.booleans() | st.integers(-(2**40), 2**40) | words


@given(st.dictionaries(st.sampled_from("abcd"), values, max_size=4), words)
def test_any_value_is_read_back(wanted: dict[str, Any], comment: str) -> None:
    line = "".join(sign for sign in comment if sign.isprintable())
    text = f"seed = 1 # {line}\n[backends]\na = 'x' # {line}\n\n[serve]\nport = 1\n"
    found = tomllib.loads(changed(text, "backends", wanted))
    assert found == {"seed": 1, "backends": {"a": "x", **wanted}, "serve": {"port": 1}}
