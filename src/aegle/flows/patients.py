"""Decides which documents are one patient's: by record numbers, in any order and any run.

Notes and HL7 group by the record number, FHIR by the server's id. Where a chart states a number as
its patient's own, both are one group from then on. Two hospitals may give one number: a number
joins only if its assigner, as far as it is told, is not another; and a patient has one number of
an assigner, unless one document states two. A name alone joins nobody; another name and
another birth keep a number apart that no assigner tells whose it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Final

from aegle.core.records import Identifier, RawDocument
from aegle.core.text import RawText
from aegle.corpus.vault import Vault, normal
from aegle.flows.names import Name, Names

_LEAST: Final = 3
"""Characters of a number that can tell patients apart."""


class Patients:
    """Gives documents the group of their patient; what it decides is in the ledger at once.

    Args:
        merged: told (former group, group) when two groups turn out to be one patient.
    """

    def __init__(self, names: Names, vault: Vault, merged: Callable[[str, str], None]) -> None:
        self._names, self._vault, self._merged = names, vault, merged

    def join(self, raw: RawDocument) -> tuple[RawDocument, list[Name]]:
        """The document under a name that leads to its patient's group; and what names are new."""
        written = raw.group.reveal()
        if not written.startswith("patient/"):
            return raw, []
        numbers = {
            f"patient/{one.value.reveal()}": self._vault.assigner(one.assigner.reveal())
            for one in raw.numbers
            if one.kind == "mrn" and (_tells(one) or f"patient/{one.value.reveal()}" == written)
        }
        person = self._told(raw) if numbers else frozenset()
        for name, who in numbers.items():
            numbers[name] = who or self._whose(name, person)
        own = (self._vault.name(written), numbers.get(written, ""))
        stated = {(self._vault.name(name), who) for name, who in numbers.items()} | {own}
        group = self._group(own, stated, person)
        if group is None:
            written = self._free(written, own)
            group = self._vault.name(written)
        new = self._give(self._joining(group, own, stated, person), group)
        new += self._give(((digest, f"told:{group}") for digest in sorted(person)), group)
        if self._names.group(self._vault.name(written)) != group:
            # The bare number leads elsewhere, or nowhere: another hospital gave it, too.
            written = f"{raw.group.reveal()}@{own[1]}"
            new += self._give([(self._vault.name(written), "")], group)
        return _under(raw, written), new

    def _told(self, raw: RawDocument) -> frozenset[str]:
        """Keyed digests of the patient's own birth and of each part of the name."""
        return frozenset(
            f"{one.kind}:{self._vault.mark(one.kind, part)}"
            for one in raw.person
            for part in normal(one.value.reveal()).split()
            if len(part) > 1
        )

    def _whose(self, number: str, person: frozenset[str]) -> str:
        """What tells whose a bare number is, where somebody else has it, too; else ""."""
        groups = self._names.of(self._vault.name(number)).values()
        if not any(self._other(group, person) for group in groups):
            return ""
        return "born:" + "".join(sorted(one for one in person if one.startswith("date:")))

    def _other(self, group: str, person: frozenset[str]) -> bool:
        """Whether both tell a name and a birth, and neither is the same."""
        told = self._names.told(group) if person else set()
        kinds = [{one.partition(":")[0] for one in some} for some in (told, person)]
        return all("name" in some and "date" in some for some in kinds) and not told & person

    def _group(self, own: Name, stated: set[Name], person: frozenset[str]) -> str | None:
        """The group that the document's own name leads to, else the first of its numbers."""
        if found := self._of(own, person):
            return found
        for one in sorted(stated):
            group = self._of(one, person)
            if group and not self._apart(group, group, one, stated):
                return group
        return None

    def _joining(
        self, group: str, own: Name, stated: set[Name], person: frozenset[str]
    ) -> Iterator[Name]:
        """The names that are the group's from now on; groups that had one are merged into it."""
        yield own
        for one in sorted(stated - {own}):
            other = self._of(one, person)
            unclear = other is None and not one[1] and self._names.of(one[0])
            if unclear or self._apart(group, other or group, one, stated):
                continue
            if other and other != group:
                self._names.merge(other, group)
                self._merged(other, group)
            yield one

    def _of(self, name: Name, person: frozenset[str]) -> str | None:
        """The group that a name leads to; None if to none, to several, or to another hospital's."""
        groups = self._names.of(name[0])
        if name[1] in groups:
            return groups[name[1]]
        groups = {who: one for who, one in groups.items() if not self._other(one, person)}
        if any(_contradict(name[1], who) for who in groups) or len(set(groups.values())) != 1:
            return None
        return next(iter(groups.values()))

    def _free(self, written: str, own: Name) -> str:
        """The name itself, or, when others have it, one that tells whose number it is."""
        return f"{written}@{own[1]}" if self._names.of(own[0]) else written

    def _apart(self, group: str, other: str, number: Name, stated: set[Name]) -> bool:
        """Whether two groups have different numbers of one assigner that nobody states together."""
        first = self._names.numbers(group)
        second = self._names.numbers(other) | {number} if other != group else {number}
        if first & (second | stated):
            return False
        return any(who and who == also and a != b for a, who in first for b, also in second)

    def _give(self, names: Iterable[Name], group: str) -> list[Name]:
        new = [one for one in names if self._names.of(one[0]).get(one[1]) != group]
        if new:
            self._names.give(new, group)
        return new


def _tells(number: Identifier) -> bool:
    """Whether a number is one: not a word, and not a filler such as ``0000``."""
    value = [char for char in number.value.reveal() if char.isalnum()]
    return len(value) >= _LEAST and len(set(value)) > 1 and any(map(str.isdecimal, value))


def _contradict(one: str, other: str) -> bool:
    kind, _, _ = one.partition(":")
    return bool(one and other) and one != other and other.startswith(f"{kind}:")


def _under(raw: RawDocument, name: str) -> RawDocument:
    """A document and what it says of its patient, under another name."""
    old, new = raw.group, RawText(name)
    if old == new:
        return raw
    mentions = tuple(replace(m, ref=new) if m.ref == old else m for m in raw.mentions)
    return replace(raw, group=new, mentions=mentions)
