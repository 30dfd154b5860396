"""Whom a question names: identifiers become surrogates, and say whose chart is asked for.

Beside the digests of what was replaced, a chart stores those of its own patient's full name and
family name, under a key of their own: ``What is Okonkwo taking?`` asks for the patient, not for the
charts in which a Dr. Okonkwo signed. Who asks for a name that several patients bear is told so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from aegle.core.errors import UsageError
from aegle.core.records import RawDocument
from aegle.corpus.known import is_common
from aegle.corpus.vault import Vault, natural, normal

Lookup = Callable[[list[str]], Mapping[str, Sequence[tuple[str, str]]]]
"""Digests -> (group, surrogate) of everyone who has one of them."""

Alias = tuple[str, str, str]
"""(digest, group, surrogate) of a value that may be asked about."""

_LONGEST: Final = 5
_MOST_OWNERS: Final = 3
"""An identifier of more groups than this names none of them in a question."""
_HIDDEN: Final = "[hidden]"
_CLINICIAN: Final = re.compile(r"(?i)\b(?:dr|doctor|prof|professor|nurse|rn|md)\.? *$")

_TITLE: Final = re.compile(r"(?i)(?:dr|doctor|prof|professor|nurse)\b")

_LABEL: Final = re.compile(
    r"(?i)^(?:(?:patient|medical|record|number|no|mrn|id|mr|mrs|ms)\b[.:# ]*)+"
)


class SharedNameError(UsageError):
    """A question names somebody by a name that several patients bear.

    Attributes:
        question: what was asked, without the name.
    """

    def __init__(self, patients: int, question: str) -> None:
        self.question = question
        super().__init__(
            f"{patients} patients of this workspace bear a name of the question: ask with the full "
            "name, or with the record number"
        )


def own_aliases(doc: RawDocument, group: str, vault: Vault) -> Iterator[Alias]:
    """Aliases of the full and the family name of the patient whose chart a document is of.

    The patient is who a mention with the document's own group names; which part of a name is the
    family's, the identifiers tell that have a comma.
    """
    text, mine = doc.text.reveal(), doc.group.reveal()
    for mention in doc.mentions:
        if mention.type != "patient" or mention.ref is None or mention.ref.reveal() != mine:
            continue
        words = set(normal(text[mention.start : mention.end]).split())
        for identifier in doc.identifiers:
            family, comma, given = identifier.value.reveal().partition(",")
            if identifier.kind != "name" or not comma:
                continue
            names = normal(family).split()
            if names and given.strip() and words.issuperset([*names, *normal(given).split()]):
                for name in dict.fromkeys((family, family.split()[-1], f"{given} {family}")):
                    yield _own(vault, name), group, vault.surrogate("name", natural(name), group)


def _own(vault: Vault, name: str) -> str:
    return _own_of(vault, normal(name))


def _own_of(vault: Vault, form: str) -> str:
    return vault.pseudonym(f"own name/{form}")


class _Try(NamedTuple):
    """Characters [start, end) of a question and the digests to look them up by."""

    start: int
    end: int
    digest: str
    own: str


def resolve(question: str, *, vault: Vault, lookup: Lookup) -> tuple[str, tuple[str, ...]]:
    """A question with known identifiers replaced by their surrogates, and the groups named.

    Up to five words together are tried, longest first; ``lookup`` sees digests only.

    Raises:
        SharedNameError: a name is that of several patients, and nothing else tells which is meant.
    """
    tries = list(_tries(question, vault))
    known = lookup(sorted({one.digest for one in tries} | {one.own for one in tries} - {""}))
    taken: list[_Try] = []
    for one in sorted(tries, key=lambda one: (one.start - one.end, one.start)):
        if (one.digest in known or one.own in known) and all(
            one.end <= other.start or other.end <= one.start for other in taken
        ):
            taken.append(one)
    taken.sort()
    groups = [group for one in taken for group in _certain(one, known)]
    text: list[str] = []
    at = 0
    for one in taken:
        owners = known.get(one.own) or known[one.digest]
        fitting = [owner for owner in owners if owner[0] in groups] or owners
        if one.own in known:
            if len(fitting) > 1:
                raise SharedNameError(len(fitting), _without(question, taken))
            groups.append(fitting[0][0])
        text += question[at : one.start], fitting[0][1]
        at = one.end
    text.append(question[at:])
    return "".join(text), tuple(dict.fromkeys(group for group in groups if group))


def own_numbers(value: str, vault: Vault) -> list[str]:
    """The keyed names that a patient may have by a record number, with or without its label."""
    bare = _LABEL.sub("", value.strip())
    forms = (value.strip(), bare, bare.upper()) if any(map(str.isdecimal, bare)) else ()
    return [vault.name(f"patient/{one}") for one in dict.fromkeys(forms) if one]


def patients_named(value: str, *, vault: Vault, lookup: Lookup) -> set[str]:
    """The groups of the patients whose own name a whole value is; none for a clinician's."""
    name = _LABEL.sub("", value.strip())
    if not normal(name) or _TITLE.match(name):
        return set()
    own = _own(vault, name)
    return {group for group, _ in lookup([own]).get(own, ())}


def charts_bearing(value: str, *, vault: Vault, lookup: Lookup) -> int:
    """In how many charts the longest part of a value stands that any chart has."""
    tries = sorted(_tries(value, vault), key=lambda one: one.start - one.end)
    known = lookup(sorted({one.digest for one in tries} | {one.own for one in tries} - {""}))
    for one in tries:
        owners = [*known.get(one.digest, ()), *known.get(one.own, ())]
        if owners:
            return len({group for group, _ in owners})
    return 0


def _tries(question: str, vault: Vault) -> Iterator[_Try]:
    words = [m.span() for m in re.finditer(r"[^\s,;:?!()\"“”]+", question)]
    for first in range(len(words)):
        for last in range(first, min(first + _LONGEST, len(words))):
            start, end = words[first][0], words[last][1]
            end -= _tail(question[start:end])
            value = question[start:end]
            form = normal(value)
            if form:
                own = _own_of(vault, form) if _may_be_patient(question, start, value) else ""
                yield _Try(start, end, vault.digest_of(form), own)


def _may_be_patient(question: str, start: int, value: str) -> bool:
    """Whether a value may be a patient's name: no clinician's, and no word as it is written."""
    if _CLINICIAN.search(question, 0, start) or _TITLE.match(value):
        return False
    written = value[0].isupper() and start > 0
    return " " in natural(value) or written or not is_common(natural(value))


def _certain(one: _Try, known: Mapping[str, Sequence[tuple[str, str]]]) -> list[str]:
    """The groups that a value names beyond doubt, or that it may name as it names no patient."""
    owners = known.get(one.own, ())
    if not owners:
        # A name that stands in many charts is a clinician's, and says nothing of whose chart.
        owners = known[one.digest]
        return [group for group, _ in owners] if len(owners) <= _MOST_OWNERS else []
    return [owners[0][0]] if len(owners) == 1 else []


def _without(question: str, taken: Sequence[_Try]) -> str:
    """A question in which no identifier is left, nor a stand-in for one."""
    for one in reversed(taken):
        question = question[: one.start] + _HIDDEN + question[one.end :]
    return question


def _tail(text: str) -> int:
    """How many characters at the end belong to the sentence: a stop, a possessive."""
    match = re.search(r"(?:['’]s)?[.'’]*$", text)
    return len(match[0]) if match else 0
