"""Two types of text keep privacy honest: `RawText` may hold identifiers, `SafeText` may not."""

from __future__ import annotations

from typing import Self


class RawText:
    """Text that may hold identifiers: it shows its length, never itself."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The text itself; call it only inside `sources`, packs' readers and `corpus`."""
        return self._value

    def __len__(self) -> int:
        return len(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RawText) and other._value == self._value

    def __hash__(self) -> int:
        return hash(("RawText", self._value))

    def __repr__(self) -> str:
        return f"RawText({len(self._value)} characters)"

    __str__ = __repr__


class SafeText(str):
    """Text that passed de-identification. `by` names who vouches (``redact/1``, ``override``...).

    It is a `str` and slices as one; a slice is a plain `str` until `cut` vouches again.
    """

    __slots__ = ()

    def __new__(cls, value: str, *, by: str) -> Self:
        """Vouch for ``value`` as ``by``."""
        if not by:
            raise ValueError("SafeText needs the name of the step that vouches for it")
        return super().__new__(cls, value)

    def __deepcopy__(self, memo: object) -> Self:
        """Itself: it can't change, and a copy would lose who vouched."""
        return self

    def after(self, title: SafeText) -> SafeText:
        """This text below its title, if that has any: safe texts together are safe."""
        return SafeText(f"{title}\n{self}", by="after") if title else self

    def cut(self, start: int, end: int) -> SafeText:
        """Characters [start, end): a part of safe text is safe."""
        return SafeText(self[start:end], by="cut")
