"""How good answers are without a judge: overlap, citations, faithfulness; all in [0, 1]."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from typing import Final, NamedTuple, Protocol

BAR: Final = 0.5
"""Support from here on counts as entailment, as a model's two classes part at one half."""

_ARTICLES: Final = re.compile(r"\b(?:a|an|the)\b")
_NO_PUNCTUATION: Final = str.maketrans("", "", string.punctuation)


class Supports(Protocol):
    """How surely a premise entails a claim, in [0, 1]: an entailment model, or rules on words."""

    def __call__(self, premise: str, claim: str, /) -> float:
        """The support of one claim by one premise."""


class Cited(NamedTuple):
    """A claim and the texts that it cites."""

    claim: str
    citations: tuple[str, ...] = ()


class CitationScores(NamedTuple):
    """Of one answer: the share of claims that are borne out, and of citations that are needed."""

    recall: float
    precision: float


def normalise(text: str) -> str:
    """Lower case, without punctuation, English articles and doubled white space (SQuAD)."""
    bare = text.lower().translate(_NO_PUNCTUATION)
    return " ".join(_ARTICLES.sub(" ", bare).split())


def exact_match(answer: str, accepted: Collection[str]) -> float:
    """1 when an answer is one of the accepted ones after `normalise`, else 0.

    Raises:
        ValueError: nothing is accepted.

    References:
        Rajpurkar et al. (2016), SQuAD: 100,000+ Questions for Machine Comprehension of Text.
    """
    return _best(lambda one: float(normalise(answer) == normalise(one)), accepted)


def token_f1(answer: str, accepted: Collection[str]) -> float:
    """F1 of the tokens that an answer shares with the accepted answer that is nearest.

    Tokens count as often as they stand. Two texts without a token agree, one without has 0.

    Raises:
        ValueError: nothing is accepted.

    References:
        Rajpurkar et al. (2016), SQuAD; for empty answers Rajpurkar, Jia & Liang (2018), SQuAD 2.0.
    """
    mine = normalise(answer).split()
    return _best(lambda one: _f1(mine, normalise(one).split()), accepted)


def _f1(mine: Sequence[str], gold: Sequence[str]) -> float:
    if not mine or not gold:
        return float(mine == gold)
    shared = (Counter(mine) & Counter(gold)).total()
    return 2 * shared / (len(mine) + len(gold))


def str_em(answer: str, accepted: Collection[str]) -> float:
    """1 when an accepted answer stands in an answer, as whole words and numbers, else 0.

    Unlike `exact_match` it does not punish an answer that is a sentence. ``5 mg`` does not stand in
    ``12.5 mg``, nor ``10.0.0.1`` in ``10.0.0.12``.

    Raises:
        ValueError: nothing is accepted.

    References:
        Stelmakh et al. (2022), ASQA: Factoid Questions Meet Long-Form Answers (STR-EM).
    """
    text = _fold(answer)
    return _best(lambda one: float(_stands(_fold(one), text)), accepted)


def _stands(one: str, text: str) -> bool:
    return bool(one and re.search(rf"(?<![\w.-]){re.escape(one)}(?![\w-]|\.\d)", text))


def _fold(text: str) -> str:
    return " ".join(text.casefold().split())


def _best(score: Callable[[str], float], accepted: Collection[str]) -> float:
    if not accepted:
        raise ValueError("an answer is compared with at least one accepted answer, got none")
    return max(score(one) for one in accepted)


def citation_scores(
    claims: Sequence[Cited], supports: Supports, *, bar: float = BAR
) -> CitationScores:
    """Citation recall and precision of one answer.

    Recall: the share of claims that their citations, read together, entail; a claim without one
    counts 0. Precision: the share of citations that are of use. A citation is of no use when its
    claim is not entailed by all of them, or when it does not entail the claim alone and the others
    do without it. An answer that cites nothing has precision 0.

    Args:
        claims: one a sentence.
        supports: told the citations of a claim, parted by a line end, and the claim.
        bar: support from here on is entailment.

    Raises:
        ValueError: no claims.

    References:
        Gao et al. (2023), Enabling Large Language Models to Generate Text with Citations (ALCE).
    """
    if not claims:
        raise ValueError("citations are scored of at least one claim, got none")
    entailed = useful = 0
    for claim, citations in claims:
        if not citations or not _entails(citations, claim, supports, bar):
            continue
        entailed += 1
        useful += sum(
            len(citations) == 1
            or _entails([one], claim, supports, bar)
            or not _entails([*citations[:n], *citations[n + 1 :]], claim, supports, bar)
            for n, one in enumerate(citations)
        )
    num_citations = sum(len(one.citations) for one in claims)
    return CitationScores(entailed / len(claims), useful / max(1, num_citations))


def _entails(premises: Sequence[str], claim: str, supports: Supports, bar: float) -> bool:
    return supports("\n".join(premises), claim) >= bar


def faithfulness(
    claims: Sequence[str], contexts: Sequence[str], supports: Supports, *, bar: float = BAR
) -> float:
    """The share of claims that some context entails, as RAGAS names it.

    Each context is a premise of its own, since entailment models read few words at a time; what
    must be read together is given as one context.

    Raises:
        ValueError: no claims.

    References:
        Es et al. (2023), RAGAS: Automated Evaluation of Retrieval Augmented Generation; premises
        one by one as Laban et al. (2022), SummaC.
    """
    if not claims:
        raise ValueError("faithfulness is of at least one claim, got none")
    held = sum(any(supports(one, claim) >= bar for one in contexts) for claim in claims)
    return held / len(claims)
