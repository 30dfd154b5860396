"""A tagger reads what it is given: broken characters, and texts of any length."""

from __future__ import annotations

import numpy as np
import pytest

from aegle.lm.reading import Found, Reading
from aegle.lm.tagger import Tagger
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


LONG = "\n".join(f"day {n} zorblax for gleepitis or none, {'x' * (n % 7)}" for n in range(60))


def answers(reading: Reading) -> list[np.ndarray]:
    spans = [(one.start, one.end) for one in reading.found["biomedical"]]
    drugs, diseases = spans[::2], spans[1::2]
    things = [("chemical", drugs[30:40]), ("disease", diseases[30:40])]
    return [
        np.array(spans),
        reading.spans("assertion", spans),
        reading.pairs("relation", things),
        reading.pairs("relation", things, within=(drugs[30][0], diseases[39][1])),
    ]


@pytest.mark.parametrize("held", [10**6, 100])
def test_a_text_read_in_blocks_says_what_it_says_read_at_once(
    tagger: Tagger, monkeypatch: pytest.MonkeyPatch, held: int
) -> None:
    texts = ["", LONG, "one zorblax"]
    whole = tagger.read(texts)
    monkeypatch.setattr("aegle.lm.tagger.BLOCK", 200)
    monkeypatch.setattr("aegle.lm.tagger._HELD", held)
    parts = tagger.read(texts)
    assert [one.found for one in parts] == [one.found for one in whole]
    assert [dict(one.found) for one in parts] == tagger.tag(texts)
    assert len(whole[1].found["biomedical"]) == 120
    for one, other in zip(answers(parts[1]), answers(whole[1]), strict=True):
        assert one == pytest.approx(other, abs=1e-3)


def test_pairs_are_judged_by_the_words_within(tagger: Tagger) -> None:
    (reading,) = tagger.read(["zorblax for gleepitis"])
    things = [("chemical", [(0, 7)]), ("disease", [(12, 21)])]
    assert reading.pairs("relation", things, within=(0, 21))[0, 1, 1] > 0.9
    assert reading.pairs("relation", things, within=(8, 8))[0, 1, 0] == 1


def test_what_was_tagged_just_now_is_read_without_the_encoder(tagger: Tagger) -> None:
    text = "zorblax for gleepitis, on day 3"
    (fresh,) = tagger.read([text])
    asked = []

    class Counting:
        def run(self, *told):
            asked.append(told)
            return session.run(*told)

    session = tagger._session
    tagger._lately.clear()  # of the tests before
    tagger._session = Counting()
    try:
        tagger.tag([text])
        tagger.tag([text + " again"])
        assert len(asked) == 2
        (known, other) = tagger.read([text, "no zorblax"])
        assert len(asked) == 3  # for the other text alone
        tagger.read([text])
        assert len(asked) == 4  # told once
    finally:
        tagger._session = session
    assert known.found == fresh.found and other.found["biomedical"]
    spans = [(one.start, one.end) for one in fresh.found["biomedical"]]
    np.testing.assert_array_equal(known.spans("assertion", spans), fresh.spans("assertion", spans))
