"""BioC XML: collections of documents with passages, annotations and relations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import parse

from aegle.core.errors import InputError
from aegle.core.examples import Example, Label, Pair
from aegle.core.text import SafeText


def read(path: Path, *, because: str) -> Iterator[Example]:
    """One example a document, its passages at their offsets.

    Offsets count characters, or bytes where the collection was made so (then they are refused: the
    annotated text must stand at its offset). An annotation in several places is left out.

    Raises:
        InputError: not BioC, or an annotation whose text isn't where it says.
    """
    for file in [path] if path.is_file() else sorted(path.glob("*.xml")):
        try:
            root = parse(file).getroot()
        except (ParseError, DefusedXmlException) as error:
            raise InputError(f"{file.name} is no XML that can be read safely") from error
        if root is None or root.tag != "collection":
            raise InputError(f"{file.name} is no BioC: its root is no collection")
        for number, document in enumerate(root.iter("document"), 1):
            yield _document(document, f"{file.name}, document {number}", because)


def _document(document: Element, where: str, because: str) -> Example:
    text = ""
    for passage in document.iter("passage"):
        # Passages of full texts may hold their text by sentences.
        parts = [passage] if passage.find("text") is not None else list(passage.iter("sentence"))
        for part in parts:
            offset = _number(part.findtext("offset"), where)
            text = text.ljust(offset) + (part.findtext("text") or "")
    found: list[tuple[Label, str]] = []
    for note in document.iter("annotation"):
        places = note.findall("location")
        if len(places) != 1:
            continue
        start = _number(places[0].get("offset"), where)
        end = start + _number(places[0].get("length"), where)
        kinds = [i.text or "" for i in note.findall("infon") if i.get("key") == "type"]
        if text[start:end] != (note.findtext("text") or ""):
            raise InputError(f"{where}: annotation {note.get('id')} isn't at its offset {start}")
        found.append((Label(start, end, kinds[0] if kinds else "entity"), note.get("id") or ""))
    found.sort()
    place = {name: number for number, (_, name) in enumerate(found)}
    pairs = []
    for relation in document.iter("relation"):
        ends = [place.get(node.get("refid") or "") for node in relation.findall("node")]
        kinds = [i.text or "" for i in relation.findall("infon") if i.get("key") == "type"]
        if len(ends) == 2 and ends[0] is not None and ends[1] is not None:
            pairs.append(Pair((ends[0],), (ends[1],), kinds[0] if kinds else "related"))
    name = document.findtext("id") or where
    labels = tuple(label for label, _ in found)
    return Example(name, name, SafeText(text, by=because), labels, tuple(pairs))


def _number(told: str | None, where: str) -> int:
    if told is None or not told.strip().isdigit():
        raise InputError(f"{where}: an offset or a length is missing")
    return int(told)
