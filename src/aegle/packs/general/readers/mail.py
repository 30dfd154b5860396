"""E-mail, single or as mbox: headers, body as text, attachments listed or read."""

from __future__ import annotations

import codecs
import email
import email.errors
import email.header
import email.policy
import io
import re
from collections.abc import Iterator
from datetime import UTC
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime
from typing import BinaryIO, Final

from aegle.core.decode import text_of
from aegle.core.errors import InputError
from aegle.core.pack import Origin
from aegle.core.records import Identifier, RawDocument
from aegle.core.text import RawText
from aegle.packs.general.readers.html import html_text
from aegle.packs.general.readers.parts import WHOLE_BYTES, Unread, cut, page, whole

_HEADER: Final = re.compile(rb"([A-Za-z][A-Za-z0-9-]{1,40}):")
_CERTAIN: Final = frozenset((b"received", b"message-id", b"return-path", b"mime-version"))
_USUAL: Final = frozenset((b"from", b"to", b"subject", b"date", b"cc", b"reply-to", b"sender"))
_MBOX: Final = re.compile(rb"From \S+ +(?:\S+ +)?\w{3} +\w{3} +\d")
_SHOWN: Final = ("Subject", "From", "To", "Cc", "Date")
_ADDRESSED: Final = ("From", "To", "Cc", "Bcc", "Reply-To", "Sender", "Return-Path")
_LINE: Final = 1 << 20
_DEEPEST: Final = 20
"""How deep parts may nest; the library itself recurses once for each."""


class MailReader:
    """RFC 5322 messages, however broken: what can be read is, nothing is trusted."""

    name = "mail"

    def sniff(self, head: bytes, origin: Origin) -> float:
        """By the headers that a message begins with; the suffix alone counts little."""
        start = head.lstrip(b"\xef\xbb\xbf\r\n")
        mbox = _MBOX.match(start) is not None
        names = _header_names(start.split(b"\n", 1)[-1] if mbox else start)
        certain = len(names & _CERTAIN)
        if (mbox and names) or (certain and len(names & _USUAL) >= 2) or certain >= 2:
            return 0.95
        if {b"from", b"subject"} <= names and len(names & _USUAL) >= 3:
            return 0.8
        return 0.5 if origin.name.lower().endswith((".eml", ".mbox")) and names else 0.0

    def read(self, stream: BinaryIO, origin: Origin) -> Iterator[RawDocument]:
        """A document for each message, one more for each attached text.

        Raises:
            InputError: after the rest, when messages or texts in them could not be read.
        """
        head = getattr(stream, "peek", lambda size: b"")(1 << 12)
        unread = Unread()
        if _MBOX.match(head) is None:
            yield from _documents(whole(stream), origin, "", unread)
        else:
            for number, data in _split(stream, unread):
                part = f"message{number}" if number > 1 else ""
                yield from _documents(data, origin, part, unread)
        unread.check()


def _header_names(start: bytes) -> set[bytes]:
    """Names of the header lines before the first line that is none."""
    names: set[bytes] = set()
    for line in start.split(b"\n")[:80]:
        if found := _HEADER.match(line):
            names.add(found[1].lower())
        elif not line.startswith((b" ", b"\t")):
            break
    return names


def _split(stream: BinaryIO, unread: Unread) -> Iterator[tuple[int, bytes]]:
    """The messages of an mbox, numbered: each begins with ``From address date`` after a blank line.

    One that is too large is left out without being held.
    """
    waiting: list[bytes] = []
    number, size, empty, begun = 1, 0, True, True
    while line := stream.readline(_LINE):
        if begun and empty and size and _MBOX.match(line):
            yield from _message(number, waiting, size, unread)
            waiting, size, number = [], 0, number + 1
        size += len(line)
        if size > WHOLE_BYTES:
            waiting = []
        else:
            waiting.append(line)
        empty = begun and not line.strip()
        begun = line.endswith(b"\n")
    if size:
        yield from _message(number, waiting, size, unread)


def _message(
    number: int, lines: list[bytes], size: int, unread: Unread
) -> Iterator[tuple[int, bytes]]:
    if size > WHOLE_BYTES:
        unread.add(f"message {number}", f"larger than {WHOLE_BYTES >> 20} MB")
    else:
        yield number, b"".join(lines)


def _documents(data: bytes, origin: Origin, part: str, unread: Unread) -> Iterator[RawDocument]:
    # compat32 keeps headers as they stand; the newer policies raise on broken ones.
    message = email.message_from_bytes(data, policy=email.policy.compat32)
    headers = {name: _header(message, name) for name in _SHOWN}
    identifiers = _identifiers(message)
    body: list[str] = []
    listed: list[str] = []
    attached: list[tuple[str, str]] = []
    for place, (piece, depth) in enumerate(_leaves(message), 1):
        kind = _kind(piece)
        name = _filename(piece)
        is_text = kind.startswith("text/") or kind == "message/delivery-status"
        payload = _payload(piece)
        text = ""
        try:
            text = _text(piece, payload, kind, depth) if is_text else ""
        except InputError as error:
            unread.add(f"{part or 'message1'}, part {place}", str(error))
        if name or "attachment" in str(piece.get("Content-Disposition", "")).lower():
            listed.append(f"Attachment: {name or 'without a name'} ({kind}, {len(payload)} bytes)")
            if text.strip():
                attached.append((name, text))
        elif is_text:
            body.append(text)
        else:
            listed.append(f"Part: {kind}, {len(payload)} bytes")
    lines = [f"{name}: {value}" for name, value in headers.items() if value]
    text = "\n".join(
        [*lines, "", "\n\n".join(body).strip("\n"), *([""] if listed else []), *listed]
    )
    time = _time(headers["Date"])
    subject = headers["Subject"]
    for number, piece_text in cut((text.strip("\n") + "\n").splitlines(keepends=True)):
        where = ".".join(filter(None, (part, number)))
        yield page(
            origin,
            piece_text,
            part=where,
            kind="mail",
            title=subject,
            time=time,
            identifiers=identifiers,
        )
    for place, (name, piece_text) in enumerate(attached, 1):
        for number, cut_text in cut(piece_text.splitlines(keepends=True)):
            where = ".".join(filter(None, (part, f"attachment{place}", number)))
            title = name or subject
            yield page(
                origin, cut_text, part=where, title=title, time=time, identifiers=identifiers
            )


def _leaves(message: Message) -> Iterator[tuple[Message, int]]:
    """The parts that hold content, in order; of alternatives the plain one, where there is one."""
    stack: list[tuple[Message, int]] = [(message, 0)]
    while stack:
        here, depth = stack.pop()
        payload = here.get_payload()
        if not isinstance(payload, list):
            yield here, depth
            continue
        parts = [part for part in payload if isinstance(part, Message)]
        if _kind(here) == "multipart/alternative":
            plain = [part for part in parts if _kind(part) == "text/plain"]
            full = [part for part in plain if _payload(part).strip()]
            parts = full or [part for part in parts if part not in plain] or parts
        stack.extend((part, depth + 1) for part in reversed(parts))


def _kind(part: Message) -> str:
    return part.get_content_type()


def _filename(part: Message) -> str:
    try:
        return " ".join(_decoded(part.get_filename() or "").split())[:200]
    except (ValueError, LookupError, TypeError, IndexError):  # broken RFC 2231 continuations
        return ""


def _payload(part: Message) -> bytes:
    try:
        payload = part.get_payload(decode=True)
    except (ValueError, LookupError, AssertionError):  # e.g. base64 of no whole length
        payload = None
    return payload if isinstance(payload, bytes) else b""


def _text(part: Message, payload: bytes, kind: str, depth: int) -> str:
    """The text of a part by its charset, by a guess when that is missing or wrong.

    Raises:
        InputError: it is no text, though it says so, or it is nested too deep.
    """
    if depth > _DEEPEST:
        raise InputError(f"in more than {_DEEPEST} parts inside each other")
    text = _by_charset(payload, part)
    if kind == "text/html":
        return html_text(text)[1]
    return text.replace("\r\n", "\n").replace("\0", "")


def _by_charset(payload: bytes, part: Message) -> str:
    try:
        charset = codecs.lookup(str(part.get_content_charset() or "")).name
        if charset not in ("ascii", "utf-8"):
            return payload.decode(charset, "replace")
    except (LookupError, ValueError, TypeError, UnicodeError):
        pass
    return text_of(io.BytesIO(payload), limit=WHOLE_BYTES)


def _header(message: Message, name: str) -> str:
    """A header's text on one line, encoded words decoded."""
    values = [str(value) for key, value in message.raw_items() if key.lower() == name.lower()]
    return " ".join(_decoded(", ".join(values)).split())


def _decoded(value: str) -> str:
    # Bytes above ASCII arrive as lone surrogates.
    raw = value.encode("utf-8", "surrogateescape")
    value = text_of(io.BytesIO(raw)) if not value.isascii() and raw else value
    pieces: list[str] = []
    try:
        for piece, charset in email.header.decode_header(value):
            if isinstance(piece, bytes):
                pieces.append(piece.decode(charset or "utf-8", "replace"))
            else:
                pieces.append(piece)
    except (LookupError, ValueError, email.errors.HeaderParseError):
        return value
    return "".join(pieces)


def _identifiers(message: Message) -> list[Identifier]:
    """Addresses and display names of all who are named in the headers."""
    wanted = {name.lower() for name in _ADDRESSED}
    # Decoded only after parsing: an encoded name may hold a comma.
    values = [str(value) for key, value in message.raw_items() if key.lower() in wanted]
    found: list[Identifier] = []
    for name, address in getaddresses(values):
        if "@" in address:
            found.append(Identifier("email", RawText(_decoded(address))))
        words = " ".join(_decoded(name).split()).strip("'\"")
        if len(words) > 2 and "@" not in words:
            found.append(Identifier("name", RawText(words)))
    return found


def _time(value: str) -> str:
    try:
        moment = parsedate_to_datetime(value)
        return moment.astimezone(UTC).isoformat() if moment.tzinfo else moment.isoformat()
    except (ValueError, TypeError, IndexError, OverflowError):
        return ""
