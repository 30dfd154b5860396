"""PDF: text page by page, scanned pages by OCR when that is turned on."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from aegle.core.errors import InputError, UnsafeInputError
from aegle.core.pack import Origin
from aegle.core.plugins import load
from aegle.core.records import RawDocument
from aegle.packs.general.readers.parts import PART_CHARACTERS, page, stem

_LEAST: Final = 16
"""A page with fewer letters is a picture with a stamp or page number: scanned."""

_DPI: Final = 300
_PIXELS: Final = 30_000_000
"""The largest picture of a page: an A3 page at 300 dpi has 17 million."""

_PAGES: Final = 20_000
_SECONDS: Final = 120


class PdfReader:
    """Text pages with a line ``[Page n]`` before each but the first.

    Args:
        ocr: read pages without text by tesseract (slow; extra ``ocr``).
    """

    name = "pdf"

    def __init__(self, ocr: bool = False) -> None:
        self._ocr = ocr

    def sniff(self, head: bytes, origin: Origin) -> float:
        """By the signature, which may stand anywhere in the first kilobyte."""
        return 0.95 if b"%PDF-" in head[:1024] else 0.0

    def read(self, stream: BinaryIO, origin: Origin) -> Iterator[RawDocument]:
        """One document, several when it is long; ends with an error when pages were left out."""
        open_pdf = load("pypdfium2:PdfDocument")
        failure = load("pypdfium2:PdfiumError")
        with tempfile.NamedTemporaryFile(suffix=".pdf") as spool:
            while block := stream.read(1 << 20):
                spool.write(block)
            spool.flush()
            try:
                pdf = open_pdf(spool.name)
            except failure as error:
                raise _explain(error) from error
            try:
                yield from self._documents(pdf, failure, origin)
            finally:
                pdf.close()

    def _documents(
        self, pdf: Any, failure: type[Exception], origin: Origin
    ) -> Iterator[RawDocument]:
        if len(pdf) > _PAGES:
            raise UnsafeInputError(f"a PDF of more than {_PAGES} pages")
        title = _title(pdf) or stem(origin)
        pieces: list[str] = []
        size, first = 0, 1
        left: dict[str, list[int]] = {"scanned": [], "damaged": []}
        written = 0
        for number in range(1, len(pdf) + 1):
            try:
                text = self._page(pdf, number - 1)
            except failure:
                left["damaged"].append(number)
                continue
            if not text:
                left["scanned"].append(number)
                continue
            if pieces and size + len(text) > PART_CHARACTERS:
                yield _part(origin, pieces, title, first, number - 1)
                pieces, size, first = [], 0, number
                written += 1
            pieces.append(f"[Page {number}]\n{text}\n" if number > 1 else f"{text}\n")
            size += len(text)
        if pieces:
            yield _part(origin, pieces, title, first if written else 1, len(pdf))
        self._report(left, len(pdf))

    def _page(self, pdf: Any, place: int) -> str:
        """The text of a page; empty for a scanned one that is not to be read."""
        sheet = pdf[place]
        try:
            layer = sheet.get_textpage()
            try:
                text = _tidy(layer.get_text_range())
            finally:
                layer.close()
            if sum(map(str.isalnum, text)) >= _LEAST:
                return text
            if self._ocr:
                return _read_picture(sheet) or text
            pictured = any(True for _ in sheet.get_objects(filter=[_IMAGE], max_depth=3))
            return "" if pictured else text
        finally:
            sheet.close()

    def _report(self, left: dict[str, list[int]], pages: int) -> None:
        """Say what was left out."""
        said = []
        if left["scanned"]:
            what = f"{len(left['scanned'])} of {pages} pages"
            hint = "OCR found no text" if self._ocr else "turn on sources.ocr"
            said.append(f"{what} are scanned or empty; {hint}")
        if left["damaged"]:
            said.append(f"{len(left['damaged'])} of {pages} pages are damaged")
        if said:
            raise InputError("; ".join(said))


_IMAGE: Final = 3
"""FPDF_PAGEOBJ_IMAGE of PDFium."""


def _part(origin: Origin, pieces: list[str], title: str, first: int, last: int) -> RawDocument:
    part = f"page{first}" if first > 1 else ""
    meta = {"pages": f"{first}-{last}"}
    return page(origin, "\n".join(pieces), part=part, title=title, meta=meta)


def _tidy(text: str) -> str:
    """PDFium's text with plain line ends; its mark for a hyphen at a line's end joins the word."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    return text.replace("\ufffe\n", "").replace("\ufffe", "").replace("\x02", "-").strip()


def _title(pdf: Any) -> str:
    return " ".join(str(pdf.get_metadata_value("Title")).split())[:300]


def _read_picture(sheet: Any) -> str:
    """The text of a page by OCR, at a resolution that bounds the picture."""
    recognise = load("pytesseract:image_to_string")
    absent = load("pytesseract:TesseractNotFoundError")
    width, height = sheet.get_size()
    scale = min(_DPI / 72, math.sqrt(_PIXELS / max(1.0, width * height)))
    picture = sheet.render(scale=scale, grayscale=True).to_pil()
    try:
        return str(recognise(picture, timeout=_SECONDS)).strip()
    except absent as error:
        raise InputError("OCR needs the program tesseract; install tesseract-ocr") from error
    except RuntimeError as error:  # tesseract failed, or took too long
        raise InputError(f"OCR failed on a page ({type(error).__name__})") from error
    finally:
        picture.close()


def _explain(error: Exception) -> InputError:
    code = str(error).lower()
    if "password" in code:
        return InputError("an encrypted PDF; save it without its password first")
    if "security" in code:
        return InputError("a PDF with an encryption that can't be read here")
    return InputError("a damaged PDF: cut off while it was written or copied")
