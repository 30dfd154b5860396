"""Windows events as JSON: winlogbeat, nxlog, evtx dumps; Security, Sysmon, PowerShell."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, BinaryIO, Final

from aegle.core.pack import Origin
from aegle.core.records import RawDocument
from aegle.packs.cybersecurity.fields import ABSENT
from aegle.packs.cybersecurity.readers.grouping import WINDOW_S, Entry, Windows
from aegle.packs.cybersecurity.readers.logfile import head_lines
from aegle.packs.cybersecurity.readers.named import address
from aegle.packs.cybersecurity.readers.records import text_of
from aegle.packs.cybersecurity.readers.stream import Problems, objects
from aegle.packs.cybersecurity.readers.times import iso, parse
from aegle.packs.cybersecurity.readers.windows_events import DULL, HOST, NAMES, TYPES, ties_of

_TIMES: Final = ("@timestamp", "TimeCreated", "SystemTime", "EventTime", "UtcTime")
_TRACE_CHARS: Final = 300
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SPACE: Final = re.compile(r"\s+")
_HASH: Final = re.compile(r"=([0-9A-Fa-f]{32,64})\b")
_FLAT: Final = re.compile(rb'"EventID"\s*:\s*"?\d')
_PLACE: Final = re.compile(rb'"(?:Channel|Hostname|Computer|ProviderName|SourceName)"\s*:')
_NESTED: Final = re.compile(rb'"(?:System|winlog)"\s*:\s*\{')
_NUMBER: Final = re.compile(rb'"(?:EventID|event_id)"\s*:')


class WindowsEventReader:
    """Reads Windows events, flat (``EventID``, ``Hostname``, ...) or nested (``Event.System``).

    Times are taken from ``@timestamp`` where there is one, else from the event's own clock, so
    that all channels of a host stand on one line of time.

    Args:
        window_s: how many seconds of one host's events make a document.
    """

    name = "windows"

    def __init__(self, *, window_s: int = WINDOW_S) -> None:
        self._window_s = window_s

    def sniff(self, head: bytes, origin: Origin) -> float:
        """Sure of objects with an event id and a channel, host or provider."""
        sample = head_lines(head)
        if not sample or sample[0].lstrip()[:1] not in ("{", "["):
            return 0.0
        if _FLAT.search(head) and _PLACE.search(head):
            return 0.96
        return 0.95 if _NESTED.search(head) and _NUMBER.search(head) else 0.0

    def read(self, stream: BinaryIO, origin: Origin) -> Iterator[RawDocument]:
        """A document for each host and window.

        Raises:
            InputError: lines are no events; raised after the last document.
        """
        problems = Problems(origin)
        windows = Windows(origin, "event", window_s=self._window_s)
        for number, record in objects(stream, problems):
            event = normalise(record)
            if not event.get("EventID"):
                problems.note("records have no event id", number)
                continue
            yield from windows.add(entry_of(event), number)
        yield from windows.close()
        problems.check()


def normalise(record: Mapping[str, Any]) -> dict[str, str]:
    """One flat event of text fields, whatever shape it had."""
    inner = record.get("Event", record)
    winlog = record.get("winlog")
    if isinstance(winlog, dict):
        flat = {**_named(winlog.get("event_data")), **_named(winlog.get("user_data"))}
        flat |= {
            "EventID": winlog.get("event_id"),
            "Channel": winlog.get("channel"),
            "Hostname": winlog.get("computer_name"),
            "SourceName": winlog.get("provider_name"),
            "@timestamp": record.get("@timestamp"),
            "Message": record.get("message"),
        }
    elif isinstance(inner, dict) and isinstance(inner.get("System"), dict):
        flat = {**_named(inner.get("EventData")), **_named(inner.get("UserData"))}
        for name, value in inner["System"].items():
            flat.update(_system(name, value))
    else:
        flat = dict(record)
    event = {str(name): text_of(value) for name, value in flat.items()}
    event["Hostname"] = event.get("Hostname") or event.get("Computer") or event.get("host", "")
    return {name: value for name, value in event.items() if value.lower() not in ABSENT}


def _named(data: Any) -> dict[str, Any]:
    """``EventData``: an object of fields, or a list of named values."""
    if not isinstance(data, dict):
        return {}
    items = data.get("Data")
    if not isinstance(items, list):
        return dict(data)
    found: dict[str, Any] = {}
    for place, item in enumerate(items):
        if isinstance(item, dict):
            found[str(item.get("@Name") or item.get("Name") or f"Data{place}")] = item.get("#text")
        else:
            found[f"Data{place}"] = item
    return found


def _system(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        inner = value.get("#attributes")
        value = {**value, **inner} if isinstance(inner, dict) else value
        if name == "Provider":
            return {"SourceName": value.get("@Name") or value.get("Name")}
        if name == "TimeCreated":
            return {"TimeCreated": value.get("@SystemTime") or value.get("SystemTime")}
        value = value.get("#text")
    return {name: value}


def entry_of(event: Mapping[str, str]) -> Entry:
    """``2020-10-18 10:56:14 WORKSTATION5 Sysmon 1 process create: image C:\\...\\cmd.exe, ...``."""
    at = next((t for name in _TIMES if (t := parse(event.get(name, ""))) is not None), None)
    host, number = event.get("Hostname", ""), event["EventID"]
    provider = _provider(event)
    entry = Entry("", at, host, provider)
    parts = [iso(at).replace("T", " ").rstrip("Z"), " " if at else ""]
    length = len("".join(parts))
    places: dict[str, int] = {}
    if host:
        places[HOST] = entry.mark(length, length + len(host), "ip" if address(host) else "host")
        parts += (host, " ")
        length += len(host) + 1
    entry.body = length
    title, fields = _told(event, provider, number)
    parts.append(f"{provider} {number} {title}")
    length += len(parts[-1])
    for place, (name, value) in enumerate(fields):
        label = f"{',' if place else ':'} {_label(name)}"
        parts += (label, value)
        _mark(entry, places, name, value, length + len(label))
        length += len(label) + len(value)
    entry.text = "".join(parts)
    for head, tail, kind, timed in ties_of(provider, number, dict(event)):
        if head in places and tail in places:
            entry.ties.append((places[head], places[tail], kind, timed))
    return entry


def _provider(event: Mapping[str, str]) -> str:
    channel = event.get("Channel", "")
    if "sysmon" in (channel + event.get("SourceName", "")).lower():
        return "Sysmon"
    if channel.lower() in ("security", "system", "application"):
        return channel.title()
    return (event.get("SourceName") or channel or "Windows").removeprefix("Microsoft-Windows-")


def _told(
    event: Mapping[str, str], provider: str, number: str
) -> tuple[str, list[tuple[str, str]]]:
    """What the event is called and its fields: the telling ones, or all where it is not known."""
    known = NAMES.get((provider, number))
    if known:
        names, title = known[1].split(), known[0]
    else:
        names = [name for name in event if name not in DULL]
        title = _tidy(event.get("Message", "").strip().split("\n", 1)[0])[:200] or "event"
    shown = [
        (name, _tidy(event[name][:_TRACE_CHARS] if name == "CallTrace" else event[name]))
        for name in names
        if name in event
    ]
    return title.rstrip(".:, "), shown


@lru_cache(maxsize=4096)
def _label(name: str) -> str:
    """A field's name as words: ``ParentCommandLine`` -> ``parent command line``."""
    words = _CAMEL.sub(" ", name).replace("_", " ")
    return words.lower() + " "


def _tidy(value: str) -> str:
    return _SPACE.sub(" ", value)


def _mark(entry: Entry, places: dict[str, int], name: str, value: str, start: int) -> None:
    kind = TYPES.get(name)
    if kind is None or value.startswith("<unknown"):
        return
    if kind == "hash":
        for found in _HASH.finditer(value):
            if found[1].strip("0"):
                entry.mark(start + found.start(1), start + found.end(1), "hash")
        return
    begin = 0
    if kind == "account":
        begin = value.rfind("\\") + 1
    elif kind == "ip":
        begin = len("::ffff:") if value.startswith("::ffff:") else 0
        kind = "ip" if address(value[begin:]) else "host"
    elif kind == "domain" and "." not in value:
        kind = "host"
    if 0 < len(value) - begin <= 400:
        places[name] = entry.mark(start + begin, start + len(value), kind)
