"""Names of the network in any document, also written so that they cannot be clicked (defanged).

``hxxp://evil[.]example`` and ``http://evil.example`` are one url: the key has the plain form, the
span stays as it is written.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from functools import cache
from typing import Final

from aegle.core.pack import Pattern
from aegle.packs.general.wordlist import entries

_DOT: Final = r"(?:\.|\[\.\]|\(\.\)|\{\.\}|\[dot\]|\(dot\)|\[\.|\.\])"
_AT: Final = r"(?:@| ?(?:\[@\]|\(@\)|\[at\]|\(at\)) ?)"
_ANY_DOT: Final = re.compile(r"\[\.\]|\(\.\)|\{\.\}|\[dot\]|\(dot\)|\[\.|\.\]", re.IGNORECASE)
_ANY_AT: Final = re.compile(r" ?(?:\[@\]|\(@\)|\[at\]|\(at\)) ?", re.IGNORECASE)
_ANY_COLON: Final = re.compile(r"\[:\]|\[:(?=//)")
_SCHEME: Final = re.compile(r"^(?:hxxp|h\*\*p|meow)(s?)", re.IGNORECASE)
_LABEL: Final = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN: Final = rf"(?:{_LABEL}{_DOT}){{1,8}}[A-Za-z]{{2,18}}"

# Country codes that stand behind a file's name far more often than behind a host's: main.py,
# install.sh, script.pl, lib.so, setup.cc, README.md, config.rs, page.ps.
_FILE_ENDINGS: Final = frozenset(
    "py sh pl so cc md rs ps zip mov vi st am mm in it is no so".split()
)
_HOSTLIKE: Final = re.compile(r"\d|-|^www\.|\..*\.", re.IGNORECASE)


def refang(text: str) -> str:
    """The plain form of a defanged name, in lower case: ``Evil[.]example`` -> ``evil.example``."""
    plain = _ANY_COLON.sub(":", _ANY_AT.sub("@", _ANY_DOT.sub(".", text)))
    return _SCHEME.sub(r"http\1", plain).casefold()


def refang_url(text: str) -> str:
    """The same for a url, whose path keeps its case."""
    plain = _SCHEME.sub(r"http\1", _ANY_COLON.sub(":", _ANY_DOT.sub(".", text)))
    scheme, rest = plain.split("://", 1)
    host, slash, path = rest.partition("/")
    return f"{scheme.casefold()}://{host.casefold()}{slash}{path}"


@cache
def top_levels() -> frozenset[str]:
    """The top-level domains that count."""
    return frozenset(entry.name for entry in entries("aegle.packs.general", "tlds"))


def is_domain(match: re.Match[str]) -> bool:
    """Whether a dotted name is a domain: a known ending, not a file, not a run of abbreviations."""
    text = match.group()
    name = refang(text)
    labels = name.split(".")
    if labels[-1] not in top_levels() or max(len(label) for label in labels[:-1]) < 2:
        return False
    if text.casefold() != name:
        return True  # someone took the trouble to defang it
    if labels[-1] in _FILE_ENDINGS:
        return bool(_HOSTLIKE.search(name.rpartition(".")[0])) and "_" not in name
    # "end.The" and "note.In": a sentence without its blank is no domain.
    return not (text.rpartition(".")[2][0].isupper() and not text.isupper())


def is_ip4(match: re.Match[str]) -> bool:
    """Whether four numbers are an address: each at most 255, none with a leading zero."""
    parts = refang(match.group()).split(".")
    return all(int(part) <= 255 and (part == "0" or part[0] != "0") for part in parts)


def is_ip6(match: re.Match[str]) -> bool:
    """Whether a run of hex groups is an IPv6 address, and not a time or a MAC address."""
    try:
        return len(match.group()) > 3 and bool(ipaddress.IPv6Address(match.group()))
    except ValueError:
        return False


def ip6_name(text: str) -> str:
    """The compressed lower-case form of an IPv6 address."""
    return str(ipaddress.IPv6Address(text))


@cache
def network_patterns() -> Sequence[Pattern]:
    """Addresses, domains, urls and mail addresses."""
    octet = r"\d{1,3}"
    return (
        Pattern(
            "url",
            re.compile(
                r"(?<![A-Za-z])(?:https?|hxxps?|h\*\*ps?|ftp)(?:://|\[:\]//|\[://\]|:\\\\)"
                r"[^\s<>\"'`|^]{3,2000}(?<![.,;:!?)\]}])",
                re.IGNORECASE,
            ),
            check=lambda match: "://" in _ANY_COLON.sub(":", match.group()),
            normal=refang_url,
        ),
        Pattern(
            "email",
            re.compile(
                rf"(?<![\w.+-])[A-Za-z0-9_][\w.+-]{{0,63}}{_AT}{_DOMAIN}(?![\w-])", re.IGNORECASE
            ),
            normal=refang,
        ),
        Pattern(
            "ip",
            re.compile(rf"(?<![\w.-]){octet}{_DOT}{octet}{_DOT}{octet}{_DOT}{octet}(?![\w-]|\.\d)"),
            check=is_ip4,
            normal=refang,
        ),
        Pattern(
            "ip",
            re.compile(
                r"(?<![\w:.])(?=[0-9a-fA-F:]{4,39}(?![\w:]))(?=[^:\s]*:[^:\s]*:)[0-9a-fA-F:]+"
            ),
            check=is_ip6,
            normal=ip6_name,
        ),
        Pattern(
            "domain",
            re.compile(rf"(?<![\w.@/\\-]){_DOMAIN}(?![\w@=-]|\.\w|\()", re.IGNORECASE),
            check=is_domain,
            normal=refang,
            score=0.9,
        ),
    )
