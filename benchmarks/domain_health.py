"""Clinical sources of `domain_sets`: MedQuAD, PubMedQA, SciFact, ICD-10-CM, MeQSum, MTS-Dialog."""

from __future__ import annotations

import csv
import gzip
import json
import re
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

from domain_sets import Query, Source, part_of, plain, point, siblings
from retrieval_sets import read_set

CC_BY: Final = "CC BY 4.0"


def medquad(data: Path) -> Source:
    """Question -> answer; half of the diseases are test; near: the disease's other answers."""
    source = Source("medquad", CC_BY, {})
    groups: dict[str, list[str]] = defaultdict(list)
    for path in sorted((data / "medquad").rglob("*.xml")):
        root = ET.parse(path).getroot()
        focus = plain(root.findtext("Focus") or path.stem).lower()
        for pair in root.iter("QAPair"):
            asked, told = plain(pair.findtext("Question") or ""), pair.findtext("Answer") or ""
            if not asked or len(told.split()) < 8:
                continue
            item = f"{path.parent.name}-{path.stem}-{pair.get('pid')}"
            source.passages[item] = plain(told)
            groups[focus].append(item)
            source.queries.append(Query(asked, (item,), focus, part_of(focus, test=0.5)))
    source.links = siblings(groups)
    return _joined(source)


def _joined(source: Source) -> Source:
    """One query for each wording, with all passages that answer it, where its documents agree."""
    by: dict[str, list[Query]] = defaultdict(list)
    for one in source.queries:
        by[one.text].append(one)
    source.queries = [
        Query(text, tuple(dict.fromkeys(i for one in some for i in one.gold)), some[0].group, part)
        for text, some in by.items()
        if len({one.part for one in some}) == 1 and (part := some[0].part)
    ]
    return source


def pubmedqa(data: Path) -> Source:
    """Question -> abstract without its conclusion; near: abstracts that share MeSH terms."""
    rows = json.loads((data / "pubmedqa/ori_pqal.json").read_text("utf-8"))
    test = set(json.loads((data / "pubmedqa/test_ground_truth.json").read_text("utf-8")))
    source = Source("pubmedqa", "MIT", {})
    common: Counter[tuple[str, str]] = Counter()
    by: dict[str, list[str]] = defaultdict(list)
    for item, row in rows.items():
        source.passages[item] = plain(" ".join(row["CONTEXTS"]), 2400)
        part = "test" if item in test else part_of(item, dev=0.12)
        source.queries.append(Query(plain(row["QUESTION"]), (item,), item, part))
        if item not in test:  # a test abstract is not even a hard negative
            for term in row["MESHES"]:
                by[term].append(item)
    for members in by.values():
        if len(members) <= 60:  # "Humans", "Female" say nothing
            common.update(combinations(sorted(members), 2))
    for (one, other), _ in common.most_common():
        for here, there in ((one, other), (other, one)):
            if len(source.links.setdefault(here, [])) < 6:
                source.links[here].append(there)
    return source


def scifact(data: Path) -> Source:
    """Claim -> abstract; no abstract that a held-out claim cites is there to be learned from."""
    asked = read_set(data / "scifact", claims="train")
    held = read_set(data / "scifact", claims="validation")
    hidden = {n for one in held.questions for n in one.gold}
    hidden_text = {asked.passages[n] for n in hidden}
    passages = {
        str(n): plain(f"{title}\n{text}", 2400)
        for n, (title, text) in enumerate(asked.passages)
        if n not in hidden and (title, text) not in hidden_text
    }
    source = Source("scifact", "claims CC BY 4.0, abstracts ODC-By 1.0", passages)
    wordings = {one.question for one in held.questions}
    for one in asked.questions:
        gold = tuple(str(n) for n in one.gold if str(n) in passages)
        if gold and one.question not in wordings:
            source.queries.append(Query(plain(one.question), gold, gold[0], part_of(gold[0])))
    return source


def icd10cm(data: Path) -> Source:
    """Another name of a condition -> the code's name in its category; near: its siblings."""
    with gzip.open(next((data / "icd10cm").glob("*.xml.gz"))) as file:
        root = ET.parse(file).getroot()
    source = Source("icd10cm", "public domain (CDC, NCHS)", {})
    groups: dict[str, list[str]] = defaultdict(list)
    for code, name, above, terms in _codes(root):
        if not terms:
            continue
        source.passages[code] = plain(f"{name} ({above})" if above else name)
        groups[code[:3]].append(code)
        if point(code) < 0.4:
            some = sorted(terms, key=point)[:2]
            source.queries += [
                Query(plain(term), (code,), code[:3], part_of(code[:3])) for term in some
            ]
    source.links = siblings(groups)
    return _joined(source)


def _codes(root: ET.Element, above: str = "") -> Iterator[tuple[str, str, str, list[str]]]:
    for one in root:
        if one.tag != "diag":
            yield from _codes(one, above)
            continue
        name = one.findtext("desc") or ""
        terms = [note.text or "" for note in one.findall("inclusionTerm/note")]
        yield one.findtext("name") or "", name, above, [t for t in terms if t and t != name]
        yield from _codes(one, name)


def meqsum(data: Path) -> Source:
    """The summary of a question -> the question as a patient wrote it."""
    rows = [row for row in _sheet(next((data / "meqsum").glob("*.xlsx"))) if len(row) >= 3][1:]
    source = Source("meqsum", CC_BY, {})
    for number, row in enumerate(rows):
        item = f"m{number}"
        source.passages[item] = plain(row[1])
        source.queries.append(Query(plain(row[2]), (item,), item, part_of(item)))
    return _joined(source)


def _sheet(path: Path) -> list[list[str]]:
    """The rows of a workbook's first sheet, as text."""
    space = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    with zipfile.ZipFile(path) as packed:
        shared = ET.fromstring(packed.read("xl/sharedStrings.xml"))
        sheet = ET.fromstring(packed.read("xl/worksheets/sheet1.xml"))
    texts = ["".join(t.text or "" for t in one.iter(f"{space}t")) for one in shared]
    rows = []
    for row in sheet.iter(f"{space}row"):
        cells = []
        for cell in row.iter(f"{space}c"):
            value = cell.findtext(f"{space}v") or ""
            cells.append(texts[int(value)] if cell.get("t") == "s" and value else value)
        rows.append(cells)
    return rows


def mts_dialog(data: Path) -> Source:
    """A section of a note -> the conversation it was written of; near: of the same section."""
    source = Source("mts_dialog", CC_BY, {})
    groups: dict[str, list[str]] = defaultdict(list)
    path = data / "mts_dialog/MTS-Dialog-TrainingSet.csv"
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            item, told = f"d{row['ID']}", plain(row["section_text"], 500)
            if len(re.findall(r"\w+", told)) < 5:
                continue
            source.passages[item] = plain(row["dialogue"])
            groups[row["section_header"]].append(item)
            source.queries.append(Query(told, (item,), item, part_of(item)))
    source.links = siblings(groups)
    return _joined(source)


READERS: Final = {
    one.__name__: one for one in (medquad, pubmedqa, scifact, icd10cm, meqsum, mts_dialog)
}
