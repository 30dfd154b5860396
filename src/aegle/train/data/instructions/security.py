"""Security tasks: the technique of a sentence, triage of log lines, what a rule or control covers.

Each rests on a fact of the graph: a technique that a report names by its number, an indicator that
intelligence states and a log line holds, a relation between a rule or control and a technique.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

from aegle.core.records import Concept, Entity
from aegle.core.text import SafeText
from aegle.train.data.instructions.ground import Make
from aegle.train.data.instructions.reading import as_json, candidates, chat
from aegle.train.data.instructions.shape import Instruction, Passage, fill, flat, joined, term
from aegle.train.data.instructions.view import SOURCE, Fact, Page, Shelf

TECHNIQUE: Final = (
    "You name the ATT&CK technique that a sentence describes. Choose one of the candidates and "
    'answer with one JSON object and nothing else: {{"technique": ...}}.'
)
_TECHNIQUE_ASKED: Final = (
    'Sentence: "{text}"\nCandidates:\n{candidates}\nJSON:',
    "Which technique is this?\n{text}\n\nCandidates:\n{candidates}\nJSON:",
)
_NUMBER: Final = re.compile(r"\s*[(\[]?\bT1\d{3}(?:\.\d{3})?\b[)\]]?:?")
_LEAST_WORDS: Final = 6

TRIAGE: Final = (
    "You triage log lines by the intelligence beside them; all of it is numbered. Answer with one "
    'JSON object and nothing else: {{"verdict": "escalate" or "no known indicator", "indicator": '
    '..., "means": ..., "evidence": [...]}}. Escalate only when a line holds an indicator that '
    "the intelligence names."
)
_TRIAGE_ASKED: Final = (
    "{lines}\n\nJSON:",
    "Is there anything to escalate?\n{lines}\n\nJSON:",
    "Evidence:\n{lines}\n\nTriage as JSON:",
)
_ESCALATE: Final = "escalate"
_NOTHING: Final = "no known indicator"
_LOGS: Final = ("log", "event")
_INDICATORS: Final = ("domain", "ip", "hash")

MAPPING: Final = (
    "You map a detection rule or a control to the technique that it is about. Choose one of the "
    'candidates and answer with one JSON object and nothing else: {{"technique": ...}}.'
)
_MOST_CHARACTERS: Final = 1200
_MAPPED: Final = ("detects", "mitigates")
_MAPPING_ASKED: Final = (
    "{text}\n\nCandidates:\n{candidates}\nJSON:",
    "Which technique is this about?\n{text}\n\nCandidates:\n{candidates}\nJSON:",
)


def techniques_of(shelf: Shelf) -> list[Concept]:
    """Every technique that the part names, with its name."""
    named: dict[str, Concept] = {}
    for page in shelf.pages:
        for one in page.stored.facts.entities:
            for concept in one.concepts if one.type == "technique" else ():
                if concept.code not in named:
                    named[concept.code] = shelf.named(concept)
    return [one for one in named.values() if one.name]


def techniques(shelf: Shelf) -> Iterator[tuple[str, Make]]:
    """Sentences that name one technique by its number, which is taken out; by technique."""
    choices = techniques_of(shelf)
    for page in shelf.pages:
        if page.document.kind in _LOGS:
            continue
        for place, inside in page.inside.items():
            named = {
                one.concepts[0].code
                for one in inside
                if one.type == "technique" and len(one.concepts) == 1
            }
            numbered = [one for one in inside if one.type == "technique" and "T1" in one.text]
            if len(named) == 1 and numbered and page.sure(numbered[0]):
                (code,) = named
                yield (
                    code,
                    partial(_technique, page, place, code, choices),
                )


def _technique(
    page: Page, place: int, code: str, choices: Sequence[Concept], rng: random.Random
) -> Instruction | None:
    passage = page.passage(place, place + 1)
    right = next((one for one in choices if one.code == code), None)
    some = candidates(right, choices, rng) if right else None
    if right is None or some is None:
        return None
    text = without_numbers(passage.text)
    # A list of techniques by name teaches to copy the name.
    if len(text.split()) < _LEAST_WORDS or right.name.casefold() in text.casefold():
        return None
    user = fill(rng.choice(_TECHNIQUE_ASKED), text=text, candidates=some)
    answer = as_json({"technique": term(right.code)})
    return Instruction("technique", code, chat(TECHNIQUE, user, answer), user, (passage,))


def without_numbers(text: SafeText) -> SafeText:
    """A sentence without the numbers of techniques."""
    kept, at = [], 0
    for match in _NUMBER.finditer(text):
        kept.append(text.cut(at, match.start()))
        at = match.end()
    return flat(joined([*kept, text.cut(at, len(text))], ""))


def triage(shelf: Shelf) -> Iterator[tuple[str, Make]]:
    """Log lines beside intelligence: with its indicator, and without any."""
    known: dict[str, Fact] = {}
    for fact in shelf.facts.get("indicates", ()):
        if fact.head.type in _INDICATORS:
            known.setdefault(fact.head.key, fact)
    lines: dict[bool, list[tuple[Page, int, Entity | None]]] = defaultdict(list)
    for page in shelf.pages:
        if page.document.kind in _LOGS:
            for place in range(len(page.spans)):
                inside = page.inside.get(place, ())
                hits = [one for one in inside if one.key in known]
                lines[bool(hits)].append((page, place, hits[0] if hits else None))
    if not known or not lines[False]:
        return
    for hit in (True, False):
        for page, place, one in lines[hit]:
            yield (
                _ESCALATE if hit else _NOTHING,
                partial(_triaged, page, place, one, known, lines[False]),
            )


def _triaged(
    page: Page,
    place: int,
    hit: Entity | None,
    known: dict[str, Fact],
    quiet: Sequence[tuple[Page, int, Entity | None]],
    rng: random.Random,
) -> Instruction | None:
    facts = [known[hit.key]] if hit else []
    # Intelligence on anything else that the line holds would make a second answer.
    inside = {one.key for one in page.inside.get(place, ())}
    others = [one for key, one in known.items() if key not in inside]
    facts += rng.sample(others, min(len(others), rng.choice((0, 1, 2)) if hit else 2))
    shown = [page.passage(place, place + 1)]
    for other, at, _ in rng.sample(list(quiet), min(len(quiet), rng.choice((1, 2, 3)))):
        shown.append(other.passage(at, at + 1))
    shown += [one.passage for one in facts]
    rng.shuffle(shown)
    texts = {flat(one.text): one for one in shown}
    shown = list(texts.values())
    if any(len(one.text) > 500 for one in shown) or not facts:
        return None
    lines = [fill(f'[{n}] "{{text}}"', text=flat(one.text)) for n, one in enumerate(shown, 1)]
    user = fill(rng.choice(_TRIAGE_ASKED), lines=joined(lines, "\n"))
    cited: tuple[int, ...] = ()
    told: dict[str, Any]
    if hit is None:
        told = {"verdict": term(_NOTHING), "indicator": None, "means": None, "evidence": []}
    else:
        proof = {flat(page.passage(place, place + 1).text), flat(facts[0].passage.text)}
        cited = tuple(n for n, one in enumerate(shown, 1) if flat(one.text) in proof)
        told = {"verdict": term(_ESCALATE), "indicator": hit.text, "means": facts[0].tail.text}
        told["evidence"] = list(cited)
    kind = str(told["verdict"])
    return Instruction(
        "triage", kind, chat(TRIAGE, user, as_json(told)), user, tuple(shown), cited
    )  # fmt: skip


def mappings(shelf: Shelf) -> Iterator[tuple[str, Make]]:
    """Rules and controls with the one technique that their source states, by relation."""
    choices = techniques_of(shelf)
    for page in shelf.pages:
        named = {one.id: one for one in page.stored.facts.entities}
        for relation in _MAPPED:
            tails = {
                named[one.tail].key: named[one.tail]
                for one in page.stored.facts.relations
                if one.type == relation and one.extractor.startswith(SOURCE) and one.tail in named
            }
            if len(tails) == 1:
                (tail,) = tails.values()
                yield relation, partial(_mapped, page, tail, relation, choices)


def _mapped(
    page: Page, tail: Entity, relation: str, choices: Sequence[Concept], rng: random.Random
) -> Instruction | None:
    if len(tail.concepts) != 1:
        return None
    code = tail.concepts[0].code
    right = next((one for one in choices if one.code == code), None)
    some = candidates(right, choices, rng) if right else None
    document = page.document
    if right is None or some is None or len(document.text) > _MOST_CHARACTERS:
        return None
    whole = Passage(document.text, document.id, 0, len(document.text), page.group)
    text = without_numbers(whole.text)
    if right.name.casefold() in text.casefold():
        return None
    user = fill(rng.choice(_MAPPING_ASKED), text=text, candidates=some)
    answer = as_json({"technique": term(code)})
    return Instruction("map", relation, chat(MAPPING, user, answer), user, (whole,))
