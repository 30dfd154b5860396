"""JSON lines, Zeek and Windows events: fields become readable text, entities and ties."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.core.errors import InputError
from aegle.core.pack import Origin, Reader
from aegle.core.records import RawDocument
from aegle.packs.cybersecurity.readers.jsonl import JsonLinesReader
from aegle.packs.cybersecurity.readers.stream import Problems, objects
from aegle.packs.cybersecurity.readers.windows import WindowsEventReader
from aegle.packs.cybersecurity.readers.zeek import ZeekReader


def docs_of(reader: Reader, text: str, name: str = "x.json") -> list[RawDocument]:
    return list(reader.read(io.BytesIO(text.encode()), Origin(name)))


def ties(doc: RawDocument) -> set[tuple[str, str, str]]:
    text = doc.text.reveal()
    names = [f"{m.type}:{text[m.start : m.end]}" for m in doc.mentions]
    return {(names[link.head], link.type, names[link.tail]) for link in doc.links}


def rows(*values: Any) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.text(min_size=1, max_size=5), VALUES, max_size=4)


@given(st.lists(OBJECTS, min_size=1, max_size=6), st.sampled_from([None, 1]), st.integers(1, 50))
def test_arrays_are_cut_into_the_objects_that_they_hold(
    values: list[dict[str, Any]], indent: int | None, size: int
) -> None:
    class Small(io.BytesIO):
        def read(self, _size: int | None = -1) -> bytes:
            return super().read(size)

    for whole in (values, {"type": "x", "note": 'a ] } " [', "objects": values, "more": [1]}):
        text = json.dumps(whole, indent=indent)
        problems = Problems(Origin("x"))
        assert [value for _, value in objects(Small(text.encode()), problems)] == values
        problems.check()


def test_a_broken_line_is_named_after_the_rest_and_never_quoted() -> None:
    text = rows({"a": 1}) + '{"secret": \n' + rows({"a": 2})
    reader = JsonLinesReader().read(io.BytesIO(text.encode()), Origin("x.json"))
    assert [next(reader).text.reveal(), next(reader).text.reveal()] == ["a: 1", "a: 2"]
    with pytest.raises(InputError, match=r"1 lines are no JSON objects \(at 2\)") as raised:
        next(reader)
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, '{"a":' * 5000 + "1" + "}" * 5000]
)
def test_nesting_is_an_input_error(text: str) -> None:
    for reader in (JsonLinesReader(), WindowsEventReader(), ZeekReader()):
        with pytest.raises(InputError):
            docs_of(reader, text)


def test_an_inventory_record_ties_host_device_and_ward() -> None:
    record = {"hostname": "icu3-gw01", "ip": "10.1.2.3", "asset_tag": "PUMP-0042", "ward": "ICU-3"}
    (doc,) = docs_of(JsonLinesReader(), rows(record))
    assert doc.kind == "table" and doc.group.reveal() == "host/icu3-gw01"
    assert ties(doc) == {
        ("host:icu3-gw01", "has_address", "ip:10.1.2.3"),
        ("host:icu3-gw01", "controls", "device:PUMP-0042"),
        ("host:icu3-gw01", "located_in", "ward:ICU-3"),
        ("device:PUMP-0042", "located_in", "ward:ICU-3"),
    }


def test_what_a_host_depends_on_is_connected() -> None:
    (doc,) = docs_of(JsonLinesReader(), rows({"hostname": "gw01", "depends_on": "db01"}))
    assert ties(doc) == {("host:gw01", "connected_to", "host:db01")}


def test_only_a_login_logs_in() -> None:
    base = {"time": "2025-03-02T07:00:00Z", "host": "h1", "user": "bob", "src_ip": "10.9.9.9"}
    (doc,) = docs_of(JsonLinesReader(), rows({**base, "action": "login success"}))
    assert doc.kind == "event" and doc.time == "2025-03-02T07:00:00Z"
    assert ("account:bob", "logged_in_to", "host:h1") in ties(doc)
    for action in ("login failed", "file read"):
        (doc,) = docs_of(JsonLinesReader(), rows({**base, "action": action}))
        assert not any(kind == "logged_in_to" for _, kind, _ in ties(doc))


def test_a_long_value_is_never_cut_short() -> None:
    docs = docs_of(JsonLinesReader(), rows({"text": "word " * 4000, "n": 1}))
    assert sum(doc.text.reveal().count("word") for doc in docs) >= 3995
    assert max(len(doc.text) for doc in docs) < 6600


def test_lone_surrogates_can_be_stored() -> None:
    (doc,) = docs_of(JsonLinesReader(), '{"a": "\\ud800x"}')
    assert "x" in doc.text.reveal().encode("utf-8").decode()


DNS = (
    "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tdns\n"
    "#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tquery\tanswers\n"
    "1609840800.1\tCx\t10.0.0.5\t5353\t10.0.0.1\t53\tevil.example.org\t-\n"
)


def test_zeek_records_tie_client_server_and_name() -> None:
    (doc,) = docs_of(ZeekReader(), DNS, "dns.log")
    assert (doc.group.reveal(), doc.time) == ("host/10.0.0.5", "2021-01-05T10:00:00Z")
    assert ties(doc) == {
        ("ip:10.0.0.5", "connected_to", "ip:10.0.0.1"),
        ("ip:10.0.0.5", "resolved", "domain:evil.example.org"),
    }
    assert "answers" not in doc.text.reveal()
    with pytest.raises(InputError, match=r"header's fields \(at 8\)"):
        docs_of(ZeekReader(), DNS + "short\n")


def test_zeek_as_json() -> None:
    conn = {"ts": 1609840800.1, "uid": "C", "id.orig_h": "10.0.0.5", "id.resp_h": "192.0.2.9",
            "server_name": "a.example.com", "_path": "ssl"}  # fmt: skip
    (doc,) = docs_of(ZeekReader(), rows(conn))
    assert ("ip:10.0.0.5", "connected_to", "domain:a.example.com") in ties(doc)
    assert doc.meta["programs"] == "ssl"


SPAWN = {
    "EventID": 1, "Hostname": "WS5", "Channel": "Microsoft-Windows-Sysmon/Operational",
    "TimeCreated": "2020-10-18 10:56:14.285", "Image": "C:\\Temp\\x.exe", "CommandLine": "x.exe /a",
    "ParentImage": "C:\\Windows\\cmd.exe", "User": "WS5\\wardog",
    "Hashes": "MD5=C78D58386504CAF3437EED37FBFF77B5",
}  # fmt: skip
LOGON = {
    "EventID": 4624, "Hostname": "WS5", "Channel": "Security", "@timestamp": "2020-10-18T10:57:00Z",
    "TargetUserName": "alice", "IpAddress": "::ffff:10.0.0.7", "LogonType": "3",
}  # fmt: skip


def test_windows_events_read_as_sentences_and_tie_processes() -> None:
    (doc,) = docs_of(WindowsEventReader(), rows(SPAWN, LOGON))
    first, second = doc.text.reveal().split("\n")
    assert first == (
        "2020-10-18 10:56:14 WS5 Sysmon 1 process create: image C:\\Temp\\x.exe, command line "
        "x.exe /a, user WS5\\wardog, parent image C:\\Windows\\cmd.exe, "
        "hashes MD5=C78D58386504CAF3437EED37FBFF77B5"
    )
    assert second.startswith("2020-10-18 10:57:00 WS5 Security 4624 logon: target user name alice")
    assert ties(doc) == {
        ("process:C:\\Windows\\cmd.exe", "spawned", "process:C:\\Temp\\x.exe"),
        ("process:C:\\Temp\\x.exe", "ran_on", "host:WS5"),
        ("account:alice", "logged_in_to", "host:WS5"),
        ("ip:10.0.0.7", "connected_to", "host:WS5"),
    }
    text = doc.text.reveal()
    assert ("account", "wardog") in {(m.type, text[m.start : m.end]) for m in doc.mentions}


def test_nested_and_winlogbeat_shapes_read_the_same() -> None:
    nested = {"Event": {
        "System": {"EventID": {"#text": 4624}, "Computer": "WS5", "Channel": "Security",
                   "TimeCreated": {"#attributes": {"SystemTime": "2020-10-18T10:57:00Z"}}},
        "EventData": {"Data": [{"@Name": "TargetUserName", "#text": "alice"},
                               {"@Name": "IpAddress", "#text": "::ffff:10.0.0.7"},
                               {"@Name": "LogonType", "#text": "3"}]}}}  # fmt: skip
    beat = {"@timestamp": "2020-10-18T10:57:00Z", "winlog": {
        "event_id": 4624, "channel": "Security", "computer_name": "WS5",
        "event_data": {key: LOGON[key] for key in ("TargetUserName", "IpAddress", "LogonType")},
    }}  # fmt: skip
    texts = {
        docs_of(WindowsEventReader(), rows(one))[0].text.reveal() for one in (nested, beat, LOGON)
    }
    assert len(texts) == 1


def test_an_unknown_event_shows_all_that_it_tells() -> None:
    event = {"EventID": 4104, "Hostname": "WS5", "SourceName": "Microsoft-Windows-PowerShell",
             "Message": "Creating Scriptblock text (1 of 1):\r\nx", "ScriptBlockText": "iex $a",
             "EventTime": "2020-10-18 10:57:00"}  # fmt: skip
    (doc,) = docs_of(WindowsEventReader(), rows(event))
    assert "Creating Scriptblock text (1 of 1): script block text iex $a" in doc.text.reveal()
