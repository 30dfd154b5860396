"""People of the sample hospital: patients' and staff's names, addresses, numbers; all invented."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date, timedelta

from aegle.packs.sample.words import data


@dataclass(frozen=True, slots=True)
class Person:
    """Someone with a name; ``sex`` is ``female`` or ``male``."""

    first: str
    last: str
    sex: str

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first} {self.last}"


@dataclass(frozen=True, slots=True)
class Contact:
    """Everything that Safe Harbor asks to remove, apart from names and dates."""

    street: str
    city: str
    state: str
    zip_code: str
    phone: str
    fax: str
    email: str
    ssn: str
    plan: str
    plan_id: str
    account: str
    plate: str
    vin: str
    licence: str
    fingerprint: str
    photo: str
    study_code: str
    portal_url: str
    ip: str


@dataclass(frozen=True, slots=True)
class Staff(Person):
    """Someone who works here; ``login`` is the account name on every host."""

    role: str
    login: str
    ward: str
    licence: str
    pager: str


class Namer:
    """Gives names that nobody else has: the last name first, then a second last name joined on."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._last: list[str] = []
        self._taken: set[str] = set()
        self._logins: set[str] = set()

    def person(self, sex: str = "") -> Person:
        """A person with a name not given before."""
        names = data("people")
        sex = sex or self._rng.choice(("female", "male"))
        while True:
            first = self._rng.choice(names[sex])
            last = self._next_last(names["last"])
            if f"{first} {last}" not in self._taken:
                self._taken.add(f"{first} {last}")
                return Person(first, last, sex)

    def _next_last(self, names: list[str]) -> str:
        # Each last name is used once before any comes back, so that most people are told apart
        # by it, as in a small town.
        if not self._last:
            self._last = self._rng.sample(names, len(names))
        return self._last.pop()

    def staff(self, role: str, ward: str = "") -> Staff:
        """A member of staff with an account name not given before."""
        rng, person = self._rng, self.person()
        plain_last = "".join(c for c in person.last.lower() if "a" <= c <= "z")
        login = f"{person.first[0].lower()}{plain_last}"
        number = 2
        while login in self._logins:
            login, number = f"{person.first[0].lower()}{plain_last}{number}", number + 1
        self._logins.add(login)
        licence = f"{person.last[0]}{rng.choice('BFM')}{rng.randrange(10**6, 10**7)}"
        pager = phone(rng)
        return Staff(person.first, person.last, person.sex, role, login, ward, licence, pager)


def phone(rng: random.Random) -> str:
    """A phone number of the range that is kept for fiction."""
    return f"{rng.choice((207, 413, 518, 603, 802, 860))}-555-01{rng.randrange(100):02d}"


def birth_date(rng: random.Random, today: date) -> date:
    """A birth date of an adult; about one in thirty is over 89."""
    years = rng.choices((rng.randint(22, 49), rng.randint(50, 89), rng.randint(90, 97)), (6, 22, 1))
    return today - timedelta(days=years[0] * 365 + rng.randrange(365))


def contact(rng: random.Random, person: Person, mrn: str) -> Contact:
    """Address, numbers and codes of a person."""
    names = data("people")
    city, state, zip_start = rng.choice(names["cities"])
    handle = "".join(c for c in f"{person.first}.{person.last}".lower() if c.isascii() and c != "'")
    return Contact(
        street=f"{rng.randint(2, 980)} {rng.choice(names['streets'])}",
        city=city,
        state=state,
        zip_code=f"{zip_start}{rng.randrange(10, 99)}",
        phone=phone(rng),
        fax=phone(rng),
        email=f"{handle}{rng.randrange(40, 99)}@example.com",
        # 999 is an area number that is never issued.
        ssn=f"999-{rng.randrange(10, 99)}-{rng.randrange(1000, 9999)}",
        plan=rng.choice(names["plans"]),
        plan_id=f"{rng.choice('XWK')}{rng.choice('GHZ')}P{rng.randrange(10**8, 10**9)}",
        account=f"{rng.randrange(10**9, 10**10)}",
        plate="".join(rng.choices("BCDFGHJKLMN", k=3)) + f"-{rng.randrange(100, 999)}",
        vin="".join(rng.choices("ABCDEFGHJKLMNPRSTUVWXYZ0123456789", k=17)),
        licence=f"S{rng.randrange(10**7, 10**8)}",
        fingerprint=f"FP-{rng.getrandbits(32):08X}",
        photo=f"IMG_{mrn}_{rng.randrange(1000, 9999)}.jpg",
        study_code=f"TRIAL-{rng.choice('ABCD')}{rng.randrange(1000, 9999)}",
        portal_url=f"https://portal.stbrigid.example.org/p/{rng.getrandbits(40):010x}",
        ip=f"203.0.113.{rng.randrange(2, 250)}",
    )
