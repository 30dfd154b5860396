"""How well a workspace finds, answers, cites and refuses: a file of questions asked of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Final

from aegle.answer import rag
from aegle.answer.evidence import by_meaning
from aegle.answer.verify import supported
from aegle.core.errors import UsageError
from aegle.core.ports import Progress
from aegle.core.records import Chunk
from aegle.corpus.asked import SharedNameError
from aegle.evaluate.match import Documents
from aegle.evaluate.questions import Question, read_questions
from aegle.evaluate.results import Evaluation
from aegle.evaluate.run import compare
from aegle.evaluate.run import evaluate as evaluate_system
from aegle.evaluate.score import Attempt, Yardstick
from aegle.evaluate.sets import read_set
from aegle.flows import asking, finding, knowledge, verifying
from aegle.flows.kit import Kit

UNJUDGED: Final = "none"
"""What judged support where nothing had to be."""


def evaluate(
    kit: Kit,
    questions: str,
    *,
    files: str = "",
    mode: str = "graph",
    against: str = "",
    k: int = 5,
    generate: bool | None = None,
    progress: Progress,
) -> dict[str, Any]:
    """Ask a workspace the questions of a file; figures and ids, no text of either.

    Where no question has an accepted answer or is unanswerable, only retrieval is scored.

    Args:
        questions: a path, see `read_questions`; or a folder of a set that `read_set` knows.
        files: the folder in which the paths of gold documents begin; empty: as `files_of` says.
        mode: how to search; ``against``: another way, to compare with.
        k: how many chunks count.
        generate: whether the generator phrases answers; None: as the settings say.

    Raises:
        NotFoundError, InputError: no such file, or no questions in it that make sense.
        UsageError: an unknown mode, or one against itself.
    """
    _check(mode, against, k)
    path = Path(questions)
    asked = list(read_set(path).questions) if path.is_dir() else read_questions(path)
    judge = _Judge(kit)
    yardstick = _yardstick(kit, Path(files) if files else files_of(path), judge)
    answers = any(one.answers or not one.answerable for one in asked)
    seed = kit.settings.seed

    def of(name: str) -> Evaluation:
        def ask(text: str) -> Attempt:
            return attempt(kit, text, k=k, mode=name, answers=answers, generate=generate)

        how: dict[str, Any] = {"system": name, "k": k, "seed": seed, "progress": progress}
        return replace(evaluate_system(asked, ask, yardstick, **how), entailment=judge.name)

    first, other = of(mode), of(against) if against else None
    comparison = compare(first, other, seed=seed) if other else None
    return {
        "evaluation": first.as_json(),
        "baseline": other.as_json() if other else None,
        "comparison": comparison.as_json() if comparison else None,
        "missing": missing(asked, yardstick.documents),
    }


def _check(mode: str, against: str, k: int) -> None:
    for one in (mode, against or mode):
        if one not in knowledge.MODES:
            raise UsageError(f"mode is one of {', '.join(knowledge.MODES)}; got {one!r}")
    if mode == against:
        raise UsageError(f"a mode is compared with another one, got {mode!r} twice")
    if k < 1:
        raise UsageError(f"k counts hits and is at least 1, got {k}")


def files_of(questions: Path) -> Path:
    """Where paths of gold documents begin: ``files`` beside the questions or, as in the sample
    hospital, beside their folder; else the questions' own folder."""
    home = (questions if questions.is_dir() else questions.parent).absolute()
    beside = (home / "files", home.parent / "files")
    return next((one for one in beside if one.is_dir()), home)


def missing(questions: Sequence[Question], documents: Documents) -> list[str]:
    """Ids of questions that need a document which the workspace does not hold."""
    return [
        question.id
        for question in questions
        if any(
            all(p.document and not documents(p.document) for p in (one, *one.alternatives))
            for one in question.passages
        )
    ]


class _Judge:
    """Judges support by the kit's verifier, which is opened when first asked: the first use fetches
    its base, and who asks for retrieval alone needs none of it."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._known: dict[tuple[str, str], float] = {}
        self.name = UNJUDGED

    def supports(self, premise: str, claim: str) -> float:
        """How surely a premise bears a claim out, in [0, 1]."""
        if (premise, claim) not in self._known:
            with self._kit.lock:
                self._known[premise, claim] = self._judged(premise, claim)
        return self._known[premise, claim]

    def _judged(self, premise: str, claim: str) -> float:
        verifier = self._kit.verifier
        self.name = verifying.name_of(verifier)
        if verifier is None:
            return float(supported(claim, [premise], self._kit.encoder.embed))
        return verifier.probability(claim, [premise])


def _yardstick(kit: Kit, files: Path, judge: _Judge) -> Yardstick:
    @cache
    def documents(name: str) -> Collection[str]:
        with kit.lock:
            known = [one.id for one in kit.corpus.get([name])]
            return frozenset(known or kit.ledger.documents_of(str((files / name).absolute())))

    @cache
    def says(quote: str) -> Collection[str]:
        # A quote or an answer may hold a name, for which documents have a surrogate.
        try:
            with kit.lock:
                return frozenset({quote, str(knowledge.safe_question(kit, quote)[0])})
        except UsageError:  # too long for a question, or a name that several patients bear
            return frozenset({quote})

    return Yardstick(documents, judge.supports, judge.name, says)


def attempt(
    kit: Kit, question: str, *, k: int, mode: str, answers: bool, generate: bool | None
) -> Attempt:
    """What a workspace finds for a question and says to it, as `ask` does, and how sure it is."""
    with kit.lock:
        try:
            safe, groups = knowledge.safe_question(kit, question)
        except SharedNameError:
            return Attempt((), refused=True if answers else None)
        wanted = asking.understand(kit, question, safe, groups)
        evidence = finding.find(kit, wanted, k=k, mode=mode)
        found = kit.corpus.chunks([hit.chunk_id for hit in evidence.hits])
        if not answers:
            return Attempt(found)
        if k != kit.settings.retrieve.k:
            # Answers are made from as many chunks as users' answers are, whatever counts here.
            evidence = finding.find(kit, wanted, k=kit.settings.retrieve.k, mode=mode)
        return _said(kit, wanted, evidence, found, generate)


def _said(
    kit: Kit,
    wanted: asking.Question,
    evidence: rag.Evidence,
    found: Sequence[Chunk],
    generate: bool | None,
) -> Attempt:
    how, embed = kit.settings.answers, kit.encoder.embed
    use_generator = how.generate if generate is None else generate

    def write(messages: Any) -> str:
        return kit.generator.generate(messages, max_tokens=how.max_tokens, seed=kit.settings.seed)

    said = rag.answer(
        wanted.text,
        wanted.asked,
        evidence,
        embed=embed,
        generate=write if use_generator else None,
        verify=verifying.verify(kit.verifier if use_generator else None),
        max_claims=how.max_claims,
        min_support=how.min_support,
    )
    tried = said
    if said.refusal:
        tried = rag.answer(
            wanted.text,
            wanted.asked,
            evidence,
            embed=embed,
            max_claims=how.max_claims,
            min_support=0.0,
        )
    sure = 0.0
    if tried.claims:
        sure = by_meaning(wanted.asked, evidence.scored, embed, evidence.targets)[0].support
    return Attempt(found, said.claims, bool(said.refusal), tried.claims, sure)
