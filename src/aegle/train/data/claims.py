"""Statements and the public texts that bear them out, or don't: the raw material of support pairs.

Some statements were judged by people (SciFact); some were written by one person to say what a text
beside them says (titles, conclusions, notes of a dialogue, names of weaknesses and rules); some are
sentences of the text itself.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

from aegle.core.errors import NotFoundError
from aegle.lm.segment import sentences

HUMAN, NATURAL, EXTRACT = "human", "natural", "extract"

_PARTS: Final = re.compile(r"'((?:[^'\\]|\\.|'(?![\s\]]))*)'|\"((?:[^\"\\]|\\.)*)\"")
_VERB: Final = re.compile(
    r"\b(?:is|are|was|were|has|have|can|may|does|do|not|[a-z]{3,}(?:ates|izes|ises|ifies|duces|hibits|"
    r"motes|ulates|eases|vents|tects|quires|trols|volves|drives|plays|causes|leads|binds|links|"
    r"predicts|associated|confers|improves|impairs|mediates|reveals|supports|enhances|affects|"
    r"contributes))\b"
)
_ADVICE: Final = re.compile(
    r"\b(?:should|further|future|warrant\w*|recommend\w*|need(?:ed|s)?|first (?:study|report)|our"
    r" knowledge|must|caution|this (?:study|paper|article))\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Statement:
    """What is claimed, and the text that it is held against.

    Attributes:
        source: the set that it is from.
        document: what must not stand on both sides of a split.
        split: train, dev or test.
        text: the claim.
        evidence: sentences of the document, in order, without the claim where that was written
            apart from them.
        kind: human, natural or extract.
        supported: what people judged; true for the other kinds.
        at: places in ``evidence`` that people named, or of the sentence itself.
        topic: two documents of one topic may say the same.
        label: of human kinds what exactly was judged.
    """

    source: str
    document: str
    split: str
    text: str
    evidence: tuple[str, ...]
    kind: str = NATURAL
    supported: bool = True
    at: tuple[int, ...] = ()
    topic: str = ""
    label: str = ""


def part(document: str) -> str:
    """The split of a document by its hash: of 25, 20 train, 2 dev, 3 test."""
    place = int(hashlib.sha256(document.encode()).hexdigest()[:8], 16) % 25
    return "test" if place < 3 else "dev" if place < 5 else "train"


def cut(text: str) -> list[str]:
    """The sentences of a text, white space made single."""
    flat = " ".join(text.split())
    return [flat[one.start : one.end].strip() for one in sentences(flat)]


def repeats(told: Sequence[Statement], held: Sequence[Statement]) -> list[bool]:
    """Of each statement whether it says again, word for word, what one of ``held`` says.

    It does where the claims are the same, or all of the evidence, or where the claim of one is a
    sentence of the other's evidence: health pages and notes share sentences across documents. Case
    and white space do not count.
    """
    claimed = {_flat(one.text) for one in held}
    whole = {_flat(" ".join(one.evidence)) for one in held}
    lines = {_flat(text) for one in held for text in one.evidence}
    return [
        _flat(one.text) in claimed
        or _flat(one.text) in lines
        or _flat(" ".join(one.evidence)) in whole
        or any(_flat(text) in claimed for text in one.evidence)
        for one in told
    ]


def apart(told: Sequence[Statement]) -> list[Statement]:
    """Statements without those of train that repeat dev or test, and those of dev that repeat test.

    Splits by document do not see that two documents say the same.
    """
    by = {name: [one for one in told if one.split == name] for name in ("train", "dev", "test")}
    drop: set[int] = set()
    for name, held in (("dev", by["test"]), ("train", by["test"] + by["dev"])):
        again = repeats(by[name], held)
        drop |= {id(one) for one, said in zip(by[name], again, strict=True) if said}
    return [one for one in told if id(one) not in drop]


def _flat(text: str) -> str:
    return " ".join(text.casefold().split())


def _found(path: Path) -> Path:
    if not path.exists():
        raise NotFoundError(f"{path} is missing; give the folder of the public sets by --data")
    return path


@contextmanager
def _long_cells() -> Iterator[None]:
    """Cells may be long here; the limit is one for the process, and elsewhere it guards."""
    before = csv.field_size_limit(1 << 28)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _rows(archive: Path, name: str) -> list[dict[str, str]]:
    with _long_cells(), zipfile.ZipFile(_found(archive)) as file:
        member = next(one for one in file.namelist() if one.endswith(name))
        with file.open(member) as raw:
            return list(csv.DictReader(io.TextIOWrapper(raw, "utf-8")))


def scifact(data: Path) -> Iterator[Statement]:
    """Expert-written claims with what experts judged; the validation claims are the test.

    A claim that cites a document of the validation claims is left out of train: the two often are
    one claim and its denial.
    """
    archive = data / "scifact" / "scifact.zip"
    corpus = {row["doc_id"]: _abstract(row) for row in _rows(archive, "corpus_train.csv")}
    test = _rows(archive, "claims_validation.csv")
    held = {one for row in test for one in _cited(row)}
    rows = [("test", row) for row in test]
    for row in _rows(archive, "claims_train.csv"):
        cited = _cited(row)
        if not held & set(cited):
            rows.append(("dev" if part(f"scifact {min(cited)}") != "train" else "train", row))
    for split, row in rows:
        label = row["evidence_label"]
        documents = [row["evidence_doc_id"]] if label else _cited(row)
        at = tuple(int(one) for one in re.findall(r"\d+", row["evidence_sentences"]))
        for document in documents:
            if corpus.get(document):
                yield Statement(
                    "scifact", f"scifact {document}", split, row["claim"], tuple(corpus[document]),
                    HUMAN, label == "SUPPORT", at, label=label.lower() or "noinfo",
                )  # fmt: skip


def _cited(row: Mapping[str, str]) -> list[str]:
    told = re.findall(r"\d+", row["cited_doc_ids"])
    return sorted({*told, *filter(None, [row["evidence_doc_id"]])})


def _abstract(row: Mapping[str, str]) -> list[str]:
    """A numpy array of strings, as it prints itself."""
    told = [
        (m[1] if m[1] is not None else m[2]).replace("\\'", "'")
        for m in _PARTS.finditer(row["abstract"])
    ]
    return [" ".join(one.split()) for one in told]


def titles(data: Path) -> Iterator[Statement]:
    """Titles that state a finding, against their abstracts.

    Documents of SciFact's validation claims are test here, too; the other way round none of its
    training claims' documents is.
    """
    archive = data / "scifact" / "scifact.zip"
    held = {one for row in _rows(archive, "claims_validation.csv") for one in _cited(row)}
    learnt = {one for row in _rows(archive, "claims_train.csv") for one in _cited(row)}
    for row in _rows(archive, "corpus_train.csv"):
        document = row["doc_id"]
        title = " ".join(row["title"].split()).rstrip(".")
        split = "test" if document in held else part(f"scifact {document}")
        if split == "test" and document in learnt - held:
            split = "dev"
        if _VERB.search(title) and "?" not in title and 5 <= len(title.split()) <= 30:
            yield Statement(
                "titles", f"scifact {document}", split, f"{title}.", tuple(_abstract(row))
            )


def pubmedqa(data: Path) -> Iterator[Statement]:
    """Sentences of conclusions against the rest of the abstract; its test questions are test."""
    folder = data / "pubmedqa"
    test = json.loads(_found(folder / "test_ground_truth.json").read_text("utf-8"))
    told: dict[str, Any] = json.loads((folder / "ori_pqal.json").read_text("utf-8"))
    for name, row in told.items():
        split = "test" if name in test else "dev" if part(name) != "train" else "train"
        evidence = tuple(one for text in row["CONTEXTS"] for one in cut(text))
        for text in cut(row["LONG_ANSWER"]):
            if 6 <= len(text.split()) <= 45 and not _ADVICE.search(text):
                yield Statement("pubmedqa", f"pubmed {name}", split, text, evidence)


def dialogues(data: Path) -> Iterator[Statement]:
    """Sentences of a note against the dialogue that it was written of; split as published."""
    for path in sorted(_found(data / "mts_dialog").glob("*.csv")):
        split = "train" if "Training" in path.name else "dev" if "Valid" in path.name else "test"
        with _long_cells(), path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
        for row in rows:
            turns = [" ".join(one.split()) for one in row["dialogue"].splitlines()]
            evidence = tuple(filter(None, turns))
            for text in cut(row["section_text"]):
                if 3 <= len(text.split()) <= 40:
                    name = f"{path.stem} {row['ID']}"
                    yield Statement(
                        "mts_dialog", name, split, text, evidence, topic=row["section_header"]
                    )


def medquad(data: Path) -> Iterator[Statement]:
    """Sentences of health pages, three a page, by what stands about them."""
    for path in sorted(_found(data / "medquad").glob("*/*.xml")):
        page = ElementTree.parse(path).getroot()  # noqa: S314 -- a published set, not a user's file
        topic = (page.findtext("Focus") or "").lower()
        name = f"medquad {path.parent.name} {page.get('id')}"
        answers = [cut(one.text or "") for one in page.iter("Answer")]
        taken = 0
        for answer in sorted(answers, key=lambda one: hashlib.sha256(str(one).encode()).digest()):
            for at in _some(answer, 2):
                if taken < 3:
                    taken += 1
                    yield Statement(
                        "medquad", name, part(name), answer[at], tuple(answer), EXTRACT,
                        at=(at,), topic=topic,
                    )  # fmt: skip


def _some(texts: Sequence[str], most: int) -> list[int]:
    """Places of sentences that make a statement, by hash."""
    fit = [
        at
        for at, one in enumerate(texts)
        if 7 <= len(one.split()) <= 40 and one.endswith(".") and one[0].isupper()
    ]
    return sorted(fit, key=lambda at: hashlib.sha256(texts[at].encode()).digest())[:most]
