"""British and American spelling and drug names: a question in either finds a text in the other."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

# American and British: parts of words, so that "anemia" and "anemic" need no row each.
_PARTS: Final = (
    ("hemo", "haemo"), ("hema", "haema"), ("emia", "aemia"), ("emic", "aemic"),
    ("edema", "oedema"), ("esoph", "oesoph"), ("estro", "oestro"), ("pediatr", "paediatr"),
    ("orthoped", "orthopaed"), ("diarrhea", "diarrhoea"), ("pnea", "pnoea"), ("fetal", "foetal"),
    ("anesth", "anaesth"), ("gynec", "gynaec"), ("tumor", "tumour"), ("color", "colour"),
    ("behavior", "behaviour"), ("odor", "odour"), ("fiber", "fibre"), ("liter", "litre"),
    ("center", "centre"), ("analyz", "analys"), ("paralyz", "paralys"),
    ("hospitaliz", "hospitalis"),
    ("immuniz", "immunis"), ("authoriz", "authoris"), ("organiz", "organis"),
    ("mobiliz", "mobilis"), ("stabiliz", "stabilis"), ("recogniz", "recognis"),
    ("labeled", "labelled"),
)  # fmt: skip

# American and British: whole words.
_WORDS: Final = (
    ("acetaminophen", "paracetamol"), ("epinephrine", "adrenaline"),
    ("norepinephrine", "noradrenaline"), ("albuterol", "salbutamol"),
    ("furosemide", "frusemide"), ("lidocaine", "lignocaine"), ("meperidine", "pethidine"),
    ("rifampin", "rifampicin"), ("cyclosporine", "ciclosporin"),
)  # fmt: skip

_AMERICAN: Final = {british: american for american, british in _WORDS}
_BRITISH: Final = dict(_WORDS)
_WORD: Final = re.compile(r"[A-Za-z]{4,}")


@lru_cache(maxsize=20_000)
def american(word: str) -> str:
    """A folded word as an American writes it."""
    if word in _AMERICAN:
        return _AMERICAN[word]
    for ours, theirs in _PARTS:
        if theirs in word:
            return word.replace(theirs, ours)
    return word


def _british(word: str) -> str:
    if word in _BRITISH:
        return _BRITISH[word]
    for ours, theirs in _PARTS:
        if ours in word and theirs not in word:
            return word.replace(ours, theirs)
    return word


def others(text: str) -> list[str]:
    """The words of a text in the other of the two spellings; only those that differ."""
    found = []
    for word in (match.group().casefold() for match in _WORD.finditer(text)):
        ours = american(word)
        other = _british(word) if ours == word else ours
        if other != word:
            found.append(other)
    return list(dict.fromkeys(found))
