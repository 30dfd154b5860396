"""Corpora are drawn by temperature; what is replayed isn't forgotten, and what is, is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("peft", reason="training needs the extra 'train'")

from tiny_causal import recipe, tiny

from aegle.core.errors import InputError
from aegle.train.causal.mix import read_mixed
from aegle.train.causal.run import run

ABOUT = {"licence": "ours", "safe_because": "made here"}


def write(path: Path, count: int, answer: str, asked: str) -> None:
    rows = [
        {"prompt": f"{asked}{n}?", "completion": answer, "group": f"{asked}{n}"}
        for n in range(count)
    ]
    path.write_text("\n".join(json.dumps(one) for one in rows))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mix")
    tiny(folder / "base")
    write(folder / "large.jsonl", 60, "yes", "a")
    write(folder / "small.jsonl", 15, "no", "b")
    write(folder / "old.jsonl", 40, "maybe", "c")
    return folder


def told(made: Path, *files: str, **more: Any) -> Any:
    data = [{"train": f"{one}.jsonl", "share": 0.3, **ABOUT} for one in files]
    return recipe(made / "base", data=data, **more)


def share(records: Any, letter: str) -> float:
    return sum(str(one.turns[0].text).startswith(letter) for one in records) / len(records)


def test_a_higher_temperature_draws_more_of_the_small(made: Path) -> None:
    found = [
        read_mixed(told(made, "large", "small", mixing={"temperature": one}), made).corpus
        for one in (1, 3, 1000)
    ]
    plain = read_mixed(told(made, "large", "small"), made).corpus
    shares = [share(one.train, "b") for one in found]
    assert shares[0] == pytest.approx(share(plain.train, "b"), abs=0.02)
    assert shares[0] < shares[1] < shares[2] == pytest.approx(0.5, abs=0.02)
    assert all(len(one.train) == len(plain.train) for one in found)
    assert {one.place for one in found[1].dev} == {one.place for one in plain.dev}


def test_replay_is_its_share_and_leaks_nothing(made: Path) -> None:
    source = {"train": "old.jsonl", "share": 0.3, **ABOUT}
    one = told(made, "large", "small", replay={"data": [source], "share": 0.25})
    found = read_mixed(one, made)
    assert share(found.corpus.train, "c") == pytest.approx(0.25, abs=0.02)
    held = {str(r.turns[0].text) for r in (*found.corpus.dev, *found.old["old.jsonl"])}
    assert not held & {str(r.turns[0].text) for r in found.corpus.train}
    assert found.drawn["old.jsonl"] == round(
        share(found.corpus.train, "c") * len(found.corpus.train)
    )


def test_dev_of_an_old_corpus_is_not_trained_on_as_new(made: Path) -> None:
    source = {"train": "old.jsonl", "dev": "large.jsonl", **ABOUT}
    one = told(made, "small", "large", replay={"data": [source], "share": 0.1})
    found = read_mixed(one, made)
    assert share(found.corpus.train, "a") == 0


def test_corpora_share_no_group_with_dev_and_no_record(made: Path, tmp_path: Path) -> None:
    write(tmp_path / "x.jsonl", 40, "yes", "a")
    write(tmp_path / "y.jsonl", 40, "no", "a")
    sources = [{"train": f"{n}.jsonl", "share": s, **ABOUT} for n, s in (("x", 0.1), ("y", 0.5))]
    found = read_mixed(recipe(made, data=sources, mixing={"temperature": 1}), tmp_path).corpus
    assert not {one.group for one in found.train} & {one.group for one in found.dev}
    write(tmp_path / "y.jsonl", 41, "yes", "a")
    with pytest.raises(InputError, match=r"y.jsonl, line \d+ says the same as x.jsonl, line"):
        read_mixed(recipe(made, data=sources, mixing={"temperature": 1}), tmp_path)
    told = recipe(made, data=sources, mixing={"temperature": 1}, duplicates="drop")
    assert read_mixed(told, tmp_path).corpus.dropped["duplicates"] > 0


def test_without_replay_it_is_forgotten_and_said(made: Path, tmp_path: Path) -> None:
    """A model that knows the old corpus learns a new one, with its replay and without."""
    how = {"adapter": "full", "optimiser": {"lr": 0.01, "epochs": 3, "accumulation": 1}}
    given: dict[str, Any] = {"data": made, "device": "cpu"}
    knows = run(told(made, "old", **how), base=made / "base", folder=tmp_path / "a", **given)
    found = []
    for number, part in enumerate((0.0, 0.5)):
        source = {"train": "old.jsonl", "share": 0.3, **ABOUT}
        replay = {"data": [source], "share": part, "allowed": 0.5}
        one = told(made, "large", replay=replay, **how)
        base = tmp_path / "a" / "model"
        found.append(run(one, base=base, folder=tmp_path / str(number), **given).metrics)
    assert knows.metrics["dev"]["loss"]["value"] < 1
    without, replayed = (one["forgetting"]["tasks"]["old.jsonl"] for one in found)
    assert without["forgotten"]
    assert "was forgotten" in found[0]["warnings"][0]
    assert not found[0]["forgetting"]["passes"]
    assert not replayed["forgotten"]
    assert replayed["loss_after"] < 0.5 * without["loss_after"]
    card = json.loads((tmp_path / "1" / "model" / "card.json").read_text())
    assert [one["train"] for one in card["data"]] == ["large.jsonl", "old.jsonl"]


@pytest.mark.parametrize("method", ["prompt", "prefix"])
def test_before_is_the_base_s_without_learned_tokens(
    made: Path, tmp_path: Path, method: str
) -> None:
    source = {"train": "old.jsonl", "share": 0.3, **ABOUT}
    found = []
    for one in ("lora", method):
        few = {"lr": 0.01, "max_steps": 1, "accumulation": 1}
        more: dict[str, Any] = {"replay": {"data": [source], "share": 0.1}, "optimiser": few}
        recipe_ = told(made, "small", adapter=one, batches={"packing": "off"}, **more)
        done = run(recipe_, base=made / "base", data=made, folder=tmp_path / one, device="cpu")
        found.append(done.metrics["forgetting"]["tasks"]["old.jsonl"]["loss_before"])
    assert found[1] == pytest.approx(found[0], rel=1e-4)
