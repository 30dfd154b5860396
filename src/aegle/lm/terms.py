"""Text to search terms: folded, singular words; identifiers whole and in parts."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_WHOLE: Final = re.compile(r"[^\W_]+(?:[._\-:/@\\+]+[^\W_]+)*")
_OUTER: Final = re.compile(r"[:/@\\+]+")
_INNER: Final = re.compile(r"[._\-]+")
_JOINED: Final = re.compile(r"[\s_\-/\\:]+")

STOP_WORDS: Final = frozenset(
    "a an and are as at be been but by can could did do does for from had has have he her his how "
    "i if in into is it its me my of on or our she should that the their them there these they "
    "this to was we were what when where which who whom whose why will with would you your".split()
)
"""English function words; ``no``, ``not`` and ``without`` carry meaning here and stay."""


def fold(text: str) -> str:
    """Case, compatibility forms and accents folded away, so that spellings of a word meet."""
    if text.isascii():
        return text.lower()
    parts = unicodedata.normalize("NFKD", text).casefold()
    return "".join(char for char in parts if not unicodedata.combining(char))


def singular(word: str) -> str:
    """A folded word without its plural ending; anything but letters stays as it is.

    References:
        Harman (1991), How effective is suffixing? (the S stemmer)
    """
    if len(word) < 4 or not word.endswith("s") or not word.isalpha():
        return word
    if word.endswith("ies") and word[-4] not in "ae":
        return word[:-3] + "y"
    if word.endswith("es") and word[-3] not in "aeo":
        return word[:-1]
    return word if word[-2] in "us" else word[:-1]


def terms(text: str) -> list[str]:
    """The search terms of a text, in order, repeated as often as they occur.

    ``CVE-2024-1234`` gives itself, ``cve``, ``2024`` and ``1234``; ``10.0.0.5:443`` gives itself,
    ``10.0.0.5`` and ``443``. Parts of one character are left out, and so are `STOP_WORDS`.
    """
    found: list[str] = []
    for match in _WHOLE.finditer(fold(text)):
        whole = match.group()
        if whole.isalnum():
            if whole not in STOP_WORDS:
                found.append(singular(whole))
            continue
        found.append(whole)
        seen = {whole}
        for outer in _OUTER.split(whole):
            for part in (outer, *_INNER.split(outer)):
                if len(part) > 1 and part not in seen and part not in STOP_WORDS:
                    seen.add(part)
                    found.append(singular(part) if part.isalnum() else part)
    return found


def phrase(text: str) -> tuple[str, ...]:
    """The words of a name, for matching names with names: ``PUMP-0042s`` -> ``pump``, ``0042s``.

    Hyphens, slashes, colons and underscores part words, dots do not (``10.0.0.5``, ``E11.9``).
    """
    words = (word.strip(".,;!?()[]{}<>\"'`") for word in _JOINED.split(fold(text)))
    return tuple(singular(word.removesuffix("'s")) for word in words if word)
