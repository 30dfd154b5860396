"""Heads fitted onto a finished tagger: they learn, and nothing else of it changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

torch = pytest.importorskip("torch", reason="training needs the extra 'train'")

from aegle.core.artifacts import check_manifest  # noqa: E402
from aegle.core.errors import InputError, StoppedError  # noqa: E402
from aegle.lm.tagger import Tagger  # noqa: E402
from aegle.train.recipe import Recipe  # noqa: E402
from aegle.train.run import run  # noqa: E402


def recipe(*tasks: tuple[str, str, str], **changes: Any) -> Recipe:
    """Tasks as (name, label, its corpus)."""
    told = {
        "name": "onto",
        "max_pieces": 40,
        "overlap": 8,
        "tasks": {name: {"labels": [label]} for name, label, _ in tasks},
        "corpora": [
            {
                "task": name,
                "train": f"{corpus}-train.txt",
                "dev": f"{corpus}-dev.txt",
                "test": f"{corpus}-test.txt",
                "names": {label: label},
                "licence": "made here",
                "safe_because": "made here",
            }
            for name, label, corpus in tasks
        ],
        "optimiser": {"lr": 3e-3, "head_lr": 1e-2, "epochs": 8, "batch_words": 512},
    }
    return Recipe.model_validate({**told, **changes})


BOTH = (("drugs", "Drug", "drugs"), ("hosts", "Host", "hosts"))


@pytest.fixture(scope="module")
def tagger(tiny: Path, corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of both kinds, so that its encoder tells them apart."""
    folder = tmp_path_factory.mktemp("base")
    run(recipe(*BOTH), base=tiny, data=corpora, folder=folder)
    return folder / "model"


@pytest.fixture(scope="module")
def onto(tagger: Path, corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A head of a new name before the others, and one in the place of its namesake."""
    folder = tmp_path_factory.mktemp("onto")
    told = recipe(("atoms", "Drug", "drugs"), ("hosts", "Host", "hosts"), frozen=True)
    seen: list[tuple[int, int]] = []
    fitted, test = run(
        told,
        base=tagger,
        data=corpora,
        folder=folder,
        progress=lambda *at: seen.append(at),
    )
    return folder / "model", fitted, test, seen


TEXTS = ["abcd xbcde aaaa", "cccc abde01 xdcba", "", "xaaaa " * 60]


def test_new_heads_learn_and_serve(onto: Any) -> None:
    model, fitted, test, _ = onto
    assert sorted(test) == ["atoms", "hosts"]
    assert all(one.f1.value > 0.9 for one in test.values())
    assert fitted.best_score > 0.9
    (told,) = Tagger(model, threads=1).tag([TEXTS[0]], tasks=["atoms"])
    assert [(one.start, one.end) for one in told["atoms"]] == [(5, 10)]


def test_the_heads_that_stay_say_the_same_to_the_bit(onto: Any, tagger: Path) -> None:
    before, after = Tagger(tagger, threads=1), Tagger(onto[0], threads=1)
    assert before.tag(TEXTS, tasks=["drugs"]) == after.tag(TEXTS, tasks=["drugs"])
    assert list(before.heads) == ["drugs", "hosts"]
    assert list(after.heads) == ["atoms", "drugs", "hosts"]


def test_its_card_says_what_it_stands_on_and_is_another_version(onto: Any, tagger: Path) -> None:
    card, before = (json.loads((one / "card.json").read_text()) for one in (onto[0], tagger))
    assert check_manifest(onto[0] / "manifest.json")
    assert card["version"] != before["version"]
    assert card["origins"][-1]["role"] == "frozen"
    assert sorted(row["task"] for row in card["data"]) == ["atoms", "drugs", "hosts"]
    assert set(card["test_f1"]) == {"atoms", "drugs", "hosts"}


def test_progress_counts_every_word_once(onto: Any) -> None:
    seen = onto[3]
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})
    assert seen[-1][0] == seen[-1][1]


def test_a_corpus_without_names_teaches_that_there_is_nothing(
    tagger: Path, corpora: Path, tmp_path: Path
) -> None:
    told = recipe(("any", "Drug", "drugs"), frozen=True)
    quiet = told.corpora[0].model_copy(
        update={"names": {}, **{p: f"hosts-{p}.txt" for p in ("train", "dev", "test")}}
    )
    some = told.model_copy(update={"corpora": (*told.corpora, quiet)})
    run(some, base=tagger, data=corpora, folder=tmp_path)
    (found,) = Tagger(tmp_path / "model", threads=1).tag([TEXTS[1]], tasks=["any"])
    assert [TEXTS[1][one.start : one.end] for one in found["any"]] == ["xdcba"]


def test_a_head_that_finds_nothing_right_is_not_written(
    tagger: Path, corpora: Path, tmp_path: Path
) -> None:
    told = recipe(("atoms", "Drug", "drugs"), frozen=True)
    lost = told.corpora[0].model_copy(update={"names": {}})
    with pytest.raises(InputError, match="found nothing right"):
        run(
            told.model_copy(update={"corpora": (lost,)}),
            base=tagger,
            data=corpora,
            folder=tmp_path,
        )
    assert not (tmp_path / "model").exists()


def test_stopped_it_leaves_no_model(tagger: Path, corpora: Path, tmp_path: Path) -> None:
    told = recipe(("atoms", "Drug", "drugs"), frozen=True)
    with pytest.raises(StoppedError) as caught:
        run(told, base=tagger, data=corpora, folder=tmp_path, stop=lambda: True)
    assert not list(tmp_path.iterdir())
    assert not caught.value.resumes


def test_an_encoder_that_is_no_tagger_is_refused(tiny: Path, corpora: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no model\.onnx"):
        run(recipe(*BOTH, frozen=True), base=tiny, data=corpora, folder=tmp_path)


@pytest.mark.parametrize(
    "changes",
    [{"begin": "runs/x"}, {"distillation": {"teacher": "runs/x"}}, {"search": {"seed": [1, 2]}}],
)
def test_what_trains_an_encoder_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        recipe(*BOTH, frozen=True, **changes)
