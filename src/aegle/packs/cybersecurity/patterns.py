"""Indicators and identifiers of security texts, defanged or not: addresses, hashes, CVE, hosts.

Every expression is linear in the length of the text: each repetition is bounded or can't match what
the next part matches.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from functools import cache
from typing import Final

from aegle.core.pack import Pattern
from aegle.core.records import Concept

TLDS: Final = frozenset(
    """com net org edu gov mil int info biz io co us uk de fr it es nl be ch at se no dk fi pl cz ru
    ua cn jp kr in au nz br ar mx ca za il tr ir kp hk tw sg my th vn id ph eu cc tv me ws su xyz top
    site online club shop live icu vip work space tech store app dev cloud page link click pw tk ml
    ga cf gq to ly gl gd health hospital care local internal lan corp example test invalid""".split()
)
"""Top-level domains that count; so ``cmd.exe`` and ``report.pdf`` are no domains."""

_DOT: Final = r"(?:\.|\[\.\]|\(\.\)|\[dot\]|\(dot\)|\{\.\})"
_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_IPV4: Final = re.compile(
    rf"(?<![\w.\]])(?:\d{{1,3}}{_DOT}){{3}}\d{{1,3}}(?!\w|\.\d|-\d)", re.IGNORECASE
)
_IPV6: Final = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{1,4}(?![\w:])")
_URL: Final = re.compile(
    r"\b(?:https?|hxxps?|ftp|fxp)(?:\[:\]|:)//[^\s<>\"'`|\\^{}]{3,2000}", re.IGNORECASE
)
_EMAIL: Final = re.compile(
    rf"(?<![\w.+-])[A-Za-z0-9._%+-]{{1,64}}(?:@|\[at\]|\(at\))(?:{_LABEL}{_DOT}){{1,5}}"
    r"[A-Za-z]{2,18}(?![\w-])",
    re.IGNORECASE,
)
_DOMAIN: Final = re.compile(
    rf"(?<![\w.@/\\-])(?:{_LABEL}{_DOT}){{1,6}}(?P<tld>[A-Za-z]{{2,18}})(?![\w(-]|\.\w)",
    re.IGNORECASE,
)
_HASH: Final = re.compile(
    r"(?<![0-9A-Za-z])(?:[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{32}"
    r"|[0-9A-F]{64}|[0-9A-F]{40}|[0-9A-F]{32})(?![0-9A-Za-z])"
)
_CVE: Final = re.compile(r"\bCVE-(?:19|20)\d{2}-\d{4,7}\b", re.IGNORECASE)
_CWE: Final = re.compile(r"\bCWE-\d{1,4}\b", re.IGNORECASE)
_CAPEC: Final = re.compile(r"\bCAPEC-\d{1,4}\b", re.IGNORECASE)
_TECHNIQUE: Final = re.compile(r"\b(?<![\w-])T\d{4}(?:\.\d{3})?(?![\w-])")
_REGISTRY: Final = re.compile(
    r"\b(?:HKLM|HKCU|HKU|HKCR|HKEY_(?:LOCAL_MACHINE|CURRENT_USER|USERS|CLASSES_ROOT))"
    r"(?:\\[^\\\s\"'<>|,;]{1,120}){1,16}"
)
_WINDOWS_PATH: Final = re.compile(
    r"(?<![\w\\])(?:[A-Za-z]:|%[A-Za-z]{3,20}%|\\\\[\w.$-]{1,64})"
    r"(?:\\[^\\/:*?\"<>|\r\n\t,; ]{1,120}(?: [^\\/:*?\"<>|\r\n\t,;. ]{1,30}(?=\\))?){1,16}"
)
_UNIX_PATH: Final = re.compile(
    r"(?<![\w/.:-])/(?:etc|usr|var|tmp|opt|home|root|bin|sbin|dev|proc|srv|mnt|lib)"
    r"(?:/[\w.@+-]{1,120}){1,16}"
)
_FILE: Final = re.compile(
    r"(?<![\w\\/.-])[\w-]{1,60}\.(?:exe|dll|ps1|vbs|js|hta|bat|cmd|docm|xlsm|lnk|iso|scr|jar|sys|msi|"
    r"docx?|xlsx?|zip|rar|7z|bin|sh|py|php|aspx?|dmp|fw|img)(?![\w])",
    re.IGNORECASE,
)
_HOST: Final = re.compile(
    r"(?<![\w.@/\\:-])(?=[A-Za-z0-9-]{4,40}(?![\w-]))"
    r"(?:[A-Za-z][A-Za-z0-9]{1,15}-)*[A-Za-z][A-Za-z0-9]{0,15}-"
    r"(?:gw|srv|ws|db|web|app|dc|fw|vpn|mail|proxy|lt|pc|nas|pacs|ehr|emr|int|hl7|wks|host)\d{1,3}"
    r"(?![\w-]|\.\w)"
    r"|(?<![\w.@/\\:-])(?:WS|WKS|PC|LT|SRV|DC|DESKTOP|LAPTOP|WIN)-[A-Z0-9]{2,15}(?:-\d{1,3})?(?![\w-])",
    re.IGNORECASE,
)
_NAMED_HOST: Final = re.compile(
    r"\b(?:host|hostname|server|workstation|machine|computer|gateway)[ :=]+"
    r"[\"'`]?(?P<value>(?=[\w-]*\d)[A-Za-z][\w-]{2,40})(?![\w.])",
    re.IGNORECASE,
)
_PORT: Final = re.compile(r"\b(?P<value>(?:TCP|UDP)/\d{1,5}|port \d{1,5})\b", re.IGNORECASE)

_KINDS: Final = {"TA": "tactic", "G": "threat_group", "S": "malware", "M": "mitigation"}


def refang(text: str) -> str:
    """An indicator as it was before it was made harmless: ``hxxp://a[.]b`` -> ``http://a.b``."""
    text = re.sub(r"\[\.\]|\(\.\)|\[dot\]|\(dot\)|\{\.\}", ".", text, flags=re.IGNORECASE)
    text = re.sub(r"\[at\]|\(at\)", "@", text, flags=re.IGNORECASE).replace("[:]", ":")
    text = re.sub(r"^hxxp", "http", text, flags=re.IGNORECASE)
    return re.sub(r"^fxp", "ftp", text, flags=re.IGNORECASE)


def _is_ip(match: re.Match[str]) -> bool:
    try:
        ipaddress.ip_address(refang(match.group()))
    except ValueError:
        return False
    return True


def _is_ipv6(match: re.Match[str]) -> bool:
    # Times (10:20:30) look like short addresses; an address has a letter or a double colon.
    text = match.group()
    return ("::" in text or any(c in "abcdefABCDEF" for c in text)) and _is_ip(match)


def _is_domain(match: re.Match[str]) -> bool:
    labels = refang(match.group()).casefold().split(".")
    return match["tld"].casefold() in TLDS and any(c.isalpha() for c in labels[-2])


def _trim_url(text: str) -> str:
    return refang(text).rstrip(".,;:)]>'\"")


def _is_hash(match: re.Match[str]) -> bool:
    text = match.group()
    return any(c.isdigit() for c in text) and len(set(text)) > 4


def _id(system: str, type_: str, regex: re.Pattern[str]) -> Pattern:
    def concept(match: re.Match[str]) -> Concept:
        return Concept(system, match.group().upper(), match.group().upper())

    return Pattern(type_, regex, concept=concept)


def _attack(kind: str) -> Pattern:
    regex = re.compile(rf"(?<![\w-]){kind}\d{{4}}(?![\w-])")
    return _id("ATTACK", _KINDS[kind], regex)


@cache
def patterns() -> Sequence[Pattern]:
    """Indicators, identifiers and names of hosts and files."""
    return (
        Pattern("url", _URL, normal=_trim_url),
        Pattern("email", _EMAIL, normal=refang),
        Pattern("ip", _IPV4, check=_is_ip, normal=refang),
        Pattern("ip", _IPV6, check=_is_ipv6),
        Pattern("domain", _DOMAIN, check=_is_domain, normal=refang, score=0.95),
        Pattern("hash", _HASH, check=_is_hash),
        _id("CVE", "vulnerability", _CVE),
        _id("CWE", "weakness", _CWE),
        _id("CAPEC", "attack_pattern", _CAPEC),
        _id("ATTACK", "technique", _TECHNIQUE),
        *(_attack(kind) for kind in _KINDS),
        Pattern("registry_key", _REGISTRY),
        Pattern("path", _WINDOWS_PATH, score=0.95),
        Pattern("path", _UNIX_PATH, score=0.9),
        Pattern("file", _FILE, score=0.9),
        Pattern("host", _HOST, score=0.9),
        Pattern("host", _NAMED_HOST, score=0.8),
        Pattern("port", _PORT, score=0.8),
    )
