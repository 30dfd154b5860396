"""What both domains share: PDF, HTML, Markdown, docx, CSV, e-mail and plain text."""

from aegle.core.pack import Pack

_HERE = "aegle.packs.general"

PACK = Pack(
    name="general",
    title="General documents",
    readers={
        "pdf": f"{_HERE}.readers.pdf:PdfReader",
        "docx": f"{_HERE}.readers.docx:DocxReader",
        "mail": f"{_HERE}.readers.mail:MailReader",
        "html": f"{_HERE}.readers.html:HtmlReader",
        "csv": f"{_HERE}.readers.csv:CsvReader",
        "markdown": f"{_HERE}.readers.markdown:MarkdownReader",
        "structured": f"{_HERE}.readers.structured:StructuredReader",
        "text": f"{_HERE}.readers.text:TextReader",
    },
    recognisers=f"{_HERE}.identifiers:recognisers",
    keeps=frozenset(),
    shifts_dates=False,
    terms=f"{_HERE}.ontology:terms",
    terms_version="1",
    patterns=f"{_HERE}.patterns:patterns",
    cues=f"{_HERE}.cues:cues",
    rules=f"{_HERE}.rules:rules",
    doubts=f"{_HERE}.doubts:doubts",
    critical={"identifiers": ("person", "address", "date", "phone", "email")},
)
