"""What is told of one HL7 v2 message: lines with coded facts, and the note that it carries."""

from __future__ import annotations

import base64
import binascii
from typing import Final

from aegle.core.records import Concept
from aegle.packs.healthcare.readers import codes
from aegle.packs.healthcare.readers.builder import TextBuilder, plain
from aegle.packs.healthcare.readers.decode import decode
from aegle.packs.healthcare.readers.hl7v2_message import Message, Segment

_TEXT_TYPES: Final = ("TX", "FT", "ST")
_PICTURES: Final = frozenset({"im", "image", "au", "audio", "video"})
"""HL7 table 0191 and MIME: data that holds no text to lose."""


class Teller:
    """Tells one message: lines go to ``out``, a carried document to ``note``."""

    def __init__(self, out: TextBuilder, message: Message) -> None:
        self.out = out
        self.message = message
        self.patient: int | None = None
        self.note = ""
        self.note_title = ""
        self.problems: list[str] = []
        self._order: int | None = None
        self._in_document = False

    def fact(
        self,
        label: str,
        segment: Segment,
        field: int,
        type: str,
        relation: str,
        *,
        time: str = "",
        assertion: str = "present",
        repeat: int = 0,
        own_text: str = "",
    ) -> int | None:
        """Append ``Label: name`` of a coded field as a mention tied to the patient."""
        found, name = coded(segment, field, repeat)
        name = own_text or name
        if not name:
            return None
        self.out.add(f"{label}: ")
        mention = self.out.mention(name, type, concepts=found, assertion=assertion, time=time)
        self.out.link(self.patient, mention, relation, time)
        return mention

    def end(self, *told: str, concepts: tuple[Concept, ...] = ()) -> None:
        """Append what is left of a line, and end it."""
        for one in told:
            self.out.add(f", {one}" if one else "")
        self.out.add(f"{codes.cite(concepts)}\n")

    def person(self, word: str, segment: Segment, field: int) -> None:
        """Append a provider by name, tied to the patient."""
        name = provider(segment, field)
        if name:
            self.out.add(f"{word}: ")
            id_ = segment.get(field)
            who = self.out.mention(name, "practitioner", ref=f"practitioner/{id_}" if id_ else "")
            self.out.link(self.patient, who, "cared_for_by")
            self.out.add("\n")

    def document_text(self, segment: Segment) -> bool:
        """Take an OBX as part of the carried document; whether it was one."""
        kind = segment.get(2)
        if kind == "ED":
            self._embedded(segment)
            return True
        if not self._in_document or kind not in _TEXT_TYPES:
            return False
        self.note += f"{segment.text(5)}\n"
        return True

    def _embedded(self, segment: Segment) -> None:
        """Encapsulated data: source, type, subtype, encoding, data."""
        data, type, subtype = segment.get(5, 5), segment.get(5, 2), segment.get(5, 3)
        if not data:
            return
        told = f"{type}/{subtype}".casefold() if type.isalnum() else "unknown"
        if type.casefold() in _PICTURES:
            self.out.add(f"Embedded picture or recording ({told[:60]}), not read\n")
            return
        if not type.casefold().startswith("text"):
            self.problems.append(
                f"an embedded document of type {told[:60]}, which holds no plain text"
            )
            return
        try:
            coded_ = segment.get(5, 4).casefold() == "base64"
            text = decode(base64.b64decode(data)) if coded_ else data
        except (binascii.Error, ValueError):
            self.problems.append("an embedded document that is not base64")
            return
        self.note += f"{plain(text)}\n"

    def start_document(self, segment: Segment) -> None:
        """A TXA segment: the OBX text that follows is a document."""
        self._in_document = True
        _, name = coded(segment, 2)
        self.note_title = name
        when = codes.shown(codes.iso_of_ts(segment.get(4)))
        self.out.add(f"Document: {name or 'clinical document'}")
        self.end(when, segment.get(17))
        self.person("Author", segment, 9)

    def order(self, segment: Segment) -> None:
        """An OBR segment: the results that follow belong to it."""
        time = codes.iso_of_ts(segment.get(7)) or codes.iso_of_ts(segment.get(22))
        found, _ = coded(segment, 4)
        self._order = self.fact("Order", segment, 4, "lab", "has_result", time=time)
        if self._order is not None:
            reason = coded(segment, 31)[1] or segment.get(13)
            self.end(codes.shown(time), f"for {reason}" if reason else "", concepts=found)
        self.person("Ordered by", segment, 16)

    def rest(self, segment: Segment) -> None:
        """A segment without a line of its own: the readable values in it."""
        told = []
        for field in range(1, len(segment.fields)):
            _, name = coded(segment, field)
            if name and any(letter.isalpha() for letter in name) and len(name) > 1:
                told.append(name)
        if told:
            self.out.add(f"{segment.name}: {'; '.join(dict.fromkeys(told))[:600]}\n")


def coded(segment: Segment, field: int, repeat: int = 0) -> tuple[tuple[Concept, ...], str]:
    """The concepts of a CE/CWE field and what it is called; empty when absent."""
    first, text = segment.get(field, 1, repeat), segment.get(field, 2, repeat)
    other, other_text = segment.get(field, 4, repeat), segment.get(field, 5, repeat)
    found = codes.ordered(
        (
            codes.concept(segment.get(field, 3, repeat), first, text),
            codes.concept(segment.get(field, 6, repeat), other, other_text),
        )
    )
    return found, text or segment.get(field, 9, repeat) or other_text or first


def provider(segment: Segment, field: int) -> str:
    """``Dr. Kathleen Woolfson MD`` of an XCN field; empty when it names nobody."""
    prefix, given, family = (segment.get(field, part) for part in (6, 3, 2))
    if not given and not family:
        return ""
    return " ".join(part for part in (prefix, given, family, segment.get(field, 7)) if part)
