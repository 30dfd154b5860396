"""Experts of words' forms fitted onto a finished tagger: they learn, and its encoder stays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from tokenizers import Tokenizer as Tokens

torch = pytest.importorskip("torch", reason="training needs the extra 'train'")

from safetensors.numpy import load_file  # noqa: E402

from aegle.core.artifacts import check_manifest  # noqa: E402
from aegle.core.errors import InputError, StoppedError  # noqa: E402
from aegle.lm.lexical import Lexical  # noqa: E402
from aegle.lm.tagger import LEXICAL, Tagger  # noqa: E402
from aegle.train.lexical import expert  # noqa: E402
from aegle.train.parts import read_parts, tag_data  # noqa: E402
from aegle.train.recipe import LexicalFit, Recipe  # noqa: E402
from aegle.train.run import run  # noqa: E402

FITTED = {"heads": {"drugs": 2.0}, "entries": 4000}


def recipe(**changes: Any) -> Recipe:
    """An encoder that learned little, so that forms have something to add."""
    told = {
        "name": "forms",
        "max_pieces": 40,
        "overlap": 8,
        "tasks": {"drugs": {"labels": ["Drug"]}, "hosts": {"labels": ["Host"]}},
        "corpora": [
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
        ],
        "optimiser": {"lr": 1e-5, "head_lr": 1e-4, "epochs": 1, "batch_words": 512},
    }
    return Recipe.model_validate({**told, **changes})


@pytest.fixture(scope="module")
def base(tiny: Path, corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("base")
    run(recipe(), base=tiny, data=corpora, folder=folder)
    return folder / "model"


@pytest.fixture(scope="module")
def fitted(base: Path, corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("forms")
    told = recipe(frozen=True, lexical=FITTED)
    return folder, run(told, base=base, data=corpora, folder=folder)


def test_dev_and_test_gain_and_the_encoder_stays(base: Path, fitted: Any) -> None:
    folder, (how, scored) = fitted
    model = folder / "model"
    before = json.loads((base / "card.json").read_text())["test_f1"]["drugs"]["value"]
    assert scored["drugs"].f1.value > before
    assert how.best_score > before
    assert (model / "model.onnx").read_bytes() == (base / "model.onnx").read_bytes()
    listed = {one.path: one for one in check_manifest(model / "manifest.json")}
    was = {one.path: one for one in check_manifest(base / "manifest.json")}
    assert set(listed) == {*was, LEXICAL}
    assert listed["model.onnx"] == was["model.onnx"]


def test_the_card_says_which_head_has_one(base: Path, fitted: Any) -> None:
    card = json.loads((fitted[0] / "model" / "card.json").read_text())
    old = json.loads((base / "card.json").read_text())
    assert card["heads"]["drugs"]["lexical"] == card["lexical"]["heads"]["drugs"] == 2
    assert card["heads"]["hosts"] == old["heads"]["hosts"]
    assert card["version"].startswith(f"{old['version']}+forms-")
    assert {name.split(".")[0] for name in load_file(fitted[0] / "model" / LEXICAL)} == {"drugs"}


def test_heads_without_one_say_what_they_said(base: Path, fitted: Any) -> None:
    text = "xabcd ab01 eeee xcccc"
    before, after = (Tagger(one, threads=1) for one in (base, fitted[0] / "model"))
    assert after.tag([text], tasks=["hosts"]) == before.tag([text], tasks=["hosts"])


def test_an_expert_keeps_as_many_weights_as_asked_and_learns_the_same_again(
    tiny: Path, corpora: Path
) -> None:
    told = recipe(lexical=FITTED)
    parts = read_parts(told, corpora)
    tokens = Tokens.from_file(str(tiny / "tokenizer.json"))
    data = tag_data(told, parts, "train", tokens)["drugs"]
    how = LexicalFit.model_validate(FITTED | {"entries": 300})
    one, other = (expert(data, how, seed=3) for _ in range(2))
    assert len(one["drugs.values"]) <= 300
    assert all((one[name] == other[name]).all() for name in one)
    forms = Lexical(one, {"drugs": (0, 1.0)}, 3)
    text = "xabcd"
    assert forms.logits(text, np.array([[0, 5]]))[0].argmax() == 1


def test_a_new_head_in_the_place_of_one_takes_its_forms_away(
    fitted: Any, corpora: Path, tmp_path: Path
) -> None:
    told = recipe(frozen=True)
    alone = told.model_copy(
        update={"tasks": {"drugs": told.tasks["drugs"]}, "corpora": told.corpora[:1]}
    )
    run(alone, base=fitted[0] / "model", data=corpora, folder=tmp_path)
    assert not (tmp_path / "model" / LEXICAL).exists()
    assert Tagger(tmp_path / "model", threads=1).heads["drugs"].lexical == 0


def test_a_run_makes_it_after_the_network(tiny: Path, corpora: Path, tmp_path: Path) -> None:
    run(recipe(lexical=FITTED), base=tiny, data=corpora, folder=tmp_path)
    for name in ("model", "model-float"):
        assert Tagger(tmp_path / name, threads=1).heads["drugs"].lexical == 2


def test_stopped_it_leaves_no_model(base: Path, corpora: Path, tmp_path: Path) -> None:
    told = recipe(frozen=True, lexical=FITTED)
    with pytest.raises(StoppedError):
        run(told, base=base, data=corpora, folder=tmp_path, stop=lambda: True)
    assert not list(tmp_path.iterdir())


def test_a_tagger_without_the_head_is_refused(base: Path, corpora: Path, tmp_path: Path) -> None:
    told = recipe(frozen=True, lexical=FITTED)
    other = told.tasks | {"drugs": told.tasks["drugs"].model_copy(update={"labels": ("Drug", "x")})}
    with pytest.raises(InputError, match="a head of the same labels"):
        run(told.model_copy(update={"tasks": other}), base=base, data=corpora, folder=tmp_path)


def test_a_head_that_no_task_has_is_refused() -> None:
    with pytest.raises(ValidationError, match="no task elsewhere"):
        recipe(lexical={"heads": {"elsewhere": 1}})
    with pytest.raises(ValidationError, match="above 0"):
        recipe(lexical={"heads": {"drugs": 0}})
