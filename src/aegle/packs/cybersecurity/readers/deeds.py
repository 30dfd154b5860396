"""What daemons say in syslog: who logged in, became whom, ran what, connected, resolved."""

from __future__ import annotations

import re
from typing import Final

HOST: Final = "HOST"

_NAME: Final = r"[\w.][\w.@$-]*"
_FROM: Final = r"(?P<ip>[\w.:-]+)"
_IN: Final = ("account", HOST, "logged_in_to", True)
_BY_IN: Final = ("account2", HOST, "logged_in_to", True)
_REACHED: Final = ("ip", HOST, "connected_to", False)
_RAN: Final = ("process", HOST, "ran_on", True)

Deed = tuple[str, re.Pattern[str], tuple[tuple[str, str, str, bool], ...]]
"""A text that must stand in the line, what the line says by named groups, and the ties of those."""


def _deed(needle: str, regex: str, *ties: tuple[str, str, str, bool]) -> Deed:
    return needle, re.compile(regex), ties


DEEDS: Final[tuple[Deed, ...]] = (
    # OpenSSH
    _deed(
        "Accepted ",
        rf"Accepted \S+ for (?P<account>\S+) from {_FROM} port \d+",
        _IN,
        ("ip", HOST, "connected_to", True),
    ),
    _deed(
        "Failed ",
        rf"Failed \S+ for (?:invalid user )?(?P<account>\S+) from {_FROM} port \d+",
        _REACHED,
    ),
    _deed("nvalid user ", rf"(?:^|\s)[Ii]nvalid user (?P<account>\S+) from {_FROM}", _REACHED),
    _deed("onnection from ", rf"[Cc]onnection from {_FROM}(?: port \d+)?", _REACHED),
    _deed(
        "onnection closed by ",
        r"onnection (?:closed|reset) by (?:(?:invalid|authenticating) user (?P<account>\S+) )?"
        rf"{_FROM}",
        _REACHED,
    ),
    _deed("isconnected from user ", rf"from user (?P<account>\S+) {_FROM} port", _REACHED),
    _deed(
        "attempts exceeded for ", rf"for (?:invalid user )?(?P<account>\S+) from {_FROM}", _REACHED
    ),
    _deed("not allowed because", rf"User (?P<account>\S+) from {_FROM} not allowed", _REACHED),
    _deed("Starting session: ", rf" for (?P<account>\S+) from {_FROM} port", _IN, _REACHED),
    _deed("getaddrinfo for ", r"getaddrinfo for (?P<domain>[\w.-]+) \[(?P<ip>[\d.]+)\]", _REACHED),
    # PAM and logind
    _deed(
        "session opened for user ",
        rf"opened for user (?P<account>{_NAME})(?:\(uid=\d+\))?"
        rf"(?: by (?!LOGIN\(|root\(uid=0\))(?P<account2>{_NAME})\(uid=)?",
        _IN,
        _BY_IN,
    ),
    _deed("session closed for user ", rf"closed for user (?P<account>{_NAME})"),
    _deed("rhost=", rf"rhost=(?P<ip>[\w.:-]+)(?:\s+user=(?P<account>{_NAME}))?", _REACHED),
    _deed("password changed for ", rf"password changed for (?P<account>{_NAME})"),
    _deed("New session ", rf"New session \S+ of user (?P<account>{_NAME}\w)", _IN),
    # sudo: what stands right before "TTY=" is a reason why it was refused
    _deed(
        "COMMAND=",
        rf"(?P<account>{_NAME}) : (?=[A-Z]+=).*?USER=(?P<account2>{_NAME}) ; (?:[A-Z]+=[^;]* ; )*?"
        r"COMMAND=(?P<process>\S+)",
        _IN,
        _BY_IN,
        _RAN,
    ),
    _deed(
        "COMMAND=",
        rf"(?P<account>{_NAME}) : (?![A-Z]+=)[^;]+ ; .*?USER=(?P<account2>{_NAME}) ; "
        r"(?:[A-Z]+=[^;]* ; )*?COMMAND=(?P<path>/\S+)",
    ),
    # su, of Linux and of BSD
    _deed(
        "uccessful su for ",
        rf"uccessful su for (?P<account>{_NAME}) by (?P<account2>{_NAME})",
        _IN,
        _BY_IN,
    ),
    _deed("FAILED su for ", rf"FAILED su for (?P<account>{_NAME}) by (?P<account2>{_NAME})"),
    _deed(
        "(to ",
        rf"(?<!SU )\(to (?P<account>{_NAME})\) (?P<account2>{_NAME}) on ",
        _IN,
        _BY_IN,
    ),
    _deed("SU (to ", rf"SU \(to (?P<account>{_NAME})\) (?P<account2>{_NAME}) on "),
    # cron
    _deed(
        " CMD ",
        rf"\((?P<account>{_NAME})\) CMD \((?:\s*\w+=\S+)*\s*(?P<process>[^\s)]+)",
        _IN,
        ("process", HOST, "ran_on", False),
    ),
    # shadow
    _deed("new user: ", rf"new user: name=(?P<account>{_NAME})"),
    _deed("delete user ", rf"delete user ['\"`]?(?P<account>{_NAME})"),
    _deed(" to group ", rf"add ['\"`](?P<account>{_NAME})['\"] to (?:shadow )?group"),
    # name servers and packet filters
    _deed(
        "query",
        r"query\[\w+\] (?P<domain>[\w.-]+) from (?P<ip>[\da-fA-F.:]+)",
        ("ip", "domain", "resolved", False),
    ),
    _deed(
        "query: ",
        r"client (?:@\S+ )?(?P<ip>[\da-fA-F.:]+)#\d+.*?query: (?P<domain>[\w.-]+) IN",
        ("ip", "domain", "resolved", False),
    ),
    _deed(
        "SRC=",
        r"\bSRC=(?P<ip>[\da-fA-F.:]+) DST=(?P<ip2>[\da-fA-F.:]+)",
        ("ip", "ip2", "connected_to", False),
    ),
)
"""In the order in which they are tried; each that fits counts."""
