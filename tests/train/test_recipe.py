"""Recipes that ship load; an unknown key is refused with a suggestion."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegle.core.errors import InputError
from aegle.train.causal.kinds import reader
from aegle.train.keys import read_tree
from aegle.train.recipe import read_recipe

RECIPES = Path(__file__).parents[2] / "recipes"
SMALL = """
name: small
tasks: {security: {labels: [malware]}}
corpora:
  - {task: security, train: a.tsv, licence: MIT, safe_because: made here, names: {M: malware}}
"""


def write(folder: Path, text: str) -> Path:
    file = folder / "r.yaml"
    file.write_text(text)
    return file


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_recipe_loads(path: Path) -> None:
    kind = read_tree(path).get("kind")
    recipe = reader(kind)(path) if kind else read_recipe(path)
    assert recipe.name == path.stem
    sources = recipe.data if kind else recipe.corpora
    assert all(one.licence and one.safe_because for one in sources)


def test_changes_from_the_command_line(tmp_path: Path) -> None:
    recipe = read_recipe(write(tmp_path, SMALL), changes={"optimiser.epochs": 2, "seed": 3})
    assert (recipe.optimiser.epochs, recipe.seed) == (2, 3)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("optimizer: {lr: 1}", "did you mean 'optimiser'"),
        ("overlap: 500", "overlap must be less"),
        ("seed: x", "seed"),
        ("tasks: {security: {labels: []}}", "labels"),
        ("tasks: {other: {labels: [x]}}", "isn't there"),
        ("tasks: {security: {labels: [x]}}", "no label malware"),
    ],
)
def test_a_wrong_recipe_says_what_is_wrong(tmp_path: Path, change: str, says: str) -> None:
    key = change.partition(":")[0]
    lines = [line for line in SMALL.strip().splitlines() if not line.startswith(f"{key}:")]
    with pytest.raises(InputError, match=says):
        read_recipe(write(tmp_path, "\n".join([*lines, change])))


def test_a_corpus_must_say_why_it_may_be_used(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="safe_because"):
        read_recipe(write(tmp_path, SMALL.replace(", safe_because: made here", "")))


def test_a_recipe_may_extend_another(tmp_path: Path) -> None:
    write(tmp_path, SMALL + "optimiser: {epochs: 3, lr: 0.5}\n")
    more = tmp_path / "more.yaml"
    more.write_text("extends: r.yaml\nname: more\noptimiser: {epochs: 4}\n")
    recipe = read_recipe(more)
    assert (recipe.name, recipe.optimiser.epochs, recipe.optimiser.lr) == ("more", 4, 0.5)
    assert recipe.corpora == read_recipe(tmp_path / "r.yaml").corpora
    (tmp_path / "r.yaml").write_text("extends: more.yaml\n")
    with pytest.raises(InputError, match="in turn"):
        read_recipe(more)
