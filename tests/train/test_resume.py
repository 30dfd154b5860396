"""A run goes on only as what it was begun as, and a killed one from its last checkpoint."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch", reason="training needs the extra 'train'")

import torch

from aegle.core.errors import InputError, StoppedError
from aegle.train import embedder, resume

sys.path.insert(0, str(Path(__file__).parent))
import killed
from asked import write

TOLD = {"base": {"reference": "minilm", "sha256": "a" * 64}, "how": {"steps": 3, "pair": [1, 2]}}
NAMES = st.text(max_size=3)
JSON = st.none() | st.integers() | NAMES | st.tuples(st.integers(), st.integers())


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(NAMES, JSON | st.dictionaries(NAMES, JSON, max_size=3), max_size=4))
def test_what_is_the_same_after_json_may_go_on(about: dict[str, Any]) -> None:
    resume.check(Path("run"), json.loads(json.dumps(about)), about)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"how": {"steps": 4, "pair": (1, 2)}}, r"how\.steps was 3, is 4\."),
        ({"base": {"reference": "x", "sha256": "b" * 64}}, r'"minilm", is "x"; base\.sha256 was a'),
        ({"layers": [0, 2]}, r"layers was not told, is \[0, 2\]"),
        ({"how": None}, "how was told, is not told"),
    ],
)
def test_what_differs_is_said_with_what_to_do(change: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as told:
        resume.check(Path("run"), TOLD, TOLD | change)
    assert "--out" in str(told.value)


def test_the_same_model_by_another_name_may_go_on(tiny: Path, tmp_path: Path) -> None:
    same = shutil.copytree(tiny, tmp_path / "same")
    first, second = resume.identity("one", tiny), resume.identity("two", same)
    resume.check(Path("run"), {"base": first}, {"base": second})
    (same / "1_Pooling").mkdir()
    (same / "1_Pooling/config.json").write_text('{"pooling_mode_cls_token": true}')
    with pytest.raises(InputError, match=r"base\.sha256"):
        resume.check(Path("run"), {"base": first}, {"base": resume.identity("two", same)})


def test_steps_are_saved_every_so_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(resume.time, "monotonic", lambda: now[0])
    saved = []
    monkeypatch.setattr(resume.checkpoint, "save", lambda *args: saved.append(args[3]["step"]))
    net = torch.nn.Linear(1, 1)
    optimiser = torch.optim.AdamW(net.parameters())
    how: dict[str, Any] = {"folder": tmp_path, "about": {}, "resume": False, "save_s": 30}
    for _ in resume.Steps(net, optimiser, **how).over(range(10), lambda: False):
        now[0] += 10
    assert saved == [3, 6, 9, 10]


def test_a_killed_run_goes_on_from_its_last_checkpoint(tiny: Path, tmp_path: Path) -> None:
    """One is killed in a step, one while it writes a checkpoint: both end at the same bits."""
    source = write(tmp_path)
    words = [sys.executable, killed.__file__, str(tiny), str(source), str(tmp_path)]
    told = subprocess.run(words, capture_output=True, text=True, check=False)
    assert told.stdout.split() == ["-9", "-9"], told.stderr
    for run, at in ((killed.embedding, killed.AT), (killed.reranking, killed.AT - 1)):
        folder = tmp_path / run.__name__
        steps: list[int] = []
        (folder / ".checkpoint-9.safetensors.x.part").write_bytes(b"half")
        found = run(
            tiny, source, folder, resume=True, log=lambda *told, steps=steps: steps.append(told[2])
        )
        assert steps[0] == at
        whole = run(tiny, source, tmp_path / f"{run.__name__}-whole")
        for name, value in whole.items():
            np.testing.assert_array_equal(value, found[name])
        files = {one.name for one in folder.iterdir()}
        assert files == {"checkpoint.json", "checkpoint-6.safetensors"}


def test_an_embedder_goes_on_with_its_base_and_its_data_only(tiny: Path, tmp_path: Path) -> None:
    other = shutil.copytree(tiny, tmp_path / "other")
    config = json.loads((tiny / "config.json").read_text()) | {"layer_norm_eps": 1e-5}
    (other / "config.json").write_text(json.dumps(config))
    source, guard = write(tmp_path), write(tmp_path, name="guard")
    (guard / "qrels/train.tsv").unlink()
    asked = iter(range(99))
    how: dict[str, Any] = {"how": killed.HOW, "folder": tmp_path / "run", "base": "path:tiny"}
    folders = [source, guard]
    with pytest.raises(StoppedError):
        embedder.run(folders, base_folder=tiny, stop=lambda: next(asked) == 2, **how)
    how["resume"] = True
    with pytest.raises(InputError, match=r"base\.sha256 was .* is "):
        embedder.run(folders, base_folder=other, **how)
    with pytest.raises(InputError, match=r"data\.guard was .* is not told"):
        embedder.run([source], base_folder=tiny, **how)
    (guard / "links.tsv").write_text("p1\tp3\n")
    with pytest.raises(InputError, match=r"data\.guard was \w{12}…, is \w{12}…\. Go on with"):
        embedder.run(folders, base_folder=tiny, **how)
    assert json.loads((tmp_path / "run/checkpoint.json").read_text())["step"] == 2
