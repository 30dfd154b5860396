"""Programmatic rewards: what is right about a reply can be read off it, without a model.

Each takes one reply and what is known of its example, and gives a number in [0, 1]. `Rewards` joins
them by weight and is called as trainers call a reward function: ``prompts, completions`` and the
other columns of the data set, to one number a completion.

References:
    Lambert et al. (2024), Tulu 3: reinforcement learning with verifiable rewards.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from aegle.core.errors import UsageError

Message = Mapping[str, str]
Text = str | Sequence[Message]
"""What a trainer hands over: a text, or a conversation whose last message counts."""

Supports = Callable[[str, Sequence[str]], float]
"""A sentence and the passages that it cites -> how surely they bear it out, in [0, 1]."""

_PASSAGE: Final = re.compile(r'^\[(\d{1,4})\] "?(.*?)"?$', re.MULTILINE)
_MARK: Final = re.compile(r"\[(\d{1,4}(?:\s*,\s*\d{1,4})*)\]")
_SENTENCE: Final = re.compile(r".*?(?:\[[\d,\s]+\][.!?]?|[.!?])(?=\s|$)|.+$", re.DOTALL)
_WORD: Final = re.compile(r"[^\W_]+(?:[.,-][^\W_]+)*")
_COMMON: Final = frozenset(
    "a an and are as at be by for from has have in is it its of on or that the their this to was "
    "were which with".split()
)
REFUSAL: Final = "not stated"


def text_of(told: Text) -> str:
    """The text, or that of the last message."""
    if isinstance(told, str):
        return told
    return str(told[-1].get("content", "")) if told else ""


def passages_of(prompt: Text) -> list[str]:
    """The numbered evidence of a prompt, in order; what is not numbered from 1 on is none."""
    found = _PASSAGE.findall(text_of(prompt))
    return [text for place, (number, text) in enumerate(found, 1) if int(number) == place]


def sentences_of(reply: str) -> list[tuple[str, tuple[int, ...]]]:
    """The sentences of a reply without their marks, and the numbers that each cites."""
    told: list[tuple[str, tuple[int, ...]]] = []
    for match in _SENTENCE.finditer(reply):
        piece = match.group().strip()
        numbers = tuple(int(n) for group in _MARK.findall(piece) for n in group.split(","))
        text = re.sub(r"\s+([.!?])", r"\1", " ".join(_MARK.sub("", piece).split()))
        if any(letter.isalnum() for letter in text):
            told.append((text, numbers))
        elif numbers and told:  # marks behind the stop belong to the sentence before it
            told[-1] = (told[-1][0], told[-1][1] + numbers)
    return told


def refuses(reply: str, refusal: str = REFUSAL) -> bool:
    """Whether a reply is a refusal and nothing else."""
    return reply.strip().strip(".\"' ").casefold() == refusal.strip(". ").casefold()


def by_words(sentence: str, passages: Sequence[str]) -> float:
    """The share of a sentence's words that its passages hold; 0 where a number is not there.

    No judge of meaning: who needs one passes a verifier.
    """
    said, told = ({one.casefold() for one in _WORD.findall(text)} - _COMMON
                  for text in (sentence, " ".join(passages)))  # fmt: skip
    numbers = {one for one in said if any(letter.isdigit() for letter in one)}
    if not said or numbers - told:
        return 0.0
    return len(said & told) / len(said)


def citations(
    prompt: Text, reply: str, *, supports: Supports = by_words, least: float = 0.6
) -> float:
    """The share of a reply's sentences that cite, cite what is there, and are borne out by it.

    Of several passages each must be needed: a sentence is wrong when it is borne out as surely
    without one of them, or citing every number would be as good as knowing which.

    A reply without a sentence has 0. A number that the prompt does not have makes its sentence
    wrong, whatever else it cites.

    Args:
        prompt: holds numbered passages, as `aegle.answer.prompt` writes them.
        reply: what was generated.
        supports: judges a sentence by the passages that it cites; by words where none is given.
        least: from which on it is borne out, in [0, 1].
    """
    passages = passages_of(prompt)
    told = sentences_of(reply)
    right = 0
    for text, numbers in told:
        if numbers and all(1 <= n <= len(passages) for n in numbers):
            cited = [passages[n - 1] for n in dict.fromkeys(numbers)]
            right += _borne_out(text, cited, supports, least)
    return right / len(told) if told else 0.0


def _borne_out(text: str, cited: Sequence[str], supports: Supports, least: float) -> bool:
    whole = supports(text, cited)
    if not whole >= least:
        return False
    fewer = ([*cited[:n], *cited[n + 1 :]] for n in range(len(cited)))
    return len(cited) == 1 or all(supports(text, some) < whole for some in fewer)


def refusal(reply: str, *, answerable: bool, words: str = REFUSAL) -> float:
    """1 for a refusal where nothing answers, and for none where something does; else 0."""
    return float(refuses(reply, words) != answerable)


def length(reply: str, *, least: int = 1, most: int = 80) -> float:
    """1 within ``least`` to ``most`` words, falling to 0 at none and at twice as many.

    Raises:
        ValueError: not 1 <= least <= most.
    """
    if not 1 <= least <= most:
        raise ValueError(f"1 <= least <= most words are needed, got {least} and {most}")
    words = len(reply.split())
    if words < least:
        return words / least
    return max(0.0, 1.0 - max(0, words - most) / most)


def _bare(reply: str) -> str:
    fenced = re.fullmatch(r"```(?:json)?\s*(.*?)\s*```", reply.strip(), re.DOTALL)
    return fenced[1] if fenced else reply.strip()


def parsed(reply: str) -> Any:
    """The JSON value that a reply is, alone or in a fence; None where it is none."""
    try:
        return json.loads(_bare(reply), parse_constant=_no_number)
    except (ValueError, RecursionError):
        return None


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def schema(reply: str, *, schema: Mapping[str, Any]) -> float:
    """1 for a reply that is JSON of a schema, else 0.

    Known keywords: type, enum, const, required, properties, additionalProperties, items, minItems,
    maxItems, uniqueItems, minLength, maxLength, pattern, minimum, maximum.

    Raises:
        ValueError: the schema uses another keyword, so that it would seem to be checked.
    """
    value = parsed(reply)
    check_schema(schema)
    try:
        return float((value is not None or _bare(reply) == "null") and fits(value, schema))
    except RecursionError:  # nested too deeply to be looked through
        return 0.0


_TYPES: Final[Mapping[str, Callable[[Any], bool]]] = {
    "object": lambda one: isinstance(one, dict),
    "array": lambda one: isinstance(one, list),
    "string": lambda one: isinstance(one, str),
    "boolean": lambda one: isinstance(one, bool),
    "null": lambda one: one is None,
    "number": lambda one: isinstance(one, int | float) and not isinstance(one, bool),
    "integer": lambda one: (
        (isinstance(one, int) or (isinstance(one, float) and one.is_integer()))
        and not isinstance(one, bool)
    ),
}
_KEYWORDS: Final = frozenset(
    "type enum const required properties additionalProperties items minItems maxItems uniqueItems "
    "minLength maxLength pattern minimum maximum title description $schema".split()
)


def check_schema(schema: Mapping[str, Any]) -> None:
    """Refuse a schema that says more than `fits` reads.

    Raises:
        ValueError: an unknown keyword or type.
    """
    unknown = sorted(schema.keys() - _KEYWORDS)
    if unknown:
        raise ValueError(f"a schema takes {', '.join(sorted(_KEYWORDS))}; got {unknown[0]!r}")
    types = schema.get("type", [])
    for name in [types] if isinstance(types, str) else types:
        if name not in _TYPES:
            raise ValueError(f"a schema's type is one of {', '.join(_TYPES)}; got {name!r}")
    for inner in schema.get("properties", {}).values():
        check_schema(inner)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), Mapping):
            check_schema(schema[key])


def fits(value: Any, schema: Mapping[str, Any]) -> bool:
    """Whether a JSON value is one of a schema; see `schema` for what is read."""
    types = schema.get("type")
    names = [types] if isinstance(types, str) else types
    if names and not any(_TYPES[name](value) for name in names):
        return False
    if "enum" in schema and not any(_same(value, one) for one in schema["enum"]):
        return False
    if "const" in schema and not _same(value, schema["const"]):
        return False
    if isinstance(value, dict):
        return _fits_object(value, schema)
    if isinstance(value, list):
        return _fits_array(value, schema)
    if isinstance(value, str):
        low, high = schema.get("minLength", 0), schema.get("maxLength", len(value))
        pattern = schema.get("pattern")
        return low <= len(value) <= high and (not pattern or bool(re.search(pattern, value)))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
    return True


def _same(one: Any, other: Any) -> bool:
    """Equal as JSON: true is not 1."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True) or (
        _TYPES["number"](one) and _TYPES["number"](other) and one == other
    )


def _fits_object(value: Mapping[str, Any], schema: Mapping[str, Any]) -> bool:
    inner, rest = schema.get("properties", {}), schema.get("additionalProperties", True)
    if any(name not in value for name in schema.get("required", ())):
        return False
    for name, one in value.items():
        wanted = inner.get(name, rest)
        if wanted is False or (isinstance(wanted, Mapping) and not fits(one, wanted)):
            return False
    return True


def _fits_array(value: Sequence[Any], schema: Mapping[str, Any]) -> bool:
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        return False
    if schema.get("uniqueItems"):
        keys = [json.dumps(one, sort_keys=True) for one in value]
        if len(set(keys)) < len(keys):
            return False
    return "items" not in schema or all(fits(one, schema["items"]) for one in value)


class RewardsError(UsageError, ValueError):
    """Rewards that can't be meant so; recipes report it as a value that is wrong."""


@dataclass(frozen=True, slots=True)
class Rewards:
    """A weighted mean of rewards, callable as TRL's trainers call one.

    A column that a reward needs and the data lacks is an error, not a 0. Where nothing answers, a
    refusal is all that is asked: citations then count as right when it was given.

    Attributes:
        weights: name of `KINDS` -> weight, >= 0, one of them above 0.
        supports: judges a sentence by what it cites; by words where none is given.
        schema: of replies, for the reward of that name.
        least, most: words of a reply.

    Raises:
        RewardsError: an unknown reward, a weight that is no number, a schema that is missing or
            says more than is read, or not 1 <= least <= most.
    """

    weights: Mapping[str, float]
    supports: Supports = by_words
    schema: Mapping[str, Any] = field(default_factory=dict)
    least: int = 1
    most: int = 80
    refusal: str = REFUSAL

    KINDS = ("citations", "schema", "refusal", "length")

    def __post_init__(self) -> None:
        unknown = sorted(set(self.weights) - set(self.KINDS))
        if unknown:
            raise RewardsError(f"rewards are {', '.join(self.KINDS)}; got {unknown[0]!r}")
        weights = self.weights.values()
        if not all(0 <= one < math.inf for one in weights) or not any(weights):
            raise RewardsError(
                "weights are finite and 0 or more, and one of them is above 0; got "
                f"{dict(self.weights)}"
            )
        if self.weights.get("schema") and not self.schema:
            raise RewardsError("a reward named schema needs a schema, or any JSON would be right")
        if not 1 <= self.least <= self.most:
            told = f"got {self.least} and {self.most}"
            raise RewardsError(f"1 <= least <= most words are needed, {told}")
        try:
            check_schema(self.schema)
        except ValueError as error:
            raise RewardsError(str(error)) from error

    @property
    def __name__(self) -> str:
        """What trainers log it as."""
        return "+".join(name for name, weight in self.weights.items() if weight)

    def parts(self, prompt: Text, completion: Text, **known: Any) -> dict[str, float]:
        """Each reward of one completion, in [0, 1].

        Raises:
            ValueError: the data has no column ``answerable`` where one is needed.
        """
        reply = text_of(completion)
        answerable = known.get("answerable")
        if answerable is None and {"refusal", "citations"} & set(self.weights):
            raise ValueError("rewards for refusals and citations need the column 'answerable'")
        found = {}
        for name in self.weights:
            if name == "citations":
                right = citations(prompt, reply, supports=self.supports)
                found[name] = right if answerable else float(refuses(reply, self.refusal))
            elif name == "schema":
                found[name] = schema(reply, schema=self.schema)
            elif name == "refusal":
                found[name] = refusal(reply, answerable=bool(answerable), words=self.refusal)
            else:
                found[name] = length(reply, least=self.least, most=self.most)
        return found

    def __call__(
        self, prompts: Sequence[Text], completions: Sequence[Text], **columns: Any
    ) -> list[float]:
        """One number in [0, 1] a completion.

        Args:
            prompts, completions: texts or conversations, as many of both.
            columns: ``answerable``, one a completion; others are left alone.

        Raises:
            ValueError: not as many of each.
        """
        if len(prompts) != len(completions):
            raise ValueError(f"{len(prompts)} prompts, but {len(completions)} completions")
        known = columns.get("answerable")
        if known is not None and len(known) != len(prompts):
            raise ValueError(f"{len(prompts)} prompts, but {len(known)} values of 'answerable'")
        total = sum(self.weights.values())
        made = []
        for place, (prompt, completion) in enumerate(zip(prompts, completions, strict=True)):
            answerable = None if known is None else known[place]
            parts = self.parts(prompt, completion, answerable=answerable)
            made.append(sum(self.weights[name] * one for name, one in parts.items()) / total)
        return made
