"""MedQuAD: health question-and-answer pages of the NIH, one XML file a page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, Final
from xml.etree.ElementTree import Element

from aegle.core.errors import InputError
from aegle.core.pack import Origin
from aegle.core.records import RawDocument
from aegle.packs.healthcare.readers import codes
from aegle.packs.healthcare.readers.builder import TextBuilder, plain, squeeze
from aegle.packs.healthcare.readers.decode import peek
from aegle.packs.healthcare.readers.safe_xml import local, parse

_TYPE_OF_GROUP: Final = {
    "disorders": "condition",
    "chemicals & drugs": "medication",
    "chemicals_drugs": "medication",
    "drugs": "medication",
    "procedures": "procedure",
    "anatomy": "anatomy",
    "devices": "device",
}
_DIALECT: Final = {
    "doc": "Document",
    "DiseaseFile": "Document",
    "doctitle-focus": "Focus",
    "pair": "QAPair",
    "question": "Question",
    "answer": "Answer",
    "cui": "CUI",
    "semanticType": "SemanticType",
    "semanticGroup": "SemanticGroup",
}
_SYMPTOM: Final = "T184"
_SIGN: Final = re.compile(
    r"<(?:Document|DiseaseFile)\b[^>]*>\s*<Focus>|<doc docid=[^>]*>\s*<doctitle-focus>"
)
_CUI: Final = re.compile(r"C\d{7}")


class MedquadReader:
    """Reads one page as its questions and answers, its subject as a coded mention."""

    name = "medquad"

    def sniff(self, head: bytes, origin: Origin) -> float:
        """0.97 for a Document element that holds a Focus."""
        start = peek(head[:8192])
        return 0.97 if _SIGN.search(start) else 0.0

    def read(self, stream: BinaryIO, origin: Origin) -> Iterator[RawDocument]:
        """One document.

        Raises:
            InputError: not MedQuAD, or a page whose answers are all empty.
        """
        root = parse(stream, str(origin))
        for node in root.iter():  # five pages are written in older dialects of the format
            node.tag = _DIALECT.get(local(node), local(node))
        if root.tag != "Document" or root.find("Focus") is None:
            raise InputError(f"{origin} is no MedQuAD page (no Document with a Focus)")
        focus = squeeze(root.findtext("Focus") or "")
        out = TextBuilder()
        num_pairs, num_empty = 0, 0
        for pair in root.iter("QAPair"):
            question = squeeze(pair.findtext("Question") or "")
            answer = _paragraphs(pair.findtext("Answer") or "")
            if not answer:
                num_empty += 1
                continue
            num_pairs += 1
            _ask(out, question, focus, root)
            out.add(f"A: {answer}\n\n")
        if not num_pairs:
            raise InputError(
                f"{origin} holds no answers ({num_empty} questions with empty answers)"
            )
        yield out.document(
            source=str(origin),
            kind="page",
            title=focus or "Health topic",
            meta={
                "collection": squeeze(root.get("source") or root.get("corpus") or ""),
                "url": squeeze(root.get("url", "")),
                "pairs": str(num_pairs),
                "empty_answers": str(num_empty),
            },
        )


def _ask(out: TextBuilder, question: str, focus: str, root: Element) -> None:
    """The question, with the page's subject as a mention where it names it."""
    cuis = [one.text or "" for one in root.iter("CUI")]
    concepts = codes.ordered(
        codes.concept("UMLS", cui, focus) for cui in map(str.strip, cuis) if _CUI.fullmatch(cui)
    )
    place = question.casefold().find(focus.casefold()) if focus else -1
    out.add("Q: ")
    start = len(out)
    out.add(f"{question}\n")
    if place >= 0 and len(question.casefold()) == len(question):
        out.mark(start + place, start + place + len(focus), _type(root), concepts=concepts)


def _type(root: Element) -> str:
    if any((one.text or "").strip() == _SYMPTOM for one in root.iter("SemanticType")):
        return "symptom"
    group = squeeze(root.findtext(".//SemanticGroup") or "").casefold()
    return _TYPE_OF_GROUP.get(group, "condition")


def _paragraphs(text: str) -> str:
    """Text with its paragraphs kept and its indentation gone."""
    blocks = re.split(r"\n\s*\n", plain(text).replace("\r\n", "\n"))
    return "\n".join(told for told in (squeeze(block) for block in blocks) if told)
