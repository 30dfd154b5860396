"""Claims with evidence that nothing here was trained on: questions and answers of public sets.

- MuSiQue (musique_100): the answers to parts of questions, as statements; the paragraph that was
  marked for the part bears them out, the nearest other paragraph of the question does not.
- GraphRAG-Bench, medical: answers against the passage of the corpus that is nearest to question and
  answer. Nobody judged these, and the corpus may not train what is shipped: it is read here only.
- any folder with ``pairs.jsonl``: ``claim``, ``evidence``, ``supported`` and ``group`` a line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from aegle.lm.windows import windows
from aegle.train.data.claims import cut
from aegle.train.data.corrupt import RULES, Names, edited
from aegle.train.data.neighbours import Neighbours
from aegle.train.data.support import Pair

_SAME = 0.8


def own(path: Path) -> list[Pair]:
    """The pairs of a ``pairs.jsonl``."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip()]
    return [
        Pair(
            str(row["claim"]),
            str(row["evidence"]),
            bool(row["supported"]),
            str(row.get("kind") or ("supported" if row["supported"] else "unsupported")),
            str(row.get("source") or path.parent.name),
            str(row.get("group") or number),
        )
        for number, row in enumerate(rows)
    ]


def musique(folder: Path) -> Iterator[Pair]:
    """Pairs of the relations that MuSiQue's parts ask for (``Hello Love >> performer``)."""
    path = folder / "musique_train.json"
    for question in json.loads(path.read_text("utf-8")) if path.is_file() else ():
        told: list[str] = []
        texts = [f"{one['title']}. {one['paragraph_text']}" for one in question["paragraphs"]]
        index = Neighbours(texts)
        answers = [str(one["answer"]) for one in question["question_decomposition"]]
        for one, answer in zip(question["question_decomposition"], answers, strict=True):
            asked = re.sub(r"#(\d)", lambda m, t=told: t[int(m[1]) - 1], one["question"])
            told.append(answer)
            subject, arrows, relation = asked.partition(" >> ")
            at = one["paragraph_support_idx"]
            if not arrows or at is None:
                continue
            claim = f"The {relation.strip()} of {subject.strip()} is {answer}."
            gold = _window(texts[at], claim)
            group = f"musique {question['id']}"
            yield Pair(claim, gold, True, "supported", "musique", group)
            for place in index.nearest(claim):
                if place != at and index.share(claim, texts[place]) < _SAME:
                    near = _window(texts[place], claim)
                    yield Pair(claim, near, False, "neighbour", "musique", group)
                    break
            others = [w for w in answers if w.lower() not in gold.lower() and w != answer]
            if others:
                wrong = f"The {relation.strip()} of {subject.strip()} is {others[0]}."
                yield Pair(wrong, gold, False, "answer", "musique", group)


def graphrag(folder: Path, names: Names, *, seed: int = 17) -> Iterator[Pair]:
    """Pairs of the answers that are one statement."""
    path = folder / "medical_questions.json"
    if not path.is_file():
        return
    asked = [
        one
        for one in json.loads(path.read_text("utf-8"))
        if len(cut(one["answer"])) == 1 and 6 <= len(one["answer"].split()) <= 40
    ]
    corpus = json.loads((folder / "medical_corpus.json").read_text("utf-8"))
    (first,) = corpus if isinstance(corpus, list) else (corpus,)
    told = cut(first["context"])
    texts = [" ".join(told[start:end]) for start, end in windows(told)]
    index = Neighbours(texts)
    answers = Neighbours([one["answer"] for one in asked])
    for number, one in enumerate(asked):
        rng = np.random.default_rng([seed, number])
        claim = one["answer"]
        (best, *_) = index.nearest(f"{one['question']} {claim} {claim}", most=1)
        evidence, group = texts[best], f"passage {best}"
        # Where the best passage holds little of an answer, the answer stands elsewhere.
        if index.share(claim, evidence) < 0.5:
            continue
        yield Pair(claim, evidence, True, "supported", "graphrag_bench", group)
        for other in answers.nearest(claim):
            wrong = asked[other]["answer"]
            if other != number and index.share(wrong, evidence) < 0.6:
                yield Pair(wrong, evidence, False, "neighbour", "graphrag_bench", group)
                break
        rules = [name for name in RULES if name != "entity"]
        rng.shuffle(rules)
        for rule in [*rules, "entity"]:
            edits = RULES[rule](claim, rng, names)
            if edits and edited(claim, edits) != claim:
                yield Pair(edited(claim, edits), evidence, False, rule, "graphrag_bench", group)
                break


def _window(text: str, claim: str) -> str:
    told = cut(text)
    index = Neighbours([text])
    some = [" ".join(told[start:end]) for start, end in windows(told)]
    return max(some, key=lambda one: index.share(claim, one))


def capped(pairs: Sequence[Pair], most: int, *, seed: int = 17) -> list[Pair]:
    """The pairs of some documents: of each source about ``most`` pairs, whole documents."""
    rng = np.random.default_rng(seed)
    kept: list[Pair] = []
    for source in dict.fromkeys(one.source for one in pairs):
        own_pairs = [one for one in pairs if one.source == source]
        groups = list(dict.fromkeys(one.group for one in own_pairs))
        by = {name: [one for one in own_pairs if one.group == name] for name in groups}
        count = 0
        for at in rng.permutation(len(groups)):
            if count >= most:
                break
            kept += by[groups[at]]
            count += len(by[groups[at]])
    return kept
