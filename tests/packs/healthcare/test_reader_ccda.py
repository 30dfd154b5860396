"""C-CDA in, a document out: narrative in lines, coded entries at the words that name them."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegle.core.errors import InputError, UnsafeInputError
from aegle.core.pack import Origin
from aegle.core.records import RawDocument
from aegle.packs.healthcare.readers import safe_xml
from aegle.packs.healthcare.readers.ccda import CcdaReader

SCT = 'codeSystem="2.16.840.1.113883.6.96"'
HEAD = """<?xml version="1.0"?>
<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<code code="18842-5" displayName="Discharge summary"/><title>Discharge Summary</title>
<effectiveTime value="20140917190400-0500"/>
<recordTarget><patientRole><id root="1.2.3" extension="998991"/>
<id root="2.16.840.1.113883.4.1" extension="999-11-2222"/>
<addr><streetAddressLine>12 Larch Row</streetAddressLine><city>Emporia</city>
<state>KS</state><postalCode>66801</postalCode></addr>
<telecom value="tel:(816)276-6909"/>
<patient><name><given>Mirela</given><family>Oakhurst</family></name>
<administrativeGenderCode displayName="Female"/><birthTime value="19570304"/></patient>
</patientRole></recordTarget>
<author><assignedAuthor><assignedPerson><name><given>Ilse</given><family>Varga</family></name>
</assignedPerson></assignedAuthor></author>
"""


def section(code: str, title: str, text: str, entries: str = "") -> str:
    return (
        f'<component><section><code code="{code}"/><title>{title}</title>'
        f"<text>{text}</text>{entries}</section></component>"
    )


def problem(value: str, *, ref: str = "", negated: str = "false", high: str = "") -> str:
    return (
        f'<entry><act><entryRelationship><observation negationInd="{negated}">'
        f'<text><reference value="{ref}"/></text>'
        f'<effectiveTime><low value="20110402"/>{high}</effectiveTime>'
        f'<value xsi:type="CD" {value} {SCT}/></observation></entryRelationship></act></entry>'
    )


def document(*sections: str) -> str:
    body = "".join(sections)
    return (
        f"{HEAD}<component><structuredBody>{body}</structuredBody></component></ClinicalDocument>"
    )


DOCUMENT = document(
    section(
        "11450-4",
        "PROBLEMS",
        "<table><thead><tr><th>Problem</th><th>Status</th></tr></thead><tbody>"
        '<tr ID="p1"><td>Asthma</td><td>Active</td></tr>'
        '<tr ID="p2"><td><paragraph>Type 2 diabetes</paragraph></td><td>Active</td></tr>'
        "</tbody></table>",
        problem('code="195967001" displayName="Asthma"', ref="#p1")
        + problem('code="44054006" displayName="Diabetes mellitus type 2"', ref="#p2")
        + problem('code="22298006" displayName="Gout"', negated="true"),
    ),
    section(
        "48765-2",
        "ALLERGIES",
        '<list><item><content ID="a1">Penicillin</content> causes '
        '<content ID="r1">hives</content></item></list>',
        '<entry><act><entryRelationship><observation><text><reference value="#r1"/></text>'
        '<value xsi:type="CD" code="416098002"/><participant><participantRole><playingEntity>'
        '<code code="7980" codeSystem="2.16.840.1.113883.6.88" displayName="Penicillin">'
        '<originalText><reference value="#a1"/></originalText></code>'
        "</playingEntity></participantRole></participant></observation></entryRelationship>"
        "</act></entry>",
    ),
    section("10160-0", "MEDICATIONS", "None<br/>known."),
)


def read(text: str | bytes) -> RawDocument:
    raw = text if isinstance(text, bytes) else text.encode()
    (doc,) = CcdaReader().read(io.BytesIO(raw), Origin("d.xml"))
    return doc


def test_narrative_becomes_lines_and_entries_find_their_words() -> None:
    doc = read(DOCUMENT)
    text = doc.text.reveal()
    assert text == (
        "Discharge Summary\n"
        "Patient: Mirela Oakhurst, female, born 1957-03-04\n"
        "Author: Ilse Varga\n"
        "\nPROBLEMS\n"
        "Problem: Asthma; Status: Active\n"
        "Problem: Type 2 diabetes; Status: Active\n"
        "Condition: Diabetes mellitus type 2, 2011-04-02 [SNOMED 44054006]\n"
        "Condition: Gout (negated), 2011-04-02 [SNOMED 22298006]\n"
        "\nALLERGIES\n"
        "- Penicillin causes hives\n"
        "\nMEDICATIONS\n"
        "None\nknown.\n"
    )
    told = [(text[m.start : m.end], m.type, m.assertion) for m in doc.mentions]
    assert told == [
        ("Mirela Oakhurst", "patient", "present"),
        ("Ilse Varga", "practitioner", "present"),
        ("Asthma", "condition", "present"),
        ("Diabetes mellitus type 2", "condition", "present"),
        ("Gout", "condition", "negated"),
        ("Penicillin", "allergy", "present"),
    ]
    assert {link.type for link in doc.links} == {"cared_for_by", "has_condition", "allergic_to"}
    assert doc.group.reveal() == "patient/998991"
    assert doc.time == "2014-09-17T19:04:00-05:00"
    assert doc.meta["sections"] == "PROBLEMS; ALLERGIES; MEDICATIONS"


def test_identifiers_of_patient_and_staff() -> None:
    found = {(one.kind, one.value.reveal()) for one in read(DOCUMENT).identifiers}
    assert {
        ("name", "Mirela Oakhurst"),
        ("name", "Ilse Varga"),
        ("mrn", "998991"),
        ("ssn", "999-11-2222"),
        ("place", "12 Larch Row"),
        ("phone", "(816)276-6909"),
        ("date", "1957-03-04"),
    } <= found


def test_an_ended_problem_is_history_and_a_relatives_is_family() -> None:
    ended = problem('code="1" displayName="Gout"', high='<high value="2012"/>')
    gone = read(document(section("11450-4", "P", "Gout", ended)))
    assert [m.assertion for m in gone.mentions if m.type == "condition"] == ["historical"]
    mother = read(document(section("10157-6", "F", "Gout", problem('code="1" displayName="Gout"'))))
    assert [m.assertion for m in mother.mentions if m.type == "condition"] == ["family"]


def other_body(text: str) -> str:
    return f"{HEAD}<component><nonXMLBody>{text}</nonXMLBody></component></ClinicalDocument>"


def test_a_text_body_is_read_and_a_pdf_or_another_file_is_refused() -> None:
    data = base64.b64encode(b"Rest at home.").decode()
    doc = read(other_body(f'<text mediaType="text/plain" representation="B64">{data}</text>'))
    assert doc.text.reveal().endswith("Rest at home.\n")
    with pytest.raises(InputError, match="application/pdf"):
        read(other_body(f'<text mediaType="application/pdf" representation="B64">{data}</text>'))
    with pytest.raises(InputError, match="another file"):
        read(other_body('<text><reference value="a.pdf"/></text>'))


@pytest.mark.parametrize(
    "doctype",
    [
        '<!DOCTYPE x [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;">]>',
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE x SYSTEM "http://example.org/x.dtd" [<!ENTITY % p SYSTEM "http://x/"> %p;]>',
    ],
)
def test_entity_attacks_are_refused(doctype: str) -> None:
    with pytest.raises(UnsafeInputError):
        read(DOCUMENT.replace('<?xml version="1.0"?>', f'<?xml version="1.0"?>{doctype}'))


def test_absurd_depth_and_size_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    deep = "<list>" * 5000 + "</list>" * 5000
    with pytest.raises(InputError):
        read(document(section("1", "X", deep)))
    monkeypatch.setattr("aegle.packs.healthcare.readers.decode.MAX_WHOLE_BYTES", 1000)
    with pytest.raises(InputError, match="too large"):
        read(DOCUMENT)
    assert safe_xml.MAX_DEPTH < 1000


@pytest.mark.parametrize(
    "text", ["", "  ", "<a>", "<a/>", "<ClinicalDocument/>", "x", DOCUMENT[:-30]]
)
def test_what_is_no_cda_is_a_clear_error(text: str) -> None:
    with pytest.raises(InputError):
        read(text)


@given(st.data())
@settings(max_examples=120, deadline=None)
def test_junk_in_a_document_never_crashes(data: st.DataObject) -> None:
    text = DOCUMENT
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        cut = data.draw(st.integers(0, 30))
        junk = data.draw(st.sampled_from(["", "<td>", "</td>", '"', "#p2", "&#10;", "ß", "<br/>"]))
        text = text[:at] + junk + text[at + cut :]
    try:
        doc = read(text)
    except InputError:
        return
    assert doc.text.reveal()


@given(
    st.sampled_from(["code", "value", "text", "id", "name", "title", "effectiveTime", "patient"])
)
@settings(max_examples=8, deadline=None)
def test_any_element_may_be_missing(tag: str) -> None:
    from xml.etree.ElementTree import fromstring, tostring

    root = fromstring(DOCUMENT)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.endswith("}" + tag):
                parent.remove(child)
    assert read(tostring(root)).text.reveal()


def test_sniff() -> None:
    sniff = CcdaReader().sniff
    assert sniff(DOCUMENT.encode(), Origin("a.xml")) > 0.9
    assert sniff(b"<Document/>", Origin("a.xml")) == 0.0


def test_the_public_samples_are_read_or_explained(data: Path) -> None:
    """Two embed a PDF as their body, two point to another file; the other sixteen are read."""
    reasons, docs = {}, []
    for path in sorted((data / "hl7_ccda_samples/Ccda").glob("*.ccda")):
        try:
            docs.append(read(path.read_bytes()))
        except InputError as error:
            reasons[path.stem] = str(error)
    assert len(docs) == 16
    assert all(
        "application/pdf" in reasons[name]
        for name in ("CDA_with_Embedded_PDF", "Unstructured_Document_embed")
    )
    assert all(
        "another file" in reasons[name] for name in ("Unstructured_Document_reference", "sample")
    )
    assert len(reasons) == 4
    assert sum(len(doc.links) for doc in docs) > 200
