"""Words and numbers of charts and of security work that identify nobody, but look as if they did.

A tagger that never saw a ward's code or an order list takes them for places and names.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Final

SLOTS: Final = ("n", "some")
"""Slots of frames that get no label."""


def thing(rng: random.Random, slot: str, form: str) -> str:
    """The value of a slot: ``n`` (a number) or ``some`` (a word or a code).

    Raises:
        KeyError: no such form.
    """
    if slot == "n":
        return _NUMBERS[form](rng)
    made = _CODES.get(form)
    return made(rng) if made else rng.choice(_words()[form])


@cache
def _words() -> Mapping[str, Sequence[str]]:
    told: dict[str, list[str]] = {}
    for line in (files("aegle.train.data") / "things.txt").read_text("utf-8").splitlines():
        if line.startswith("["):
            told[line.strip("[]")] = pool = []
        elif line:
            pool += line.split("|")
    return told


def _between(low: int, high: int) -> Callable[[random.Random], str]:
    return lambda rng: str(rng.randint(low, high))


def _tenths(low: int, high: int) -> Callable[[random.Random], str]:
    return lambda rng: f"{rng.randint(low, high) / 10:.1f}"


def _version(rng: random.Random) -> str:
    return ".".join(str(rng.randint(0, 20)) for _ in range(rng.choice((2, 3, 3, 4))))


_NUMBERS: Final[Mapping[str, Callable[[random.Random], str]]] = {
    "one": _between(1, 9),
    "two": _between(10, 110),
    "three": _between(100, 999),
    "four": _between(1000, 9999),
    "teen": _between(10, 30),
    "sys": _between(80, 190),
    "dia": _between(40, 110),
    "sat": _between(84, 100),
    "sodium": _between(122, 152),
    "temp": lambda rng: _tenths(*rng.choice(((355, 402), (964, 1038))))(rng),
    "small": _tenths(4, 180),
    "port": lambda rng: rng.choice(("22", "80", "443", "445", "3389", "8080", "8443", "104")),
    "version": _version,
}


def _of(words: str) -> Callable[[random.Random], str]:
    told = words.split()
    return lambda rng: rng.choice(told)


_DEPARTMENT = _of(
    "ICU CCU MICU SICU NICU PICU ED ER OR PACU L&D CARDIO NEURO ONCO NEPH PULM ORTHO SURG PEDS"
    " PSYCH REHAB DIALYSIS TELE STEPDOWN MED ENDO RENAL GASTRO BURN TRAUMA WARD HDU AMU"
)


def _ward(rng: random.Random) -> str:
    name, letter = _DEPARTMENT(rng), rng.choice(string.ascii_uppercase[:6])
    number = rng.randint(1, 12)
    return rng.choice((
        f"{name}-{number}", f"{name}-{number}", f"{name}-{number}{letter}", f"{name} {number}",
        name, f"{number} {rng.choice(('North', 'South', 'East', 'West'))}", f"{number}{letter}",
        f"Ward {number}{letter}", f"{name.title()} {letter}",
    ))  # fmt: skip


_KIND_OF_ASSET = _of(
    "PUMP MON VENT IP INF PM TEL BED DEF US CT MR XR ECG EKG SYR DIA WS LAP TAB PRN CART DEV BME EQ"
)


def _asset(rng: random.Random) -> str:
    kind, digits = _KIND_OF_ASSET(rng), rng.choice((2, 3, 4, 4, 5))
    number = f"{rng.randrange(10**digits):0{digits}}"
    return f"{kind}{rng.choice('--- #_')}{number}"


def _host(rng: random.Random) -> str:
    name = _of("ws srv dc mail file app db pacs gw cms print vpn web proxy lab rx his ehr")(rng)
    ward = _DEPARTMENT(rng).replace("&", "")
    number = f"{rng.randint(1, 40):02}"
    made = rng.choice((f"{ward}{rng.randint(1, 9)}-{name}{number}", f"{name}-{ward}-{number}",
                       f"{name}{number}", f"{name}-{number}"))  # fmt: skip
    return made.upper() if rng.random() < 0.4 else made.lower()


def _technique(rng: random.Random) -> str:
    main = f"T1{rng.randint(1, 699):03}"
    return main if rng.random() < 0.5 else f"{main}.{rng.randint(1, 15):03}"


def _flaw(rng: random.Random) -> str:
    if rng.random() < 0.2:
        return f"CWE-{rng.randint(5, 1300)}"
    return f"CVE-{rng.randint(2010, 2026)}-{rng.randint(1, 99_999):04}"


_SYLLABLE = _of("worm drop leech fang ghost mist byte steal emo tet lock bit dark gate rat plug"
                " cobalt sun burst black energy trick bot wiper night")  # fmt: skip
_COLOUR = _of("Iron Silent Velvet Amber Cobalt Crimson Frozen Lunar Static Fancy Cozy")
_BEAST = _of("Bear Panda Kitten Spider Jackal Lotus Typhoon Raven Tempest Mantis")
_SOFTWARE = _of(
    "Apache~Log4j OpenSSL nginx Exchange Citrix~ADC MOVEit Confluence FortiOS Windows~Server Chrome"
    " Ivanti~Connect~Secure DoseNet PACSView MedGateway Struts Jenkins vCenter Cisco~IOS~XE"
)


_CODES: Final[Mapping[str, Callable[[random.Random], str]]] = {
    "ward": _ward,
    "asset": _asset,
    "host": _host,
    "technique": _technique,
    "flaw": _flaw,
    "malware": lambda rng: rng.choice((str.upper, str.capitalize))(_SYLLABLE(rng) + _SYLLABLE(rng)),
    "actor": lambda rng: rng.choice((f"{_COLOUR(rng)} {_BEAST(rng)}", f"APT{rng.randint(1, 45)}",
                                     f"UNC{rng.randint(1000, 4999)}")),
    "software": lambda rng: _SOFTWARE(rng).replace("~", " "),
}  # fmt: skip
