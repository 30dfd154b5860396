"""Carries a patient's identifiers from one document to the patient's others.

In a bulk export a patient's names stand in one file and the notes in another. Within a run they are
remembered here, in memory only; across runs the ledger's keyed digests tell what was replaced.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from aegle.core.records import Identifier, RawDocument

_MOST_IDENTIFIERS: Final = 200
_MOST_GROUPS: Final = 20_000
_PROSE: Final = frozenset({"note", "mail", "page"})


class Carried:
    """Identifiers seen so far, by patient; bounded: the patients not seen longest go first.

    Args:
        group: the pseudonymous group of a raw one; a patient's names lead to one.
    """

    def __init__(self, group: Callable[[str], str]) -> None:
        self._group = group
        self._groups: OrderedDict[str, dict[Identifier, None]] = OrderedDict()

    def add(self, raw: RawDocument) -> RawDocument:
        """The document with what earlier ones of its patient identified; and remember its own."""
        group = self._group(raw.group.reveal())
        if not group.startswith("patient:"):
            return raw
        seen = self._seen(group)
        own = dict.fromkeys(raw.identifiers)
        more = tuple(one for one in seen if one not in own)
        for one in raw.identifiers[: _MOST_IDENTIFIERS - len(seen)]:
            seen[one] = None
        return replace(raw, identifiers=raw.identifiers + more) if more else raw

    def merge(self, former: str, group: str) -> None:
        """What identified a group identifies another one as well: they are one patient."""
        self._seen(group).update(self._groups.pop(former, {}))

    def _seen(self, group: str) -> dict[Identifier, None]:
        seen = self._groups.setdefault(group, {})
        self._groups.move_to_end(group)
        if len(self._groups) > _MOST_GROUPS:
            self._groups.popitem(last=False)
        return seen


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
