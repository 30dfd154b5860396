"""A question to claims that each cite a span, or to a refusal that says why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from aegle.answer import prompt
from aegle.answer.candidates import Candidate
from aegle.answer.concepts import content_words
from aegle.answer.evidence import Embed, Scored, Targets, by_meaning
from aegle.answer.question import Asked
from aegle.answer.verify import supported
from aegle.core.records import Answer, Chunk, Citation, Claim, Hit
from aegle.core.text import SafeText

Generate = Callable[[Sequence[Mapping[str, str]]], str]

Verify = Callable[[str, Sequence[str], Embed], bool]
"""Whether evidence bears a claim out: claim, evidence and how texts become vectors."""

NOTHING_FOUND: Final = "Nothing in this workspace speaks of it."
NOT_SUPPORTED: Final = "No sentence in this workspace supports an answer."
NOT_NAMED: Final = "The evidence never names {names}."

_LISTED: Final = 2
"""A list of patients may be this many times as long as another answer."""

_NEAR: Final = 0.93
"""A further sentence must support the question nearly as well as the best."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a search found for a question.

    Attributes:
        hits: best first.
        chunks: what the sentences stand in.
        scored: the sentences of the chunks by their words, best first.
        targets: whom or what the answer must be about, best first.
        steps: the passages that lead from what the question names to each target.
        people: group -> where its patient is named, for a list of patients.
        context: what a generator reads beside the sentences of the answer.
    """

    hits: Sequence[Hit]
    chunks: Sequence[Chunk]
    scored: Sequence[Scored]
    targets: Targets = field(default_factory=Targets)
    steps: Mapping[str, Sequence[Citation]] = field(default_factory=dict)
    people: Mapping[str, Citation] = field(default_factory=dict)
    context: Sequence[Citation] = ()


def cite(candidate: Candidate) -> Citation:
    """The citation of a candidate's own characters."""
    text = candidate.chunk.text.cut(
        candidate.start - candidate.chunk.start, candidate.end - candidate.chunk.start
    )
    return Citation(candidate.chunk.document_id, candidate.start, candidate.end, text)


def choose(scored: Sequence[Scored], *, most: int) -> list[Scored]:
    """The sentences of an answer: the best, then others that answer nearly as well."""
    if not scored:
        return []
    best = scored[0]
    return [
        best,
        *(
            one
            for one in scored[1:most]
            if one.focused and one.about and one.support >= _NEAR * best.support
        ),
    ]


def refusal_of(
    asked: Asked, evidence: Evidence, scored: Sequence[Scored], *, min_support: float
) -> str:
    """Why the evidence does not answer; empty when it does."""
    if not scored:
        return NOTHING_FOUND
    seen = [f"{chunk.title} {chunk.text}" for chunk in evidence.chunks]
    seen += [step.text for steps in evidence.steps.values() for step in steps]
    folded = " ".join(seen).casefold()
    missing = [name for name in (*asked.anchors, *asked.proper) if name not in folded]
    if missing:
        return NOT_NAMED.format(names=" and ".join(missing))
    best = scored[0]
    answered = best.focused and best.about and best.support >= min_support
    return "" if answered else NOT_SUPPORTED


def phrase(
    asked: SafeText,
    claims: Sequence[Claim],
    generate: Generate,
    embed: Embed,
    verify: Verify = supported,
) -> list[Claim]:
    """What the generator made of cited sentences, without what they do not support.

    A sentence is tried twice at most, or what is accepted by chance would grow with the number of
    passages: against those that it names, else against those that hold its words.
    """
    evidence = [str(claim.text) for claim in claims]
    reply = generate(prompt.messages(asked, evidence))
    kept = []
    for text, marks in prompt.cited_sentences(reply, len(evidence)):
        for numbers in dict.fromkeys((marks, rationale(text, evidence))):
            if numbers and verify(text, [evidence[n] for n in numbers], embed):
                cited = tuple(one for n in numbers for one in claims[n].citations)
                kept.append(Claim(SafeText(text, by="verify/4"), cited))
                break
    return kept


def rationale(sentence: str, evidence: Sequence[str]) -> tuple[int, ...]:
    """The fewest passages that hold what all together hold of a sentence's content words.

    The one with most of them first, then each that adds some; places in order, () for none.

    References:
        DeYoung et al. (2020), ERASER: rationales as the part of a text that suffices.
    """
    held = [set(content_words(text)) for text in evidence]
    wanted = set(content_words(sentence))
    kept: list[int] = []
    while wanted:
        best = max(range(len(held)), key=lambda n: (len(wanted & held[n]), -n), default=-1)
        if best < 0 or not wanted & held[best]:
            break
        kept.append(best)
        wanted -= held[best]
    return tuple(sorted(kept))


def tells(asked: Asked, best: Scored, claims: Sequence[Claim]) -> bool:
    """Whether claims say what the best sentence answers, and are no mere scraps of it.

    What it answers is an entity of the type that was asked for, else the words that it has beyond
    the question, those of the field where it has fields.
    """
    said = " ".join(str(claim.text) for claim in claims).casefold()
    one = best.candidate
    wanted = [
        one.text[mark.start - one.start : mark.end - one.start].casefold()
        for mark in one.marks
        if mark.type in asked.focus_types and mark.key not in asked.subjects
    ]
    if wanted:
        return any(name in said for name in wanted)
    fields = [part for part in one.text.split("; ") if ": " in part]
    sought = {word for need in asked.focus for word in need.words}
    own = [f.split(": ", 1)[1] for f in fields if sought & set(content_words(f.split(": ", 1)[0]))]
    new = set(content_words(own[0] if own else one.text)) - asked.words
    return len(new & set(content_words(said))) >= max(1, len(new) / 2)


def listed(scored: Sequence[Scored], evidence: Evidence, *, most: int) -> list[Claim]:
    """One sentence for each patient of whom it was asked, with where the patient is named."""
    first = {
        one.candidate.chunk.group: one.candidate
        for one in reversed(scored)
        if one.focused and one.about
    }
    claims = []
    for group, candidate in reversed(first.items()):
        said, who = cite(candidate), evidence.people.get(group)
        named = SafeText(f"{who.text}: {said.text}", by="listed/1") if who else said.text
        claims.append(Claim(named, (said, who) if who else (said,)))
    return claims[:most]


def quoted(asked: Asked, chosen: Sequence[Scored], evidence: Evidence, *, most: int) -> list[Claim]:
    """The best sentence, the facts that lead to it, then further sentences; none twice."""
    best, *others = chosen
    steps = evidence.steps.get(best.target, ())
    cited = [cite(best.candidate), *steps, *(cite(one.candidate) for one in others)]
    kept: list[Citation] = []
    for one in cited:
        inside = any(
            one.document_id == other.document_id
            and other.start <= one.start
            and one.end <= other.end
            for other in kept
        )
        if not inside and one.text not in {other.text for other in kept}:
            kept.append(one)
    return [Claim(one.text, (one,)) for one in kept[:most]]


def with_context(claims: Sequence[Claim], context: Sequence[Citation]) -> list[Claim]:
    """Claims, then further evidence as claims of its own, without what the claims cite already."""
    cited = [one for claim in claims for one in claim.citations]
    further = [
        one
        for one in context
        if not any(
            one.document_id == other.document_id and one.start < other.end and other.start < one.end
            for other in cited
        )
    ]
    return [*claims, *(Claim(one.text, (one,)) for one in further)]


def answer(
    question: SafeText,
    asked: Asked,
    evidence: Evidence,
    *,
    embed: Embed,
    generate: Generate | None = None,
    verify: Verify = supported,
    max_claims: int = 4,
    min_support: float = 0.42,
) -> Answer:
    """Answer a question from what a search found.

    Without ``generate``, the claims are sentences of the documents, word for word. With it, the
    generator phrases them; a sentence of its that the evidence does not support is dropped, and
    when those that are left do not answer, the documents' own sentences stand. Lists are not
    phrased, nor is yes or no: that is for the reader to see in what the record says.

    Args:
        question: de-identified.
        asked: the question taken apart.
        embed: texts -> unit vectors.
        verify: whether a sentence that was generated may stand.
        min_support: in [0, 1]; less is a refusal.
    """
    hits = tuple(evidence.hits)
    scored = by_meaning(asked, evidence.scored, embed, evidence.targets)
    refusal = refusal_of(asked, evidence, scored, min_support=min_support)
    if refusal:
        return Answer(question, (), refusal, hits)
    if asked.listing:
        own = listed(scored, evidence, most=_LISTED * max_claims)
    else:
        own = quoted(asked, choose(scored, most=max_claims), evidence, most=max_claims)
    plain = asked.listing or asked.form.polar
    read = with_context(own, evidence.context)
    phrased = phrase(question, read, generate, embed, verify) if generate and not plain else []
    claims = phrased if phrased and tells(asked, scored[0], phrased) else own
    return Answer(question, tuple(claims), "", hits)
