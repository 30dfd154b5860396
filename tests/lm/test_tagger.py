"""A tagger reads what it is given: broken characters, and texts of any length."""

from __future__ import annotations

import pytest

from aegle.lm.tagger import Found, Tagger
from taught import teach

KNOWN = {"biomedical": {"zorblax": "chemical", "gleepitis": "disease"}}


@pytest.fixture(scope="module")
def tagger(tmp_path_factory: pytest.TempPathFactory) -> Tagger:
    folder = tmp_path_factory.mktemp("taught")
    asserted = {"gleepitis": "negated"}
    tied = ("Treats", "chemical", "disease")
    return Tagger(teach(folder, KNOWN, asserted=asserted, tied=tied), threads=1)


def places(found: list[Found]) -> list[tuple[int, int, str]]:
    return [(one.start, one.end, one.label) for one in found]


@pytest.mark.parametrize("half", ["\ud800", "\udfff"])
def test_half_a_character_moves_nothing(tagger: Tagger, half: str) -> None:
    text = f"{half} zorblax {half}{half} for gleepitis"
    (told,) = tagger.tag([text])
    assert places(told["biomedical"]) == [(2, 9, "chemical"), (17, 26, "disease")]
    (reading,) = tagger.read([text])
    assert places(list(reading.found["biomedical"])) == places(told["biomedical"])
