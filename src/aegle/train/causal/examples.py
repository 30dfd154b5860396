"""What preferences are learned from: pairs, judged answers, prompts; checked, split, as tokens."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from aegle.core.errors import InputError
from aegle.train.causal.chat import Encoder, Tokens
from aegle.train.causal.corpus import ANY, Record, free, lines, named, turns_of
from aegle.train.causal.grouping import owned, spaces
from aegle.train.causal.holding import parted, thinned
from aegle.train.causal.preference import Preference, Rollout
from aegle.train.causal.recipe import Source

PAIR: Final = ("prompt", "chosen", "rejected")
JUDGED: Final = ("prompt", "completion", "label")
PROMPT: Final = ("prompt",)

KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    **dict.fromkeys(("dpo", "orpo", "reward"), PAIR),
    "kto": JUDGED,
    **dict.fromkeys(("grpo", "rloo"), PROMPT),
}
"""Kind -> what a record has to have."""


@dataclass(frozen=True, slots=True)
class Example:
    """One thing to compare.

    Attributes:
        place: file and line, for messages.
        group: the patient, host or document that it is of; the example itself if none is named.
        answers: the chosen and the rejected, or the one that was judged; of a prompt one that
            stands for any.
        good: of a judged answer, whether it is.
        known: the other keys of the record, for rewards.
    """

    place: str
    group: str
    answers: tuple[Record, ...]
    good: bool = True
    known: Mapping[str, Any] = field(default_factory=dict)

    def said(self) -> tuple[Any, ...]:
        """What it says: two examples of which this is equal are the same."""
        texts = tuple(str(turn.text) for one in self.answers for turn in one.turns)
        return (*texts, self.good)

    @property
    def asked(self) -> tuple[str, ...]:
        """The conversation before the answer."""
        return tuple(str(turn.text) for turn in self.answers[0].turns[:-1])


@dataclass(frozen=True, slots=True)
class Examples:
    """Examples to learn from and to score on, and how many were dropped, by reason."""

    train: tuple[Example, ...]
    dev: tuple[Example, ...]
    dropped: Mapping[str, int]


def read_all(recipe: Preference | Rollout, data: Path) -> Examples:
    """All sources of a recipe; no prompt of dev, and nothing of a group that dev names, is among
    what is trained on.

    Raises:
        InputError: a file, a line or an example that isn't as it should be; two that say the same,
            in one source or in two, unless the recipe drops them; none.
    """
    dropped = {"duplicates": 0, "held out": 0}
    seen: dict[Any, str] = {}
    train: list[Example] = []
    dev: list[Example] = []
    numbers = spaces(recipe.data)
    dealt: dict[str, int] = {}
    for source in recipe.data:
        mine, theirs = _parts(source, data, recipe, numbers[source.train], dealt)
        train += _once(mine, recipe.duplicates, dropped, seen) * source.repeat
        dev += theirs
    dev = _once(dev, "drop", {"duplicates": 0}, {})
    kept = free(train, dev, lambda one: one.asked)
    dropped["held out"] = len(train) - len(kept)
    if not kept or not dev:
        missing = "train" if not kept else "dev"
        raise InputError(
            f"nothing is left for {missing}: {len(train)} examples to train on, {len(dev)} in dev, "
            f"{dropped['held out']} whose prompt or group is in both; name more data, a dev file, "
            "another share, or the key that groups examples of one prompt"
        )
    kept = thinned(kept, recipe)
    if recipe.kind == "kto" and len({one.good for one in kept}) < 2:
        raise InputError("label: kto needs good answers and bad ones, and all are of one kind")
    return Examples(tuple(kept), tuple(dev), dropped)


def _parts(
    source: Source,
    data: Path,
    recipe: Preference | Rollout,
    space: str,
    dealt: dict[str, int],
) -> tuple[list[Example], list[Example]]:
    found = list(read_examples(data / source.train, source, recipe.kind))
    if recipe.fold:
        return parted(owned(found, source, space), source, recipe, dealt)
    if source.dev:
        held = list(read_examples(data / source.dev, source, recipe.kind))
    else:
        found, held = parted(found, source, recipe, dealt)
    return owned(found, source, space), owned(held, source, space)


def read_examples(path: Path, source: Source, kind: str) -> Iterator[Example]:
    """The examples of a file of JSON lines.

    Raises:
        InputError: it can't be read, a line is no example of the kind, an empty text, a chosen
            answer that is the rejected one; the line is named.
    """
    keys = KEYS[kind]
    for place, told in lines(path, " and ".join(keys)):
        missing = [key for key in keys if key not in told]
        if missing:
            has = named(told, (*PAIR, *JUDGED, source.group))
            raise InputError(f"{place} has no {missing[0]}; a record of {kind} has "
                             f"{', '.join(keys)}, and this one {has}")  # fmt: skip
        group = told.get(source.group)
        name = place if group is None else str(group)
        texts = [told[key] for key in keys[1:3] if key != "label"] or [str(ANY.text)]
        answers = tuple(_answer(told["prompt"], text, place, name, source) for text in texts)
        if keys == JUDGED and not isinstance(told["label"], bool):
            raise InputError(f"{place}: label is true (a good answer) or false")
        if keys == PAIR and str(answers[0].turns[-1].text) == str(answers[1].turns[-1].text):
            raise InputError(f"{place}: chosen and rejected are the same; take it out")
        rest = {key: value for key, value in told.items() if key not in keys}
        yield Example(place, name, answers, bool(told.get("label", True)), rest)


def _answer(prompt: Any, text: Any, place: str, group: str, source: Source) -> Record:
    if isinstance(prompt, list):
        told: dict[str, Any] = {
            "messages": [*prompt, {"role": "assistant", "content": text}],
        }
    else:
        told = {"prompt": prompt, "completion": text}
    turns = turns_of(told, place, source)
    for turn in turns:
        if not turn.text.strip():
            raise InputError(f"{place}: the text of the {turn.role} is empty; take it out")
    if len(turns) < 2 or turns[-2].role not in ("user", "tool"):
        raise InputError(f"{place}: the last message of a prompt is the user's or a tool's")
    return Record(place, group, turns)


def _once(
    some: Sequence[Example], what: str, dropped: dict[str, int], seen: dict[Any, str]
) -> list[Example]:
    """Each once; ``seen`` has the place of what other sources say, and takes what these do."""
    kept = []
    for one in some:
        said = one.said()
        if said not in seen:
            seen[said] = one.place
            kept.append(one)
        elif what == "error":
            raise InputError(
                f"{one.place} says the same as {seen[said]}; take one out, or say duplicates: drop"
            )
        else:
            dropped["duplicates"] += 1
    return kept


def last_answer(encode: Encoder, record: Record) -> Tokens:
    """A conversation as tokens, of which its last answer alone is learned.

    Raises:
        InputError: as `Encoder` does, or nothing of the last answer is left where it was cut.
    """
    (found,) = encode(record)
    start = max(1, len(_prompt_ids(encode, record)))
    if start >= len(found):
        raise InputError(
            f"{record.place}: the last answer begins at token {start + 1}, beyond max_tokens "
            f"({encode.max_tokens}); raise max_tokens, or take it out"
        )
    return Tokens(found.ids, tuple(at >= start for at in range(len(found))), found.group)


def _prompt_ids(encode: Encoder, record: Record) -> list[int]:
    ids = [*encode.begins(record)]
    for text, _ in encode.pieces(record)[:-1]:
        ids += encode.tokenizer(text, add_special_tokens=False)["input_ids"]
    return ids


def record_prompt(encode: Encoder, record: Record) -> tuple[int, ...]:
    """The tokens of a conversation, up to where its last answer begins.

    Raises:
        InputError: as `Encoder` does, or there are too many.
    """
    ids = _prompt_ids(encode, record)
    if len(ids) > encode.max_tokens:
        raise InputError(
            f"{record.place}: the prompt has {len(ids)} tokens, more than max_tokens "
            f"({encode.max_tokens}); raise max_tokens, or take it out"
        )
    return tuple(ids)
