"""Carries a patient's identifiers from one document to the patient's others, and joins charts.

In a bulk export a patient's names stand in one file and the notes in another. Within a run they are
remembered here, in memory only; across runs the ledger's keyed digests tell what was replaced.
FHIR groups by the server's id, HL7 and notes by the record number: a chart that states both makes
them one patient for the rest of the run.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from aegle.core.records import Identifier, RawDocument
from aegle.core.text import RawText

_MOST_IDENTIFIERS: Final = 200
_MOST_GROUPS: Final = 20_000
_PROSE: Final = frozenset({"note", "mail", "page"})


class Carried:
    """Identifiers seen so far, by patient; bounded: the patients not seen longest go first."""

    def __init__(self) -> None:
        self._groups: OrderedDict[str, dict[Identifier, None]] = OrderedDict()
        self._same: dict[str, str] = {}

    def add(self, raw: RawDocument) -> RawDocument:
        """The document with what earlier ones of its patient identified; and remember its own."""
        raw = self._joined(raw)
        group = raw.group.reveal()
        if not group.startswith("patient/"):
            return raw
        seen = self._groups.setdefault(group, {})
        self._groups.move_to_end(group)
        if len(self._groups) > _MOST_GROUPS:
            self._groups.popitem(last=False)
        own = dict.fromkeys(raw.identifiers)
        more = tuple(one for one in seen if one not in own)
        for one in raw.identifiers[: _MOST_IDENTIFIERS - len(seen)]:
            seen[one] = None
        return replace(raw, identifiers=raw.identifiers + more) if more else raw

    def _joined(self, raw: RawDocument) -> RawDocument:
        """The document under the name that its patient got first."""
        group = raw.group.reveal()
        if not group.startswith("patient/"):
            return raw
        first = self._same.get(group)
        if first is None:
            for one in raw.identifiers:
                number = f"patient/{one.value.reveal()}"
                # A number that is a group of its own already stays: its documents are stored.
                if one.kind == "mrn" and number != group and number not in self._groups:
                    self._same.setdefault(number, group)
            return raw
        own, new = RawText(group), RawText(first)
        mentions = tuple(replace(m, ref=new) if m.ref == own else m for m in raw.mentions)
        return replace(raw, group=new, mentions=mentions)


def known_in(
    raw: RawDocument,
    *,
    group: Callable[[str], str],
    digest: Callable[[str], str],
    lookup: Callable[[Sequence[str]], Mapping[str, Sequence[tuple[str, str]]]],
) -> Callable[[list[str]], set[str]] | None:
    """Tells which values were replaced in a patient's earlier documents; None where not worth it.

    Hashing every capitalised word costs a tenth of de-identification: prose only.
    """
    if raw.kind not in _PROSE or not raw.group.reveal().startswith("patient/"):
        return None
    mine = group(raw.group.reveal())

    def known(values: list[str]) -> set[str]:
        digests = {value: digest(value) for value in values}
        owners = lookup(sorted(set(digests.values())))
        hits = {key for key, some in owners.items() if any(owner == mine for owner, _ in some)}
        return {value for value, key in digests.items() if key in hits}

    return known
