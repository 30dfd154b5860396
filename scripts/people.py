"""Builds the lists of names, towns and streets that training texts are filled with.

``python scripts/people.py``, in an environment with ``mimesis==22.2.0`` and ``faker==40.54.0``,
both under the MIT licence. The same packages make the same file; Aegle needs neither of them.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

from faker import Faker

TARGET = Path(__file__).parent.parent / "src" / "aegle" / "train" / "data" / "people.json.gz"
MOST = {"given": 90, "family": 180, "towns": 130, "streets": 60, "states": 30}

MIMESIS = (
    "cs da de de-at de-ch el en en-au en-ca en-gb es es-mx et fi fr hr hu is it nl nl-be no pl pt"
    " pt-br ru sk sv tr uk"
).split()
FAKER = {
    "in": "en_IN", "ie": "en_IE", "ng": "en_NG", "ke": "en_KE", "pk": "en_PK", "ro": "ro_RO",
    "si": "sl_SI", "lt": "lt_LT", "lv": "lv_LV", "id": "id_ID", "zh": "zh_CN", "ja": "ja_JP",
    "th": "en_TH", "za": "zu_ZA", "us": "en_US", "nz": "en_NZ",
}  # fmt: skip

VIETNAMESE_GIVEN = (
    "Anh Bao Chi Dung Giang Ha Hai Hanh Hien Hoa Huong Khanh Lan Linh Mai Minh Nam"
    " Ngoc Nhung Phuong Quang Quynh Son Tam Thanh Thao Thu Thuy Trang Tuan Van Viet Vy Xuan Yen"
)
VIETNAMESE_FAMILY = "Nguyen Tran Le Pham Hoang Phan Vu Dang Bui Do Ho Ngo Duong Ly Dinh Truong"
"""Written for Aegle: neither package has them without its tones."""


def flat(told: object) -> list[str]:
    """The strings of a list, or of a mapping of lists, or a weighted mapping."""
    if isinstance(told, dict):
        if all(isinstance(value, int | float) for value in told.values()):
            return list(told)
        return [one for value in told.values() for one in flat(value)]
    if isinstance(told, str):
        return [told]
    if isinstance(told, list | tuple):
        if told and all(isinstance(one, list | tuple) for one in told):
            return [str(one[-1] if len(one) == 3 else one[0]) for one in told]
        return [one for one in told if isinstance(one, str)]
    return []


def some(told: Iterable[str], most: int, rng: random.Random) -> list[str]:
    """At most so many of the distinct words, in order."""
    words = sorted({" ".join(one.split()) for one in told if len(one.strip()) > 1})
    return sorted(rng.sample(words, min(most, len(words))))


def of_mimesis(code: str) -> dict[str, list[str]]:
    """A language's lists."""
    base = files("mimesis") / "datasets"
    made: dict[str, list[str]] = {}
    for part in dict.fromkeys((code.partition("-")[0], code)):  # a dialect tells what differs
        folder = base / part
        person = json.loads((folder / "person.json").read_text("utf-8"))
        address = json.loads((folder / "address.json").read_text("utf-8"))
        for name, told in (
            ("given", person.get("names")), ("family", person.get("surnames")),
            ("towns", address.get("city")), ("streets", address.get("street")),
            ("states", address.get("state")),
        ):  # fmt: skip
            if isinstance(told, dict):  # names by gender; streets as names and kinds
                told = told.get("name", flat(told))
            if flat(told):
                made[name] = flat(told)
    return made


def of_faker(locale: str) -> dict[str, list[str]]:
    """A locale's lists, romanised where it has them so."""
    person, address = (
        next(p for p in Faker(locale).get_providers() if f".{kind}." in type(p).__module__)
        for kind in ("person", "address")
    )

    def get(provider: object, *names: str) -> list[str]:
        return next((v for n in names if (v := flat(getattr(provider, n, ())))), [])

    return {
        "given": get(person, "first_romanized_names", "first_names"),
        "family": get(person, "last_romanized_names", "last_names"),
        "towns": [
            one
            for one in get(address, "cities", "towns", "city_names")
            if one.isascii() or locale[:2] not in ("zh", "ja")
        ],
        "streets": get(address, "streets"),
        "states": [one for one in get(address, "states", "provinces", "counties") if one.isascii()],
    }  # fmt: skip


def main() -> None:
    """Write the file."""
    lists = {code: of_mimesis(code) for code in MIMESIS}
    lists |= {code: of_faker(locale) for code, locale in FAKER.items()}
    lists["vn"] = {"given": VIETNAMESE_GIVEN.split(), "family": VIETNAMESE_FAMILY.split()}
    rng = random.Random(17)
    kept = {
        code: {name: some(told.get(name, ()), most, rng) for name, most in MOST.items()}
        for code, told in lists.items()
    }
    jobs = json.loads((files("mimesis") / "datasets" / "en" / "person.json").read_text("utf-8"))
    words = next(p for p in Faker("en_US").get_providers() if ".lorem." in type(p).__module__)
    told = {
        "origins": kept,
        "jobs": some(jobs["occupation"], 250, rng),
        "words": some((w for w in words.word_list if len(w) > 3), 600, rng),
    }
    packed = gzip.compress(json.dumps(told, ensure_ascii=False).encode(), 9, mtime=0)
    TARGET.write_bytes(packed)


if __name__ == "__main__":
    main()
