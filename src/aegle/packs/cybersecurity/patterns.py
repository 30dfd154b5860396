"""Indicators and names in security text: hashes, ids, paths, keys, ports, accounts, processes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Final

from aegle.core.pack import Pattern
from aegle.core.records import Concept
from aegle.packs.general.network import network_patterns
from aegle.packs.general.patterns import dates, shared_patterns

_EXECUTABLE: Final = (
    r"exe|dll|sys|bat|cmd|ps1|vbs|js|jse|wsf|hta|scr|msi|jar|sh|py|bin|elf|apk|cpl|ocx"
)
_DOCUMENT: Final = (
    r"docx?|docm|xlsx?|xlsm|pptx?|pdf|rtf|lnk|iso|img|vhd|zip|rar|7z|tar|gz|tgz|cab|txt|log|html?|"
    r"php|aspx?|jsp|cfg|conf|ini|json|xml|ya?ml|tmp|dat|db|sqlite|chm|one|cs|c|cpp|go|rs"
)
# The folders of Windows whose names hold blanks; any other path ends at a blank.
_SPACED: Final = (
    r"(?:Program Files(?: \(x86\))?|Common Files|Documents and Settings|Start Menu"
    r"|Application Data|Local Settings|Internet Explorer|Windows Defender|Microsoft Office"
    r"|Windows NT|User Data|Microsoft Shared|Temporary Internet Files)"
)
_WHO: Final = r"[\w.$-]{1,40}"
_BASE58: Final = frozenset("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")


def patterns() -> Sequence[Pattern]:
    """Every shape of a security document."""
    return _patterns()


@cache
def _patterns() -> Sequence[Pattern]:
    return (
        *_ids(),
        *_hashes(),
        *_actors(),
        *_sessions(),  # what is run is a process, though it reads as a path
        *_places(),
        *_numbers(),
        *shared_patterns(),  # an internal host is told before a domain
        *network_patterns(),
        dates(with_time=False),
    )


def _upper(system: str, prefix: str = "") -> Callable[[re.Match[str]], Concept | None]:
    def concept(match: re.Match[str]) -> Concept | None:
        code = match.group().upper().replace("_", "-").replace("–", "-")
        return Concept(system, prefix + code)

    return concept


def _ids() -> list[Pattern]:
    """CVE, CWE, CAPEC and ATT&CK ids, with the concept that each names."""
    return [
        # A literal first and the look-behind after it: the engine then searches for the literal.
        Pattern(
            "vulnerability",
            re.compile(r"[Cc][Vv][Ee](?<![\w-]...)[-_–]\d{4}[-_–]\d{4,7}(?![\w-])"),
            concept=_upper("CVE"),
        ),
        Pattern(
            "weakness",
            re.compile(r"[Cc][Ww][Ee]-(?<![\w-]....)\d{1,4}(?![\w-])"),
            concept=_upper("CWE"),
        ),
        Pattern(
            "attack_pattern",
            re.compile(r"CAPEC-(?<![\w-]......)\d{1,4}(?![\w-])"),
            concept=_upper("CAPEC"),
        ),
        *(
            Pattern(
                type,
                re.compile(rf"{lead}(?<![\w.-]{'.' * len(lead)}){rest}(?![\w-]|\.\d)"),
                concept=_upper("ATTACK"),
            )
            for type, lead, rest in (
                ("technique", "T1", r"\d{3}(?:\.\d{3})?"),
                ("tactic", "TA0", r"\d{3}"),
                ("mitigation", "M1", r"\d{3}"),
                ("threat_group", "G0", r"\d{3}"),
                ("threat_group", "G1", r"\d{3}"),
                ("malware", "S0", r"\d{3}"),
                ("malware", "S1", r"\d{3}"),
                ("campaign", "C00", r"\d{2}"),
            )
        ),
    ]  # fmt: skip


def _hashes() -> list[Pattern]:
    """MD5, SHA-1, SHA-256 and SHA-512 digests; a run of one digit is none."""
    return [
        Pattern(
            "hash",
            re.compile(
                r"(?<![\w/-])(?=[0-9a-fA-F]{32})"
                r"[0-9a-fA-F]{32}(?:[0-9a-fA-F]{8}|[0-9a-fA-F]{32}|[0-9a-fA-F]{96})?(?![\w-])"
            ),
            check=lambda match: len(set(match.group())) > 4 and not match.group().isdigit(),
        )
    ]


def _places() -> list[Pattern]:
    """Files, folders and registry keys."""
    name = r"[^\s\\/:*?\"<>|,;()\[\]]"
    return [
        Pattern(
            "registry_key",
            re.compile(
                r"(?<!\w)(?:HKEY_(?:LOCAL_MACHINE|CURRENT_USER|CLASSES_ROOT|USERS|CURRENT_CONFIG)"
                r"|HK(?:LM|CU|CR|U|CC))"
                r"(?:\\{1,2}[\w.{}%()-]{1,80}(?:(?: [\w.{}%()-]{1,30}){1,4}(?=\\))?){1,12}(?<!\.)",
                re.IGNORECASE,
            ),
        ),
        Pattern(
            "path",
            re.compile(
                rf"(?<![\w\\])(?:[A-Za-z]:|%[A-Za-z]{{3,20}}%|\\\\[\w.$-]{{1,60}})"
                rf"(?:\\{{1,2}}(?:{_SPACED}(?=\\)|{name}{{1,120}})){{1,20}}(?<!\.)"
            ),
            normal=lambda text: text.replace("\\\\", "\\").rstrip(".").casefold(),
        ),
        Pattern(
            "path",
            re.compile(
                r"/(?<![\w/.:<>-].)(?:usr|etc|var|tmp|home|opt|bin|sbin|dev|proc|root|lib|mnt|srv|"
                r"Library|Users|Applications|System|private)(?:/[\w.@%+=~-]{1,80}){1,15}"
            ),
            normal=lambda text: text.rstrip("."),
        ),
        Pattern(
            "file",
            re.compile(
                rf"(?<![\w./\\@-])[\w-]{{1,60}}(?:\.[\w-]{{1,30}}){{0,3}}\.(?:{_EXECUTABLE}|{_DOCUMENT})"
                r"(?![\w-]|\.\w)",
                re.IGNORECASE,
            ),
            score=0.9,
        ),
    ]


def _numbers() -> list[Pattern]:
    """Ports, hardware addresses and wallets."""
    return [
        Pattern(
            "port",
            re.compile(
                r"\b(?:(?:TCP|UDP|tcp|udp)[/ ](?:port )?|[Pp]orts? )(?P<value>\d{1,5})(?![\w.:/])"
            ),
            check=lambda match: 0 < int(match["value"]) < 65536,
        ),
        Pattern(
            "ip",
            re.compile(r"(?<![\w:-])(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}(?![\w:-])"),
            normal=lambda text: "mac-" + text.replace("-", ":").casefold(),
            score=0.9,
        ),
        Pattern(
            "account",
            re.compile(
                r"(?<!\w)(?:bc1[02-9ac-hj-np-z]{25,60}|[13][A-HJ-NP-Za-km-z1-9]{25,34})(?!\w)"
            ),
            check=_is_wallet,
            normal=lambda text: text,
            score=0.8,
        ),
    ]


def _actors() -> list[Pattern]:
    """Accounts and processes where a log line names them as such."""
    return [
        Pattern(
            "account",
            re.compile(
                r"(?:\b(?:for|by)[ ](?:invalid[ ])?user[ ]|\b(?:user(?:name)?|account|uid|acct"
                r"|logname|ruser|TargetUserName|SubjectUserName)(?:=|:[ ]?)[\"']?"
                r"|\bfailed password for[ ]|\baccepted (?:password|publickey) for[ ])"
                r"(?!invalid\b|user\b|the\b|a\b)(?P<value>[A-Za-z_][\w.$-]{0,40}[\w$])(?![\w@=])",
                re.IGNORECASE,
            ),
            score=0.9,
        ),
        Pattern(
            "account",
            re.compile(
                r"(?<![\w\\:])(?:[A-Z][A-Z0-9-]{1,14})\\(?P<value>[A-Za-z][\w.$-]{0,29}[\w$])(?![\w\\])"
            ),
            check=lambda match: not match.group().upper().startswith("HK"),
            score=0.85,
        ),
        Pattern(
            "process",
            re.compile(
                r"(?<![\w./-])(?P<value>[a-z][a-z0-9_.-]{1,30})(?:\([\w-]+\))?\[\d{1,7}\](?=:)"
            ),
            score=0.9,
        ),
    ]


def _sessions() -> list[Pattern]:
    """sudo, PAM, su and cron, where no reader told them: a line of a log in a mail or a ticket."""
    return [
        Pattern(
            "account",
            re.compile(
                rf"(?:\bsudo(?:\[\d{{1,7}}\])?:[ ]{{1,9}}(?={_WHO} : )"
                rf"|\bsession opened for user {_WHO}(?:\(uid=\d{{1,9}}\))? by (?={_WHO}\()"
                rf"|\bsu for {_WHO} by |\bsu: \(to {_WHO}\) |\((?={_WHO}\) CMD \())"
                r"(?P<value>[A-Za-z_][\w.$-]{0,40})"
            ),
            score=0.9,
        ),
        Pattern(
            "account",
            re.compile(
                rf"(?:\bsu for (?={_WHO} by )|\bsu: \(to )(?P<value>[A-Za-z_][\w.$-]{{0,40}})"
            ),
            score=0.9,
        ),
        Pattern(
            "process",
            re.compile(
                r"(?: : [A-Z]{2,20}=[^\n]{0,300}; COMMAND=|\) CMD \()(?P<value>/[\w./@+-]{1,200})"
            ),
        ),
    ]


def _is_wallet(match: re.Match[str]) -> bool:
    text = match.group()
    if text.startswith("bc1"):
        return True
    return set(text) <= _BASE58 and any(c.isdigit() for c in text[1:]) and not text.isdigit()
