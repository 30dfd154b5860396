"""What a causal model learns from: records of JSON lines, checked, split by group."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Protocol, TypeVar

from aegle.core.errors import InputError
from aegle.core.text import SafeText
from aegle.train.causal.grouping import owned, spaces
from aegle.train.causal.holding import parted, thinned
from aegle.train.causal.recipe import Recipe, Source

ROLES: Final = ("system", "user", "assistant", "tool")
SHAPES: Final = "messages; prompt and completion; or text"


@dataclass(frozen=True, slots=True)
class Turn:
    """A part of a conversation: who speaks, and what."""

    role: str
    text: SafeText


ANY: Final = Turn("assistant", SafeText(".", by="Aegle"))
"""An answer where there is none, so that a prompt makes a conversation; it is taken off again."""


@dataclass(frozen=True, slots=True)
class Record:
    """One thing to learn.

    Attributes:
        place: file and line, for messages.
        group: the patient, host or document that it is of; the record itself if none is named.
        turns: a conversation whose answers are learned; a single turn of the role ``text`` is
            learned whole.
    """

    place: str
    group: str
    turns: tuple[Turn, ...]


@dataclass(frozen=True, slots=True)
class Corpus:
    """Records to learn from and to score on, and how many were dropped, by reason."""

    train: tuple[Record, ...]
    dev: tuple[Record, ...]
    dropped: Mapping[str, int]


def read_corpus(
    recipe: Recipe,
    data: Path,
    known: Mapping[str, str] = MappingProxyType({}),
    dealt: dict[str, int] | None = None,
) -> Corpus:
    """All sources of a recipe; what dev holds of any source, and what is of a group that it names,
    is not among what is trained on.

    Args:
        recipe: with ``data``.
        data: folder where the sources' paths begin.
        known: `spaces` of all sources of the run, where the recipe's are not all.
        dealt: as `parted` takes it, of other sources read before.

    Raises:
        InputError: a file, a line or a record that isn't as it should be; records that say the
            same, in one source or in two, unless the recipe drops them; no records.
    """
    dropped = {"duplicates": 0, "held out": 0}
    seen: dict[Any, str] = {}
    train: list[Record] = []
    dev: list[Record] = []
    numbers, dealt = known or spaces(recipe.data), {} if dealt is None else dealt
    for source in recipe.data:
        mine, theirs = _parts(source, data, recipe, numbers[source.train], dealt)
        train += _once(mine, recipe.duplicates, dropped, seen) * source.repeat
        dev += theirs
    dev = _once(dev, "drop", {"duplicates": 0}, {})
    kept = free(train, dev, said)
    dropped["held out"] = len(train) - len(kept)
    if not kept or not (dev or recipe.fold):  # a fold may lie in other sources
        missing = "train" if not kept else "dev"
        raise InputError(
            f"nothing is left for {missing}: {len(train)} records to train on, {len(dev)} in dev, "
            f"{dropped['held out']} in both; name more data, a dev file or another share"
        )
    return Corpus(tuple(thinned(kept, recipe)), tuple(dev), dropped)


def _parts(
    source: Source, data: Path, recipe: Recipe, space: str, dealt: dict[str, int]
) -> tuple[list[Record], list[Record]]:
    train = list(read_records(data / source.train, source))
    if recipe.fold:
        return parted(owned(train, source, space), source, recipe, dealt)
    if source.dev:
        dev = list(read_records(data / source.dev, source))
    else:
        train, dev = parted(train, source, recipe, dealt)
    return owned(train, source, space), owned(dev, source, space)


def read_records(path: Path, source: Source) -> Iterator[Record]:
    """The records of a file of JSON lines.

    Raises:
        InputError: it can't be read, a line is no record, an empty text; the line is named.
    """
    for place, told in lines(path):
        turns = turns_of(told, place, source)
        for turn in turns:
            if not turn.text.strip():
                raise InputError(f"{place}: the text of the {turn.role} is empty; take it out")
        group = told.get(source.group)
        yield Record(place, place if group is None else str(group), turns)


def lines(path: Path, shapes: str = SHAPES) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each line's place and its JSON object; ``shapes`` says in errors what an object has.

    Raises:
        InputError: the file can't be read, or a line is no JSON object.
    """
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} can't be read as text ({type(error).__name__})") from error
    found = False
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        found, place = True, f"{path.name}, line {number}"
        try:
            told = json.loads(line)
        except ValueError as error:
            raise InputError(f"{place} is not JSON; write one object a line") from error
        if not isinstance(told, dict):
            raise InputError(f"{place} is no object; write one object a line, with {shapes}")
        yield place, told
    if not found:
        raise InputError(f"{path} is empty; write one object a line, with {shapes}")


def named(told: Mapping[str, Any], known: Iterable[str]) -> str:
    """The keys of a line for a message: those known by name, others, which may be text, counted."""
    found = [key for key in dict.fromkeys(known) if key in told]
    more = len(told) - len(found)
    if more:
        found.append(f"{more} other key{'s' if more > 1 else ''}")
    return " and ".join(found) or "nothing"


def turns_of(told: Mapping[str, Any], place: str, source: Source) -> tuple[Turn, ...]:
    """A record's turns, the source's system message in front.

    Raises:
        InputError: it is no record.
    """
    if "messages" in told:
        turns = _conversation(told["messages"], place, source.safe_because)
    elif "prompt" in told or "completion" in told:
        turns = tuple(
            Turn(role, _text(told.get(key), place, key, source.safe_because))
            for role, key in (("user", "prompt"), ("assistant", "completion"))
        )
    elif "text" in told:
        return (Turn("text", _text(told["text"], place, "text", source.safe_because)),)
    else:
        keys = named(told, ("role", "content", source.group))
        raise InputError(f"{place} has {keys}; a record has {SHAPES}")
    if source.system and turns[0].role != "system":
        turns = (Turn("system", SafeText(source.system, by="the recipe")), *turns)
    return turns


def _conversation(told: Any, place: str, because: str) -> tuple[Turn, ...]:
    if not isinstance(told, list) or not told or not all(isinstance(one, dict) for one in told):
        raise InputError(f"{place}: messages is a list of objects with role and content")
    turns = []
    for one in told:
        if one.get("role") not in ROLES:
            raise InputError(f"{place}: a message's role is one of {', '.join(ROLES)}")
        turns.append(Turn(one["role"], _text(one.get("content"), place, "content", because)))
    if not any(one.role == "assistant" for one in turns):
        raise InputError(f"{place}: no message is the assistant's, so there is nothing to learn")
    return tuple(turns)


def _text(value: Any, place: str, key: str, because: str) -> SafeText:
    if not isinstance(value, str):
        raise InputError(f"{place}: {key} is a string, and has to be there")
    return SafeText(value, by=because)


class Placed(Protocol):
    """What stands in a line of a file and is of a group, its place where it names none."""

    @property
    def place(self) -> str:
        """File and line."""

    @property
    def group(self) -> str:
        """Its name."""


P = TypeVar("P", bound=Placed)


def free(train: Iterable[P], dev: Iterable[P], says: Callable[[P], Any]) -> list[P]:
    """What may be trained on: nothing that dev holds, and nothing of a group that dev names,
    whichever file either is from.

    Args:
        train, dev: of all sources.
        says: what must not be in both.
    """
    dev = list(dev)
    held, groups = {says(one) for one in dev}, {o.group for o in dev if o.group != o.place}
    return [one for one in train if one.group not in groups and says(one) not in held]


def said(one: Record) -> tuple[tuple[str, str], ...]:
    """Who says what in a record."""
    return tuple((turn.role, str(turn.text)) for turn in one.turns)


def _once(
    records: Sequence[Record], what: str, dropped: dict[str, int], seen: dict[Any, str]
) -> list[Record]:
    """Each once; ``seen`` has the place of what other sources say, and takes what these do."""
    kept = []
    for one in records:
        mine = said(one)
        if mine not in seen:
            seen[mine] = one.place
            kept.append(one)
        elif what == "error":
            raise InputError(
                f"{one.place} says the same as {seen[mine]}; take one out, or say duplicates: drop"
            )
        else:
            dropped["duplicates"] += 1
    return kept
