"""What `MailReader` promises: headers, bodies, attachments, names known, nothing crashes."""

from __future__ import annotations

import io
import os
from email.message import EmailMessage
from pathlib import Path

import pytest

from aegle.core.errors import InputError
from aegle.core.pack import Origin
from aegle.core.records import RawDocument
from aegle.packs.general.readers.mail import MailReader
from aegle.sources import Limits, Refused, read


def documents(data: bytes, name: str = "m") -> list[RawDocument]:
    return list(MailReader().read(io.BufferedReader(io.BytesIO(data)), Origin(name)))  # type: ignore[arg-type]


def message() -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = '"Müller, Jörg" <jm@ward.example>'
    mail["To"] = "Ada Quill <ada@home.example>, b@c.example"
    mail["Subject"] = "Größe des Befunds"
    mail["Date"] = "Wed, 02 Jan 2002 13:55:00 -0500"
    mail["Message-ID"] = "<1@ward.example>"
    mail.set_content("Plain words, schön.\n")
    mail.add_alternative("<p>Rich <b>words</b></p>", subtype="html")
    mail.add_attachment("a,b\n1,2\n", subtype="csv", filename="table.csv")
    mail.add_attachment(b"\x89PNG", maintype="image", subtype="png", filename="scan.png")
    return mail


def test_a_message_is_read_whole() -> None:
    body, table = documents(message().as_bytes())
    assert body.text.reveal() == (
        "Subject: Größe des Befunds\nFrom: Müller, Jörg <jm@ward.example>\n"
        "To: Ada Quill <ada@home.example>, b@c.example\nDate: Wed, 02 Jan 2002 13:55:00 -0500\n\n"
        "Plain words, schön.\n\n"
        "Attachment: table.csv (text/csv, 8 bytes)\nAttachment: scan.png (image/png, 4 bytes)\n"
    )
    assert table.text.reveal() == "a,b\n1,2\n" and table.source == "m#attachment1"
    assert (body.kind, body.title.reveal()) == ("mail", "Größe des Befunds")
    assert body.time == "2002-01-02T18:55:00+00:00"
    assert [(one.kind, one.value.reveal()) for one in body.identifiers] == [
        ("email", "jm@ward.example"), ("name", "Müller, Jörg"),
        ("email", "ada@home.example"), ("name", "Ada Quill"), ("email", "b@c.example"),
    ]  # fmt: skip


def test_html_only_becomes_text() -> None:
    data = b"From: a@b.c\nSubject: s\nContent-Type: text/html; charset=iso-8859-1\n\n<p>caf\xe9</p>"
    assert documents(data)[0].text.reveal().endswith("\n\ncafé\n")


@pytest.mark.parametrize("name", [b"utf-8", b"unknown-8bit", b"no such charset", b""])
def test_a_wrong_charset_is_guessed(name: bytes) -> None:
    data = b"From: a@b.c\nContent-Type: text/plain; charset=" + name + b"\n\nna\xefve\n"
    assert documents(data)[0].text.reveal().endswith("naïve\n")


def test_an_mbox_is_cut_into_its_messages() -> None:
    one = b"From x@y Mon Jan  1 00:00:00 2024\nFrom: a@b.c\nSubject: %d\n\nFrom me to you.\n\n"
    docs = documents(b"".join(one % n for n in range(3)))
    assert [doc.title.reveal() for doc in docs] == ["0", "1", "2"]
    assert [doc.source for doc in docs] == ["m", "m#message2", "m#message3"]


def test_headers_tell_a_mail_from_a_note() -> None:
    sniff = MailReader().sniff
    assert sniff(message().as_bytes(), Origin("m")) == 0.95
    assert sniff(b"Date: 2024-01-02\nPatient: x\n\nSubjective: fine\n", Origin("note.txt")) == 0.0
    assert sniff(b"plain\n", Origin("x.eml")) == 0.0


def test_public_mail_is_read_but_for_one_body_that_is_no_text() -> None:
    if not os.environ.get("AEGLE_DATA"):
        pytest.skip("set AEGLE_DATA to the folder of public data sets")
    folder = Path(os.environ["AEGLE_DATA"]) / "spam_assassin"
    folders = sorted(path for path in folder.iterdir() if path.is_dir())
    events = list(read(folders, [MailReader()], limits=Limits(), seen=lambda sha256: False))
    refused = [event for event in events if isinstance(event, Refused)]
    assert len(events) >= 2 * 370
    # Its HTML part, declared US-ASCII, holds ten control bytes in 410.
    (one,) = refused
    assert "00136" in one.path and "part 1: not text" in one.reason


def test_a_message_that_is_too_large_costs_only_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aegle.packs.general.readers.mail.WHOLE_BYTES", 100_000)
    one = b"From a@b Mon Jan  1 00:00:00 2024\nFrom: a@b.c\nSubject: %s\n\n%s\n\n"
    for long in (b"x" * 200_000, b"x\n" * 100_000):
        box = one % (b"first", b"body") + one % (b"second", long) + one % (b"third", b"body")
        stream = io.BufferedReader(io.BytesIO(box))  # type: ignore[arg-type]
        titles = []
        with pytest.raises(InputError, match=r"1 part.*message 2: larger"):
            for doc in MailReader().read(stream, Origin("m")):
                titles.append(doc.title.reveal())
        assert titles == ["first", "third"]


@pytest.mark.parametrize(
    ("kind", "body"), [("html", b"<div>" * 5000), ("plain", b"\x89PNG\r\n\x1a\n" + bytes(99))]
)
def test_a_part_that_is_no_text_is_named_and_the_rest_is_read(kind: str, body: bytes) -> None:
    mail = message()
    mail.add_attachment(body, maintype="text", subtype=kind, filename="bad")
    got = []
    with pytest.raises(InputError, match=r"part 4: "):
        for doc in MailReader().read(io.BufferedReader(io.BytesIO(mail.as_bytes())), Origin("m")):  # type: ignore[arg-type]
            got.append(doc.text.reveal())
    assert "Plain words" in got[0] and got[1] == "a,b\n1,2\n"
