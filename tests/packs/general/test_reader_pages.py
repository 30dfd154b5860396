"""What the readers of pages promise: HTML, Markdown, text, JSON and XML, PDF, docx."""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docx
import pypdfium2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aegle.core.errors import InputError, UnsafeInputError
from aegle.core.pack import Origin
from aegle.core.records import RawDocument
from aegle.packs.general.readers.docx import DocxReader
from aegle.packs.general.readers.html import HtmlReader, html_text
from aegle.packs.general.readers.markdown import MarkdownReader
from aegle.packs.general.readers.parts import cut, table_lines
from aegle.packs.general.readers.pdf import PdfReader
from aegle.packs.general.readers.structured import StructuredReader
from aegle.packs.general.readers.text import TextReader


def documents(reader: Any, data: bytes, name: str = "t") -> list[RawDocument]:
    return list(reader.read(io.BufferedReader(io.BytesIO(data)), Origin(name)))  # type: ignore[arg-type]


PAGE = """<!doctype html><html><head><title> A  title </title><style>p{}</style></head><body>
<nav>menu</nav><h1>Head</h1><p>One <b>bold</b>
line.<script>alert(1)</script></p><ul><li>first<li><p>second</p><li><svg></svg></ul>
<table><tr><th>host<th>ip<tr><td>web01<td>10.0.0.1</table>
<table><tr><td>Age<td>47</table><pre>a
  b</pre><!-- hidden --></body></html>"""


def test_html_reads_as_a_person_would() -> None:
    title, text = html_text(PAGE)
    assert title == "A title"
    assert text == (
        "Head\n\nOne bold line.\n\n- first\n- second\n\nhost: web01; ip: 10.0.0.1\n\n"
        "Age: 47\n\na\n  b\n"
    )


def test_html_takes_its_declared_encoding() -> None:
    page = '<html><meta charset="windows-1251"><p>Пациент</p></html>'.encode("cp1251")
    assert documents(HtmlReader(), page)[0].text.reveal() == "Пациент\n"


def test_html_in_a_layout_of_tables_keeps_its_order() -> None:
    page = "<table><tr><td><p>one</p><table><tr><td>a<td>b</table><td>two</table>"
    assert html_text(page)[1].split() == ["one", "a:", "b", "two"]


def test_html_nested_to_attack_is_refused() -> None:
    with pytest.raises(UnsafeInputError, match="nested deeper"):
        html_text("<div>" * 5000)


@given(st.text(max_size=300))
def test_html_of_any_text_gives_text(text: str) -> None:
    title, body = html_text(text)
    assert "\n\n\n" not in body and body.endswith("\n") and isinstance(title, str)


def test_markdown_keeps_every_character_and_finds_its_title() -> None:
    text = "---\ntitle: 'A plan'\ndate: 2024-05-01\n---\n# Head\n\n[link](http://x.example)\n"
    (doc,) = documents(MarkdownReader(), text.encode(), "a.md")
    assert doc.text.reveal() == text
    assert (doc.title.reveal(), doc.time) == ("A plan", "2024-05-01")
    assert documents(MarkdownReader(), b"# Head\ntext\n")[0].title.reveal() == "Head"


def test_text_is_kept_as_it_is() -> None:
    text = "  one\r\n\ttwo\n\nthree"
    (doc,) = documents(TextReader(), text.encode(), "folder/name.txt")
    assert (doc.text.reveal(), doc.title.reveal()) == (text, "name")


@given(st.lists(st.text("ab \n", max_size=40)), st.integers(5, 60))
@example(["a", "aaa", "aaa", "aaaaaa", "", "aaaa", "aaaaaaaaaaaaaa"], 17)
def test_cutting_loses_nothing(lines: list[str], most: int) -> None:
    parts = list(cut(lines, most=most))
    joined = "".join(text for _, text in parts)
    whole = "".join(lines)
    assert whole.startswith(joined) and not whole[len(joined) :].strip()
    assert all(len(text) <= most for _, text in parts)


def test_what_came_before_an_error_is_kept() -> None:
    def lines() -> Iterator[str]:
        yield "one\n"
        raise InputError("broken off")

    parts = cut(lines())
    assert next(parts) == ("", "one\n")
    with pytest.raises(InputError, match="broken off"):
        next(parts)


@pytest.mark.parametrize("reader", [TextReader(), MarkdownReader()])
def test_a_line_that_is_too_long_costs_only_itself(reader: Any) -> None:
    found = reader.read(io.BytesIO(b"first\n" + b"x" * 20_000_000 + b"\nlast"), Origin("a.md"))
    assert next(found).text.reveal() == "first\nlast"
    with pytest.raises(InputError, match="line 2: of more than 16 MB"):
        next(found)


def test_json_lines_may_begin_with_a_long_one() -> None:
    raw = b'{"a": "' + b"x" * 100_000 + b'"}\n{"a": 2}\n'
    assert documents(StructuredReader(), raw, "x.jsonl")[0].text.reveal().endswith("a: 2\n\n")


def test_a_bad_line_of_json_costs_only_itself() -> None:
    lines = [b'{"a": 1}', b'{"secret": ', b"9" * 17_000_000, b"[" * 99_999, b'{"a": 2}']
    stream = io.BufferedReader(io.BytesIO(b"\n".join(lines)))  # type: ignore[arg-type]
    reader = StructuredReader().read(stream, Origin("x.json"))
    assert next(reader).text.reveal() == "a: 1\n\na: 2\n\n"
    with pytest.raises(InputError, match=r"3 part.*line 2: .*line 3: of more than 16.*line 4: "):
        next(reader)


def test_tables_name_their_cells() -> None:
    assert table_lines([["a", "b", "c"], ["1", "", "3"]]) == ["a: 1; c: 3"]
    assert table_lines([["Age", "47"], ["Sex", "F"]]) == ["Age: 47", "Sex: F"]
    assert table_lines([["host", "ip"], ["x", "y"]], header=True) == ["host: x; ip: y"]


def test_json_and_xml_become_lines() -> None:
    reader = StructuredReader()
    data = b'{"a": {"b": [1, 2], "c": [{"d": "x"}, {"d": "y"}]}, "e": null}'
    assert documents(reader, data)[0].text.reveal() == "a.b: 1, 2\na.c.d: x\na.c.d: y\n"
    lines = b'{"a": 1}\n{"a": 2}\n'
    assert documents(reader, lines)[0].text.reveal().split() == ["a:", "1", "a:", "2"]
    xml = b"<?xml version='1.0'?><r x='1'><a>one</a> tail <b><c>two</c></b></r>"
    assert documents(reader, xml)[0].text.reveal() == "a: one\nb.c: two\nr.x: 1\nr: tail\n"


def test_many_xml_records_keep_their_order() -> None:
    xml = "<r>" + "".join(f"<a>{n}</a>t{n}" for n in range(3000)) + "</r>"
    text = "".join(d.text.reveal() for d in documents(StructuredReader(), xml.encode(), "x.xml"))
    assert [line for line in text.splitlines() if line.startswith("a: ")] == [
        f"a: {n}" for n in range(3000)
    ]
    assert text.count("r: t") == 3000


def test_damaged_json_says_where_and_quotes_nothing() -> None:
    with pytest.raises(InputError, match="not valid JSON at character") as caught:
        documents(StructuredReader(), b'{"name": "Zaphodine", "a": [1, ')
    assert "Zaphodine" not in str(caught.value)


def a_pdf(*pages: str) -> bytes:
    """A PDF with these lines of text, one page each; an empty one is a page with a picture."""
    objects = ["<</Type/Catalog/Pages 2 0 R>>", ""]
    kids = []
    for text in pages:
        kids.append(f"{len(objects) + 1} 0 R")
        here = len(objects) + 1
        draw = f"BT /F 12 Tf 20 100 Td ({text}) Tj ET" if text else "q 90 0 0 90 0 0 cm /I Do Q"
        objects += [
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]/Contents {here + 1} 0 R/Resources"
            f"<</Font<</F<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>"
            f"/XObject<</I {here + 2} 0 R>>>>>>",
            f"<</Length {len(draw)}>>stream\n{draw}\nendstream",
            "<</Type/XObject/Subtype/Image/Width 1/Height 1/ColorSpace/DeviceGray"
            "/BitsPerComponent 8/Length 1>>stream\nx\nendstream",
        ]
    objects[1] = f"<</Type/Pages/Count {len(kids)}/Kids[{' '.join(kids)}]>>"
    body = "%PDF-1.4\n"
    places = []
    for number, content in enumerate(objects, 1):
        places.append(len(body))
        body += f"{number} 0 obj{content}endobj\n"
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    size = len(objects) + 1
    body += f"xref\n0 {size}\n0000000000 65535 f \n{table}"
    return (
        f"{body}trailer<</Size {size}/Root 1 0 R>>\nstartxref\n{body.index('xref')}\n%%EOF"
    ).encode()


def test_a_pdf_is_read_page_by_page() -> None:
    (doc,) = documents(PdfReader(), a_pdf("Patient seen on rounds.", "Second page follows."))
    assert doc.text.reveal() == "Patient seen on rounds.\n\n[Page 2]\nSecond page follows.\n"
    assert doc.meta == {"pages": "1-2"}


def test_a_scanned_pdf_names_the_setting_and_keeps_the_other_pages() -> None:
    with pytest.raises(
        InputError, match=r"1 of 1 pages are scanned or empty; turn on sources\.ocr"
    ):
        documents(PdfReader(), a_pdf(""))
    got = []
    with pytest.raises(InputError, match="1 of 2 pages"):
        for doc in PdfReader().read(io.BytesIO(a_pdf("Words on the first.", "")), Origin("t")):
            got.append(doc.text.reveal())
    assert got == ["Words on the first.\n"]


def test_ocr_reads_a_picture_of_text() -> None:
    if shutil.which("tesseract") is None:
        pytest.skip("tesseract is not installed")
    page = pypdfium2.PdfDocument(a_pdf("Infusion pump alarm at night"))[0]
    picture = page.render(scale=4).to_pil().convert("RGB")
    file = io.BytesIO()
    picture.save(file, "PDF", resolution=288)
    with pytest.raises(InputError, match=r"sources\.ocr"):
        documents(PdfReader(), file.getvalue())
    (doc,) = documents(PdfReader(ocr=True), file.getvalue())
    assert doc.text.reveal() == "Infusion pump alarm at night\n"


@pytest.mark.parametrize("keep", [20, 300])
def test_a_damaged_pdf_is_refused(keep: int) -> None:
    with pytest.raises(InputError, match=r"damaged PDF|pages"):
        documents(PdfReader(), a_pdf("words")[:keep])


def test_a_docx_is_read_in_order(tmp_path: Path) -> None:
    doc = docx.Document()
    doc.core_properties.title, doc.core_properties.author = "Plan", "Ada Quill"
    doc.sections[0].header.paragraphs[0].text = "Ward ICU-3"
    doc.add_heading("Findings", 1)
    doc.add_paragraph("A paragraph.")
    doc.add_paragraph("an item", style="List Bullet")
    table = doc.add_table(2, 3)
    for place, text in enumerate(["host", "ip", "ward", "web01", "10.0.0.1", "ICU"]):
        table.cell(place // 3, place % 3).text = text
    doc.add_paragraph("The end.")
    doc.save(str(tmp_path / "a.docx"))
    data = (tmp_path / "a.docx").read_bytes()
    assert DocxReader().sniff(data, Origin("a")) > 0.9
    (got,) = documents(DocxReader(), data, "a.docx")
    lines = [line for line in got.text.reveal().splitlines() if line]
    assert lines == [
        "Ward ICU-3", "Findings", "A paragraph.", "- an item",
        "host: web01; ip: 10.0.0.1; ward: ICU", "The end.",
    ]  # fmt: skip
    assert got.title.reveal() == "Plan"
    assert [(one.kind, one.value.reveal()) for one in got.identifiers] == [("name", "Ada Quill")]


def test_a_docx_bomb_is_refused() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", b" " * (65 << 20))
    with pytest.raises(UnsafeInputError, match="bomb"):
        documents(DocxReader(), file.getvalue(), "a.docx")


def test_xhtml_is_html_and_other_xml_is_not() -> None:
    sniff = HtmlReader().sniff
    head = b'<?xml version="1.0"?>\n'
    assert sniff(head + b'<html xmlns="http://www.w3.org/1999/xhtml">', Origin("a")) == 0.8
    assert sniff(head + b"<r>" + b"<title>x</title><p>y</p>" * 9, Origin("a.xml")) == 0.0
