"""How each kind of log writes one line: syslog, nginx, squid, Zeek, Windows events."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from aegle.packs.sample.world import Host

DOMAIN: Final = "STBRIGID"
_MONTHS: Final = ("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec").split()
_SYSMON: Final = "Microsoft-Windows-Sysmon/Operational"
_CHANNELS: Final = {1: _SYSMON, 3: _SYSMON, 11: _SYSMON, 22: _SYSMON}
CONN_FIELDS: Final = (
    "ts uid id.orig_h id.orig_p id.resp_h id.resp_p proto service duration orig_bytes resp_bytes "
    "conn_state"
).split()
DNS_FIELDS: Final = (
    "ts uid id.orig_h id.orig_p id.resp_h id.resp_p proto query qtype_name rcode_name answers"
).split()
_ZEEK_TYPES: Final = {
    "ts": "time", "id.orig_h": "addr", "id.resp_h": "addr", "id.orig_p": "port",
    "id.resp_p": "port", "duration": "interval", "orig_bytes": "count", "resp_bytes": "count",
    "proto": "enum", "answers": "vector[string]",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a log file."""

    path: str
    when: datetime
    text: str


def syslog(when: datetime, host: str, program: str, message: str) -> str:
    """A line of RFC 3164 as files have it: ``Mar  2 07:14:02 host sshd[1]: text``."""
    return f"{_MONTHS[when.month - 1]} {when.day:2d} {when:%H:%M:%S} {host} {program}: {message}"


def syslog5424(
    when: datetime, host: str, app: str, msgid: str, message: str, *, severity: int = 6
) -> str:
    """A line of RFC 5424 of facility local4."""
    stamp = f"{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond // 1000:03d}Z"
    return f"<{20 * 8 + severity}>1 {stamp} {host} {app} {1000 + len(host)} {msgid} - {message}"


def access(when: datetime, client: str, request: str, status: int, size: int, agent: str) -> str:
    """A line of an nginx access log in the combined format."""
    stamp = f"{when.day:02d}/{_MONTHS[when.month - 1]}/{when:%Y:%H:%M:%S} +0000"
    return f'{client} - - [{stamp}] "{request}" {status} {size} "-" "{agent}"'


def proxy(when: datetime, client: str, method: str, url: str, status: int, size: int) -> str:
    """A line of squid's native access log."""
    seconds = when.replace(tzinfo=UTC).timestamp()
    result = "TCP_TUNNEL" if method == "CONNECT" else "TCP_MISS"
    return (
        f"{seconds:.3f} {size % 900 + 20:6d} {client} {result}/{status} {size} {method} {url} - "
        "HIER_DIRECT/- text/html"
    )


def zeek_header(name: str) -> str:
    """The head of a Zeek log: separator, path, fields and types."""
    fields = CONN_FIELDS if name == "conn" else DNS_FIELDS
    kinds = "\t".join(_ZEEK_TYPES.get(field, "string") for field in fields)
    return (
        "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n"
        f"#path\t{name}\n#fields\t" + "\t".join(fields) + f"\n#types\t{kinds}\n"
    )


def zeek(when: datetime, values: list[str]) -> str:
    """A line of a Zeek log; ``values`` are those after the time."""
    return "\t".join([f"{when.replace(tzinfo=UTC).timestamp():.6f}", *values])


def windows(when: datetime, host: Host, event_id: int, fields: Mapping[str, str]) -> str:
    """A Windows event as one line of JSON, with the fields of its provider at the top level."""
    stamp = f"{when:%Y-%m-%dT%H:%M:%S}.{when.microsecond // 1000:03d}Z"
    sysmon = event_id in _CHANNELS
    record = {
        "@timestamp": stamp,
        "TimeCreated": stamp,
        "Hostname": host.name,
        "EventID": event_id,
        "Channel": _CHANNELS.get(event_id, "Security"),
        "SourceName": f"Microsoft-Windows-{'Sysmon' if sysmon else 'Security-Auditing'}",
        **({"UtcTime": f"{when:%Y-%m-%d %H:%M:%S}.000"} if sysmon else {}),
        **fields,
    }
    return json.dumps(record, ensure_ascii=False)


def windows_path(host: Host) -> str:
    """Where a Windows host's events go."""
    return f"logs/windows/{host.name}.jsonl"


def syslog_path(host: Host, year: int) -> str:
    """Where a Linux host's system log goes; the lines have no year, so the name has it."""
    return f"logs/linux/{host.name}-{year}.log"
