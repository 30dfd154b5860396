"""Regular expressions from word lists: one alternation that branches letter by letter."""

from __future__ import annotations

import re
from collections.abc import Iterable

_Tree = dict[str, "_Tree"]


def any_of(words: Iterable[str]) -> str:
    """A regex source that matches any of some words, longest first; blanks match any white space.

    A plain alternation of hundreds of words is tried one by one at every place of a text; this
    one is decided letter by letter.
    """
    tree: _Tree = {}
    for word in words:
        here = tree
        for char in word:
            here = here.setdefault(char, {})
        here[""] = {}
    return _source(tree)


def _source(tree: _Tree) -> str:
    branches = [
        (r"[ \t]+" if char == " " else re.escape(char)) + _source(below)
        for char, below in sorted(tree.items())
        if char
    ]
    if not branches:
        return ""
    if len(branches) == 1 and "" not in tree:
        return branches[0]
    return f"(?:{'|'.join(branches)}){'?' if '' in tree else ''}"
