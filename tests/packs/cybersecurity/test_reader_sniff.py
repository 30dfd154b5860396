"""Every reader of the pack: knows its own formats only, and fails with InputError only."""

from __future__ import annotations

import contextlib
import io
from importlib import import_module

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegle.core.errors import InputError
from aegle.core.pack import Origin, Reader
from aegle.packs.cybersecurity import PACK


def made(place: str) -> Reader:
    module, name = place.split(":")
    reader: Reader = getattr(import_module(module), name)()
    return reader


READERS = {name: made(place) for name, place in PACK.readers.items()}
JSON_FHIR = '{"resourceType": "Patient", "id": "1", "name": [{"family": "Doe"}]}\n'
NOTE = """\
DISCHARGE SUMMARY
Date: 2025-03-02 07:14
Patient presented with fever and cough. Denies chest pain. BP 120/80, HR 88.
08:15 given paracetamol 1 g p.o.
09:30 temperature 38.2
Plan: continue antibiotics, follow up in two weeks with Dr. Smith at the clinic.
"""
HL7 = "MSH|^~\\&|ADT1|MCM|LABADT|MCM|20250302071402||ADT^A01|MSG1|P|2.5\rPID|1||123||DOE^JOHN\r"
README = (
    "# A tool\n\nInstall it with `pip install tool`, then run `tool serve --port 8080`.\n\n- fast\n"
)
LICENCE = (
    "Apache License\nVersion 2.0, January 2004\nhttp://www.apache.org/licenses/\n\nTERMS ...\n"
)
OTHERS = {
    "note.txt": NOTE,
    "patient.json": JSON_FHIR,
    "adt.hl7": HL7,
    "README.md": README,
    "LICENSE": LICENCE,
    "page.html": "<!doctype html><html><body>2025-03-02 07:14:02 ERROR x</body></html>",
    "vitals.csv": "patient,time,pulse\n1,2025-03-02 07:14:02,80\n1,2025-03-02 07:15:02,82\n",
    "ccda.xml": '<?xml version="1.0"?><ClinicalDocument xmlns="urn:hl7-org:v3"/>',
    "mail.eml": "From: a@example.org\nDate: Sun, 2 Mar 2025 07:14:02 +0000\nSubject: x\n\nHello.\n",
    "picture.png": "\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "code.py": "import os\n\n\ndef run(path):\n    return os.listdir(path)\n",
    "empty": "",
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_not_ours_is_not_claimed(name: str) -> None:
    head = OTHERS[name].encode("latin-1")
    claims = {key: reader.sniff(head, Origin(name)) for key, reader in READERS.items()}
    assert max(claims.values()) < 0.2, claims


@pytest.mark.parametrize("name", READERS)
def test_readers_have_their_name(name: str) -> None:
    assert READERS[name].name == name


SEEDS = [
    b"", b"{", b"[", b"[{}]", b'{"objects":[{}]}', b'{"vulnerabilities":[{"cveID":1}]}', b"null\n",
    b'{"EventID":1,"Hostname":[{}],"System":{}}\n', b'{"type":"x","id":"y","name":5}\n',
    b'{"ts":"x","uid":1}\n', b"#fields\tts\n1\n#separator \\xzz\n", b"<1>1 - - - - - -\n", b"[[",
    b"title: [x]\ntags: {a: b}\ndetection: 1\nlogsource: 2\n", b"Jan 99 99:99:99 h x: y\n",
    b'{"cveMetadata":{"cveId":"CVE-2024-0001"},"containers":{"cna":[],"adp":{}}}\n',
    b'{"type":"relationship","id":"r--1","source_ref":[],"target_ref":null}\n', b"\xff\xfe\x00",
    b'{"winlog":{"event_id":{},"event_data":[]}}\n', b'{"Event":{"System":{"EventID":[]}}}\n',
    b'cveID,vendorProject\n"x\n', b"9999999999999999999 x 1e999\n", b'{"time":1e400,"host":{}}\n',
]  # fmt: skip
BYTES = st.one_of(
    st.binary(max_size=400),
    st.lists(st.sampled_from(SEEDS), max_size=4).map(b"".join),
    st.lists(st.sampled_from(SEEDS) | st.binary(max_size=20), max_size=6).map(b"".join),
)


@pytest.mark.parametrize("name", READERS)
@given(raw=BYTES)
@settings(max_examples=120, deadline=None)
def test_any_bytes_give_documents_or_an_input_error(name: str, raw: bytes) -> None:
    reader = READERS[name]
    assert 0.0 <= reader.sniff(raw, Origin("x")) <= 1.0
    try:
        for doc in reader.read(io.BytesIO(raw), Origin("x")):
            assert doc.domain == "cybersecurity"
            doc.text.reveal().encode("utf-8")
            for mention in doc.mentions:
                assert doc.text.reveal()[mention.start : mention.end]
    except InputError as error:
        assert len(str(error)) < 600


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("raw", SEEDS)
def test_known_troublemakers(name: str, raw: bytes) -> None:
    with contextlib.suppress(InputError):
        list(READERS[name].read(io.BytesIO(raw), Origin("x")))
