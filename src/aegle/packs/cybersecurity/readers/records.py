"""JSON objects as fields: flattened names, and a readable line or page with what they name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from aegle.packs.cybersecurity.fields import ABSENT, COLUMNS, TIES
from aegle.packs.cybersecurity.readers.grouping import Entry
from aegle.packs.cybersecurity.readers.named import address, name_words

Fields = list[tuple[str, str]]

_DEEPEST: Final = 8
_MOST_NAMED: Final = 60
TIMES: Final = (
    "@timestamp time timestamp ts eventtime timecreated datetime date_time event_time "
    "timegenerated time_generated _time utctime created_at published starttime start_time date"
).split()
"""Field names that hold a record's time, the most telling first, lower case."""

HOSTS: Final = (
    "host hostname host.name host_name computer computername computer_name machine server "
    "workstation device_name agent.hostname dvc"
).split()
"""Field names that hold the host that a record is from, the most telling first, lower case."""

_LOGIN: Final = ("login", "logon", "logged in", "session opened", "sign-in", "signin", "accepted")
_REFUSED: Final = ("fail", "denied", "invalid", "reject", "locked", "error", "logoff", "logout")
_NOT_OWN: Final = frozenset(
    "src_ip dst_ip source_ip dest_ip destination_ip sourceip destinationip client_ip clientip "
    "server_ip remote_ip remote_addr source.ip destination.ip client.ip src dst saddr daddr srcip "
    "dstip id.orig_h id.resp_h".split()
)
_OTHER_HOSTS: Final = frozenset(("depends_on", "connects_to", "upstream_host"))
_SOURCES: Final = frozenset(
    "src_ip source_ip sourceip client_ip clientip source.ip client.ip src "
    "saddr srcip id.orig_h remote_ip remote_addr".split()
)
_TARGETS: Final = frozenset(
    "dst_ip dest_ip destination_ip destinationip server_ip destination.ip "
    "dst daddr dstip id.resp_h".split()
)


def flatten(record: Mapping[str, Any]) -> Fields:
    """The fields of an object as (dotted name, text); what is nested deeper than 8 stays JSON."""
    return list(_walk(record, "", 0))


def _walk(value: Any, name: str, depth: int) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and depth < _DEEPEST:
        for key, item in value.items():
            yield from _walk(item, f"{name}.{key}" if name else str(key), depth + 1)
    elif isinstance(value, list) and depth < _DEEPEST:
        if all(not isinstance(item, list | dict) for item in value):
            if value:
                yield name, ", ".join(text_of(item) for item in value)
        else:
            for item in value:
                yield from _walk(item, name, depth + 1)
    elif (text := text_of(value)) != "":
        yield name, text


def text_of(value: Any) -> str:
    """A scalar as text; null is empty, what is still nested stays JSON."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return str(value).strip()


def first_of(fields: Mapping[str, str], names: list[str]) -> tuple[str, str]:
    """The first of these fields (lower case) that is there, with its text; empty for none."""
    for name in names:
        value = fields.get(name, "")
        if value.lower() not in ABSENT:
            return name, value
    return "", ""


def entry_of(fields: Fields, *, at: float | None, host: str, mark: str, gap: str) -> Entry:
    """A record written as ``name: value`` fields, what they name marked, and tied by `TIES`.

    Args:
        at: the record's time.
        host: the host that it is from.
        mark: what stands between name and value.
        gap: what stands between fields.
    """
    parts: list[str] = []
    length = 0
    entry = Entry("", at, host)
    named: dict[str, int] = {}
    for name, value in fields:
        label = (gap if parts else "") + name + mark
        parts += (label, value)
        start = length + len(label)
        length = start + len(value)
        kind = COLUMNS.get(name.lower()) or COLUMNS.get(name.rsplit(".", 1)[-1].lower())
        if kind and kind != "port" and 0 < len(value) <= 300 and value.lower() not in ABSENT:
            kind = "ip" if kind == "host" and address(value) else kind
            named[name.lower()] = entry.mark(start, start + len(value), kind)
    entry.text = "".join(parts)
    _tie(entry, named, {name.lower(): value for name, value in fields})
    name_words(entry)
    return entry


def _tie(entry: Entry, named: Mapping[str, int], fields: Mapping[str, str]) -> None:
    """Ties between the entities of one record; a login only where the record tells of one.

    A record that names more than sixty things is a collection, not one event: it ties nothing.
    """
    if len(named) > _MOST_NAMED:
        return
    said = " ".join(value for value in fields.values() if len(value) < 200).lower()
    login = any(w in said for w in _LOGIN) and not any(w in said for w in _REFUSED)
    own = {name: at for name, at in named.items() if name not in _OTHER_HOSTS}
    for head in own.values():
        for other, tail in own.items():
            kinds = (entry.marks[head][2], entry.marks[tail][2])
            tie = TIES.get(kinds)
            if tie is None or (tie == "logged_in_to" and not login):
                continue
            if tie == "has_address" and other in _NOT_OWN:
                continue
            entry.ties.append((head, tail, tie, tie == "logged_in_to"))
    if (host := next((named[name] for name in HOSTS if name in named), None)) is not None:
        for one in sorted(named.keys() & _OTHER_HOSTS):
            entry.ties.append((host, named[one], "connected_to", False))
        for one in sorted(named.keys() & _SOURCES) if login else ():
            entry.ties.append((named[one], host, "connected_to", True))
    for one in sorted(named.keys() & _SOURCES):
        for other in sorted(named.keys() & _TARGETS):
            entry.ties.append((named[one], named[other], "connected_to", False))
