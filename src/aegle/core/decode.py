"""Bytes to text, streaming: which encoding, whole texts and lines with a limit, what is no text.

Nothing here quotes what it reads: a file that is no text is named by what its first bytes say.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final

from charset_normalizer import from_bytes

from aegle.core.errors import InputError

HEAD_BYTES: Final = 1 << 16
"""How much of a file decides about its encoding and its reader."""

TEXT_LIMIT: Final = 16 << 20
"""Most characters of one line or one text unless the caller says otherwise."""

_BLOCK: Final = 1 << 16

_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

_MAGIC: Final = (
    (b"\x89PNG\r\n", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF87a", "a GIF picture"),
    (b"GIF89a", "a GIF picture"),
    (b"II*\0", "a TIFF picture"),
    (b"MM\0*", "a TIFF picture"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"\x7fELF", "an ELF program"),
    (b"\xca\xfe\xba\xbe", "a Java class or Mach-O program"),
    (b"\xcf\xfa\xed\xfe", "a Mach-O program"),
    (b"\0asm", "a WebAssembly program"),
    (b"%PDF-", "a PDF"),
    (b"PK\x03\x04", "a zip archive"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x1f\x8b", "gzip data"),
    (b"BZh", "bzip2 data"),
    (b"\xfd7zXZ\0", "xz data"),
    (b"\x28\xb5\x2f\xfd", "Zstandard data"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office file (doc, xls, msg)"),
    (b"{\\rtf", "a Rich Text file"),
    (b"PAR1", "a Parquet table"),
    (b"ARROW1", "an Arrow table"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89HDF", "an HDF5 file"),
    (b"GGUF", "a GGUF model"),
    (b"ElfFile\0", "a Windows event log (evtx); export it as JSON"),
    (b"\xd4\xc3\xb2\xa1", "a packet capture"),
    (b"\x0a\x0d\x0d\x0a", "a packet capture"),
    (b"OggS", "an Ogg recording"),
    (b"ID3", "an MP3 recording"),
    (b"fLaC", "a FLAC recording"),
    (b"%!PS", "a PostScript file"),
)

_LIKELY: Final = (
    "cp1252", "cp1250", "cp1251", "koi8_r", "cp1253", "cp1254", "cp1255", "cp1256", "gb18030",
    "big5", "shift_jis", "euc_jp", "euc_kr",
)  # fmt: skip
"""What the statistics may choose from: all of Python's codecs would give EBCDIC for French."""

_FEW: Final = 8
"""With fewer bytes above ASCII the statistics guess; Western text is likelier than any guess."""

_CONTROL: Final = re.compile(rb"[\x00-\x06\x0e-\x1a\x1c-\x1f\x7f]")
_HIGH: Final = re.compile(rb"[\x80-\xff]")


def looks_like(head: bytes) -> str:
    """What the first bytes of a binary file say that it is, ``"a PNG picture"``; empty if unknown.

    Formats whose mark is two letters (``MZ``, ``BM``) count only when control bytes follow.
    """
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    if head[4:8] == b"ftyp":
        return "an MP4 or HEIC recording"
    if head[:4] == b"RIFF" and head[8:12] in (b"WAVE", b"AVI ", b"WEBP"):
        return "a RIFF recording or picture"
    if head[128:132] == b"DICM":
        return "a DICOM image"
    if head[257:262] == b"ustar":
        return "a tar archive"
    if head.startswith(b"MZ") and b"\0" in head[:64]:
        return "a Windows program"
    if head.startswith(b"BM") and b"\0" in head[:16]:
        return "a BMP picture"
    return ""


def guess_encoding(head: bytes) -> str:
    """The codec of a text by its first bytes (`HEAD_BYTES` of them are enough).

    A byte order mark, then the places of NULs (UTF-16 and UTF-32 without a mark), then UTF-8,
    then statistics over the encodings that are in use.

    Raises:
        InputError: this is no text; the message names what it looks like.
    """
    for bom, name in _BOMS:
        if head.startswith(bom):
            return name
    known = looks_like(head)
    if known:
        raise InputError(f"not text: it looks like {known}")
    if b"\0" in head:
        wide = _wide(head)
        if wide:
            return wide
    if len(_CONTROL.findall(head)) > max(2, len(head) // 100):
        raise InputError("not text: binary data of an unknown kind")
    if _is_utf8(head):
        return "utf-8"
    high = len(_HIGH.findall(head))
    if high < _FEW:
        return "cp1252"
    best = from_bytes(head, cp_isolation=list(_LIKELY)).best()
    return best.encoding if best is not None else "cp1252"


def _wide(head: bytes) -> str:
    """UTF-16 or UTF-32 by where the NULs stand: Latin text has them in every second or fourth."""
    sample = head[:4096]
    nuls = [sample[i::4].count(0) / max(1, len(sample[i::4])) for i in range(4)]
    if len(sample) >= 8 and min(nuls[1:]) > 0.7 and nuls[0] < 0.1:
        return "utf-32-le"
    if len(sample) >= 8 and min(nuls[:3]) > 0.7 and nuls[3] < 0.1:
        return "utf-32-be"
    even, odd = (nuls[0] + nuls[2]) / 2, (nuls[1] + nuls[3]) / 2
    if odd > 0.4 and even < 0.1:
        return "utf-16-le"
    if even > 0.4 and odd < 0.1:
        return "utf-16-be"
    return ""


def _is_utf8(head: bytes) -> bool:
    """Whether this is UTF-8; true, too, for UTF-8 with a rare wrong byte, as long logs have it."""
    good = head.decode("utf-8", "ignore")
    bad = len(head) - len(good.encode("utf-8"))
    if bad <= 3 and _cut_at_end(head):
        return True
    multi = sum(1 for char in good if char > "\x7f")
    return bad == 0 or multi > 20 * bad


def _cut_at_end(head: bytes) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(head)
    except UnicodeDecodeError:
        return False
    return True


def _western(error: UnicodeError) -> tuple[str, int]:
    """A byte that is not UTF-8 in a text that is: most likely pasted Western text."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    wrong = error.object[error.start : error.end]
    return wrong.decode("cp1252", "replace"), error.end


codecs.register_error("aegle.western", _western)


def pieces_of(stream: BinaryIO, *, encoding: str = "") -> Iterator[str]:
    """The text of a stream in pieces of some 64 thousand characters, line ends as they are.

    Args:
        stream: read forward in blocks, never held whole.
        encoding: the codec, when a header told it; else it is guessed.

    Raises:
        InputError: this is no text.
    """
    head = stream.read(HEAD_BYTES)
    codec = encoding or guess_encoding(head)
    errors = "aegle.western" if codec.startswith("utf-8") else "replace"
    decoder = codecs.getincrementaldecoder(codec)(errors)
    block = head
    while block:
        if piece := decoder.decode(block):
            yield piece
        block = stream.read(_BLOCK)
    if last := decoder.decode(b"", final=True):
        yield last


def text_of(stream: BinaryIO, *, limit: int = TEXT_LIMIT, encoding: str = "") -> str:
    """The whole text of a stream, without its byte order mark, line ends as they are.

    Raises:
        InputError: this is no text, or it has more than ``limit`` characters.
    """
    pieces: list[str] = []
    size = 0
    for piece in pieces_of(stream, encoding=encoding):
        size += len(piece)
        if size > limit:
            raise InputError(f"a text of more than {_mega(limit)}; split it, or raise the limit")
        pieces.append(piece)
    return "".join(pieces)


def lines_of(
    stream: BinaryIO,
    *,
    limit: int = TEXT_LIMIT,
    encoding: str = "",
    ends: bool = False,
    left_out: Callable[[int], None] | None = None,
) -> Iterator[str]:
    r"""The lines of a stream, streaming.

    A line ends with ``\n`` or ``\r\n``; in a text that starts without any ``\n``, with ``\r``. A
    line of more than ``limit`` characters is never held whole.

    Args:
        ends: whether the lines keep their line ends.
        left_out: told the number, from 1, of a line that is too long and therefore left out.

    Raises:
        InputError: this is no text, or a line is too long and nobody is told. The lines before it
            were yielded.
    """
    newline, waiting, size, number = "", [], 0, 1
    for piece in pieces_of(stream, encoding=encoding):
        newline = newline or ("\r" if "\r" in piece[:-1] and "\n" not in piece else "\n")
        *whole, rest = piece.split(newline)
        for line in whole:
            if size + len(line) <= limit:
                waiting.append(line)
                yield _end("".join(waiting), newline, ends)
            else:
                _leave_out(number, left_out, limit)
            waiting, size = [], 0
            number += 1
        size += len(rest)
        if size <= limit:
            waiting.append(rest)
        elif left_out is None:
            raise _too_long(limit)
        else:
            waiting = []
    if size > limit:
        _leave_out(number, left_out, limit)
    elif last := "".join(waiting):
        yield last if ends else last.removesuffix("\r")


def _leave_out(number: int, left_out: Callable[[int], None] | None, limit: int) -> None:
    if left_out is None:
        raise _too_long(limit)
    left_out(number)


def _end(line: str, newline: str, ends: bool) -> str:
    return line + newline if ends else line.removesuffix("\r")


def _too_long(limit: int) -> InputError:
    return InputError(f"a line of more than {_mega(limit)}; split it, or raise the limit")


def _mega(limit: int) -> str:
    return f"{limit / (1 << 20):.3g} MB"
