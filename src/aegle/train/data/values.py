"""Made-up identifiers for training texts: people, firms, places, numbers with check digits."""

from __future__ import annotations

import gzip
import json
import random
import string
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, Final

from aegle.train.data.addresses import Land, address, land, lands, phone, street, zip_code
from aegle.train.data.moments import moment

_TLDS: Final = (
    "com com com org net io co.uk de fr nl es it pl se dk fi com.au ca health edu gov".split()
)
_MAILS: Final = "gmail.com outlook.com yahoo.co.uk proton.me gmx.de web.de icloud.com".split()
_FIRMS: Final = (
    "Inc|Inc.|LLC|Ltd|Ltd.|GmbH|AG|S.A.|PLC|Corp.|Group|Holdings|& Co|& Sons|Partners|Systems|Labs"
    "|Solutions|Services|Foundation|Industries|Consulting|Bank|Insurance|Software|Media|Energy"
).split("|")
_HOSPITALS: Final = (
    "General Hospital|Medical Center|Clinic|Health System|Children's Hospital|Memorial Hospital"
    "|University Hospital|Family Practice|Surgery|Hospice|Cancer Institute|Dental Care|Pharmacy"
).split("|")
_TITLES: Final = "Mr. Mrs. Ms. Miss Dr. Prof. Mr Mrs Ms Dr Prof Sir Rev. Herr Frau Mme".split()
_DEGREES: Final = "MD M.D. RN PhD Ph.D. DO NP PA-C FRCP MBBS DDS PharmD MSN".split()
_PARTICLES: Final = "van van~der de de~la von O' Mc Mac di al- bin el- Le Du St. ter".split()
_IBANS: Final = {
    "DE": "18n", "GB": "4a14n", "FR": "20n1c2n", "NL": "4a10n", "ES": "20n", "IT": "1a10n12c",
    "BE": "12n", "CH": "5n12c", "AT": "16n", "PL": "24n", "SE": "20n", "DK": "14n", "NO": "11n",
    "IE": "4a14n", "PT": "21n", "FI": "14n",
}  # fmt: skip
_CARDS: Final = (
    ("4", 16), ("4", 13), ("51", 16), ("55", 16), ("2221", 16), ("34", 15), ("37", 15),
    ("6011", 16), ("3528", 16), ("30", 14), ("36", 14), ("1800", 15), ("2131", 15), ("5018", 12),
)  # fmt: skip


@cache
def lists() -> Mapping[str, Any]:
    """The lists of names, towns, streets, jobs and words that ``scripts/people.py`` made."""
    packed = (files("aegle.train.data") / "people.json.gz").read_bytes()
    told: Mapping[str, Any] = json.loads(gzip.decompress(packed))
    return told


class Values:
    """Draws the values of one text; people and places mostly have one origin."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        origins = lists()["origins"]
        # Half of the texts are of the languages that most texts are in.
        self.origin: Mapping[str, Sequence[str]] = origins[
            rng.choice(("en", "us", "en-gb", "en-au", "en-ca", "ie"))
            if rng.random() < 0.35
            else rng.choice(list(origins))
        ]
        self.land: Land = land(rng)
        self._people: dict[str, tuple[str, str]] = {}

    def draw(self, slot: str, form: str = "", number: str = "") -> str:
        """The value of a slot; ``number`` names a person that comes again.

        Raises:
            KeyError: no such slot.
        """
        if slot == "person":
            return self.person(form, number)
        return _SLOTS[slot](self, form)

    def person(self, form: str, number: str) -> str:
        """A name: ``full``, ``first``, ``last``, ``listed`` (last, first), or as it comes."""
        first, last = self._name(number)
        initial = f"{self.rng.choice(string.ascii_uppercase)}."
        if not form:
            form = self.rng.choice(("full",) * 6 + ("middle", "first", "last", "initial", "two"))
        return {
            "full": f"{first} {last}",
            "middle": f"{first} {initial} {last}",
            "first": first,
            "last": last,
            "initial": f"{first[0]}. {last}",
            "two": f"{first} {self._last()}-{last}",
            "listed": f"{last}, {first}",
            "listed_initial": f"{last}, {first} {initial}",
        }[form]

    def _name(self, number: str) -> tuple[str, str]:
        if number and number in self._people:
            return self._people[number]
        name = self._first(), self._last()
        if number:
            self._people[number] = name
        return name

    def _first(self) -> str:
        if self.rng.random() < 0.08:
            return self.made_up()
        first = self.rng.choice(self.origin["given"])
        return (
            f"{first}-{self.rng.choice(self.origin['given'])}"
            if self.rng.random() < 0.03
            else first
        )

    def _last(self) -> str:
        draw = self.rng.random()
        if draw < 0.08:
            return self.made_up()
        last = self.rng.choice(self.origin["family"])
        if draw < 0.13:
            particle = self.rng.choice(_PARTICLES).replace("~", " ")
            return f"{particle}{last}" if particle[-1] in "'-c" else f"{particle} {last}"
        return last

    def made_up(self) -> str:
        """A word that no list has, so that what stands around it must tell what it is."""
        parts = ("ba ri to ka len mor shi vel dan os un ek ja tro mi sal gre fin dov har wen zo lu"
                 " tic ova ien sk ard el ny qu ash bo cher").split()  # fmt: skip
        return "".join(self.rng.choice(parts) for _ in range(self.rng.randint(2, 4))).capitalize()

    def town(self, form: str = "") -> str:
        """A town of the text's origin, or any."""
        rng, towns = self.rng, self.origin["towns"]
        if not towns or rng.random() < 0.2:
            towns = rng.choice([o["towns"] for o in lists()["origins"].values() if o["towns"]])
        if rng.random() < 0.05:
            return self.made_up() + rng.choice(("ville", "ton", "berg", " Springs", "ford"))
        town: str = rng.choice(towns)
        return town.upper() if rng.random() < 0.06 else town

    def place(self, form: str) -> str:
        """A town, a state or a country."""
        draw = self.rng.random()
        if form == "town" or draw < 0.6:
            return self.town()
        if draw < 0.75 and self.origin["states"]:
            return self.rng.choice(self.origin["states"])
        return self.rng.choice(lands()[0])

    def organization(self, form: str) -> str:
        """A firm or an institution; half of them are called after people or places."""
        rng, kind = self.rng, form or self.rng.choice(("firm", "firm", "firm", "hospital"))
        name = rng.choice((self._last, self._last, self._brand, self._brand, self.town))()
        if kind == "hospital":
            saint = rng.choice(("", "", "", "St. ", "Saint ", "Royal "))
            return f"{saint}{name} {rng.choice(_HOSPITALS)}"
        draw = rng.random()
        if draw < 0.15:
            return f"{self._last()}{rng.choice((' and ', ' & ', '-', ', '))}{self._last()}"
        if draw < 0.4:
            return self._brand()
        if draw < 0.47:
            return f"University of {self.town()}"
        return f"{name} {rng.choice(_FIRMS)}"

    def _brand(self) -> str:
        rng = self.rng
        words = [str(word).capitalize() for word in rng.sample(lists()["words"], 2)]
        draw = rng.random()
        if draw < 0.3:
            return self.made_up()
        if draw < 0.6:
            return words[0] + rng.choice((words[1].lower(), words[1], "ly", "list", "io", "ify"))
        return " ".join(words)

    def address(self, form: str) -> str:
        """``street`` (a name alone), ``short`` (with a number), or up to the zip code."""
        rng = self.rng
        streets = self.origin["streets"]
        if not streets or rng.random() < 0.3:
            streets = rng.choice(
                [o["streets"] for o in lists()["origins"].values() if o["streets"]]
            )
        name = rng.choice(streets) if rng.random() < 0.7 else self._last()
        if form == "street":
            return street(rng, name, self.land)
        return address(
            rng, name, self.town(), self.land, form or rng.choice(("short", "short", "long"))
        )

    def email(self, form: str) -> str:
        """A mail address of somebody's name, or of an office."""
        rng = self.rng
        first, last = (_plain(one) for one in self._name(form))
        local = rng.choice((
            f"{first}.{last}", f"{first[:1]}{last}", f"{first}_{last}{rng.randint(1, 99)}",
            f"{first}{last}", f"{last}.{first[:1]}", rng.choice(("info", "billing", "intake")),
        ))  # fmt: skip
        made = f"{local}@{rng.choice((rng.choice(_MAILS), self._domain(), self._domain()))}"
        return made if rng.random() < 0.6 else made.lower()

    def _domain(self) -> str:
        return f"{_plain(self._brand())}.{self.rng.choice(_TLDS)}".lower()

    def url(self, form: str) -> str:
        """A web address with or without scheme and path."""
        rng = self.rng
        host = f"{rng.choice(('', 'www.', 'portal.'))}{_plain(self._brand())}.{rng.choice(_TLDS)}"
        paths = ("", "", "/", "/u/" + rng.choice(lists()["words"]), f"/results?id={self.digits(6)}")
        path = rng.choice(paths)
        return f"{rng.choice(('http://', 'https://', 'https://', ''))}{host}{path}"

    def digits(self, count: int) -> str:
        """So many decimal digits."""
        return "".join(self.rng.choice(string.digits) for _ in range(count))

    def ip(self, form: str) -> str:
        """A version 4 address, at times a version 6 one."""
        rng = self.rng
        if rng.random() < 0.2:
            parts = [f"{rng.randrange(1 << 16):x}" for _ in range(8)]
            return ":".join(parts) if rng.random() < 0.7 else f"{parts[0]}:{parts[1]}::{parts[2]}"
        return ".".join(str(rng.randint(1, 254)) for _ in range(4))

    def card(self, form: str) -> str:
        """A payment card number with its Luhn digit."""
        start, length = self.rng.choice(_CARDS)
        body = start + self.digits(length - len(start) - 1)
        number = body + str(luhn(body))
        gap = self.rng.choice(("", "", "", " ", "-"))
        return gap.join(number[i : i + 4] for i in range(0, len(number), 4))

    def iban(self, form: str) -> str:
        """An account number with the two check digits of its country."""
        rng, country = self.rng, self.rng.choice(list(_IBANS))
        body, count = "", ""
        for sign in _IBANS[country]:
            if sign.isdigit():
                count += sign
                continue
            letters = {"n": string.digits, "a": string.ascii_uppercase}.get(
                sign, string.digits + string.ascii_uppercase
            )
            body += "".join(rng.choice(letters) for _ in range(int(count)))
            count = ""
        plain = f"{country}{iban_check(country, body)}{body}"
        plain = plain.lower() if rng.random() < 0.08 else plain
        if rng.random() < 0.4:
            return " ".join(plain[i : i + 4] for i in range(0, len(plain), 4))
        return plain

    def ssn(self, form: str) -> str:
        """A number that the US administration could have given."""
        area = self.rng.choice([n for n in range(1, 900) if n != 666])
        parts = f"{area:03}", f"{self.rng.randint(1, 99):02}", f"{self.rng.randint(1, 9999):04}"
        return self.rng.choice(("-", "-", "-", " ", "")).join(parts)

    def licence(self, form: str) -> str:
        """A number that was given to a person: of a licence, a passport, a record, a member."""
        rng, letters = self.rng, string.ascii_uppercase
        return rng.choice((
            lambda: rng.choice(letters) + self.digits(rng.choice((7, 8, 12))),
            lambda: self.digits(rng.choice((6, 7, 8, 9, 10))),
            lambda: f"{rng.choice(letters)}{rng.choice(letters)}{self.digits(6)}",
            lambda: f"{rng.choice(('MRN', 'H', 'PT', 'HP'))}-{self.digits(rng.randint(5, 9))}",
            lambda: f"{self.digits(3)}-{self.digits(3)}-{self.digits(3)}",
            lambda: f"{rng.choice(letters)}{self.digits(3)}-{self.digits(4)}-{self.digits(4)}",
        ))()  # fmt: skip

    def title(self, form: str) -> str:
        """A form of address, a degree or an occupation."""
        if form == "job":
            job: str = self.rng.choice(lists()["jobs"])
            return job if self.rng.random() < 0.5 else job.lower()
        return self.rng.choice(_DEGREES if form == "degree" else _TITLES)

    def age(self, form: str) -> str:
        """Years, mostly of adults."""
        return str(self.rng.choice((self.rng.randint(18, 89), self.rng.randint(1, 104))))


def luhn(body: str) -> int:
    """The digit that makes a card number right (ISO/IEC 7812-1)."""
    doubled = [int(d) * (2 if i % 2 == 0 else 1) for i, d in enumerate(reversed(body))]
    return -sum(d - 9 if d > 9 else d for d in doubled) % 10


def iban_check(country: str, body: str) -> str:
    """The two digits that make an IBAN right (ISO 13616: remainder 1 by 97)."""
    number = "".join(str(int(sign, 36)) for sign in f"{body}{country}00")
    return f"{98 - int(number) % 97:02}"


def _plain(name: str) -> str:
    return "".join(sign for sign in name if sign.isascii() and sign.isalnum()) or "desk"


_SLOTS: Final[Mapping[str, Callable[[Values, str], str]]] = {
    "address": Values.address,
    "place": Values.place,
    "organization": Values.organization,
    "date": lambda self, form: moment(self.rng, form),
    "age": Values.age,
    "phone": lambda self, form: phone(self.rng, self.land),
    "email": Values.email,
    "url": Values.url,
    "ip": Values.ip,
    "card": Values.card,
    "ssn": Values.ssn,
    "licence": Values.licence,
    "iban": Values.iban,
    "zip": lambda self, form: zip_code(self.rng, self.land),
    "title": Values.title,
    "group": lambda self, form: self.rng.choice(lands()[1]),
}
