"""What a question asks for, and whom or what it is about."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from aegle.answer import days, forms, spelling
from aegle.answer.concepts import (
    STOP,
    Concept,
    concept,
    content_words,
    is_kind,
    is_known,
    joined,
    stem,
    synonyms,
)

_WORD: Final = re.compile(r"[A-Za-z0-9]+(?:[-.:/&][A-Za-z0-9]+)*|['’]s\b")
_ANCHOR: Final = re.compile(r"(?=[^\s]*\d)(?=[^\s]*[A-Za-z.:-])[^\s]{3,}|(?<!\S)\d{5,}(?!\d)")
_PROPER: Final = re.compile(r"(?<=[a-z,;] )[A-Z][a-z]+(?:['’-][A-Z][a-z]+)?\b")
_OPENERS: Final = frozenset(("which", "what"))
_CHOICE: Final = re.compile(r"\bwhich\b|\bwhat (?!is|was|are|were)", re.I)
CLINICAL: Final = frozenset(
    "condition symptom medication allergy procedure immunization lab vital anatomy dose".split()
)
_LINKS: Final = frozenset(
    "is was are were does do did has have had will would can could must should may".split()
)
_ENDED: Final = re.compile(r"\b(?:fix(?:ed)?|resolved?|closed|patched|mitigated|gone)\b", re.I)
_PAST: Final = re.compile(r"\b(?:was|were|had|did|ever|former|past)\b", re.I)
_QUANTITY: Final = re.compile(r"\bhow (?:many|much|often|long|old|high|low|fast|large)\b", re.I)
_TIME: Final = re.compile(r"^(?:\w+ )?when\b|\bwhat (?:date|day|time|year)\b", re.I)


@dataclass(frozen=True, slots=True)
class Named:
    """A name in the question that the workspace knows: its words, type and node."""

    text: str
    type: str
    key: str


@dataclass(frozen=True, slots=True)
class Need:
    """Something that evidence must hold: a word, an entity of a type, or a node.

    One of ``words`` will do, all of them where they are the ``whole`` name of something; an entity
    of ``types`` will do where the concept is ``bare``.
    """

    words: frozenset[str]
    types: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    bare: bool = False
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """A question taken apart.

    Attributes:
        text: the question without the words that only name whom it is about.
        focus: what is asked for; all of it must be in the evidence.
        links: the other things that it says.
        anchors: identifiers in it, which some evidence must name.
        subjects: keys of the nodes that it is about: patients, hosts, asset tags, CVEs.
        types: types of entity that it names in words, ``focus_types`` those it asks for.
        terms: names in it that are no subjects, as they are written.
        proper: capitalised words in it, which some evidence must hold.
        loose: no phrase told what is asked for; most of the words in ``focus`` will do.
        number: whether only a sentence with a number answers.
        listing: which patients have something in common is asked.
        form: how it was asked.
        days: the days that it is about.
    """

    text: str
    focus: tuple[Need, ...]
    links: tuple[Need, ...]
    anchors: tuple[str, ...]
    subjects: frozenset[str]
    types: frozenset[str]
    focus_types: frozenset[str]
    terms: tuple[str, ...] = ()
    proper: tuple[str, ...] = ()
    loose: bool = False
    number: bool = False
    listing: bool = False
    form: forms.Form = field(default_factory=lambda: forms.Form(""))
    days: tuple[days.Day, ...] = ()

    @property
    def query(self) -> str:
        """Words to search for within what is known of the subjects, with synonyms."""
        return self._query(word for word in _WORD.findall(joined(self.text)))

    @property
    def focus_query(self) -> str:
        """Words to search for only what is asked, where the rest of the question led on the way."""
        sought = {word for need in self.focus for word in need.words}
        return self._query(w for w in _WORD.findall(joined(self.text)) if stem(w) in sought)

    def _query(self, asked: Iterable[str]) -> str:
        words = dict.fromkeys(word for word in asked if _tells(word))
        extra = dict.fromkeys(other for word in words for other in synonyms(word))
        written = dict.fromkeys((*spelling.others(" ".join(words)), *self.day_words))
        return " ".join({**words, **extra, **written})

    @property
    def words(self) -> frozenset[str]:
        """The stems of its words."""
        return frozenset(content_words(self.text))

    @property
    def ended(self) -> bool:
        """Whether it asks if something is over."""
        return bool(_ENDED.search(self.text))

    @property
    def past(self) -> bool:
        """Whether it also asks for what is over."""
        return self.ended or bool(_PAST.search(self.text))

    @property
    def day_words(self) -> list[str]:
        """The days that it is about, as texts write them."""
        return [word for day in self.days for word in day.words]


def anchors(question: str) -> list[str]:
    """Names in a question that evidence must contain: ids, hosts, asset tags, versions."""
    found = [re.sub(r"['’]s$", "", m.strip("?,.;:()'\"")) for m in _ANCHOR.findall(question)]
    return [word.casefold() for word in found if len(word) > 2]


def take_apart(
    question: str, *, hidden: Collection[str] = (), named: Sequence[Named] = ()
) -> Asked:
    """A question into what it asks for and whom it is about.

    Args:
        question: de-identified.
        hidden: words that only name a patient: they are no reason to prefer a sentence.
        named: what the question names, with its nodes. Names with a digit or of a patient are
            subjects; others (a test, a drug) must stand in the evidence, by any of their names.
    """
    gone = {word.casefold() for word in hidden}
    kinds = {one.type for one in named} | ({"patient"} if hidden else set())
    form = forms.read(days.without_days(question), of=kinds)
    ids = [word for word in anchors(days.without_days(question)) if word not in gone]
    subjects = {one.key for one in named if one.type == "patient" or _is_id(one.text, ids)}
    terms = [one for one in named if one.key not in subjects and not is_kind(one.text)]
    gone |= set(ids)
    text = " ".join(
        word
        for word in joined(form.text).split()
        if re.sub(r"['’]s$", "", word.strip("?,.;:()'\"")).casefold() not in gone
    )
    focus, links, loose = _wanted(text, terms, form)
    typed = [*(need.types for need in (*focus, *links) if need.bare)]
    if hidden:
        # Who is called "patient Ann Lee" is no reason to prefer a "patient monitor".
        links = tuple(need for need in links if need.types != {"patient"})
    sought = frozenset(kind for need in focus if need.bare for kind in need.types)
    return Asked(
        text=text,
        focus=focus,
        links=links,
        anchors=tuple(ids),
        subjects=frozenset(subjects),
        types=frozenset(kind for kinds in typed for kind in kinds),
        focus_types=sought,
        terms=tuple(one.text for one in terms if one.type not in CLINICAL),
        proper=tuple(dict.fromkeys(word.casefold() for word in _PROPER.findall(text))),
        loose=loose,
        number=bool(_QUANTITY.search(question) or _TIME.search(question)),
        listing=sought == {"patient"} and not hidden,
        form=form,
        days=tuple(days.days(question)),
    )


def _wanted(
    text: str, terms: Sequence[Named], form: forms.Form
) -> tuple[tuple[Need, ...], tuple[Need, ...], bool]:
    """What is asked for, what else is said, and whether most of the former will do."""
    if form.advice or form.event:
        return _needs(content_words(text), terms), (), True
    focus_words = _focus(text)
    rest = [word for word in content_words(text) if word not in {stem(w) for w in focus_words}]
    rest = [word for word in rest if word not in _kinds_of(text, terms)]
    focus, links = _needs([stem(w) for w in focus_words], terms), _needs(rest, terms)
    if not _CHOICE.search(text) and any(not need.bare for need in focus):
        links = (*links, *(need for need in focus if need.bare))
        focus = tuple(need for need in focus if not need.bare)
    if focus and (_CHOICE.search(text) or not all(need.bare for need in focus)):
        return focus, links, False
    # No noun phrase tells: "What is the patient on PUMP-0042 allergic to?"
    every = (*focus, *links)
    known = tuple(n for n in every if not n.bare and any(map(is_known, n.words)))
    focus = known or tuple(n for n in every if not n.bare) or every
    return focus, tuple(n for n in every if n not in focus), not known


def _tells(word: str) -> bool:
    return word.casefold() not in STOP and not word.startswith(("'", "’"))


def _kinds_of(text: str, terms: Sequence[Named]) -> set[str]:
    """Words that only say what a name is the name of: ``pump`` in ``the InfuseLine 8 pump``."""
    found = (re.search(rf"{re.escape(term.text)}\s+(\w+)", text, re.I) for term in terms)
    return {stem(m.group(1)) for m in found if m and concept(stem(m.group(1))).bare}


def _is_id(text: str, ids: Sequence[str]) -> bool:
    return any(text.casefold() in word or word in text.casefold() for word in ids)


def _focus(text: str) -> list[str]:
    """The words of the noun phrase that is asked for; none where the form does not tell."""
    words = _WORD.findall(text)
    folded = [word.casefold() for word in words]
    for place, word in enumerate(folded):
        if word not in _OPENERS:
            continue
        after = place + 1
        if after < len(folded) and folded[after] in _LINKS:
            # "What was the admitting diagnosis of ..."; "What is she allergic to?" has no phrase.
            if after + 1 < len(folded) and folded[after + 1] in ("the", "a", "an"):
                return _phrase(words, after + 2, verbs=False)
            return []
        return _phrase(words, after, verbs=True)
    match = re.search(r"\bhow (?:many|much) ([A-Za-z]+)", text, re.I)
    return [match.group(1)] if match and _tells(match.group(1)) else []


def _phrase(words: Sequence[str], start: int, *, verbs: bool) -> list[str]:
    """Words up to a function word, a possessive, or what looks like the verb after the noun."""
    taken: list[str] = []
    for word in words[start:]:
        if not _tells(word):
            break
        if verbs and taken and re.search(r"(?:[a-z]s|ed)$", word) and not word.endswith("ss"):
            break
        if verbs and taken and taken[-1].endswith("s") and concept(stem(taken[-1])).bare:
            break  # "Which devices stand in ...": a verb follows the plural.
        taken.append(word)
    return taken


def _needs(words: Sequence[str], terms: Sequence[Named]) -> tuple[Need, ...]:
    """One need a stem; those of a term that the workspace knows make one need of its node."""
    stems = list(dict.fromkeys(words))
    needs: list[Need] = []
    for term in terms:
        own = content_words(term.text)
        if own and set(own) <= set(stems):
            needs.append(Need(frozenset(own), keys=frozenset((term.key,)), whole=True))
            stems = [word for word in stems if word not in own or concept(word).bare]
    seen: set[frozenset[str]] = set()
    for word in stems:
        meant: Concept = concept(word)
        if meant.words not in seen:
            seen.add(meant.words)
            needs.append(Need(meant.words, meant.types, bare=meant.bare))
    return tuple(needs)
