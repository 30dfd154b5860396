"""Realistic stand-ins for identifiers, drawn by a keyed choice and written in the same style.

Every function takes ``draw(label, value) -> int``: a large number that depends on the workspace's
secret, the group, the label and the value only. That makes a stand-in the same wherever the value
stands, and unknowable without the secret.

The names are of low and middle rank in the lists of the US census of 1990 (public domain), so that
they look like names and seldom are one that a document speaks of.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Final

Draw = Callable[[str, str], int]

TITLES: Final = frozenset(
    "mr mrs ms miss mx dr prof professor sir madam rev fr sr jr ii iii iv md do rn np pa phd dds "
    "dmd esq lpn cna aprn crna facp facs doctor nurse capt sgt lt col pac bsn msn fnp dnp m.d d.o "
    "r.n ph.d d.d.s p.a n.p".split()
)
"""Words of a name that name nobody; they stay as they are."""

_PARTICLES: Final = frozenset(
    "de da do dos das di del della la le los van von der den ter bin ibn al el y e und".split()
)
# Letters that enough names start with: a stand-in for John is one for J. as well.
_INITIALS: Final = "abcdefghjklmnprstvw"
_WORD: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*\d{0,4}")

_STREETS: Final = (
    "Alder Birch Briar Cedar Clover Cypress Elder Fern Hazel Heather Holly Juniper Larch Laurel "
    "Linden Magnolia Maple Poplar Rowan Sorrel Spruce Tamarack Thistle Willow"
).split()
_TOWN_HEADS: Final = (
    "Alder Ash Birch Bram Brook Cald Claver Dun Elm Fair Fen Glen Hart Hazel Holm Kings Lark Lin "
    "Marl Mill Oak Pem Quarry Rook Stan Thorn Wes Win"
).split()
_TOWN_TAILS: Final = (
    "bourne bridge brook bury by combe dale field ford gate ham hurst leigh mere moor stead wick"
).split()
_FACILITY: Final = re.compile(
    r"\b(?:General |Memorial |Regional |Community |University )*(?:Hospital|Medical Center|Clinic"
    r"|Health Center|Nursing Home|Hospice|Infirmary)s?\b"
)
# Three-digit areas of at most 20,000 people (census of 2000): 45 CFR 164.514(b)(2)(i)(B), guidance.
_SMALL_ZIP3: Final = frozenset(
    "036 059 063 102 203 556 692 790 821 823 830 831 878 879 884 890 893".split()
)
_NETS: Final = ("192.0.2.", "198.51.100.", "203.0.113.")


@cache
def _names() -> dict[str, dict[str, list[str]]]:
    """List name -> initial -> names; the two ``known`` lists tell which names are whose."""
    text = gzip.decompress((files(__package__) / "data" / "names.txt.gz").read_bytes()).decode()
    lists: dict[str, dict[str, list[str]]] = {}
    for line in text.splitlines():
        title, *names = line.split(" ")
        for name in names:
            lists.setdefault(title, {}).setdefault(name[0], []).append(name)
    return lists


def surrogate_names() -> frozenset[str]:
    """All names that may be put in place of others, in lower case: plant none of them in a test."""
    lists = _names()
    return frozenset(
        name
        for kind in ("female", "male", "last")
        for some in lists[kind].values()
        for name in some
    )


def _styled(new: str, old: str) -> str:
    if old.isupper() and len(old) > 1:
        return new.upper()
    return new if old.islower() else new.capitalize()


def _initial(draw: Draw, letter: str) -> str:
    """Another letter for each letter, one to one within a group."""
    ring = sorted(_INITIALS, key=lambda one: (draw("initial", one), one))
    if letter in ring:
        return ring[(ring.index(letter) + 1) % len(ring)]
    ring = [one for one in ring if one != letter]
    return ring[draw("initial", letter) % len(ring)]


def _part(draw: Draw, word: str) -> str:
    plain = word.casefold()
    if plain in TITLES or plain in _PARTICLES:
        return word
    initial = _initial(draw, plain[0])
    if len(word) == 1:
        return initial.upper() if word.isupper() else initial
    lists = _names()
    kind = next(
        (k for k in ("female", "male") if plain in lists[f"known_{k}"].get(plain[0], ())), "last"
    )
    some = [name for name in lists[kind][initial] if name != plain]
    return _styled(some[draw(kind, plain) % len(some)], word)


def name(draw: Draw, value: str) -> str:
    """Every part of a name replaced by its own stand-in: John Smith, Smith, John, J. and JOHN."""
    return _WORD.sub(lambda match: _part(draw, match[0]), value)


def shaped(draw: Draw, label: str, value: str) -> str:
    """Another value of the same shape: digits for digits, letters for letters, signs kept."""
    plain = "".join(char for char in value.casefold() if char.isalnum())
    for attempt in range(100):
        number = draw(f"{label}{attempt}", plain)
        new = []
        for char in value:
            if char.isdecimal():
                number, pick = divmod(number, 10)
                new.append("0123456789"[pick])
            elif char.isalpha():
                number, pick = divmod(number, 20)
                letter = "bcdfghjklmnpqrstvwxz"[pick]
                new.append(letter.upper() if char.isupper() else letter)
            else:
                new.append(char)
            # A drawn number has 256 bits; a long value takes more.
            if number < 400:
                number = draw(f"{label}{attempt}/{len(new)}", plain)
        if (text := "".join(new)) != value:
            return text
    return f"[{label}]"


def _filled(value: str, digits: str) -> str:
    """The digits of a value replaced one by one, its other characters kept."""
    each = iter(digits)
    return re.sub(r"\d", lambda _: next(each), value)


def _digits(value: str) -> str:
    return "".join(char for char in value if char.isdecimal())


def phone(draw: Draw, value: str) -> str:
    """555-0100 to 555-0199 with a drawn area code, written as the number was."""
    match = re.match(r"(.*?)(\s*(?:x|ext\.?|extension)\s*\d+)?$", value, re.IGNORECASE | re.DOTALL)
    body, extension = (match[1], match[2] or "") if match else (value, "")
    digits = _digits(body)
    if len(digits) < 7 or len(digits) > 11:
        return shaped(draw, "phone", value)
    number = draw("phone", digits[-10:])
    line = f"55501{number % 100:02d}"
    area = f"{2 + number // 100 % 8}{number // 1000 % 90 + 10}" if len(digits) > 7 else ""
    country = digits[: max(0, len(digits) - 10)]
    new = (country + area + line)[-len(digits) :]
    if new == digits:
        new = new[:-1] + str((int(new[-1]) + 1) % 10)
    tail = shaped(draw, "extension", extension) if extension else ""
    return _filled(body, new) + re.sub(r"[^\W\d]+", "x", tail)


def ssn(draw: Draw, value: str) -> str:
    """A number that starts with 9, which no social security number does."""
    if len(_digits(value)) != 9:
        return shaped(draw, "ssn", value)
    new = shaped(draw, "ssn", "0" * 8)
    text = _filled(value, "9" + new)
    return text if text != value else _filled(value, "9" + new[::-1][:-1] + "1")


def email(draw: Draw, value: str) -> str:
    """The same pattern of names at example.org, whose mail goes nowhere."""
    local = value.partition("@")[0]
    named = re.sub(r"[^\W\d_]+", lambda match: _part(draw, match[0]), local)
    new = re.sub(r"\d+", lambda match: shaped(draw, "email", match[0]), named)
    return f"{new if new != local else new + 'x'}@example.org"


def url(draw: Draw, value: str) -> str:
    """An address under example.org, with the scheme kept."""
    scheme = re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://", value)
    return f"{scheme[0] if scheme else ''}example.org/{draw('url', value) % 16**8:08x}"


def ip(draw: Draw, value: str) -> str:
    """An address of the nets kept for documentation: RFC 5737 and RFC 3849."""
    number = draw("ip", value.casefold())
    if ":" in value:
        return f"2001:db8::{number % 65521 + 1:x}:{number // 65521 % 65521 + 1:x}"
    host, port = re.match(r"([\d.]*)(.*)", value, re.DOTALL).groups()  # type: ignore[union-attr]
    new = _NETS[number % 3] + str(number // 3 % 254 + 1)
    return (new if new != host else _NETS[(number + 1) % 3] + "7") + port


def _town(draw: Draw, value: str) -> str:
    number = draw("town", value.casefold())
    town = _TOWN_HEADS[number % len(_TOWN_HEADS)] + _TOWN_TAILS[number // 100 % len(_TOWN_TAILS)]
    if town.casefold() == value.casefold():
        town = "Norham"
    return town.upper() if value.isupper() else town


def _place_part(draw: Draw, value: str) -> str:
    zip_code = re.fullmatch(r"(\d{3})\d\d(-?\d{4})?", value)
    if zip_code:
        area = "000" if zip_code[1] in _SMALL_ZIP3 else zip_code[1]
        return f"{area}00" if value != f"{area}00" else f"{area}**"
    if facility := _FACILITY.search(value):
        return f"{_town(draw, value[: facility.start()].strip() or value)} {facility[0]}"
    if not re.search(r"\d", value):
        return _town(draw, value)
    if re.match(r"\d+\w?[ ,]+[^\W\d]", value):
        number = draw("street", value.casefold())
        street = _STREETS[number // 997 % len(_STREETS)]
        new = f"{number % 997 + 1} {street} Street"
        return new if new != value else f"{number % 997 + 2} {street} Lane"
    # A box, a flat: its number only.
    digits = re.sub(r"\d+", lambda match: shaped(draw, "number", match[0]), value)
    if digits != value and re.match(r"(?i)p\.? ?o\b|box|apt|suite|unit|flat|room|#", value):
        return digits
    return shaped(draw, "place", value)


def place(draw: Draw, value: str) -> str:
    """Street, town and facility drawn anew; a state's two letters stay, of a zip three digits."""

    def one(match: re.Match[str]) -> str:
        part = match[0]
        if re.fullmatch(r"[A-Z]{2}|USA?|U\.S\.A?\.?", part):
            return part
        state_zip = re.fullmatch(r"([A-Z]{2}) (\d{5}(?:-?\d{4})?)", part)
        if state_zip:
            return f"{state_zip[1]} {_place_part(draw, state_zip[2])}"
        return _place_part(draw, part)

    new = re.sub(r"[^,\n;|^]*[^,\n;|^\s][^,\n;|^\s]*", lambda m: _padded(m, one), value)
    return new if new != value else "[place]"


def _padded(match: re.Match[str], one: Callable[[re.Match[str]], str]) -> str:
    """Apply to the part without the blanks around it."""
    inner = re.search(r"\S(?:.*\S)?", match[0], re.DOTALL)
    if inner is None:
        return match[0]
    return match[0][: inner.start()] + one(inner) + match[0][inner.end() :]


def photo(draw: Draw, value: str) -> str:
    """A file name of the same shape and type."""
    stem, dot, suffix = value.rpartition(".")
    return (
        f"{shaped(draw, 'photo', stem)}.{suffix}" if stem and dot else shaped(draw, "photo", value)
    )


def age(value: str) -> str:
    """Ages over 89 become one class."""
    return re.sub(r"\d+", "90+", value) if re.search(r"\d", value) else "over 90"
