"""The scores of one question: what was found, said, cited and withheld; no judge model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aegle.core.records import Chunk, Claim
from aegle.evaluate import match
from aegle.evaluate.match import Documents, Says
from aegle.evaluate.questions import Question
from aegle.evaluate.results import Row
from aegle.metrics import ranking
from aegle.metrics.answers import (
    Cited,
    Supports,
    citation_scores,
    exact_match,
    faithfulness,
    str_em,
    token_f1,
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a system made of a question.

    Attributes:
        found: the pieces that it retrieved, best first.
        claims: what it said; empty when it refused.
        refused: whether it refused; None: it only retrieves.
        tried: what it would have said had it not refused; the claims when it did not.
        confidence: how sure it is of that, the higher the surer; the least when it has nothing.
    """

    found: Sequence[Chunk]
    claims: Sequence[Claim] = ()
    refused: bool | None = None
    tried: Sequence[Claim] = ()
    confidence: float = 0.0

    def __post_init__(self) -> None:
        if self.refused is not (None if self.refused is None else not self.claims):
            raise ValueError("a system says something or refuses, one of the two")


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What answers are measured with.

    Attributes:
        documents: from what a question calls a document to the ids of stored ones.
        says: from a quote or accepted answer to how documents may say it.
        supports: how surely a premise entails a claim.
        entailment: the name of ``supports``, for reports.
    """

    documents: Documents
    supports: Supports
    entailment: str
    says: Says = match.as_written


def score(question: Question, attempt: Attempt, yardstick: Yardstick, *, k: int) -> Row:
    """The scores of one question."""
    scores: dict[str, float] = {}
    if question.passages:
        scores |= _retrieval(question, attempt.found[:k], yardstick, k)
    accepted = [way for one in question.answers for way in yardstick.says(one)]
    asked, wrong = attempt.refused is not None, None
    if asked:
        scores |= _answered(question, attempt, accepted)
        if attempt.claims:
            scores |= _grounded(question, attempt.claims, attempt.found[:k], yardstick)
        if accepted or not question.answerable:
            wrong = not (accepted and str_em(text_of(attempt.tried), accepted))
    return Row(
        question.id,
        question.kind,
        question.group or f"question {question.id}",
        question.answerable,
        attempt.refused,
        scores,
        attempt.confidence if asked else None,
        wrong,
    )


def _retrieval(
    question: Question, found: Sequence[Chunk], yardstick: Yardstick, k: int
) -> dict[str, float]:
    proved = match.ranking(
        found, question.passages, documents=yardstick.documents, says=yardstick.says
    )
    places = [str(place) for place in range(len(proved))]
    useful = {place for place, numbers in zip(places, proved, strict=True) if numbers}
    reached = list(dict.fromkeys(str(n) for numbers in proved for n in numbers))
    wanted = [str(n) for n in range(len(question.passages))]
    # Ids of passages, one after another: within k pieces, so all of them count.
    most = max(k, len(wanted))
    return {
        "recall": ranking.recall(reached, wanted, k=most),
        "ndcg": ranking.ndcg(places, match.gains(proved, question.passages), k=k),
        "all_gold": ranking.all_at(reached, wanted, k=most),
        "mrr": ranking.reciprocal_rank(places, useful, k=k),
        "context_precision": ranking.context_precision(places, useful, k=k),
        "context_recall": ranking.context_recall(reached, wanted, k=most),
    }


def text_of(claims: Sequence[Claim]) -> str:
    """Claims as one text."""
    return " ".join(str(claim.text) for claim in claims)


def _answered(question: Question, attempt: Attempt, accepted: Sequence[str]) -> dict[str, float]:
    refused = float(bool(attempt.refused))
    if not question.answerable:
        return {"refused_rightly": refused}
    scores = {"refused_wrongly": refused}
    if accepted:
        said = text_of(attempt.claims)
        scores["str_em"] = str_em(said, accepted)
        scores["token_f1"] = token_f1(said, accepted)
        scores["exact_match"] = exact_match(said, accepted)
    return scores


def _grounded(
    question: Question, said: Sequence[Claim], found: Sequence[Chunk], yardstick: Yardstick
) -> dict[str, float]:
    claims = [
        Cited(str(claim.text), tuple(str(one.text) for one in claim.citations)) for claim in said
    ]
    cited = citation_scores(claims, yardstick.supports)
    together = ["\n".join(one.citations) for one in claims]
    contexts = [*dict.fromkeys([*together, *(str(chunk.text) for chunk in found)])]
    scores = {
        "citation_recall": cited.recall,
        "citation_precision": cited.precision,
        "faithfulness": faithfulness([one.claim for one in claims], contexts, yardstick.supports),
    }
    if question.passages:
        citations = [one for claim in said for one in claim.citations]
        proved = match.ranking(
            citations, question.passages, documents=yardstick.documents, says=yardstick.says
        )
        scores["gold_cited"] = len({n for numbers in proved for n in numbers}) / len(
            question.passages
        )
    return scores
