"""Which of a tagger's labels answers for which label of a corpus."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import yaml

from aegle.core.errors import InputError

Ours = tuple[str, str]
"""Label set and label."""


def told(items: Sequence[str]) -> dict[str, str]:
    """``THEIRS=OURS``, several by commas, or the name of a YAML or JSON file that holds a table.

    Raises:
        InputError: neither.
    """
    names: dict[str, str] = {}
    for item in (one for some in items for one in some.split(",") if one.strip()):
        theirs, equal, ours = item.partition("=")
        if equal:
            names[theirs.strip()] = ours.strip()
            continue
        try:
            table = yaml.safe_load(Path(item).read_text("utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise InputError(f"{item!r} is neither THEIRS=OURS nor a file of labels") from error
        if not isinstance(table, dict):
            raise InputError(f"{item} holds no table of labels")
        names |= {str(theirs): str(ours) for theirs, ours in table.items()}
    return names


def fold(label: str) -> str:
    """A label without case, blanks and punctuation."""
    return "".join(filter(str.isalnum, label.casefold()))


def served(
    theirs: Iterable[str], names: Mapping[str, str], heads: Mapping[str, Sequence[str]], task: str
) -> tuple[dict[str, Ours], list[str]]:
    """(label of the corpus -> label of ours, labels of the corpus that are left out).

    As few label sets as will do: the one that knows most of the labels, then the next for what it
    lacks.

    Args:
        theirs: the corpus's labels.
        names: theirs -> ``label`` or ``labelset.label``; empty: labels of equal names. Case,
            blanks and punctuation don't count.
        heads: label set -> labels.
        task: the only label set to ask; empty for all.

    Raises:
        InputError: ``names`` tells of a label that isn't there, or no label is served.
    """
    theirs = sorted(set(theirs))
    if task and task not in heads:
        raise InputError(f"no label set {task!r}; there are: {', '.join(heads)}")
    asked = {name: labels for name, labels in heads.items() if task in ("", name)}
    folded = {fold(label): ours for label, ours in names.items()}
    choices: dict[str, list[Ours]] = {}
    for label in theirs:
        wanted = names.get(label, folded.get(fold(label), "" if names else label))
        if found := _choices(wanted, asked):
            choices[label] = found
        elif names and wanted:
            raise InputError(_unknown(wanted, asked))
    if not choices:
        raise InputError(
            f"no label is served; say --labels THEIRS=OURS. Theirs: {', '.join(theirs)}. "
            f"Ours: {_list(asked)}"
        )
    out: dict[str, Ours] = {}
    while left := [label for label in choices if label not in out]:
        knows = {s: sum(s in dict(choices[label]) for label in left) for s in asked}
        best = max(knows, key=lambda s: knows[s])
        out |= {label: (best, dict(choices[label])[best]) for label in left
                if best in dict(choices[label])}  # fmt: skip
    return out, [label for label in theirs if label not in out]


def _choices(told: str, heads: Mapping[str, Sequence[str]]) -> list[Ours]:
    within, dot, only = told.rpartition(".")
    if dot and within in heads:
        return [(within, label) for label in heads[within] if fold(label) == fold(only)]
    return [
        (name, label) for name, labels in heads.items() for label in labels
        if fold(label) == fold(told)
    ]  # fmt: skip


def _unknown(label: str, heads: Mapping[str, Sequence[str]]) -> str:
    close = difflib.get_close_matches(label, [one for some in heads.values() for one in some], n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return f"no label {label!r}{hint} There are: {_list(heads)}"


def _list(heads: Mapping[str, Sequence[str]]) -> str:
    return "; ".join(f"{name}: {' '.join(labels)}" for name, labels in heads.items())
