"""Made-up postal addresses and telephone numbers for training texts, by country."""

from __future__ import annotations

import random
import string
from dataclasses import dataclass
from functools import cache
from typing import Final


@dataclass(frozen=True, slots=True)
class Land:
    """How a country writes: ``#`` is a digit, ``@`` a letter, ``N`` a digit from 2 to 9.

    Attributes:
        lines: address lines with ``{n}`` number, ``{s}`` street, ``{t}`` town, ``{z}`` zip code.
        streets: street names with ``{s}``.
    """

    code: str
    lines: tuple[str, ...]
    streets: tuple[str, ...]
    zips: tuple[str, ...]
    phones: tuple[str, ...]


_EN: Final = (
    "{s} Street", "{s} St", "{s} St.", "{s} Ave", "{s} Avenue", "{s} Road", "{s} Rd", "{s} Lane",
    "{s} Drive", "{s} Dr", "{s} Blvd", "{s} Court", "{s} Place", "{s} Way", "{s} Parkway",
    "{s} Gateway", "{s} Terrace", "North {s} St", "{s} Crescent", "{s} Hill", "Old {s} Hwy",
)  # fmt: skip
_PLAIN: Final = ("{s}",)

LANDS: Final = {
    land.code: land
    for land in (
        Land("US", ("{n} {s}, {t}, {st} {z}", "{n} {s}\n{t}, {st} {z}", "{n} {s}, {t} {st}"), _EN,
             ("#####", "#####", "#####-####"),
             ("(N##) N##-####", "N##-N##-####", "N##.N##.####", "+1-N##-N##-####", "+1N##N######",
              "001-N##-N##-####", "N##-####", "(N##)N##-####x####", "1-800-N##-####",
              "N##-N##-#### ext. ##")),
        Land("CA", ("{n} {s}, {t}, ON {z}", "{n} {s}\n{t} BC {z}"), _EN, ("@#@ #@#",),
             ("N##-N##-####", "(N##) N##-####", "+1 N## N## ####")),
        Land("GB", ("{n} {s}, {t} {z}", "{n} {s}\n{t}\n{z}", "Flat {n}, {s}, {t}, {z}"), _EN,
             ("@@# #@@", "@## #@@", "@@## #@@"),
             ("07### ######", "07### ### ###", "+44 7### ######", "020 #### ####", "01### ######",
              "+44##########", "0## #### ####", "(0####) ######")),
        Land("AU", ("{n} {s}, {t} NSW {z}", "{n} {s}\n{t} VIC {z}", "Unit {n}, {s}, {t}"), _EN,
             ("####",), ("04## ### ###", "(0#) #### ####", "+61 4## ### ###", "(0#) ## ### ###")),
        Land("IE", ("{n} {s}, {t}", "{s}, {t}, Co. {t}"), _EN, ("@## @#@#",),
             ("08# ### ####", "+353 8# ### ####", "(01) ### ####")),
        Land("DE", ("{s} {n}, {z} {t}", "{s} {n}\n{z} {t}", "{s} {n}\n{z} {t}\nGermany"),
             ("{s}straße", "{s}str.", "{s}weg", "{s}allee", "Am {s}", "{s}gasse", "{s}"),
             ("#####", "D-#####"),
             ("0## ########", "+49 (0)### ######", "0#### ######", "0151 ########", "030/#######",
              "+49 1## #######", "0### ### ## ##")),
        Land("AT", ("{s} {n}, {z} {t}", "{s} {n}\n{z} {t}"), ("{s}gasse", "{s}straße", "{s}"),
             ("####", "A-####"), ("0### ### ## ##", "+43 6## #######", "0### ## ## ##")),
        Land("CH", ("{s} {n}, {z} {t}", "{s} {n}\nCH-{z} {t}"), ("{s}strasse", "Via {s}", "{s}"),
             ("####",), ("0## ### ## ##", "+41 (0)## ### ## ##", "+41 ## ### ## ##")),
        Land("FR", ("{n}, {s}\n{z} {t}", "{n} {s}, {z} {t}", "{n} {s} {z} {t}"),
             ("rue {s}", "avenue de {s}", "boulevard {s}", "rue de la {s}", "place {s}",
              "cours {s}", "Rue {s}", "quai {s}", "chemin {s}"),
             ("#####",), ("01.##.##.##.##", "06 ## ## ## ##", "+33 # ## ## ## ##", "0#########")),
        Land("BE", ("{s} {n}, {z} {t}", "{s} {n}\n{z} {t}"), ("{s}straat", "Rue {s}", "{s}laan"),
             ("####",), ("04## ## ## ##", "+32 4## ## ## ##", "0# ### ## ##")),
        Land("NL", ("{s} {n}, {z} {t}", "{s} {n}\n{z} {t}"), ("{s}straat", "{s}laan", "{s}"),
             ("#### @@",), ("06-########", "0## ### ####", "+31 6 ########", "0##-#######")),
        Land("IT", ("{s}, {n}\n{z} {t}", "{s} {n}, {z} {t} (MI)"), ("Via {s}", "Corso {s}",
             "Piazza {s}", "Viale {s}"), ("#####",),
             ("03## #######", "+39 3## #######", "0# ########", "03## ### ####")),
        Land("ES", ("{s}, {n}\n{z} {t}", "{s} {n}, {z} {t}"), ("Calle {s}", "C/ {s}", "Avda. {s}",
             "Plaza {s}", "{s}"), ("#####",), ("6## ### ###", "### ## ## ##", "+34 ### ### ###")),
        Land("PT", ("{s} {n}\n{z} {t}", "{s}, {n}, {z} {t}"), ("Rua {s}", "R {s}", "Av. {s}"),
             ("####-###",), ("21 ### ## ##", "+351 9## ### ###", "21 ### ### ####")),
        Land("BR", ("{s}, {n}\n{t}-SP\n{z}", "{s}, {n}, {t} - RJ, {z}"), ("Rua {s}", "Avenida {s}"),
             ("#####-###",), ("(##) ####-####", "(##) 9####-####", "+55 ## #########")),
        Land("PL", ("ul. {s} {n}\n{z} {t}", "ul. {s} {n}, {z} {t}"), ("{s}", "Al. {s}"),
             ("##-###",), ("## ### ## ##", "### ### ###", "+48 ### ### ###")),
        Land("CZ", ("{s} {n}\n{z} {t}", "{s} {n}, {t}"), _PLAIN, ("### ##",),
             ("### ### ###", "+420 ### ### ###")),
        Land("SE", ("{s} {n}\n{z} {t}", "{s} {n}, {z} {t}"), ("{s}vägen", "{s}gatan", "{s}"),
             ("### ##",), ("0###-#######", "+46 (0)### ### ##", "070-### ## ##", "0###-####")),
        Land("NO", ("{s} {n}\n{z} {t}", "{s} {n}, {z} {t}"), ("{s}veien", "{s} gate", "{s}"),
             ("####",), ("### ## ###", "+47 ########", "## ## ## ##")),
        Land("DK", ("{s} {n}\n{z} {t}", "{s} {n}, {z} {t}"), ("{s}vej", "{s}gade", "{s}"),
             ("####",), ("##-##-##-##", "## ## ## ##", "+45 ########")),
        Land("FI", ("{s} {n}\n{z} {t}", "{s} {n} A, {z} {t}"), ("{s}katu", "{s}tie", "{s}"),
             ("#####",), ("04# ### ####", "+358 4# #######", "0## ### ####")),
        Land("HU", ("{t}, {s} u. {n}.\n{z}", "{z} {t}, {s} utca {n}."), _PLAIN, ("####",),
             ("(##) ###-###", "+36 ## ### ####", "06-1-###-####")),
        Land("IS", ("{s} {n}\n{z} {t}", "{s} {n}, {t}"), ("{s}gata", "{s}"), ("###",),
             ("### ####", "+354 ### ####")),
        Land("IN", ("{n}, {s}, {t} - {z}", "{n}/A {s}\n{t} {z}"), ("{s} Road", "{s} Nagar",
             "{s} Marg"), ("######", "### ###"), ("+91 #####-#####", "0##-########", "98########")),
        Land("JP", ("{n}-2-1 {s}, {t} {z}",), ("{s}-ku", "{s}-cho"), ("###-####",),
             ("03-####-####", "+81 3 #### ####", "090-####-####")),
        Land("CY", ("{n} {s}\n{z} {t}", "{s} {n}, {z} {t}"), ("{s}", "{s} Str."), ("####",),
             ("99 ######", "2# ######", "+357 99 ######")),
    )
}  # fmt: skip
_STATES: Final = (
    "AL AK AZ CA CO CT FL GA HI ID IL IN IA KS KY MA MD ME MI MN MO NC NJ NY OH OR PA TX UT WA WI"
).split()
_EXTRA: Final = (
    "Apt. ##", "Apt ###", "Suite ###", "Ste. ##", "Unit #", "4th Floor", "Room ###", "Bldg @",
)  # fmt: skip

_LANDS: Final = """Afghanistan Afghan|Albania Albanian|Argentina Argentinian|Armenia Armenian
Australia Australian|Austria Austrian|Bangladesh Bangladeshi|Belgium Belgian|Bolivia Bolivian
Brazil Brazilian|Bulgaria Bulgarian|Cambodia Cambodian|Canada Canadian|Chile Chilean|China Chinese
Colombia Colombian|Croatia Croatian|Cuba Cuban|Cyprus Cypriot|Denmark Danish|Egypt Egyptian
Estonia Estonian|Ethiopia Ethiopian|Finland Finnish|France French|Germany German|Ghana Ghanaian
Greece Greek|Greenland Greenlander|Hungary Hungarian|Iceland Icelandic|India Indian|Iran Iranian
Indonesia Indonesian|Iraq Iraqi|Ireland Irish|Israel Israeli|Italy Italian|Jamaica Jamaican
Japan Japanese|Kenya Kenyan|Latvia Latvian|Lebanon Lebanese|Lithuania Lithuanian|Mexico Mexican
Morocco Moroccan|Nepal Nepalese|Netherlands Dutch|Nigeria Nigerian|Norway Norwegian|Peru Peruvian
Pakistan Pakistani|Philippines Filipino|Poland Polish|Portugal Portuguese|Romania Romanian
Russia Russian|Rwanda Rwandan|Serbia Serbian|Slovakia Slovak|Slovenia Slovenian|Somalia Somali
Spain Spanish|Sudan Sudanese|Sweden Swedish|Switzerland Swiss|Syria Syrian|Thailand Thai
Tunisia Tunisian|Turkey Turkish|Uganda Ugandan|Ukraine Ukrainian|Uruguay Uruguayan|Vietnam
Vietnamese|Yemen Yemeni|Zambia Zambian|New_Zealand Kiwi|South_Africa South_African|UK British
United_States American|USA American|United_Kingdom British|South_Korea Korean|Wales Welsh
Scotland Scottish|England English|Catalonia Catalan"""
_PEOPLES: Final = (
    "Jewish Catholic Muslim Buddhist Hindu Hispanic Latino Kurdish Tamil Roma Sikh".split()
)


@cache
def lands() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Countries; and nations, peoples and faiths."""
    words = [word.replace("_", " ") for word in _LANDS.replace("|", " ").split()]
    return tuple(words[::2]), (*words[1::2], *_PEOPLES)


def land(rng: random.Random) -> Land:
    """A country; every third time the United States."""
    return LANDS["US"] if rng.random() < 0.3 else rng.choice(list(LANDS.values()))


def street(rng: random.Random, name: str, land: Land) -> str:
    """A street's name. One of more than one word already says what it is."""
    if " " in name and rng.random() < 0.7:
        return name
    return rng.choice(land.streets).replace("{s}", name)


def address(rng: random.Random, name: str, town: str, land: Land, form: str) -> str:
    """``short``: number and street, maybe the flat; ``long``: with town and zip code; ``box``; a
    ``part``, such as the number alone."""
    if form == "box" or rng.random() < 0.04:
        return _box(rng)
    road = street(rng, name, land)
    if form == "part":
        number = str(rng.randint(1, 29999))
        return rng.choice(
            (number, road, road, _filled(rng, rng.choice(_EXTRA)), zip_code(rng, land))
        )
    if rng.random() < 0.12:
        road += f", {_filled(rng, rng.choice(_EXTRA))}"
    number = str(rng.choice((rng.randint(1, 99), rng.randint(1, 999), rng.randint(1000, 29999))))
    line = rng.choice(land.lines)
    if form == "short":
        first_number = line.find("{n}") < line.find("{s}")
        return f"{number} {road}" if first_number else f"{road} {number}"
    if rng.random() < 0.25:
        line = line.replace("\n", rng.choice(("\n ", "\n    ", " , ", "\n\n")))
    filled = line.replace("{n}", number).replace("{s}", road).replace("{t}", town)
    return filled.replace("{st}", rng.choice(_STATES)).replace("{z}", zip_code(rng, land))


def _box(rng: random.Random) -> str:
    return _filled(rng, rng.choice((
        "P.O. Box ####", "PO Box ###", "Unit #### Box ####\nDPO AP #####", "PSC ####, Box ####\n"
        "APO AE #####", "USS @@@@\nFPO AA #####", "Postfach ## ## ##", "RR # Box ###",
    )))  # fmt: skip


def zip_code(rng: random.Random, land: Land) -> str:
    """A postal code of the country."""
    return _filled(rng, rng.choice(land.zips))


def phone(rng: random.Random, land: Land) -> str:
    """A telephone number as the country writes it."""
    return _filled(rng, rng.choice(land.phones))


def _filled(rng: random.Random, shape: str) -> str:
    signs = {"#": string.digits, "N": "23456789", "@": string.ascii_uppercase}
    return "".join(rng.choice(signs[sign]) if sign in signs else sign for sign in shape)
