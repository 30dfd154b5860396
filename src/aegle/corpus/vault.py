"""The workspace's secret at work: pseudonyms, surrogates, date shifts, and digests to look up by.

Everything derives from the secret by HMAC-SHA256, so nothing that was replaced need be stored: the
same value in the same group gets the same surrogate in every run, and a surrogate can't be led
back without the secret.
"""

from __future__ import annotations

import hmac
import re
import unicodedata
from collections.abc import Callable
from typing import Final

from aegle.core.errors import UsageError
from aegle.corpus import dates, surrogates

ALIASED: Final = frozenset(
    "name phone fax email ssn mrn health_plan account licence vehicle device ip url biometric other"
    "".split()
)
"""Classes whose values somebody may type to ask about; dates, ages and places are not."""

_PLAIN_GROUPS: Final = frozenset({"host", "incident"})
_OID: Final = re.compile(r"\d+(?:\.\d+)+")
_CHANGES_MONTH: Final = 17
"""From the middle of a month this many days lead out of it, so that `March 2024` changes too."""


class Vault:
    """Turns identifiers into stand-ins.

    Args:
        secret: at least 16 random bytes, kept with the workspace and nowhere else.
        shift_days: dates move by at most this many days; 0 moves none.
        joined: the pseudonymous group of a patient -> the one that it was joined to, or itself.

    Raises:
        UsageError: the secret is too short to hide anything.
    """

    def __init__(
        self,
        secret: bytes,
        *,
        shift_days: int = 365,
        joined: Callable[[str], str] = lambda group: group,
    ) -> None:
        if len(secret) < 16:
            raise UsageError(f"a vault needs a secret of at least 16 bytes, got {len(secret)}")
        self._secret = secret
        self._shift_days = shift_days
        self._joined = joined
        self._known: dict[tuple[str, str, str], str] = {}

    def pseudonym(self, ref: str) -> str:
        """12 hex digits that stand for a source's id (``patient/123``) in the whole workspace.

        All names of one patient that were joined have the same.
        """
        if ref.startswith("patient/"):
            return self._joined(self.name(ref)).partition(":")[2]
        return self._mac("ref", ref)[:12]

    def name(self, raw_group: str) -> str:
        """The keyed name of a patient, ``patient:<12 hex>``, whatever it was joined to."""
        return f"patient:{self._mac('ref', raw_group)[:12]}"

    def assigner(self, written: str) -> str:
        """The keyed name of who gave a number, ``oid:<8 hex>``; "" for none.

        The first part tells how it is written: only names of one kind can contradict each other.
        """
        plain = " ".join(written.split()).casefold().rstrip("/").removeprefix("urn:oid:")
        if not plain:
            return ""
        form = "oid" if _OID.fullmatch(plain) else "url" if ":" in plain else "name"
        form = "folder" if plain.startswith("folder:") else form
        return f"{form}:{self._mac('assigner', plain)[:8]}"

    def mark(self, *parts: str) -> str:
        """16 hex digits by which a document that was forgotten is known when it is read again."""
        return self._mac("mark", "\0".join(parts))[:16]

    def group(self, raw_group: str) -> str:
        """``patient/123`` -> ``patient:<12 hex>``; hosts and incidents keep their names."""
        kind, slash, name = raw_group.partition("/")
        if not slash:
            return self.pseudonym(raw_group) if raw_group else ""
        return f"{kind}:{name if kind in _PLAIN_GROUPS else self.pseudonym(raw_group)}"

    def shift(self, group: str) -> int:
        """By how many days the dates of a group (as `group` names it) move; 0 only if none do."""
        if self._shift_days == 0:
            return 0
        least = min(_CHANGES_MONTH, self._shift_days)
        number = int(self._mac("shift", group), 16)
        days = least + number // 2 % (self._shift_days - least + 1)
        return days if number % 2 else -days

    def surrogate(self, kind: str, value: str, group: str) -> str:
        """What stands for an identifier of a class in a group; never the value itself."""
        key = (kind, value, group)
        if key not in self._known:
            # The memory is of this process only, and bounded.
            if len(self._known) > 50_000:
                self._known.clear()
            self._known[key] = self._made(kind, value, group)
        return self._known[key]

    def digest(self, value: str) -> str:
        """16 hex digits by which a value typed later is recognised, in any of its usual forms."""
        return self.digest_of(normal(value))

    def digest_of(self, form: str) -> str:
        """The digest of what `normal` made of a value."""
        return self._mac("alias", form)[:16]

    def alias(self, kind: str, value: str, group: str) -> tuple[str, str, str] | None:
        """(digest, group, surrogate) of a replaced value, None for a class nobody asks about."""
        if kind not in ALIASED:
            return None
        plain = natural(value) if kind == "name" else value.strip()
        key = ("digest", plain, "")
        if key not in self._known:
            self._known[key] = self.digest(plain) if len(normal(plain)) > 1 else ""
        if not self._known[key]:
            return None
        return self._known[key], group, self.surrogate(kind, plain, group)

    def _mac(self, label: str, value: str) -> str:
        message = f"{label}\0{value}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._secret, message, "sha256").hex()

    def _made(self, kind: str, value: str, group: str) -> str:
        def draw(label: str, plain: str) -> int:
            return int(self._mac(f"{label}\0{group}", plain), 16)

        if kind == "date":
            days = self.shift(group)
            moved = dates.shift(value, days) if days else None
            return moved if moved and moved != value else dates.year_of(value) or "[date]"
        if kind == "age":
            return surrogates.age(value)
        maker = _MAKERS.get(kind)
        made = maker(draw, value) if maker else surrogates.shaped(draw, kind, value)
        return made if made != value else f"[{kind}]"


_MAKERS: Final[dict[str, Callable[[surrogates.Draw, str], str]]] = {
    "name": surrogates.name,
    "place": surrogates.place,
    "phone": surrogates.phone,
    "fax": surrogates.phone,
    "email": surrogates.email,
    "ssn": surrogates.ssn,
    "url": surrogates.url,
    "ip": surrogates.ip,
    "photo": surrogates.photo,
}


_NUMBERED: Final = re.compile(r"[\d@]")
_NAMES: Final = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")


def natural(name: str) -> str:
    """A name in the order it is spoken, without titles: ``Smith, John A.`` -> ``John A. Smith``."""
    last, comma, first = name.partition(",")
    words = [
        word
        for word in (f"{first} {last}" if comma and _has_name(first) else name).split()
        if word.strip(".,").casefold() not in surrogates.TITLES
    ]
    return " ".join(words).strip(" ,")


def _has_name(text: str) -> bool:
    return any(word.strip(".,").casefold() not in surrogates.TITLES for word in text.split())


def normal(value: str) -> str:
    """The form by which two ways to write an identifier are the same."""
    if value.isascii():  # most are, and a question is tried in dozens of pieces
        plain = value.lower()
    else:
        plain = unicodedata.normalize("NFKD", value).casefold()
        plain = "".join(char for char in plain if not unicodedata.combining(char))
    if _NUMBERED.search(plain):
        return "".join(char for char in plain if char.isalnum())
    return " ".join(_NAMES.findall(natural(plain)))
