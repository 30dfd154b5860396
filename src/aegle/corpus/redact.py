"""De-identification: every identifier replaced by a stand-in, with an account and the way back.

The 18 classes of the HIPAA Safe Harbor method, 45 CFR 164.514(b)(2), are the kinds name, place,
date (with ages over 89, kind ``age``), phone, fax, email, ssn, mrn, health_plan, account, licence,
vehicle, device, url, ip, biometric, photo and other.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from aegle.core.pack import Found, Recogniser
from aegle.core.records import Document, Edit, Link, Mention, RawDocument, content_id
from aegle.core.text import RawText, SafeText
from aegle.corpus import dates
from aegle.corpus.asked import Alias, own_aliases
from aegle.corpus.edits import Change, apply, compose, move
from aegle.corpus.seek import KnownValues, seek
from aegle.corpus.sight import BY_MACHINES, Sight
from aegle.corpus.vault import Vault

SAFE_HARBOR: Final = (
    "name place date phone fax email ssn mrn health_plan account licence vehicle device url ip "
    "biometric photo other"
).split()
"""The 18 classes; ages over 89 count as dates."""

VERSION: Final = "redact/1"

_NUMBERS: Final = frozenset("phone fax ssn mrn health_plan account licence device date".split())
# What is kept as a whole shields the digits in it: an address is no telephone number.
_SHIELDS: Final = frozenset("ip date url device account".split())


@dataclass(frozen=True, slots=True)
class Policy:
    """What is replaced.

    Attributes:
        keeps: classes left as they are.
        shift_dates: dates move by the group's offset; without, only their year is left.
        override_reason: not empty: the text passes as it is, and the account says why.
    """

    keeps: frozenset[str] = frozenset()
    shift_dates: bool = True
    override_reason: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """What was done to a document, without a word of it.

    Attributes:
        counts: class -> how many were replaced.
        by: who vouches for the text: ``redact/1``, with the tagger's version after a blank when it
            read the document, or ``override``.
        aliases: (digest, group, surrogate) of each value that may be asked about; see `Vault`.
    """

    document_id: str
    by: str
    counts: Mapping[str, int] = field(default_factory=dict)
    keeps: tuple[str, ...] = ()
    reason: str = ""
    aliases: tuple[tuple[str, str, str], ...] = ()


def redact(
    doc: RawDocument,
    *,
    recognisers: Sequence[Recogniser],
    policy: Policy,
    vault: Vault,
    edits: Sequence[Edit] = (),
    known: KnownValues | None = None,
    sight: Sight | None = None,
) -> tuple[Document, Account]:
    """The document with every identifier replaced, and the account of it.

    In general documents dates, IP addresses and URLs are kept, so that an inventory's hosts are
    those of the logs; unless they belong to a patient: then dates shift and nothing is kept.

    Args:
        doc: a cleaned document.
        recognisers: find identifiers besides dates and the values that ``doc.identifiers`` names.
        edits: those of `clean`, so that ``Document.edits`` lead back to the text as it was read.
        known: which capitalised words and long numbers were replaced elsewhere in the group.
        sight: a tagger, which reads what people wrote.
    """
    group = vault.group(doc.group.reveal())
    if policy.override_reason:
        made, account = _passed(doc, group, policy, vault, edits), Account("", "override")
        return made, replace(
            account, document_id=made.id, reason=policy.override_reason, keeps=("all",)
        )
    policy = _for_document(doc, policy, group)
    texts = [doc.text.reveal(), doc.title.reveal(), *doc.meta.values()]
    stand_ins = _StandIns(group, policy, vault, own_aliases(doc, group, vault))
    safe, rounds = [], []
    sight = None if doc.kind in BY_MACHINES else sight
    found = seek(texts, doc, recognisers, policy.keeps, known, sight)
    for text, some in zip(texts, found, strict=True):
        kept = _joined(text, _resolved(text, some, policy.keeps))
        new, made_edits = apply(text, [stand_ins.change(text, one) for one in kept])
        safe.append(SafeText(new, by=VERSION))
        rounds.append(made_edits)
    mentions, links = move(doc.mentions, doc.links, rounds[0], len(safe[0]))
    days = vault.shift(group) if policy.shift_dates else 0
    mentions = tuple(
        replace(m, time=_time(m.time, policy, days), ref=_ref(m.ref, vault)) for m in mentions
    )
    links = tuple(replace(link, time=_time(link.time, policy, days)) for link in links)
    document = _document(
        doc, group, _time(doc.time, policy, days), safe, mentions, links, compose(edits, rounds[0]),
        vault,
    )  # fmt: skip
    return document, stand_ins.account(document.id, sight)


def regroup(
    doc: Document,
    *,
    former: str,
    group: str,
    vault: Vault,
    renamed: Mapping[str, str],
    shift_dates: bool = True,
) -> Document:
    """A stored document after its patient's group, ``former``, was joined to ``group``.

    In a document of the patient the dates move on, so that they fit those of the other documents,
    and stand-ins become those of ``group`` where it has one for the same value (``renamed``). In
    another one that only speaks of the patient, the mentions change.
    """
    own = doc.group == former
    days = vault.shift(group) - vault.shift(former) if own and shift_dates else 0
    words = renamed if own else {}
    spans = [(e.start, e.end, e.kind) for e in doc.edits if e.kind != "clean"]
    text, edits = _again(doc.text, spans, days, words)
    title, *meta = (
        _again(one, _replaced_in(one, words), days, words)[0]
        for one in (doc.title, *doc.meta.values())
    )
    mentions, links = move(doc.mentions, doc.links, edits, len(text))
    old, new = (RawText(one.partition(":")[2]) for one in (former, group))
    in_group, time = group if own else doc.group, dates.shift_iso(doc.time, days)
    return replace(
        doc,
        id=content_id(doc.kind, doc.domain, in_group, time, title, text),
        text=text,
        title=title,
        group=in_group,
        time=time,
        mentions=tuple(
            replace(m, ref=new if m.ref == old else m.ref, time=dates.shift_iso(m.time, days))
            for m in mentions
        ),
        links=tuple(replace(link, time=dates.shift_iso(link.time, days)) for link in links),
        edits=compose(doc.edits, edits),
        meta=dict(zip(doc.meta, meta, strict=True)),
    )


def _again(
    text: str, spans: Sequence[tuple[int, int, str]], days: int, words: Mapping[str, str]
) -> tuple[SafeText, tuple[Edit, ...]]:
    """A text with what was replaced in it replaced once more."""
    changes = []
    for start, end, kind in spans:
        piece = text[start:end]
        new = dates.shift(piece, days) if kind == "date" and days else words.get(piece)
        if new and new != piece:
            changes.append(Change(start, end, new, kind))
    made, edits = apply(text, changes)
    return SafeText(made, by=VERSION), edits


def _replaced_in(text: str, words: Mapping[str, str]) -> list[tuple[int, int, str]]:
    """Dates and stand-ins in a short text whose edits were not kept: a title, a meta value."""
    found = [(one.start, one.end, "date") for one in dates.find(text)]
    for word in sorted(words, key=len, reverse=True):
        for match in re.finditer(rf"(?<!\w){re.escape(word)}(?!\w)", text):
            found.append((*match.span(), "name"))
    kept: list[tuple[int, int, str]] = []
    for start, end, kind in found:
        if all(end <= a or b <= start for a, b, _ in kept):
            kept.append((start, end, kind))
    return sorted(kept)


def _for_document(doc: RawDocument, policy: Policy, group: str) -> Policy:
    if doc.domain != "general":
        return policy
    if group.startswith("patient:"):
        return replace(policy, shift_dates=True)
    return replace(policy, keeps=policy.keeps | {"date", "ip", "url"})


def _document(
    doc: RawDocument,
    group: str,
    time: str,
    safe: Sequence[SafeText],
    mentions: tuple[Mention, ...],
    links: tuple[Link, ...],
    edits: tuple[Edit, ...],
    vault: Vault,
) -> Document:
    text, title, *meta = safe
    return Document(
        id=content_id(doc.kind, doc.domain, group, time, title, text),
        kind=doc.kind,
        domain=doc.domain,
        text=text,
        title=title,
        group=group,
        time=time,
        source_id=vault.pseudonym(doc.source),
        mentions=mentions,
        links=links,
        edits=edits,
        meta=dict(zip(doc.meta, meta, strict=True)),
    )


def _passed(
    doc: RawDocument, group: str, policy: Policy, vault: Vault, edits: Sequence[Edit]
) -> Document:
    """The document as it is, vouched for by the override."""
    safe = [
        SafeText(text, by="override")
        for text in (doc.text.reveal(), doc.title.reveal(), *doc.meta.values())
    ]
    mentions = tuple(replace(m, ref=_ref(m.ref, vault)) for m in doc.mentions)
    return _document(doc, group, doc.time, safe, mentions, doc.links, tuple(edits), vault)


def _ref(ref: RawText | None, vault: Vault) -> RawText | None:
    return None if ref is None else RawText(vault.pseudonym(ref.reveal()))


def _time(time: str, policy: Policy, days: int) -> str:
    if "date" in policy.keeps:
        return time
    return dates.shift_iso(time, days) if days else dates.year_of(time)


def _resolved(text: str, found: Sequence[Found], keeps: frozenset[str]) -> list[Found]:
    """The longest wins, then the surest; what sticks out of a loser is replaced, too."""
    shields = sorted((f.start, f.end) for f in found if f.kind in keeps & _SHIELDS)
    open_ = [
        f for f in found if f.kind not in keeps and not (f.kind in _NUMBERS and _inside(shields, f))
    ]
    open_.sort(key=lambda f: (f.start - f.end, -f.score, f.start, f.kind))
    starts: list[int] = []
    chosen: list[Found] = []
    for one in open_:
        for start, end in _free(chosen, starts, one):
            if (start == one.start and end == one.end) or any(map(str.isalnum, text[start:end])):
                at = bisect_right(starts, start)
                starts.insert(at, start)
                chosen.insert(at, replace(one, start=start, end=end))
    return chosen


def _inside(shields: Sequence[tuple[int, int]], one: Found) -> bool:
    at = bisect_right(shields, (one.start, 1 << 62))
    return any(start <= one.start and one.end <= end for start, end in shields[max(0, at - 3) : at])


def _free(chosen: Sequence[Found], starts: Sequence[int], one: Found) -> list[tuple[int, int]]:
    """The parts of a span that no chosen one covers."""
    at = max(0, bisect_right(starts, one.start) - 1)
    pieces, start = [], one.start
    while at < len(chosen) and chosen[at].start < one.end:
        if chosen[at].end > start:
            if chosen[at].start > start:
                pieces.append((start, chosen[at].start))
            start = chosen[at].end
        at += 1
    if start < one.end:
        pieces.append((start, one.end))
    return pieces


def _joined(text: str, found: Sequence[Found]) -> list[Found]:
    """Parts of one name beside each other become one, so that its alias is the whole name."""
    joined: list[Found] = []
    for one in found:
        last = joined[-1] if joined else None
        if (
            last
            and last.kind == one.kind == "name"
            and re.fullmatch(r"\.? ", text[last.end : one.start])
        ):
            joined[-1] = replace(last, end=one.end)
        else:
            joined.append(one)
    return joined


class _StandIns:
    """Chooses stand-ins and keeps the account."""

    def __init__(self, group: str, policy: Policy, vault: Vault, own: Iterable[Alias]) -> None:
        self._group, self._policy, self._vault = group, policy, vault
        self.counts: Counter[str] = Counter()
        self.aliases: set[Alias] = set() if "name" in policy.keeps else set(own)

    def change(self, text: str, one: Found) -> Change:
        value = text[one.start : one.end]
        self.counts["date" if one.kind in ("age", "birth") else one.kind] += 1
        if one.kind == "birth":
            return Change(one.start, one.end, "[date]", "date")
        if one.kind == "date" and not self._policy.shift_dates:
            return Change(one.start, one.end, dates.year_of(value) or "[date]", "date")
        alias = self._vault.alias(one.kind, value, self._group)
        if alias:
            self.aliases.add(alias)
        new = self._vault.surrogate(one.kind, value, self._group)
        return Change(one.start, one.end, new, one.kind)

    def account(self, document_id: str, sight: Sight | None) -> Account:
        """What was done so far."""
        by = f"{VERSION} {sight.version}" if sight else VERSION
        counts, keeps = dict(sorted(self.counts.items())), tuple(sorted(self._policy.keeps))
        aliases = tuple(sorted(self.aliases))
        return Account(document_id, by, counts, keeps, aliases=aliases)
