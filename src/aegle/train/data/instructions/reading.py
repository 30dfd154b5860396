"""Reading tasks: entities and relations as JSON, the assertion of a finding, the code of a name."""

from __future__ import annotations

import json
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from aegle.core.records import Chunk, Concept, Entity
from aegle.core.text import SafeText
from aegle.train.data.instructions.ground import Make
from aegle.train.data.instructions.shape import Instruction, Passage, fill, flat, joined, term
from aegle.train.data.instructions.view import Page, Shelf, specific

_LEFT_OUT: Final = frozenset({"date", "email", "url", "port", "path", "anatomy", "patient"})
"""Types that are patterns or whose bounds are a matter of taste."""
_MOST_ENTITIES: Final = 10
_MOST_CHARACTERS: Final = 700

EXTRACT: Final = (
    "You extract facts from a text. Answer with one JSON object and nothing else: "
    '{{"entities": [{{"text": ..., "type": ...}}], "relations": [{{"head": ..., "type": ..., '
    '"tail": ...}}]}}. Copy each text to the letter. A type that does not occur has no entry.'
)
_EXTRACT_ASKED: Final = (
    "Text:\n{text}\n\nEntity types: {types}\nRelation types: {relations}\nJSON:",
    "Take facts from the text below. Entity types: {types}; relation types: {relations}."
    "\n\n{text}\n\nJSON:",
    "Types of entities: {types}. Types of relations: {relations}.\n\n{text}\n\nJSON:",
)

ASSERT: Final = (
    "You say how a finding is asserted in a clinical sentence. Answer with one word: present, "
    "negated, possible, historical, family or hypothetical."
)
_ASSERT_ASKED: Final = (
    'Sentence: "{text}"\nFinding: {name}\nAssertion:',
    'In the sentence "{text}", how is {name} asserted?',
    "Finding: {name}\nSentence: {text}\nAssertion:",
)
_CUES: Final[Mapping[str, str]] = {
    "negated": r"\b(?:no|not|denies|denied|denying|without|negative for|neither|nor|never)\b",
    "possible": r"\b(?:possible|possibly|probable|suspect\w*|cannot exclude|can't r/o|may have|"
    r"likely|question of|concern for|r/o|rule out|vs)\b|\?",
    "historical": r"\b(?:h/o|history of|hx of?|prior|previous(?:ly)?|past|PMH|PSH|remote|ago|"
    r"known)\b",
    "family": r"\b(?:mother|father|sister|brother|grand\w+|aunt|uncle|cousin|son|daughter|sibling|"
    r"FHx?|family)\b",
    "hypothetical": r"\b(?:if|should|return for|watch for|call for|in case|monitor for|precautions"
    r"|instructed|educat\w+|to treat|for)\b",
}
"""Words that say it beyond doubt. The assertion that the graph has must be said by its own words
and by no other's: two readings that agree."""
_ALLERGIES: Final = re.compile("allerg|reaction|intoleran", re.IGNORECASE)
_FINDINGS: Final = ("condition", "symptom")

CODE: Final = (
    "You code what a text names. Choose one of the candidates and answer with one JSON object "
    'and nothing else: {{"system": ..., "code": ...}}.'
)
_CODE_ASKED: Final = (
    'Text: "{text}"\nName: {name}\nCandidates:\n{candidates}\nJSON:',
    'Which candidate is {name} in "{text}"?\n{candidates}\nJSON:',
    "Candidates:\n{candidates}\n\nCode {name} as it is used here: {text}\nJSON:",
)
_NUM_CANDIDATES: Final = 5


def chat(system: str, user: SafeText, answer: SafeText) -> tuple[tuple[str, SafeText], ...]:
    """A conversation of a task of ours."""
    return (("system", fill(system)), ("user", user), ("assistant", answer))


def as_json(value: Mapping[str, Any]) -> SafeText:
    """What is to be said as JSON.

    Raises:
        TypeError: a string in it is no safe text; `term` vouches for codes and words of ours.
    """
    _check(value)
    told = json.dumps(value, ensure_ascii=False)
    return fill(told.replace("{", "{{").replace("}", "}}"))


def _check(value: Any) -> None:
    if isinstance(value, str) and not isinstance(value, SafeText):
        raise TypeError("an answer in JSON takes SafeText; see term")
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            _check(one)


def extraction(shelf: Shelf) -> Iterator[tuple[str, Make]]:
    """Chunks in which every entity is certain, by kind of document."""
    types = sorted({one.type for page in shelf.pages for one in page.stored.facts.entities})
    known = [one for one in types if one not in _LEFT_OUT]
    for page in shelf.pages:
        for chunk in page.stored.chunks:
            if len(chunk.text) <= _MOST_CHARACTERS:
                yield (
                    page.document.kind,
                    partial(_extracted, page, chunk, known),
                )


def _extracted(
    page: Page, chunk: Chunk, known: Sequence[str], rng: random.Random
) -> Instruction | None:
    kind = page.document.kind
    inside = [
        one
        for one in page.stored.facts.entities
        if chunk.start <= one.start and one.end <= chunk.end and one.type not in _LEFT_OUT
    ]
    sure = all(page.sure(one) for one in inside)
    kept = list({(one.text, one.type): one for one in inside}.values())
    if not sure or not 1 <= len(kept) <= _MOST_ENTITIES or "[x" in chunk.text:
        return None
    types = sorted({one.type for one in kept})
    absent = [one for one in known if one not in types]
    types += rng.sample(absent, min(len(absent), rng.choice((0, 1, 2))))
    rng.shuffle(types)
    entities = [{"text": one.text, "type": term(one.type)} for one in kept]
    places = {one.id for one in inside}
    relations = [
        (one.head.text, term(one.relation.type), one.tail.text)
        for one in page.facts
        if one.head.id in places and one.tail.id in places
    ]
    asked = list(dict.fromkeys(str(name) for _, name, _ in relations)) or ["none"]
    passage = _passage(page, chunk)
    user = fill(
        rng.choice(_EXTRACT_ASKED),
        text=passage.text, types=term(", ".join(types)), relations=term(", ".join(asked)),
    )  # fmt: skip
    told = [{"head": h, "type": t, "tail": e} for h, t, e in dict.fromkeys(relations)]
    answer = as_json({"entities": entities, "relations": told})
    return Instruction("extract", kind, chat(EXTRACT, user, answer), user, (passage,))


def _passage(page: Page, chunk: Chunk) -> Passage:
    return Passage(chunk.text, page.document.id, chunk.start, chunk.end, page.group)


def assertion(shelf: Shelf) -> Iterator[tuple[str, Make]]:
    """Findings whose sentence says in so many words how they are asserted, by assertion."""
    for page in shelf.pages:
        if page.document.kind not in ("note", "ccda"):
            continue
        for place, inside in page.inside.items():
            for one in inside:
                if one.type in _FINDINGS and page.sure(one):
                    yield (
                        one.assertion,
                        partial(_asserted, page, place, one),
                    )


def said(text: str) -> set[str]:
    """The assertions that the words of a sentence speak of."""
    return {name for name, cue in _CUES.items() if re.search(cue, text, re.IGNORECASE)}


def _asserted(page: Page, place: int, one: Entity, rng: random.Random) -> Instruction | None:
    passage = page.passage(place, place + 1)
    text = flat(passage.text)
    words = said(text)
    if words != ({one.assertion} - {"present"}) or len(text.split()) < 2:
        return None
    if _ALLERGIES.search(text):  # what a drug once did is neither there nor denied
        return None
    # A word of denial or of the family may end before the finding: one kind of finding a sentence.
    others = {
        other.assertion
        for other in page.inside[place]
        if other.type in _FINDINGS and other.id != one.id
    }
    if others - {one.assertion} or text.casefold() == one.text.casefold():
        return None
    user = fill(rng.choice(_ASSERT_ASKED), text=text, name=flat(one.text))
    answer = term(one.assertion)
    return Instruction("assert", one.assertion, chat(ASSERT, user, answer), user, (passage,))


def coding(shelf: Shelf) -> Iterator[tuple[str, Make]]:
    """Names with one certain code, to be chosen among codes of the same system, by system."""
    by_system: dict[str, dict[str, Concept]] = defaultdict(dict)
    for page in shelf.pages:
        for one in page.stored.facts.entities:
            for concept in one.concepts:
                if concept.name:
                    by_system[concept.system].setdefault(concept.code, concept)
    for page in shelf.pages:
        for place, inside in page.inside.items():
            for one in inside:
                # What is called as the terminology calls it is copied, not coded.
                names = [concept.name.casefold() for concept in one.concepts]
                coded = len(names) == 1 and names[0] and one.text.casefold() not in names[0]
                if coded and page.sure(one) and one.type != "technique":
                    choices = list(by_system[one.concepts[0].system].values())
                    yield (
                        f"{one.concepts[0].system}",
                        partial(_coded, page, place, one, choices),
                    )


def candidates(
    right: Concept, choices: Sequence[Concept], rng: random.Random, num: int = _NUM_CANDIDATES
) -> SafeText | None:
    """The right concept among others, of which as many as can be share a word with it."""
    others = [
        one
        for one in choices
        if one.code != right.code
        and not one.code.startswith(right.code)
        and not right.code.startswith(one.code)
        and one.name.casefold() != right.name.casefold()
    ]
    if len(others) < num - 1:
        return None
    words = set(right.name.casefold().split())
    near = [one for one in others if words & set(one.name.casefold().split())]
    chosen = rng.sample(near, min(len(near), 2))
    rest = [one for one in others if one not in chosen]
    chosen += rng.sample(rest, num - 1 - len(chosen))
    every = [right, *chosen]
    rng.shuffle(every)
    return joined([term(f"- {one.system} {one.code} {one.name}") for one in every], "\n")


def _coded(
    page: Page, place: int, one: Entity, choices: Sequence[Concept], rng: random.Random
) -> Instruction | None:
    passage = page.passage(place, place + 1)
    text = flat(passage.text)
    concept = one.concepts[0]
    some = candidates(concept, choices, rng)
    # Where the code stands in the text there is nothing to learn.
    if some is None or concept.code in text or len(text) > _MOST_CHARACTERS or not specific(one):
        return None
    user = fill(rng.choice(_CODE_ASKED), text=text, name=flat(one.text), candidates=some)
    answer = as_json({"system": term(concept.system), "code": term(concept.code)})
    return Instruction("code", concept.system, chat(CODE, user, answer), user, (passage,))
