"""HL7 v2: messages of any type, MLLP framed or not, in batches or alone, streamed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO, Final

from aegle.core.pack import Origin
from aegle.core.records import Identifier, RawDocument
from aegle.packs.healthcare.readers import codes
from aegle.packs.healthcare.readers.builder import TextBuilder
from aegle.packs.healthcare.readers.decode import peek, text_chunks
from aegle.packs.healthcare.readers.hl7v2_message import Message, UnreadableError, parse_message
from aegle.packs.healthcare.readers.hl7v2_people import message_identifiers, own_numbers, own_person
from aegle.packs.healthcare.readers.hl7v2_segments import tell
from aegle.packs.healthcare.readers.hl7v2_teller import Teller
from aegle.packs.healthcare.readers.problems import Problems

MAX_MESSAGE_CHARS: Final = 16 * 1024 * 1024
_HEADER: Final = re.compile(r"(?:MSH|FHS|BHS)[^\w\s]")
_SEGMENT: Final = re.compile(r"[A-Z][A-Z0-9]{2}(?![A-Za-z0-9])")
_ENVELOPE: Final = ("FHS", "BHS", "BTS", "FTS")
_BLANK: Final = " \t\ufeff"
_FRAME: Final = str.maketrans({"\x0b": "\r", "\x1c": "\r", "\0": " "})


class Hl7v2Reader:
    """Reads HL7 v2 messages, each as a document; the text of an MDM message as a note."""

    name = "hl7v2"

    def sniff(self, head: bytes, origin: Origin) -> float:
        """0.98 when the text opens with a header segment."""
        start = peek(head[:4096]).lstrip("\ufeff\x0b\x1c \t\r\n")
        if _HEADER.match(start):
            return 0.98
        return 0.5 if origin.name.casefold().endswith(".hl7") and start else 0.0

    def read(self, stream: BinaryIO, origin: Origin) -> Iterator[RawDocument]:
        """One document per message, and one more for a document that a message carries.

        Raises:
            InputError: after the rest, when messages or what they embed could not be read.
        """
        problems = Problems(str(origin))
        num_good = 0
        for number, raw in enumerate(_messages(text_chunks(stream)), 1):
            where = f"message {number}"
            try:
                message = parse_message(raw)
            except UnreadableError as error:
                problems.add(where, str(error))
                continue
            num_good += 1
            yield from _documents(message, f"{origin}#{number}", where, problems)
        problems.finish(num_good=num_good, what="HL7 v2 message")


def _messages(chunks: Iterator[str]) -> Iterator[str]:
    """The text of each message, its segments ended by carriage returns."""
    held: list[str] = []
    size = 0
    for line in _lines(chunks):
        if line[:3] == "MSH" and held:
            yield "".join(held)
            held, size = [], 0
        is_segment = _SEGMENT.match(line)
        if line[:3] in _ENVELOPE and is_segment:
            continue
        # A line break inside a field, which HL7 forbids, is common.
        held += ("\r" if is_segment else " ", line) if held else (line,)
        size += len(line)
        if size > MAX_MESSAGE_CHARS:
            held, size = [held[0][:200], "\rZZZ|too long"], 0
    if held:
        yield "".join(held)


def _lines(chunks: Iterator[str]) -> Iterator[str]:
    """The lines that hold something; of one longer than any message only the beginning."""
    held: list[str] = []
    size = 0
    for chunk in chunks:
        *ended, rest = chunk.translate(_FRAME).replace("\n", "\r").split("\r")
        for end in ended:
            line = "".join((*held, end)).strip(_BLANK)
            if line:
                yield line
            held, size = [], 0
        if size <= MAX_MESSAGE_CHARS:
            held.append(rest)
        size += len(rest)
    if line := "".join(held).strip(_BLANK):
        yield line


def _documents(
    message: Message, source: str, where: str, problems: Problems
) -> Iterator[RawDocument]:
    out = TextBuilder()
    teller = Teller(out, message)
    tell(teller)
    identifiers: list[Identifier] = list(message_identifiers(message))
    numbers, person = list(own_numbers(message)), list(own_person(message))
    time = codes.iso_of_ts(message.first("MSH", 7))
    kind = message.kind
    meta = {"message_type": kind} if kind else {}
    yield out.document(
        source=source,
        kind="hl7v2",
        title=f"HL7 {kind}".strip(),
        group=message.group,
        time=time,
        identifiers=identifiers,
        numbers=numbers,
        person=person,
        meta=meta,
    )
    for problem in teller.problems:
        problems.add(where, problem)
    if teller.note.strip():
        note = TextBuilder()
        note.add(f"{teller.note.strip()}\n")
        yield note.document(
            source=f"{source}-note",
            kind="note",
            title=teller.note_title or "Clinical document",
            group=message.group,
            time=codes.iso_of_ts(message.first("TXA", 4)) or time,
            identifiers=identifiers,
            numbers=numbers,
            person=person,
            meta={**meta, "note_type": teller.note_title or "Clinical document"},
        )
