"""Pairs of claims and evidence: what is supported says so by its making, and nothing leaks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from aegle.train.data import claims
from aegle.train.data.claims import EXTRACT, HUMAN, Statement, cut, part
from aegle.train.data.corrupt import Names
from aegle.train.data.neighbours import Neighbours
from aegle.train.data.support import Maker, Pair, lexicon, make, statements

PAGES = [
    "Aspirin lowers the risk of stroke in 240 adults. It may cause bleeding. Take it with food.",
    "Warfarin lowers the risk of stroke in 130 adults. It does not help in gout. Avoid alcohol.",
    "Insulin lowers blood sugar within 2 hours. It may cause weight gain. Keep it in a fridge.",
    "Metformin lowers blood sugar in 8 weeks. It does not cause weight gain. Take it at night.",
]


def told() -> list[Statement]:
    return [
        Statement("pages", f"page {n}", "train", cut(page)[0], tuple(cut(page)), EXTRACT, at=(0,))
        for n, page in enumerate(PAGES)
    ]


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    return [pair for seed in range(12) for pair in make(told(), "train", Names(), seed=seed)]


def test_each_statement_is_supported_and_not(pairs: list[Pair]) -> None:
    for n in range(len(PAGES)):
        mine = {one.kind for one in pairs if one.group == f"page {n}"}
        assert {"supported", "neighbour"} < mine


def test_the_kind_says_whether_it_is_supported(pairs: list[Pair]) -> None:
    assert all((one.kind == "supported") is one.supported for one in pairs)


def test_a_neighbour_is_another_document(pairs: list[Pair]) -> None:
    for one in pairs:
        if one.kind == "neighbour":
            page = PAGES[int(one.group.split()[1])]
            assert one.evidence not in page


def test_neither_text_alone_tells(pairs: list[Pair]) -> None:
    """Some false claims stand in supported pairs, and some true ones in unsupported ones."""
    supported = {one.claim for one in pairs if one.supported}
    unsupported = {one.claim for one in pairs if not one.supported and one.kind != "neighbour"}
    assert len(supported & unsupported) >= 4
    shown = {one.evidence for one in pairs if one.supported}
    assert shown & {one.evidence for one in pairs if not one.supported}


def test_pairs_are_the_same_every_time() -> None:
    first, again = (list(make(told(), "train", Names(), seed=5)) for _ in range(2))
    assert first == again


def test_what_people_judged_stays_as_it_is() -> None:
    one = Statement(
        "set", "d", "test", "Aspirin harms.", ("A.", "Aspirin helps.", "B."), HUMAN, False, (1,),
        label="contradict",
    )  # fmt: skip
    (pair,) = Maker([one], Names(), 0).pairs(one, 0)
    assert (pair.claim, pair.supported, pair.kind) == ("Aspirin harms.", False, "contradict")
    assert "Aspirin helps." in pair.evidence


def test_a_summary_that_says_more_than_its_text_is_left_out() -> None:
    one = Statement("pubmedqa", "d", "train", "Gold cures 9 of 10.", ("Silver was tried.",))
    assert Maker([one], Names(), 0).pairs(one, 0) == []


def test_only_the_split_that_is_asked_for() -> None:
    assert list(make(told(), "test", Names())) == []


def statement(name: str, split: str, text: str, *evidence: str) -> Statement:
    return Statement("s", name, split, text, evidence or (f"Page {name}.",))


def test_what_repeats_test_is_not_learnt() -> None:
    test = statement("t", "test", "Take it with food.", "A page.", "Take it  with FOOD.")
    again = [
        statement("claim", "train", "Take it with food.", "Another page."),
        statement("evidence", "train", "New.", "A page. Take it with food."),
        statement("inside", "train", "New.", "Take it with food.", "New."),
        statement("sentence", "dev", "A page.", "Something else."),
    ]
    fresh = [statement("fresh", "train", "Take it at night."), statement("d", "dev", "Rest.")]
    assert claims.apart([*again, test, *fresh]) == [test, *fresh]
    assert claims.repeats(again, [test]) == [True] * 4
    told = {one.group for part in ("train", "dev") for one in make(
        [*again, test, *fresh], part, Names())}  # fmt: skip
    assert told == {"fresh", "d"}


def test_what_repeats_dev_is_not_learnt_and_test_stays_whole() -> None:
    dev, train = (statement(split, split, "The same.") for split in ("dev", "train"))
    tests = [statement(name, "test", "Twice.") for name in "ab"]
    assert claims.apart([train, dev, *tests]) == [dev, *tests]


def test_no_statement_of_the_public_sets_is_learnt_and_tested() -> None:
    data = os.environ.get("AEGLE_DATA", "")
    if not data or not (Path(data) / "sigma_rules").is_dir():
        pytest.skip("AEGLE_DATA has no sigma_rules")
    told = statements(Path(data), ("sigma_rules", "capec"))
    kept = claims.apart(told)
    held = [one for one in kept if one.split == "test"]
    assert held == [one for one in told if one.split == "test"]
    rest = [one for one in kept if one.split != "test"]
    assert len(rest) < len(told) - len(held)
    assert not any(claims.repeats(rest, held))


def test_documents_are_parted_by_their_name() -> None:
    shares = [part(f"d{n}") for n in range(5000)]
    assert 0.76 < shares.count("train") / 5000 < 0.84
    assert 0.1 < shares.count("test") / 5000 < 0.14


def test_the_nearest_text_shares_the_rarest_words() -> None:
    index = Neighbours(PAGES)
    assert index.nearest("metformin weight")[0] == 3
    assert index.nearest("nothing at all", most=3) == []
    assert index.share("metformin", PAGES[3]) == 1
    assert index.share("metformin", PAGES[0]) == 0


def test_no_document_of_scifact_is_on_two_sides() -> None:
    data = os.environ.get("AEGLE_DATA", "")
    if not (Path(data) / "scifact").is_dir() or not data:
        pytest.skip("AEGLE_DATA has no scifact")
    sides: dict[str, set[str]] = {}
    for reader in (claims.scifact, claims.titles):
        for one in reader(Path(data)):
            sides.setdefault(one.document, set()).add(one.split)
    shared = [one for one, splits in sides.items() if "test" in splits and len(splits) > 1]
    assert shared == []


def test_names_of_drugs_are_read_as_marked(tmp_path: Path) -> None:
    folder = tmp_path / "bc5cdr"
    folder.mkdir()
    (folder / "train.tsv").write_text(
        "Folic\tB-Chemical\nacid\tI-Chemical\nfor\tO\nanaemia\tB-Disease\n\n"
    )
    assert lexicon(tmp_path).types == {"folic acid": "chemical", "anaemia": "disease"}
