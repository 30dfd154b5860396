"""MedQuAD pages in, question-and-answer documents out."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from aegle.core.errors import InputError, UnsafeInputError
from aegle.core.pack import Origin
from aegle.core.records import RawDocument
from aegle.packs.healthcare.readers.medquad import MedquadReader

PAGE = """<?xml version="1.0" encoding="UTF-8"?>
<Document id="1" source="NIDDK" url="https://example.org/x">
<Focus>Varicose Veins</Focus>
<FocusAnnotations><UMLS><CUIs><CUI>C0042345</CUI></CUIs>
<SemanticTypes><SemanticType>T047</SemanticType></SemanticTypes>
<SemanticGroup>Disorders</SemanticGroup></UMLS></FocusAnnotations>
<QAPairs>
<QAPair pid="1"><Question qid="1-1" qtype="information">What are varicose veins ?</Question>
<Answer>Swollen,
    twisted veins.

    They are &lt;common&gt;.</Answer></QAPair>
<QAPair pid="2"><Question qid="1-2" qtype="causes">Empty ?</Question><Answer> </Answer></QAPair>
</QAPairs></Document>"""


def read(text: str) -> list[RawDocument]:
    return list(MedquadReader().read(io.BytesIO(text.encode()), Origin("p.xml")))


def test_a_page_is_its_questions_and_answers() -> None:
    (doc,) = read(PAGE)
    assert doc.text.reveal() == (
        "Q: What are varicose veins ?\nA: Swollen, twisted veins.\nThey are <common>.\n\n"
    )
    assert (doc.kind, doc.title.reveal()) == ("page", "Varicose Veins")
    assert doc.meta["empty_answers"] == "1"
    (mention,) = doc.mentions
    assert doc.text.reveal()[mention.start : mention.end] == "varicose veins"
    assert mention.type == "condition"
    assert [one.key for one in mention.concepts] == ["UMLS:C0042345"]


def test_a_page_without_answers_is_refused_with_the_reason() -> None:
    with pytest.raises(InputError, match="no answers"):
        read(
            PAGE.replace("Swollen,", "")
            .replace("twisted veins.", "")
            .replace("They are &lt;common&gt;.", "")
        )


@pytest.mark.parametrize(
    "text", ["", "<Document>", "<Other/>", "<Document/>", "not xml", "<Document><Focus></Document>"]
)
def test_what_is_no_page_is_a_clear_error(text: str) -> None:
    with pytest.raises(InputError):
        read(text)


def test_entities_are_refused_as_unsafe() -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "b"><!ENTITY c "&a;&a;">]>' + PAGE.split("?>")[1]
    with pytest.raises(UnsafeInputError):
        read(bomb)


def test_sniff() -> None:
    sniff = MedquadReader().sniff
    assert sniff(PAGE.encode(), Origin("p.xml")) > 0.9
    assert sniff(b"<Document><Title/></Document>", Origin("p.xml")) == 0.0


def test_the_public_pages_are_read_or_explained(data: Path) -> None:
    """Six pages hold no pair at all; five are written in other dialects and are read too."""
    pairs, refused = 0, []
    files = sorted((data / "medquad").glob("*/*.xml"))
    for path in files:
        raw = path.read_bytes()
        assert MedquadReader().sniff(raw[:65536], Origin(path.name)) > 0.9
        try:
            (doc,) = MedquadReader().read(io.BytesIO(raw), Origin(path.name))
        except InputError as error:
            refused.append(str(error))
        else:
            pairs += int(doc.meta["pairs"])
    assert len(files) == 1562
    assert len(refused) == 6
    assert all("holds no answers" in reason for reason in refused)
    assert pairs == 4090 + 16  # those of the older dialects are not in the set's own count
