"""The sets whose bars are promised, as the recipe names their files and labels.

A set is scored on the recipe's labels (``names`` of its corpus), and where several of its own are
merged into one, a confusion among those is no mistake, so the F1 is no F1 on the published labels:

- maccrobat2020: coarse, 16 of its 41 types as 12 labels (``problem`` is Disease_disorder and
  Sign_symptom; ``time`` is Date, Duration, Frequency and Time); the other types don't count.
- annoctr: ORG and GROUP are both ``organization``; what else it marks doesn't count.
- bc5cdr, biored, cyner, bionlp13cg: every label for itself, by another name.

`merged` tells it of the recipe as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from aegle.core.errors import InputError
from aegle.core.examples import Example
from aegle.train.batches import with_context
from aegle.train.data.formats import read_corpus, relabel
from aegle.train.parts import read_parts
from aegle.train.recipe import Corpus, Recipe, read_recipe
from ner_labels import Ours

RECIPE: Final = Path(__file__).parents[1] / "recipes" / "tagger.yaml"
SETS: Final = ("bc5cdr", "bionlp13cg", "biored", "maccrobat2020", "cyner", "annoctr")

# Share-alike: no shipped weights learn from it, so no recipe names it.
_ANNOCTR: Final = Corpus(
    task="security",
    train="annoctr/ner_bio/train.bio",
    dev="annoctr/ner_bio/dev.bio",
    test="annoctr/ner_bio/dev.bio",
    names={
        "MALWARE": "malware",
        "TOOL": "system",
        "ORG": "organization",
        "GROUP": "organization",
    },
    licence="CC BY-SA 4.0",
    safe_because="published threat reports",
    context=110,
)


def read(
    name: str, data: Path, heads: Collection[str], part: str
) -> tuple[list[Example], dict[str, Ours]]:
    """The examples of a set's part, labels named ``labelset.label``, and their names -> ours.

    Training texts are as they are before those that a held-out text holds are dropped.

    Raises:
        InputError: the recipe names no such set for any of these label sets.
    """
    recipe = read_recipe(RECIPE)
    found = [
        one
        for one in recipe.corpora
        if Path(one.train).parts[0] == name and recipe.tasks[one.task].kind == "tags"
    ]
    if name == "annoctr" and not found:
        found = [_ANNOCTR]
    found = [one for one in found if one.task in heads]
    if not found:
        raise InputError(
            f"{RECIPE.name} names no {name!r} for the label sets {', '.join(sorted(heads))}"
        )
    corpus = found[0]
    served = {theirs: (corpus.task, ours) for theirs, ours in corpus.names.items()}
    return _part(recipe, corpus, data, part), served


def merged(served: Mapping[str, Ours]) -> dict[str, list[str]]:
    """Our label -> the labels of the set that it stands for, where these are several."""
    of: dict[str, list[str]] = {}
    for theirs, (_, ours) in sorted(served.items()):
        of.setdefault(ours, []).append(theirs)
    return {ours: theirs for ours, theirs in of.items() if len(theirs) > 1}


def _part(recipe: Recipe, corpus: Corpus, data: Path, part: str) -> list[Example]:
    names = {theirs: f"{corpus.task}.{ours}" for theirs, ours in corpus.names.items()}
    if corpus is _ANNOCTR:
        file = data / getattr(corpus, part)
        read = read_corpus(file, format=corpus.format, because=corpus.safe_because)
        return with_context(relabel(read, names), corpus.context)
    task = recipe.tasks[corpus.task].model_copy(update={"labels": tuple(set(names.values()))})
    alone = recipe.model_copy(
        update={
            "corpora": (corpus.model_copy(update={"names": names}),),
            "tasks": {corpus.task: task},
        }
    )
    examples: list[Example] = getattr(read_parts(alone, data)[0], part)
    return with_context(examples, corpus.context)
