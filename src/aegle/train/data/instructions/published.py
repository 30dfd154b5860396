"""Grounded questions of public sets: contexts as passages, conclusions as cited answers, refusals.

PubMedQA's questions were asked of an abstract; its conclusion answers them. A sentence of the
conclusion is told where one of the other paragraphs holds most of its words, and cites that one.
The same question beside the paragraphs of other documents, the nearest first, is to be refused.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aegle.core.errors import InputError, NotFoundError
from aegle.core.text import SafeText
from aegle.train.data.claims import cut, part
from aegle.train.data.instructions.ground import Served
from aegle.train.data.instructions.shape import Instruction, Passage, conversation, fill, joined
from aegle.train.data.instructions.unique import Unique
from aegle.train.data.neighbours import Neighbours

LICENCES: Final = {"pubmedqa": "MIT"}
BECAUSE: Final = "published"
"""Who vouches: abstracts that were published name no patient."""
_ADVICE: Final = re.compile(
    r"\b(?:should|further|future|warrant\w*|recommend\w*|Subject Headings)\b", re.IGNORECASE
)
"""What no paragraph bears out: what ought to be done, and indexers' words."""
_LEAST: Final = 0.5
"""Share of a sentence's words, by their rarity, that the paragraph it cites must hold."""
_ANSWERABLE: Final = 0.45
"""A foreign paragraph that holds as much of the question's words might answer it."""
_MOST_TOLD: Final = 3
_WORDS: Final = (6, 45)
_MOST_CHARACTERS: Final = 900


@dataclass(frozen=True, slots=True)
class _Paper:
    name: str
    split: str
    question: SafeText
    passages: tuple[Passage, ...]
    conclusion: tuple[SafeText, ...]


def _papers(data: Path) -> Iterator[_Paper]:
    folder = data / "pubmedqa"
    if not (folder / "ori_pqal.json").is_file():
        raise NotFoundError(f"{folder} is missing; give the folder of the public sets by --data")
    try:
        test = json.loads((folder / "test_ground_truth.json").read_text("utf-8"))
        told: dict[str, Any] = json.loads((folder / "ori_pqal.json").read_text("utf-8"))
    except ValueError as error:
        raise InputError(f"{folder} holds files that are no JSON") from error
    for name, row in told.items():
        split = "test" if name in test else "dev" if part(name) != "train" else "train"
        passages, at = [], 0
        for text in row["CONTEXTS"]:
            flat = " ".join(text.split())
            if flat:
                safe = SafeText(flat[:_MOST_CHARACTERS], by=BECAUSE)
                document = f"pubmed {name}"
                passages.append(Passage(safe, document, at, at + len(safe), document))
                at += len(flat) + 1
        question = SafeText(" ".join(row["QUESTION"].split()), by=BECAUSE)
        said = tuple(SafeText(one, by=BECAUSE) for one in cut(row["LONG_ANSWER"]))
        if passages:
            yield _Paper(name, split, question, tuple(passages), said)


def pubmedqa(
    data: Path, served: Served, *, seed: int = 17, refuse: float = 0.5
) -> dict[str, list[Instruction]]:
    """Examples of PubMedQA by part; its test questions are the test.

    Args:
        data: the folder of the public sets.
        served: how answers are asked for.
        seed: of every choice.
        refuse: how many refusals come to one answer, in [0, 1].

    Raises:
        NotFoundError, InputError: the set is not there, or can't be read.
    """
    papers = list(_papers(data))
    parts: dict[str, list[Instruction]] = {"train": [], "dev": [], "test": []}
    seen = Unique(seed=seed)
    for name in ("test", "dev", "train"):
        own = [one for one in papers if one.split == name]
        texts = [passage.text for one in own for passage in one.passages]
        index = Neighbours(texts)
        owners = [one.name for one in own for _ in one.passages]
        flat = [passage for one in own for passage in one.passages]
        for paper in own:
            rng = random.Random(f"{seed} {paper.name}")
            made = [_answered(paper, index, served, rng)]
            if rng.random() < refuse:
                made.append(_refused(paper, index, owners, flat, served, rng))
            for one in made:
                if one and seen.like(f"{one.prompt} {one.answer}") is None:
                    seen.add(f"{one.prompt} {one.answer}")
                    parts[name].append(one)
    return parts


def _answered(
    paper: _Paper, index: Neighbours, served: Served, rng: random.Random
) -> Instruction | None:
    order = list(paper.passages)
    rng.shuffle(order)
    told: list[SafeText] = []
    cited: list[int] = []
    for text in paper.conclusion:
        if _ADVICE.search(text):
            continue
        words = len(text.split())
        shares = [index.share(text, one.text) for one in order]
        best = max(range(len(order)), key=shares.__getitem__)
        if _WORDS[0] <= words <= _WORDS[1] and shares[best] >= _LEAST and len(told) < _MOST_TOLD:
            end = len(text.rstrip(". "))
            told.append(fill(f"{{said}} [{best + 1}].", said=text.cut(0, end)))
            cited.append(best + 1)
    if not told:
        return None
    answer = joined(told)
    read = served.read(answer, len(order))
    if [marks for _, marks in read] != [(number - 1,) for number in cited]:
        return None
    return _example("answer", paper.question, order, answer, tuple(cited), served)


def _refused(
    paper: _Paper,
    index: Neighbours,
    owners: Sequence[str],
    flat: Sequence[Passage],
    served: Served,
    rng: random.Random,
) -> Instruction | None:
    """The nearest paragraphs of other documents that hold little enough of the question."""
    near = [
        flat[place]
        for place in index.nearest(paper.question)
        if owners[place] != paper.name
        and index.share(paper.question, flat[place].text) < _ANSWERABLE
    ]
    if len(near) < 2:
        return None
    some = near[: rng.choice((2, 3, 4))]
    return _example("refuse", paper.question, some, fill(served.refusal), (), served)


def _example(
    task: str,
    question: SafeText,
    order: Sequence[Passage],
    answer: SafeText,
    cited: tuple[int, ...],
    served: Served,
) -> Instruction:
    texts = [one.text for one in order]
    asked: Sequence[Mapping[str, str]] = served.messages(question, texts)
    return Instruction(
        task, "pubmedqa", conversation(asked, answer, question, *texts), question, tuple(order),
        cited, answerable=bool(cited),
    )  # fmt: skip


SETS: Final[Mapping[str, Callable[..., dict[str, list[Instruction]]]]] = {"pubmedqa": pubmedqa}
"""Public set -> its builder."""
