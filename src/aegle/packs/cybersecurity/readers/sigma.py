"""Sigma rules: what each looks for, in words, with the techniques that it detects."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

import yaml

from aegle.core.errors import InputError, UnsafeInputError
from aegle.core.pack import Origin
from aegle.core.records import Concept, RawDocument
from aegle.packs.cybersecurity.readers.attack import tactic, type_of
from aegle.packs.cybersecurity.readers.page import Page
from aegle.packs.cybersecurity.readers.stream import Problems, blocks

_LIMIT: Final = 4 << 20
_MOST_ALIASES: Final = 20
_DEEPEST: Final = 60
_KEYS: Final = re.compile(rb"^(logsource|detection|condition|title|correlation):", re.MULTILINE)
_CONDITION: Final = re.compile(rb"^\s+condition:", re.MULTILINE)
_TAG: Final = re.compile(r"attack\.(?P<code>[tgsm]\d{4}(?:\.\d{3})?)", re.IGNORECASE)
_CVE: Final = re.compile(r"cve\.(\d{4})[.-](\d{4,})", re.IGNORECASE)
_MODIFIERS: Final = {
    "contains": "contains", "startswith": "starts with", "endswith": "ends with", "re": "matches",
    "cidr": "is in network", "gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "exists": "exists",
}  # fmt: skip


def load(text: str) -> list[Any]:
    """The documents of a YAML text, every scalar a string.

    Raises:
        InputError: the text is no YAML.
        UnsafeInputError: it has more than 20 aliases, or is nested deeper than 60. Both are found
            among the parser's events, before the C composer recurses over them.
    """
    depth = aliases = 0
    try:
        for event in yaml.parse(text, Loader=yaml.CBaseLoader):
            if isinstance(event, yaml.AliasEvent):
                aliases += 1
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if aliases > _MOST_ALIASES or depth > _DEEPEST:
                raise UnsafeInputError("YAML with many aliases or deep nesting")
        return list(yaml.load_all(text, Loader=yaml.CBaseLoader))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if "nesting depth" in str(getattr(error, "problem", "")):  # PyYAML's own, since 6.0.4
            raise UnsafeInputError("YAML with many aliases or deep nesting") from error
        raise InputError(f"not YAML ({type(error).__name__})") from error


class SigmaReader:
    """Reads Sigma rules, one or several YAML documents a file; also correlations."""

    name = "sigma"

    def sniff(self, head: bytes, origin: Origin) -> float:
        """Sure of a log source with a detection and its condition."""
        found = set(_KEYS.findall(head))
        if {b"logsource", b"detection"} <= found and _CONDITION.search(head):
            return 0.97
        return 0.8 if {b"title", b"correlation"} <= found else 0.0

    def read(self, stream: BinaryIO, origin: Origin) -> Iterator[RawDocument]:
        """A document for each rule.

        Raises:
            InputError: the file is no YAML, too long, or holds documents that are no rules.
        """
        problems = Problems(origin)
        parts: list[bytes] = []
        size = 0
        for block in blocks(stream, problems):
            parts.append(block)
            size += len(block)
            if size > _LIMIT:
                raise InputError(f"{origin}: a rule file longer than 4 MiB")
        try:
            rules = load(b"".join(parts).decode("utf-8", "replace"))
        except InputError as error:
            raise type(error)(f"{origin}: {error}") from error
        for number, rule in enumerate(rules, 1):
            if isinstance(rule, dict) and _text(rule.get("title")):
                yield _document(rule, number, origin)
            elif rule:
                problems.note("YAML documents are no Sigma rules", number)
        problems.check()


def _document(rule: dict[str, Any], number: int, origin: Origin) -> RawDocument:
    page = Page()
    title = _text(rule["title"])
    own = page.name(title, "rule")
    page.write(f"\nSigma rule, level {_text(rule.get('level')) or 'unknown'}")
    page.write(f", status {_text(rule['status'])}" if _text(rule.get("status")) else "")
    if said := _text(rule.get("description")):
        page.write(f"\n{said}")
    source = rule.get("logsource")
    if isinstance(source, dict):
        shown = ", ".join(f"{key} {_text(value)}" for key, value in source.items() if _text(value))
        page.write(f"\nLog source: {shown}")
    _tags(page, rule.get("tags"), own)
    for key in ("detection", "correlation"):
        if isinstance(rule.get(key), dict):
            page.write(f"\n{key.capitalize()}:")
            for name, selection in rule[key].items():
                page.write(f"\n  {name}: {_selection(selection)}")
    for label, key in (("False positives", "falsepositives"), ("References", "references")):
        if listed := _list(rule.get(key)):
            page.write(f"\n{label}: " + "; ".join(listed))
    meta = {key: _text(rule.get(key)) for key in ("id", "level", "status", "author", "date")}
    meta |= {"tags": ", ".join(_list(rule.get("tags")))}
    time = _text(rule.get("modified")) or _text(rule.get("date"))
    return page.document(
        origin,
        number,
        "sigma",
        title=title,
        time=time.replace("/", "-"),
        meta={key: value for key, value in meta.items() if value},
    )


def _tags(page: Page, tags: Any, own: int) -> None:
    found = _list(tags)
    if found:
        page.write("\nDetects: ")
    for place, tag in enumerate(found):
        page.write(", " if place else "")
        if match := _TAG.fullmatch(tag):
            code = match["code"].upper()
            there = page.name(code, type_of(code), concepts=(Concept("ATTACK", code),))
            if type_of(code) == "technique":
                page.link(own, there, "detects")
        elif match := _CVE.fullmatch(tag):
            code = f"CVE-{match[1]}-{match[2]}"
            page.link(own, page.name(code, "vulnerability", concepts=(Concept("CVE", code),)),
                      "detects")  # fmt: skip
        elif stage := tactic(tag.removeprefix("attack.")):
            page.name(stage.name, "tactic", concepts=(stage,))
        else:
            page.write(tag)


def _selection(value: Any) -> str:
    """A selection in words: ``Image ends with '\\cmd.exe' or '\\powershell.exe'; ...``."""
    if isinstance(value, dict):
        parts = [_condition(name, item) for name, item in value.items()]
        return "; ".join(parts)
    if isinstance(value, list):
        if all(not isinstance(item, dict | list) for item in value):
            return " or ".join(f"'{_text(item)}'" for item in value)
        return " or ".join(f"({_selection(item)})" for item in value)
    return _text(value)


def _condition(name: Any, value: Any) -> str:
    field, *modifiers = str(name).split("|")
    verbs = " ".join(_MODIFIERS.get(word, word) for word in modifiers if word != "all") or "is"
    joint = " and " if "all" in modifiers else " or "
    if isinstance(value, list) and all(not isinstance(item, dict | list) for item in value):
        return f"{field} {verbs} " + joint.join(f"'{_text(item)}'" for item in value)
    if isinstance(value, dict | list):
        return f"{field} {verbs} ({_selection(value)})"
    return f"{field} {verbs} '{_text(value)}'"


def _text(value: Any) -> str:
    return " ".join(value.split()) if isinstance(value, str) else ""


def _list(value: Any) -> list[str]:
    listed = value if isinstance(value, list) else [value]
    return [_text(item) for item in listed if _text(item)]
