"""A question to claims that each cite a span, or to a refusal that says why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from aegle.answer import prompt
from aegle.answer.evidence import Candidate, Embed, Scored, anchors, candidates, score
from aegle.answer.verify import supported
from aegle.core.records import Answer, Chunk, Citation, Claim, Hit
from aegle.core.text import SafeText

Search = Callable[[SafeText], list[Hit]]
Chunks = Callable[[Sequence[str]], list[Chunk]]
Generate = Callable[[Sequence[Mapping[str, str]]], str]

NOTHING_FOUND: Final = "Nothing in this workspace speaks of it."
NOT_SUPPORTED: Final = "No sentence in this workspace supports an answer."
NOT_NAMED: Final = "The evidence never names {names}."

_MIN_GAIN: Final = 0.06
"""A further sentence must add this share of the question, or come within `_NEAR` of the best."""

_NEAR: Final = 0.9


def cite(candidate: Candidate) -> Citation:
    """The citation of a candidate's own characters."""
    text = candidate.chunk.text.cut(
        candidate.start - candidate.chunk.start, candidate.end - candidate.chunk.start
    )
    return Citation(candidate.chunk.document_id, candidate.start, candidate.end, text)


def choose(scored: Sequence[Scored], *, most: int) -> list[Scored]:
    """The sentences of an answer: the best, then those that say more of what was asked.

    Greedy cover: a sentence joins when it holds asked words that none before it holds, or when it
    supports the question nearly as well as the best.
    """
    if not scored:
        return []
    chosen = [scored[0]]
    covered = set(scored[0].covered)
    every = {word for one in scored for word in one.covered} or {""}
    for one in scored[1:]:
        if len(chosen) == most:
            break
        gain = len(one.covered - covered) / len(every)
        near = one.support >= _NEAR * chosen[0].support
        if (gain >= _MIN_GAIN and one.support >= 0.5 * chosen[0].support) or near:
            chosen.append(one)
            covered |= one.covered
    return chosen


def refusal_of(question: str, scored: Sequence[Scored], *, min_support: float) -> str:
    """Why the evidence does not answer; empty when it does."""
    if not scored:
        return NOTHING_FOUND
    seen = " ".join(f"{one.candidate.chunk.title} {one.candidate.chunk.text}" for one in scored)
    folded = seen.casefold()
    missing = [name for name in anchors(question) if name not in folded]
    if missing:
        return NOT_NAMED.format(names=" and ".join(missing))
    return "" if scored[0].support >= min_support else NOT_SUPPORTED


def phrase(
    question: SafeText, chosen: Sequence[Scored], generate: Generate, embed: Embed
) -> list[Claim]:
    """What the generator made of the chosen sentences, without what they do not support."""
    evidence = [f"{one.candidate.chunk.title}: {one.candidate.text}" for one in chosen]
    reply = generate(prompt.messages(question, evidence))
    claims = []
    for text, marks in prompt.cited_sentences(reply, len(evidence)):
        for numbers in (marks, tuple(range(len(evidence)))):
            if numbers and supported(text, [evidence[n] for n in numbers], embed):
                cited = tuple(cite(chosen[n].candidate) for n in numbers)
                claims.append(Claim(SafeText(text, by="verify/1"), cited))
                break
    return claims


def answer(
    question: SafeText,
    *,
    search: Search,
    chunks: Chunks,
    embed: Embed,
    generate: Generate | None = None,
    max_claims: int = 4,
    min_support: float = 0.42,
) -> Answer:
    """Answer a question from what a search finds.

    Without ``generate``, the claims are sentences of the documents, word for word. With it, the
    generator phrases them; a sentence of its that the evidence does not support is dropped, and
    when none is left the documents' own sentences stand.

    Args:
        question: de-identified.
        search: question -> hits, best first.
        chunks: chunk ids -> chunks.
        embed: texts -> unit vectors.
        min_support: in [0, 1]; less is a refusal.
    """
    hits = search(question)
    found = candidates(hits, chunks([hit.chunk_id for hit in hits]))
    scored = score(question, found, embed)
    refusal = refusal_of(question, scored, min_support=min_support)
    if refusal:
        return Answer(question, (), refusal, tuple(hits))
    chosen = choose(scored, most=max_claims)
    claims = phrase(question, chosen, generate, embed) if generate else []
    if not claims:
        claims = [Claim(cite(one.candidate).text, (cite(one.candidate),)) for one in chosen]
    return Answer(question, tuple(claims), "", tuple(hits))
