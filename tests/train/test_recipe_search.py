"""A search looks at dev only, goes on as if never stopped, and writes a recipe to train."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="training needs the extra 'train'")
pytest.importorskip("optuna", reason="searching needs the extra 'search'")

from aegle.core.errors import InputError, StoppedError, UsageError
from aegle.train.recipe import Recipe, read_recipe
from aegle.train.search import Trial, search, space_of

RECIPE = """
name: tiny
max_pieces: 40
overlap: 8
tasks: {drugs: {labels: [Drug]}}
corpora:
  - {task: drugs, train: drugs-train.txt, dev: drugs-dev.txt, test: drugs-test.txt,
     names: {Drug: Drug}, licence: made here, safe_because: made here}
optimiser: {lr: 1.0e-3, head_lr: 1.0e-2, epochs: 2, batch_words: 512}
search: {optimiser.lr: [1e-4, 1e-2, log], loss.smoothing: [0.0, 0.2], dropout: [0.0, 0.1, 0.2]}
"""


TRIALS = 2


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory) -> Any:
    file = tmp_path_factory.mktemp("recipe") / "tiny.yaml"
    file.write_text(RECIPE)
    return lambda changes: read_recipe(file, changes=changes)


@pytest.fixture(scope="module")
def small(corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A third of the corpus of drugs."""
    folder = tmp_path_factory.mktemp("small")
    for part in ("train", "dev", "test"):
        text = (corpora / f"drugs-{part}.txt").read_text()
        (folder / f"drugs-{part}.txt").write_text(text[: text.rindex("-DOC", 0, len(text) // 3)])
    return folder


def run(make: Any, tiny: Path, data: Path, folder: Path, **more: Any) -> list[Trial]:
    how = {"trials": TRIALS, "device": "cpu", **more}
    return search(make, base=tiny, data=data, folder=folder, **how)


@pytest.fixture(scope="module")
def whole(make: Any, tiny: Path, small: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A search from beginning to end: its folder, its trials, the figures that it told."""
    folder = tmp_path_factory.mktemp("whole")
    seen: list[tuple[str, float]] = []
    found = run(
        *(make, tiny, small, folder), log=lambda name, value, step: seen.append((name, value))
    )
    return folder, found, seen


def test_dev_decides_and_test_is_never_scored(
    make: Any, tiny: Path, small: Path, whole: Any, tmp_path: Path
) -> None:
    """The same test texts with other gold labels: the same search, to the last digit."""
    shutil.copytree(small, tmp_path / "blind")
    test = tmp_path / "blind" / "drugs-test.txt"
    test.write_text(test.read_text().replace("B-Drug", "O"))
    folder, found, seen = whole
    assert found == run(make, tiny, tmp_path / "blind", tmp_path / "search")
    assert found[0].score == max(one.score for one in found)
    assert {name.partition("/")[0] for name, _ in seen} == {"loss", "norm", "tokens", "dev"}
    left = {path.name for path in folder.rglob("*") if path.is_file()}
    assert left == {"best.yaml", "search.db"}, "a search makes no model and keeps no weights"


def test_stopped_and_gone_on_is_the_search_that_was_not_stopped(
    make: Any, tiny: Path, small: Path, whole: Any, tmp_path: Path
) -> None:
    parts: list[tuple[str, float]] = []

    def log(name: str, value: float, step: int) -> None:
        if name.startswith("dev/"):
            parts.append((name, value))

    for limit in (3, 2):
        steps: list[int] = []
        with pytest.raises(StoppedError):
            run(
                *(make, tiny, small, tmp_path),
                log=log,
                progress=lambda done, total, steps=steps: steps.append(done),
                stop=lambda steps=steps, limit=limit: len(steps) >= limit,
            )
    _, found, seen = whole
    for _ in range(2):  # the second time all trials are there
        assert run(make, tiny, small, tmp_path, log=log) == found
        assert parts == [one for one in seen if one[0].startswith("dev/")]


def test_the_best_recipe_is_a_recipe(make: Any, whole: Any) -> None:
    folder, found, _ = whole
    recipe = read_recipe(folder / "best.yaml")
    assert not recipe.search
    assert recipe.optimiser.lr == found[0].values["optimiser.lr"]
    assert recipe.loss.smoothing == found[0].values["loss.smoothing"]
    assert recipe.model_copy(update={"search": make({}).search}) == make(dict(found[0].values))


def test_a_trial_below_the_median_is_pruned(
    make: Any, tiny: Path, small: Path, tmp_path: Path
) -> None:
    """A third of the draws is hopeless: once there is a median to be below, those end early."""
    fixed = {"optimiser.batch_words": 128, "optimiser.head_lr": 1e-7}
    more = {**fixed, "search": {"optimiser.lr": ["1e-7", "1e-2", "2e-2"]}}
    found = run(lambda own: make({**more, **own}), tiny, small, tmp_path, trials=9)
    pruned = [one for one in found if one.pruned]
    assert pruned
    assert all(one.number >= 5 and one.score < found[0].score for one in pruned)
    assert found[: -len(pruned)] == [one for one in found if not one.pruned]


def test_another_recipe_in_the_same_folder_is_refused(
    make: Any, tiny: Path, small: Path, tmp_path: Path
) -> None:
    with pytest.raises(StoppedError):
        run(make, tiny, small, tmp_path / "s", stop=lambda: True)
    with pytest.raises(UsageError, match="another recipe"):
        run(lambda more: make({"seed": 5, **more}), tiny, small, tmp_path / "s")


def of(make: Any, declared: dict[str, Any]) -> Any:
    def built(more: dict[str, Any]) -> Recipe:
        return make({"search": declared, **more})  # type: ignore[no-any-return]

    return space_of(built({}), built)


def test_a_space_is_ranges_and_choices(make: Any) -> None:
    space = of(
        make,
        {
            "optimiser.lr": ["1e-5", "1e-3", "log"],
            "optimiser.epochs": [2, 8],
            "optimiser.batch_words": [256, 512, 1024],
            "loss.balance": ["none", "uncertainty"],
            "cases": [True, False],
        },
    )
    assert (space["optimiser.lr"].low, space["optimiser.lr"].log) == (1e-5, True)
    assert type(space["optimiser.epochs"]).__name__ == "IntDistribution"
    assert space["optimiser.batch_words"].choices == (256, 512, 1024)
    assert space["loss.balance"].choices == ("none", "uncertainty")
    assert space["cases"].choices == (True, False)


@pytest.mark.parametrize(
    ("declared", "error", "says"),
    [
        ({}, UsageError, "nothing to search"),
        ({"optimiser.lr": [1e-3, 1e-5]}, UsageError, "low < high"),
        ({"optimiser.lr": [0, 1e-3, "log"]}, UsageError, "low > 0"),
        ({"optimiser.lr": [1e-3]}, UsageError, "list of plain choices"),
        ({"loss.balance": ["none", ["uncertainty"]]}, UsageError, "list of plain choices"),
        ({"base": ["minilm", "mpnet"]}, UsageError, "for each base"),
        ({"optimiser.rl": [1e-5, 1e-3]}, InputError, "no such key"),
        ({"dropout": [0.1, 1.5]}, InputError, "dropout"),
    ],
)
def test_a_space_that_makes_no_sense_is_refused(
    make: Any, declared: Any, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        of(make, declared)
