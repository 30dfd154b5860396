"""A recipe learns, stops, resumes to the same bits, teaches, and serves what it was scored as."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra 'train'")

from aegle.core.artifacts import check_manifest  # noqa: E402
from aegle.core.errors import InputError, StoppedError  # noqa: E402
from aegle.lm.encoder import read_tokenizer  # noqa: E402
from aegle.lm.tagger import Tagger  # noqa: E402
from aegle.train.checkpoint import read_tensors  # noqa: E402
from aegle.train.fit import fit, schedule  # noqa: E402
from aegle.train.network import Network  # noqa: E402
from aegle.train.parts import read_parts, tag_data  # noqa: E402
from aegle.train.recipe import Recipe  # noqa: E402
from aegle.train.run import run  # noqa: E402


def recipe(**changes: Any) -> Recipe:
    corpora = [
        {
            "task": task,
            "train": f"{task}-train.txt",
            "dev": f"{task}-dev.txt",
            "test": f"{task}-test.txt",
            "names": {label: label},
            "licence": "made here",
            "safe_because": "made here",
        }
        for task, label in (("drugs", "Drug"), ("hosts", "Host"))
    ]
    told = {
        "name": "tiny",
        "max_pieces": 40,
        "overlap": 8,
        "tasks": {"drugs": {"labels": ["Drug"]}, "hosts": {"labels": ["Host"]}},
        "corpora": corpora,
        "optimiser": {"lr": 3e-3, "head_lr": 1e-2, "epochs": 8, "batch_words": 512},
    }
    return Recipe.model_validate({**told, **changes})


@pytest.fixture(scope="module")
def trained(tiny: Path, corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("run")
    fitted, test = run(recipe(), base=tiny, data=corpora, folder=folder)
    return folder, fitted, test


def test_it_learns_both_heads(trained: Any) -> None:
    _, fitted, test = trained
    assert {task: one.f1.value > 0.9 for task, one in test.items()} == {
        "drugs": True,
        "hosts": True,
    }
    assert fitted.best_score > 0.9


def test_the_served_model_says_what_the_network_said(trained: Any, corpora: Path) -> None:
    folder, _, test = trained
    assert check_manifest(folder / "model" / "manifest.json")
    tagger = Tagger(folder / "model", threads=1)
    parts = read_parts(recipe(), corpora)
    right = found = gold = 0
    for one in parts[0].test:
        (told,) = tagger.tag([one.text], tasks=["drugs"])
        here = {(span.start, span.end) for span in told["drugs"]}
        there = {(label.start, label.end) for label in one.labels}
        right, found, gold = right + len(here & there), found + len(here), gold + len(there)
    f1 = 2 * right / (found + gold)
    assert f1 == pytest.approx(test["drugs"].f1.value, abs=0.02)


def test_a_card_tells_data_licence_and_scores(trained: Any) -> None:
    card = json.loads((trained[0] / "model" / "card.json").read_text())
    assert check_manifest(trained[0] / "model-float" / "manifest.json")
    assert [one["licence"] for one in card["data"]] == ["made here"] * 2
    assert set(card["dev_f1"]) == set(card["test_f1"]) == {"drugs", "hosts"}
    assert 0.25 <= card["heads"]["drugs"]["temperature"] <= 8


def _fit(tiny: Path, corpora: Path, folder: Path, **more: Any) -> dict[str, Any]:
    told = recipe(optimiser={"lr": 1e-3, "epochs": 2, "batch_words": 512})
    tokenizer = read_tokenizer(tiny / "tokenizer.json")
    parts = read_parts(told, corpora)
    train, dev = (tag_data(told, parts, part, tokenizer) for part in ("train", "dev"))
    torch.manual_seed(told.seed)
    net = Network(tiny, told.tasks, cases=True, dropout=0.1)
    folder.mkdir(exist_ok=True)
    fit(net, told, train=train, dev=dev, folder=folder, **more)
    return dict(net.state_dict())


def test_stopped_anywhere_and_resumed_gives_the_same_bits(
    tiny: Path, corpora: Path, tmp_path: Path
) -> None:
    whole = _fit(tiny, corpora, tmp_path / "whole")
    for step in (3, 9):
        folder = tmp_path / str(step)
        with pytest.raises(StoppedError, match=f"step {step}"):
            _fit(tiny, corpora, folder, stop_after=step)
        resumed = _fit(tiny, corpora, folder, resume=True)
        assert all(torch.equal(whole[name], resumed[name]) for name in whole)
        last = json.loads((folder / "checkpoint.json").read_text())["file"]
        same = json.loads((tmp_path / "whole" / "checkpoint.json").read_text())["file"]
        a, b = read_tensors(folder / last), read_tensors(tmp_path / "whole" / same)
        assert all(torch.equal(a[name], b[name]) for name in a)


def test_a_damaged_checkpoint_is_refused(tiny: Path, corpora: Path, tmp_path: Path) -> None:
    with pytest.raises(StoppedError):
        _fit(tiny, corpora, tmp_path, stop_after=2)
    (file,) = tmp_path.glob("checkpoint-*.safetensors")
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(InputError, match="damaged"):
        _fit(tiny, corpora, tmp_path, resume=True)


def test_a_student_learns_with_its_teacher_whose_opinions_are_kept(
    trained: Any, tiny: Path, corpora: Path, tmp_path: Path
) -> None:
    told = recipe(distillation={"teacher": str(trained[0]), "weight": 0.5})
    _, test = run(told, base=tiny, data=corpora, folder=tmp_path)
    assert test["drugs"].f1.value > 0.9
    assert list(tmp_path.glob("opinions-*.safetensors"))
    with pytest.raises(InputError, match="no finished run"):
        run(
            recipe(distillation={"teacher": str(tmp_path / "none")}),
            base=tiny,
            data=corpora,
            folder=tmp_path,
        )


def test_what_only_teaches_is_not_exported(tiny: Path, corpora: Path, tmp_path: Path) -> None:
    told = recipe(serve=False, optimiser={"epochs": 1, "batch_words": 512})
    _, test = run(told, base=tiny, data=corpora, folder=tmp_path)
    assert not (tmp_path / "model").exists()
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["test"]["drugs"]["value"] == test["drugs"].f1.value


def test_a_recipe_without_dev_texts_is_refused(tiny: Path, corpora: Path, tmp_path: Path) -> None:
    part = {"task": "drugs", "train": "drugs-train.txt", "test": "drugs-test.txt"}
    why = {"licence": "made here", "safe_because": "made here", "names": {"Drug": "Drug"}}
    told = recipe(corpora=[{**part, **why, "shares": (1.0, 0.0, 0.0)}])
    with pytest.raises(InputError, match="dev part"):
        run(told, base=tiny, data=corpora, folder=tmp_path)


def test_uncertainty_balance_smoothing_and_class_weights_train(
    tiny: Path, corpora: Path, tmp_path: Path
) -> None:
    told = recipe(
        loss={"balance": "uncertainty", "smoothing": 0.05, "class_balance": 0.3},
        optimiser={"lr": 3e-3, "head_lr": 1e-2, "epochs": 6, "batch_words": 512},
    )
    _, test = run(told, base=tiny, data=corpora, folder=tmp_path)
    assert all(one.f1.value > 0.8 for one in test.values())
    scales = {
        name: float(value)
        for name, value in read_tensors(tmp_path / "best.safetensors").items()
        if name.startswith("scales.")
    }
    assert all(value != 0 for value in scales.values())


def test_the_rate_warms_up_and_falls() -> None:
    rates = [schedule(step, 100, 0.1) for step in range(100)]
    assert rates[:10] == pytest.approx(np.arange(1, 11) / 10)
    assert all(a > b for a, b in pairwise(rates[10:]))
    assert rates[-1] < 0.02
