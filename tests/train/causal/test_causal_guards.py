"""Small data: folds hold each group out once, shares grow, a search is judged by dev, gaps told."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("peft", reason="training needs the extra 'train'")
pytest.importorskip("optuna", reason="searching needs the extra 'search'")

from test_causal_command import aegle
from tiny_causal import corpus, tiny
from tiny_causal import recipe as tiny_recipe
from tiny_preference import lines, pairs

from aegle.core.errors import InputError, StoppedError, UsageError, WorkspaceBusyError
from aegle.flows import model
from aegle.flows.runs import locked
from aegle.train.causal import overfit
from aegle.train.causal.corpus import read_corpus
from aegle.train.causal.distil import TAUGHT
from aegle.train.causal.holding import parted, thinned
from aegle.train.causal.mix import read_mixed
from aegle.train.causal.recipe import read_recipe
from aegle.train.causal.run import run

RECIPE = """
kind: sft
name: tiny
base: path:{base}
max_tokens: 64
data: [{{train: train.jsonl, share: 0.3, licence: ours, safe_because: made here}}]
adapter: {{method: lora}}
optimiser: {{lr: 0.02, epochs: 2}}
batches: {{tokens: 128}}
stopping: {{per_epoch: 2}}
precision: fp32
search:
  optimiser.lr: [1.0e-3, 5.0e-2, log]
  adapter.rank: [2, 4]
"""
GROUPS = 8


@dataclass(frozen=True)
class One:
    """Something of a group."""

    group: str
    number: int


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    tiny(folder / "base")
    corpus(folder / "train.jsonl", count=3 * GROUPS)
    (folder / "tiny.yaml").write_text(RECIPE.format(base=folder / "base"))
    return folder


def some_of(names: list[str]) -> list[One]:
    return [One(name, number) for number, name in enumerate(names)]


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1), st.integers(2, 6), st.integers(0, 3))
def test_each_group_is_held_out_once(names: list[str], of: int, seed: int) -> None:
    some, there = some_of(names), set(names)
    told = tiny_recipe(Path("base"), seed=seed)
    source = told.data[0]
    if len(there) < of:
        with pytest.raises(InputError, match="too few for"):
            parted(some, source, told.model_copy(update={"fold": (0, of)}), {})
        return
    held: list[One] = []
    sizes = []
    for number in range(of):
        recipe = told.model_copy(update={"fold": (number, of)})
        train, dev = parted(some, source, recipe, {})
        assert sorted(train + dev, key=lambda one: one.number) == some
        assert not {one.group for one in train} & {one.group for one in dev}
        again = parted(some[::-1], source, recipe, {})
        assert set(again[1]) == set(dev), "whatever the order of the file"
        sizes.append(len({one.group for one in dev}))
        held += dev
    assert sorted(held, key=lambda one: one.number) == some
    assert max(sizes) - min(sizes) <= 1


@given(st.lists(st.sampled_from("abcdefgh"), min_size=1), st.lists(st.floats(0.01, 1), min_size=2))
def test_a_larger_share_holds_the_smaller_one(names: list[str], shares: list[float]) -> None:
    some, told = some_of(names), tiny_recipe(Path("base"))
    before: set[One] = set()
    for share in sorted(shares):
        kept = thinned(some, told.model_copy(update={"learn": share}))
        assert before <= set(kept)
        assert 1 <= len({one.group for one in kept}) <= max(1, share * len(set(names)) + 1)
        before = set(kept)
    assert thinned(some, told) == some


def test_folds_leave_a_dev_file_alone(made: Path, tmp_path: Path) -> None:
    (tmp_path / "train.jsonl").write_bytes((made / "train.jsonl").read_bytes())
    corpus(tmp_path / "dev.jsonl", count=6, seed=9)
    source = {"train": "train.jsonl", "dev": "dev.jsonl", "licence": "o", "safe_because": "made"}
    told = tiny_recipe(made / "base", data=[source], fold=[0, 2])
    found = read_corpus(told, tmp_path)
    assert {one.place.partition(",")[0] for one in found.dev} == {"train.jsonl"}
    assert len(found.train) + len(found.dev) == 3 * GROUPS


@pytest.mark.parametrize("more", [{}, {"mixing": {"temperature": 2}}])
def test_a_patient_of_two_files_is_held_out_once_and_whole(tmp_path: Path, more: Any) -> None:
    """Else it would be scored in parts, each taken for a group of its own."""
    sources = []
    for name, patients in (("notes", range(10)), ("letters", range(1, 10, 2))):
        rows = [
            {"prompt": f"{name} {one} {n}?", "completion": "x", "patient": f"p{one}"}
            for one in patients
            for n in range(2)
        ]
        lines(tmp_path / f"{name}.jsonl", rows)
        source = {"train": f"{name}.jsonl", "licence": "o", "safe_because": "made"}
        sources.append({**source, "group": "patient"})
    dev: list[str] = []
    for number in range(5):
        told = tiny_recipe(tmp_path, data=sources, fold=[number, 5], **more)
        found = read_mixed(told, tmp_path).corpus
        dev += sorted({one.group for one in found.dev})
        assert not found.dropped["held out"], "nothing is lost to folds of another file"
        for group in {one.group for one in found.dev}:
            rows_of = sum(one.group == group for one in found.dev)
            assert rows_of == 2 + 2 * (int(group[1:]) % 2)
    assert sorted(dev) == [f"p{one}" for one in range(10)]


def test_folds_are_of_one_process_at_a_time(made: Path, tmp_path: Path) -> None:
    how: Any = {"data": made, "out": tmp_path, "device": "cpu"}
    for name, more in (("tiny-folds-2", {"folds": 2}), ("tiny-curve", {"shares": (0.5, 1.0)})):
        with locked(tmp_path / name), pytest.raises(WorkspaceBusyError):
            model.guard(made / "tiny.yaml", **how, **more)
        assert not list((tmp_path / name).rglob("*.json"))


@pytest.fixture(scope="module")
def folds(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Folds by the command line: the folder of runs and the report."""
    out = tmp_path_factory.mktemp("folds")
    words = ["train", str(made / "tiny.yaml"), "--data", str(made), "--out", str(out)]
    code, printed, told = aegle(*words, "--folds", "3", "--json")
    assert code == 0, told
    return out / "tiny-folds-3", json.loads(printed), words


def test_folds_score_every_group_by_a_run_that_has_not_seen_it(folds: Any) -> None:
    folder, report, _ = folds
    told = [json.loads(file.read_text()) for file in sorted(folder.rglob("dev.json"))]
    groups = [one["loss"]["groups"] for one in told]
    assert len({key for some in groups for key in some}) == sum(map(len, groups)) == GROUPS
    top, bottom = np.array([row for some in groups for row in some.values()]).sum(0)
    assert report["dev"]["value"] == pytest.approx(top / bottom)
    assert report["dev"]["low"] <= report["dev"]["value"] <= report["dev"]["high"]
    assert report["dev"]["n"] == GROUPS
    values = [one["dev"]["value"] for one in report["folds"]]
    assert report["spread"] == [min(values), max(values)]
    assert sum(one["texts"]["dev"] for one in report["folds"]) == 3 * GROUPS
    left = {path.name for path in folder.rglob("*") if path.is_file()}
    assert left <= {"report.json", "result.json", "run.json", "dev.json", "lock"}


def test_what_is_finished_is_not_trained_again(folds: Any) -> None:
    folder, _, words = folds
    before = {file: file.stat().st_mtime_ns for file in folder.rglob("result.json")}
    code, printed, _ = aegle(*words, "--folds", "3")
    assert code == 0
    assert "all groups" in printed
    assert {file: file.stat().st_mtime_ns for file in folder.rglob("result.json")} == before
    code, _, told = aegle(*words, "--folds", "3", "--tracker", "sqlite:///x.db")
    assert (code, "no tracker follows" in told) == (UsageError.exit_code, True), "not ignored"
    code, _, told = aegle(*words, "--folds", "3", "--set", "optimiser.lr=0.5")
    assert (code, "another recipe" in told) == (UsageError.exit_code, True)


def test_a_curve_grows_on_one_dev_and_says_what_its_last_step_gained(
    made: Path, tmp_path: Path
) -> None:
    words = ["train", str(made / "tiny.yaml"), "--data", str(made), "--out", str(tmp_path)]
    code, printed, told = aegle(*words, "--learning-curve", "0.25,1", "--json")
    assert code == 0, told
    report = json.loads(printed)
    few, all_ = report["points"]
    assert few["texts"]["train"] < all_["texts"]["train"]
    assert few["texts"]["dev"] == all_["texts"]["dev"]
    last = report["last_step"]
    assert last["value"] == pytest.approx(few["dev"]["value"] - all_["dev"]["value"])
    assert report["still_rising"] == (last["low"] > 0)


def test_a_search_stopped_and_gone_on_is_the_search_that_was_not(
    made: Path, tmp_path: Path
) -> None:
    file = made / "tiny.yaml"
    how: Any = {"data": made, "device": "cpu", "trials": 2}
    seen: list[str] = []
    whole = model.search(
        file, out=tmp_path / "a", figures=lambda name, value, step: seen.append(name), **how
    )
    steps: list[int] = []
    with pytest.raises(StoppedError):
        model.search(
            file,
            out=tmp_path / "b",
            progress=lambda step, done, total=None: steps.append(done),
            stop=lambda: len(steps) >= 4,
            **how,
        )
    gone_on = model.search(file, out=tmp_path / "b", **how)
    assert gone_on["trials"] == whole["trials"]
    assert whole["best"]["dev"] == min(one["dev"] for one in whole["trials"])
    assert not [name for name in seen if name.startswith("test")]
    folder = tmp_path / "a" / "tiny-search"
    assert not list(folder.rglob("*.safetensors")), "a search makes no model"
    best = read_recipe(folder / "best.yaml")
    assert not best.search
    assert best.optimiser.lr == whole["best"]["optimiser.lr"]
    with pytest.raises(UsageError, match="another recipe"):
        model.search(file, out=tmp_path / "b", changes={"seed": 4}, **how)
    corpus(tmp_path / "train.jsonl", count=3 * GROUPS, seed=8)
    with pytest.raises(UsageError, match="other data"):
        model.search(file, out=tmp_path / "b", **{**how, "data": tmp_path})


def test_a_trial_that_diverges_is_one_trial_less(made: Path, tmp_path: Path) -> None:
    changes = {"adapter": "full", "search": {"optimiser.lr": [1.0e30, 2.0e-3, 1.0e30]}}
    how: Any = {"data": made, "out": tmp_path, "device": "cpu", "changes": changes}
    answers = tmp_path / "tiny-search" / "trial" / TAUGHT
    answers.parent.mkdir(parents=True)
    answers.write_text("{}")
    found = model.search(made / "tiny.yaml", trials=5, **how)
    assert answers.is_file(), "a teacher's answers serve the next trial, too"
    assert [path.name for path in answers.parent.iterdir()] == [TAUGHT]
    lost = [one for one in found["trials"] if one["optimiser.lr"] == 1.0e30]
    assert 0 < len(lost) < 5
    assert all(one["pruned"] for one in lost)
    assert found["best"]["optimiser.lr"] == 2.0e-3


def test_where_all_diverge_it_is_said(made: Path, tmp_path: Path) -> None:
    changes = {"adapter": "full", "search": {"optimiser.lr": [1.0e30, 1.0e31, 1.0e32]}}
    how: Any = {"data": made, "out": tmp_path, "device": "cpu", "changes": changes}
    with pytest.raises(InputError, match="all diverged"):
        model.search(made / "tiny.yaml", trials=1, **how)


def test_what_was_learned_by_heart_is_told_in_card_and_result(made: Path, tmp_path: Path) -> None:
    """Answers that follow from nothing: train is learned, dev can't be."""
    rng = np.random.default_rng(1)
    rows = [
        {"prompt": f"{n}?", "completion": "".join(rng.choice(list("abcdefgh"), 6)), "group": n}
        for n in range(16)
    ]
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    told = tiny_recipe(
        made / "base",
        adapter="full",
        optimiser={"lr": 0.01, "epochs": 40},
        stopping={"patience": 40},
    )
    done = run(told, base=made / "base", data=tmp_path, folder=tmp_path / "run")
    gap = done.metrics["gap"]
    assert gap["low"] <= gap["value"] <= gap["high"]
    card = json.loads((tmp_path / "run" / "model" / "card.json").read_text())
    assert card["metrics"]["gap"] == gap
    assert card["metrics"]["warnings"] == done.metrics["warnings"]
    assert gap["overfits"] == (gap["low"] > gap["allowed"]) == bool(done.metrics["warnings"])


@pytest.mark.parametrize(("apart", "warned"), [(0.2, 0), (2.0, 1)])
def test_a_gap_is_a_warning_where_it_is_beyond_chance(apart: float, warned: int) -> None:
    rng = np.random.default_rng(3)
    train, dev = rng.normal(0, 0.3, 40), rng.normal(-apart, 0.3, 30)
    groups = [[str(n) for n in range(40)], [str(n) for n in range(30)]]
    found, warnings = overfit.told([train.tolist(), dev.tolist()], groups, 0.5, "nats a token", 0)
    assert len(warnings) == warned
    assert found["value"] == pytest.approx(train.mean() - dev.mean())


def test_preferences_have_folds_and_a_gap_of_accuracy(made: Path, tmp_path: Path) -> None:
    lines(tmp_path / "train.jsonl", pairs(16))
    text = RECIPE.format(base=made / "base").replace("kind: sft", "kind: dpo")
    (tmp_path / "tiny.yaml").write_text(text)
    report = model.guard(tmp_path / "tiny.yaml", folds=2, data=tmp_path, out=tmp_path / "out")
    assert report["dev"] is None, "such runs leave no sums of groups"
    assert sum(one["texts"]["dev"] for one in report["folds"]) == 16
    for one in report["folds"]:
        assert one["gap"]["unit"] == "of accuracy"
        assert -1 <= one["gap"]["low"] <= one["gap"]["value"] <= one["gap"]["high"] <= 1
