"""Syslog, access logs and any log lines become documents by host and window, and lose nothing."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.core.errors import InputError
from aegle.core.pack import Origin, Reader
from aegle.core.records import RawDocument
from aegle.packs.cybersecurity.readers.access import AccessLogReader
from aegle.packs.cybersecurity.readers.lines import LogLinesReader
from aegle.packs.cybersecurity.readers.stream import LINE_LIMIT, Problems, lines
from aegle.packs.cybersecurity.readers.syslog import SyslogReader
from aegle.packs.cybersecurity.readers.times import Stamps, clock, iso, parse, year_of


def docs_of(reader: Reader, text: str | bytes, name: str = "web-2025.log") -> list[RawDocument]:
    raw = text.encode() if isinstance(text, str) else text
    return list(reader.read(io.BytesIO(raw), Origin(name)))


def ties(doc: RawDocument) -> set[tuple[str, str, str, str]]:
    text = doc.text.reveal()

    def name(place: int) -> str:
        mention = doc.mentions[place]
        return f"{mention.type}:{text[mention.start : mention.end]}"

    return {(name(link.head), link.type, name(link.tail), link.time) for link in doc.links}


SSH = """\
Mar  2 07:14:02 icu3-gw01 sshd[101]: Accepted password for alice from 10.0.0.5 port 50022 ssh2
Mar  2 07:14:03 icu3-gw01 sshd[101]: pam_unix(sshd): session opened for user alice by (uid=0)
Mar  2 07:14:09 icu3-gw01 sudo: alice : TTY=pts/1 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/apt update
Mar  2 07:20:00 icu3-gw01 sshd[103]: Failed password for invalid user eve from 192.0.2.7 port 2 ssh2
"""


def test_a_login_ties_account_and_address_to_the_host_with_its_time() -> None:
    first, second = docs_of(SyslogReader(), SSH)
    assert first.group.reveal() == "host/icu3-gw01"
    assert (first.kind, first.domain, first.time) == (
        "log",
        "cybersecurity",
        "2025-03-02T07:10:00Z",
    )
    assert ties(first) >= {
        ("account:alice", "logged_in_to", "host:icu3-gw01", "2025-03-02T07:14:02Z"),
        ("ip:10.0.0.5", "connected_to", "host:icu3-gw01", "2025-03-02T07:14:02Z"),
        ("process:sshd", "ran_on", "host:icu3-gw01", ""),
        ("process:/usr/bin/apt", "ran_on", "host:icu3-gw01", "2025-03-02T07:14:09Z"),
    }
    assert second.time == "2025-03-02T07:20:00Z"
    assert not any(kind == "logged_in_to" for _, kind, _, _ in ties(second))
    assert ("ip:192.0.2.7", "connected_to", "host:icu3-gw01", "") in ties(second)


def test_the_text_is_the_lines_as_they_are() -> None:
    joined = "\n".join(doc.text.reveal() for doc in docs_of(SyslogReader(), SSH))
    assert joined + "\n" == SSH


def test_rfc_5424_fields_and_structured_data() -> None:
    line = (
        '<165>1 2025-03-02T22:14:15.003Z pump-srv infusiond 88 ALARM [a@1 ip="10.1.2.3" x="]\\""]'
        "[b] occlusion\n"
    )
    (doc,) = docs_of(SyslogReader(), line)
    assert doc.group.reveal() == "host/pump-srv"
    assert ("process:infusiond", "ran_on", "host:pump-srv", "") in ties(doc)
    assert any(m.type == "ip" for m in doc.mentions)
    assert SyslogReader().sniff(line.encode(), Origin("x")) > 0.9


def test_a_repeated_line_is_counted_and_what_it_names_stays() -> None:
    tried = [f"Mar  2 07:10:{n % 60:02d} h sshd[{n}]: Failed password for root from "
             f"192.0.2.{n % 3} port {n} ssh2" for n in range(500)]  # fmt: skip
    tried[400] = tried[400].replace("192.0.2.1", "198.51.100.9")
    for second in range(6):
        accepted = "Accepted password for root from 192.0.2.1 port 9 ssh2"
        tried.insert(300, f"Mar  2 07:10:0{second} h sshd[9]: {accepted}")
    docs = docs_of(SyslogReader(), "\n".join(tried))
    assert sum(int(doc.meta["lines"]) for doc in docs) == 506
    (doc,) = docs
    text = doc.text.reveal()
    assert len(text) < 3000 and int(doc.meta["collapsed"]) > 450
    assert "more: Failed password for" in text
    assert {"192.0.2.0", "192.0.2.1", "192.0.2.2", "198.51.100.9"} == {
        text[m.start : m.end] for m in doc.mentions if m.type == "ip"
    }
    assert sum(kind == "logged_in_to" for _, kind, _, _ in ties(doc)) == 6


def test_a_name_that_comes_late_is_not_collapsed() -> None:
    told = [
        f"2025-03-02 07:10:{n % 60:02d} INFO x: peer 10.0.0.1 sent {n} bytes" for n in range(99)
    ]
    told[80] = told[80].replace("10.0.0.1", "203.0.113.8")
    (doc,) = docs_of(LogLinesReader(), "\n".join(told))
    assert told[80] in doc.text.reveal() and int(doc.meta["collapsed"]) > 80


def test_windows_and_hosts_are_kept_apart() -> None:
    text = "".join(
        f"Mar  2 07:{minute:02d}:00 {host} cron[1]: tick {minute}\n"
        for minute in (1, 4, 6)
        for host in ("a", "b")
    )
    found = {
        (doc.group.reveal(), doc.time, doc.meta["lines"]) for doc in docs_of(SyslogReader(), text)
    }
    assert found == {
        ("host/a", "2025-03-02T07:00:00Z", "2"),
        ("host/a", "2025-03-02T07:05:00Z", "1"),
        ("host/b", "2025-03-02T07:00:00Z", "2"),
        ("host/b", "2025-03-02T07:05:00Z", "1"),
    }
    assert len(docs_of(SyslogReader(window_s=3600), text)) == 2


def test_a_line_longer_than_a_document_is_cut_and_counted_once() -> None:
    docs = docs_of(LogLinesReader(), "2025-03-02 07:00:00 INFO x: " + "word " * 5000)
    assert max(len(doc.text) for doc in docs) <= 6000
    assert sum(int(doc.meta["lines"]) for doc in docs) == 1
    assert "".join(doc.text.reveal() for doc in docs).count("word") == 5000


def test_a_line_over_the_limit_is_an_error_after_the_rest() -> None:
    raw = b"Mar  2 07:00:00 h a: one\n" + b"x" * (LINE_LIMIT + 1) + b"\nMar  2 07:00:01 h a: two\n"
    found = []
    with pytest.raises(InputError, match=r"longer than 16 MiB \(at 2\)"):
        for doc in SyslogReader().read(io.BytesIO(raw), Origin("a-2025.log")):
            found.append(doc.text.reveal())
    assert "one" in found[0] and "two" in found[0]


def test_a_stream_that_breaks_off_gives_what_it_had() -> None:
    class Broken(io.RawIOBase):
        def __init__(self) -> None:
            self.left = [SSH.encode()]

        def read(self, size: int = -1) -> bytes:
            if self.left:
                return self.left.pop()
            raise EOFError("cut")

    found = SyslogReader().read(Broken(), Origin("a-2025.log"))  # type: ignore[arg-type]
    assert [next(found).meta["lines"], next(found).meta["lines"]] == ["3", "1"]
    with pytest.raises(InputError, match="broke off"):
        next(found)


def test_messy_lines_stay_as_text() -> None:
    raw = b"Mar  2 07:00:00 h app: caf\xe9 \xff\n\tat Trace.line(1)\n\x00\x01\n"
    (doc,) = docs_of(SyslogReader(), raw)
    assert "café" in doc.text.reveal() and "Trace.line" in doc.text.reveal()
    assert doc.meta["lines"] == "3"


COMBINED = (
    '10.0.0.9 - bob [02/Mar/2025:07:14:02 +0100] "GET /a?q=1 HTTP/1.1" 200 12 '
    '"https://portal.example.org/x" "curl/8"\n'
)
SQUID = (
    "1740899642.123    180 10.0.0.9 TCP_TUNNEL/200 411 CONNECT c2.example.net:443 - "
    "HIER_DIRECT/- -\n"
)


def test_access_logs_name_clients_accounts_and_sites() -> None:
    (doc,) = docs_of(AccessLogReader(), COMBINED, "access.log")
    text = doc.text.reveal()
    assert {(m.type, text[m.start : m.end]) for m in doc.mentions} == {
        ("ip", "10.0.0.9"), ("account", "bob"), ("url", "https://portal.example.org/x"),
    }  # fmt: skip
    assert (doc.group.reveal(), doc.time) == ("log/access.log", "2025-03-02T06:10:00Z")
    (doc,) = docs_of(AccessLogReader(), SQUID)
    assert ("ip:10.0.0.9", "connected_to", "domain:c2.example.net", "") in ties(doc)
    (doc,) = docs_of(AccessLogReader(), "shop.example.org:80 " + COMBINED)
    assert ("ip:10.0.0.9", "connected_to", "host:shop.example.org", "") in ties(doc)
    for line in (COMBINED, SQUID):
        assert AccessLogReader().sniff(line.encode(), Origin("x")) > 0.9


@pytest.mark.parametrize(
    ("line", "at"),
    [
        ("03-17 16:13:38.811  1702  2395 D WindowManager: x", "2025-03-17T16:13:38Z"),
        ("[Sun Dec 04 04:47:44 2005] [notice] ok", "2005-12-04T04:47:44Z"),
        (
            "- 1117838570 2005.06.03 R02 2005-06-03-15.42.50.675872 R02 RAS x",
            "2005-06-03T15:42:50Z",
        ),
        ("081109 203615 148 INFO dfs.X: y", "2008-11-09T20:36:15Z"),
        ("134681 node-246 unix.hw state 1077804742 1 Component", "2004-02-26T14:12:22Z"),
        ("20171223-22:15:29:606|Step_LSC|30002312|x", "2017-12-23T22:15:29Z"),
        (
            "nova.log.1.2017-05-16_13:53:08 2017-05-16 00:00:00.008 25 INFO x",
            "2017-05-16T00:00:00Z",
        ),
        ("17/06/09 20:10:40 INFO executor.X: y", "2017-06-09T20:10:40Z"),
        ("2015-07-29 17:41:44,747 - INFO [x]", "2015-07-29T17:41:44Z"),
        ("2025-03-02T07:00:00.5+02:00 x", "2025-03-02T05:00:00Z"),
        ("3/2/2025 11:05:06 PM x", "2025-03-02T23:05:06Z"),
        ("20250302T070000Z x", "2025-03-02T07:00:00Z"),
    ],
)
def test_time_stamps(line: str, at: str) -> None:
    found = Stamps(2025).find(line)
    assert found is not None and iso(found[0]) == at


def test_years_of_stamps_without_one() -> None:
    assert year_of(Origin("/x/auth-2019.log"), "")[0] == 2019
    assert year_of(Origin("/x/auth.log"), "at 2021-05-06 07:08:09 we")[0] == 2021
    assert year_of(Origin("/no/such/auth.log"), "") == (0, 12)
    stamps = Stamps(2024)
    old, new = (stamps.find(f"{day} 10:00:00 h") for day in ("Dec 31", "Jan  1"))
    assert old and new and new[0] - old[0] == 86400
    late = Stamps(2025, latest_month=3).find("Nov  1 10:00:00 h")
    assert late and iso(late[0]).startswith("2024-11")
    no_year = Stamps().find("Dec 31 10:00:00 h")
    assert no_year and iso(no_year[0]) == "" and clock(no_year[0]) == "10:00:00"


@given(st.floats(1e8, 4e9))
def test_a_time_survives_its_text(at: float) -> None:
    assert parse(iso(at)) == at // 1


@given(st.lists(st.binary(max_size=40).filter(lambda b: b"\n" not in b)), st.integers(1, 9))
def test_lines_are_the_same_however_the_stream_is_cut(parts: list[bytes], size: int) -> None:
    raw = b"\n".join(parts)

    class Small(io.BytesIO):
        def read(self, _size: int | None = -1) -> bytes:
            return super().read(size)

    assert list(lines(Small(raw), Problems(Origin("x")))) == list(
        lines(io.BytesIO(raw), Problems(Origin("x")))
    )


def test_utf_16_logs_are_read() -> None:
    (doc,) = docs_of(SyslogReader(), SSH.splitlines()[0].encode("utf-16"))
    assert "Accepted password for alice" in doc.text.reveal()
