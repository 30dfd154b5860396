"""Guards: no wrong unit, no swapped amounts, no opposite; the same in other words passes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.answer.contrary import misstated, opposed, restated
from aegle.answer.verify import check

DRUGS = ["aspirin", "metoprolol", "warfarin", "insulin", "lisinopril"]
LISTED = [
    "{0} {1} mg",
    "{1} mg of {0}",
    "{1} mg {0}",
    "{0} ({1} mg)",
    "{0}: {1} mg",
    "{0} at {1} mg",
]
JOINED = [", ", " and ", "; ", ". "]


@pytest.mark.parametrize(
    ("claim", "told"),
    [
        ("aspirin 50 mg and metoprolol 81 mg", "aspirin 81 mg and metoprolol 50 mg"),
        ("Takes metoprolol 81 mg.", "Takes aspirin 81 mg and metoprolol 50 mg daily."),
        ("Morphine 10 g IV was given.", "Morphine 10 mg IV was given."),
        ("20 mg of glargine at night", "20 units of glargine at night"),
        ("Digoxin 0.25 mcg daily", "Digoxin 0.25 mg daily"),
        ("Glucose 7.8 mg/dL", "Glucose 7.8 mmol/L"),
        ("Changed every 12 days.", "Changed every 12 hours."),
        ("Vancomycin 15 mg", "Vancomycin 15 mg/kg"),
        ("Saline at 100 mL", "Saline at 100 mL/hr"),
        ("Metformin 500 mg twice daily", "Metformin 500 mg once daily"),
        ("For three weeks.", "For two weeks."),
        ("In group 2 healing took 2 days.", "In group 2 healing took 2 weeks."),
        ("A file of 40 MB was sent.", "A file of 40 KB was sent."),
        ("The link has 100 MBps.", "The link has 100 Mbps."),
        ("Metoprolol 20 mg daily.", "Metoprolol was stopped. Atorvastatin 20 mg daily."),
        ("Survival was 48% at 1 year and 60% at 3 years.",
         "Survival was 60% at 1 year and 48% at 3 years."),
    ],
)  # fmt: skip
def test_wrong_units_and_swapped_amounts_are_seen(claim: str, told: str) -> None:
    assert misstated(claim, [told])
    assert check(claim, [told]).barred


@pytest.mark.parametrize(
    ("claim", "told"),
    [
        ("She takes 50 mg of metoprolol.", "Takes aspirin 81 mg and metoprolol 50 mg daily."),
        ("Metoprolol 50 mg and aspirin 81 mg", "aspirin 81 mg and metoprolol 50 mg"),
        ("Digoxin 250 mcg daily", "Digoxin 0.25 mg daily"),
        ("Paracetamol 1000 mg", "Paracetamol 1 g"),
        ("Antibiotics for 7 days.", "Antibiotics for one week."),
        ("Changed after 1 day.", "Changed after 24 h."),
        ("Prednisone 5 mg/day", "Prednisone 5 mg daily"),
        ("Prednisone 5 mg", "Prednisone 5 mg/day"),
        ("Metformin 500 mg BID", "Metformin 500 mg twice a day"),
        ("Temperature 38.5 °C", "Temp 38.5"),
        ("Aspirin 81", "Aspirin 81 mg daily"),
        ("Aspirin was raised to 325 mg.", "Aspirin 81 mg. The dose was raised to 325 mg."),
        ("In group B survival was 60%.", "Survival was 45% in group A and 60% in group B."),
        ("HR 96, RR 16", "BP 119/79, HR 96, RR 16"),
        ("The dose is 5 to 10 mg.", "The dose is 5-10 mg."),
    ],
)
def test_the_same_in_other_words_passes(claim: str, told: str) -> None:
    assert not misstated(claim, [told])
    assert not check(claim, [told]).barred


@given(
    st.permutations(DRUGS),
    st.lists(st.integers(1, 900), min_size=2, max_size=4, unique=True),
    st.sampled_from(LISTED),
    st.sampled_from(LISTED),
    st.sampled_from(JOINED),
    st.randoms(use_true_random=False),
)
def test_doses_in_any_order_and_wording_stay_with_their_drug(
    drugs: list[str], doses: list[int], told: str, said: str, joint: str, random: object
) -> None:
    pairs = list(zip(drugs, doses, strict=False))
    evidence = [joint.join(told.format(*one) for one in pairs) + "."]
    shuffled = sorted(pairs, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert not misstated(joint.join(said.format(*one) for one in shuffled), evidence)
    (first, dose), (second, other), *rest = pairs
    swapped = [(first, other), (second, dose), *rest]
    assert misstated(joint.join(said.format(*one) for one in swapped), evidence)
    assert misstated(said.format(first, other), evidence)


@given(st.integers(1, 999), st.sampled_from(["mg", "mcg", "units", "mL", "g"]),
       st.sampled_from(["mg", "mcg", "units", "mL", "g"]))  # fmt: skip
def test_a_dose_stands_in_its_unit_only(dose: int, told: str, said: str) -> None:
    wrong = misstated(f"Heparin {dose} {said} was given.", [f"Gave heparin {dose} {told}."])
    assert bool(wrong) == (told != said)


@pytest.mark.parametrize(
    ("claim", "told"),
    [
        ("Warfarin is held.", "Warfarin is continued."),
        ("Warfarin was started.", "Warfarin was discontinued."),
        ("Lisinopril was increased.", "Lisinopril was decreased."),
        ("Lisinopril was started.", "Started metoprolol and stopped lisinopril."),
        ("Aspirin raised the risk of stroke.", "Aspirin lowered the risk of stroke."),
        ("The test was positive.", "The test was negative."),
        ("The left knee was replaced.", "The right knee was replaced."),
        ("The firewall blocked the connection.", "The firewall allowed the connection."),
        ("The account was enabled.", "The account was disabled on Monday."),
    ],
)
def test_opposites_of_the_same_thing_are_seen(claim: str, told: str) -> None:
    assert opposed(claim, [told])
    assert check(claim, [told]).barred


@pytest.mark.parametrize(
    ("claim", "told"),
    [
        ("Warfarin is held.", "Warfarin was continued until admission, then held."),
        ("Warfarin was started.", "Warfarin was continued."),
        ("Metoprolol was started.", "Started metoprolol and stopped lisinopril."),
        ("Lisinopril was stopped.", "Started metoprolol and stopped lisinopril."),
        ("Aspirin was stopped.", "Metoprolol was started."),
        ("Warfarin was not continued.", "Warfarin was held."),
        ("Warfarin was held.", "Warfarin was not continued."),
        ("It can download files.", "It can download or upload files."),
        ("The left knee hurts.", "The left and the right knee hurt."),
        ("It increases somatostatin.", "It reduces insulin."),
    ],
)
def test_what_is_no_opposite_passes(claim: str, told: str) -> None:
    assert not opposed(claim, [told])


def test_figures_of_the_same_amount_are_not_missing() -> None:
    assert restated("38 °C", ["38.0 °C"]) == {"38"}
    assert restated("12 mg", ["13 mg"]) == set()
