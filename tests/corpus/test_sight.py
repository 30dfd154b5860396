"""A tagger beside the recognisers: what it alone sees is hidden, what they are sure of stands."""

from __future__ import annotations

import string
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.core.pack import Found
from aegle.core.records import RawDocument
from aegle.core.text import RawText
from aegle.corpus.redact import VERSION, Policy, redact
from aegle.corpus.sight import BY_MACHINES, CLASSES, LEAST, Sight, join
from aegle.corpus.vault import Vault
from aegle.packs.cybersecurity import PACK as CYBERSECURITY
from aegle.packs.cybersecurity import identifiers as cybersecurity
from aegle.packs.healthcare import identifiers as healthcare

VAULT = Vault(b"0123456789abcdef" * 2)


@dataclass(frozen=True)
class Seen:
    start: int
    end: int
    label: str
    score: float = 0.9


def words(**labels: str):
    """A tagger that knows some words, each by one label, wherever they stand."""

    def tag(text: str) -> list[Seen]:
        found = [
            Seen(at, at + len(word), label)
            for word, label in ((w.replace("_", " "), label) for w, label in labels.items())
            for at in range(len(text))
            if text.startswith(word, at)
        ]
        return sorted(found, key=lambda one: one.start)

    return tag


def run(text: str, sight: Sight | None, *, kind: str = "note", domain: str = "healthcare"):
    pack = healthcare if domain == "healthcare" else cybersecurity
    raw = RawDocument("a", kind, domain, RawText(text), group=RawText("patient/1"))
    policy = Policy() if domain == "healthcare" else Policy(keeps=CYBERSECURITY.keeps)
    return redact(raw, recognisers=pack.recognisers(), policy=policy, vault=VAULT, sight=sight)


def clinical(**labels: str) -> Sight:
    return Sight(words(**labels), "tagger/1", weigh=healthcare.doubts())


def test_what_only_the_tagger_sees_is_replaced_and_the_account_says_by_whom() -> None:
    text = "zsolt bruszt left for Kiskunmajsa; call 99 12 77 4."
    sight = clinical(zsolt_bruszt="person", Kiskunmajsa="place", **{"99_12_77_4": "phone"})
    document, account = run(text, sight)
    assert not any(part in document.text for part in ("zsolt", "bruszt", "Kiskunmajsa", "99 12"))
    assert "left for" in document.text
    assert account.counts == {"name": 1, "place": 1, "phone": 1}
    assert account.by == f"{VERSION} tagger/1"
    assert run(text, None)[1].by == VERSION


@pytest.mark.parametrize("kind", sorted(BY_MACHINES))
def test_what_machines_write_is_not_read(kind: str) -> None:
    def tag(text: str) -> list[Seen]:
        raise AssertionError("read")

    document, account = run("bruszt logged in", Sight(tag, "tagger/1"), kind=kind)
    assert (document.text, account.by) == ("bruszt logged in", VERSION)


def test_organisations_titles_groups_and_years_stay() -> None:
    text = (
        "Initech hired a Hungarian plumber in 1988, on a Tuesday, at 14:30, aged 57, for 2 weeks."
    )
    sight = clinical(Initech="organization", Hungarian="group", plumber="title", Tuesday="date",
                     **{"1988": "date", "14:30": "date", "57": "age",
                        "2_weeks": "date"})  # fmt: skip
    assert run(text, sight)[0].text == text


def test_an_age_over_89_is_hidden() -> None:
    sight = clinical(**{"94": "age"})
    assert "94" not in run("She is 94 by now.", sight)[0].text


def test_lands_eponyms_and_brands_stay() -> None:
    text = (
        "Parkinson disease. Wilson score. From Hungary and Texas. Takes Lipitor. Babinski absent."
    )
    sight = clinical(Parkinson="person", Wilson="person", Hungary="place", Texas="place",
                     Lipitor="person", Babinski="person")  # fmt: skip
    weak = Sight(lambda t: [Seen(s.start, s.end, s.label, 0.6) for s in sight.tag(t)], "tagger/1",
                 weigh=sight.weigh)  # fmt: skip
    assert run(text, weak)[0].text == text


def test_a_term_before_a_disease_stays_however_sure_the_tagger_is() -> None:
    sight = Sight(lambda text: [Seen(0, 7, "person", 0.999)], "tagger/1", weigh=healthcare.doubts())
    assert run("Zorgner syndrome is rare.", sight)[0].text == "Zorgner syndrome is rare."


def test_a_company_in_a_security_report_stays() -> None:
    text = "Dell Inc. and Zsolt Bruszt published it."
    sight = Sight(words(Dell="person", Zsolt_Bruszt="person"), "tagger/1", cybersecurity.doubts())
    document, _ = run(text, sight, kind="report", domain="cybersecurity")
    assert document.text.startswith("Dell Inc. and ") and "Bruszt" not in document.text


def test_what_the_domain_keeps_is_kept_and_shields_nothing() -> None:
    text = "from 10.1.2.3 by a@b.org"
    sight = Sight(words(**{"10.1.2.3": "ip", "from_10.1.2.3_by_a@b.org": "url"}), "tagger/1")
    document, _ = run(text, sight, kind="report", domain="cybersecurity")
    assert "10.1.2.3" in document.text and "a@b.org" not in document.text


def test_a_number_with_a_label_keeps_its_class_and_so_its_stand_in() -> None:
    text = "MRN: 8812345 today"
    plain, _ = run(text, None)
    seen, account = run(text, clinical(**{"8812345": "licence"}))
    assert (seen.text, account.counts) == (plain.text, {"mrn": 1})


def test_the_time_of_day_beside_a_date_stays() -> None:
    text = "Seen 2020-06-20 14:11:22 again"
    sight = clinical(**{"2020-06-20_14:11:22": "date"})
    assert run(text, sight)[0].text == run(text, None)[0].text


def test_a_name_seen_once_is_hidden_where_the_tagger_misses_it() -> None:
    def tag(text: str) -> list[Seen]:
        return [Seen(text.index("Bruszt"), text.index("Bruszt") + 6, "person", 0.97)]

    document, _ = run("Spoke Bruszt. Later the pump failed; Bruszt left.", Sight(tag, "tagger/1"))
    assert "Bruszt" not in document.text


def test_what_is_below_its_threshold_is_left() -> None:
    for label, least in LEAST.items():
        assert 0 < least < 1 and label in CLASSES
    low = Sight(lambda _: [Seen(0, 6, "person", LEAST["person"] - 0.01)], "tagger/1")
    assert run("bruszt left", low)[0].text == "bruszt left"


def test_a_tagger_sees_no_break_between_texts() -> None:
    read: list[str] = []
    run("plain", Sight(lambda text: read.append(text) or [], "tagger/1"))
    assert read and all("\0" not in text for text in read)


KINDS = st.sampled_from(sorted(set(CLASSES.values())))
ONE = st.builds(lambda at, n, kind: Found(at, at + n, kind, 0.9), st.integers(0, 30),
                st.integers(1, 12), KINDS)  # fmt: skip
SPANS = st.lists(ONE, max_size=6)


def covered(found) -> set[int]:
    return {at for one in found for at in range(one.start, one.end)}


@given(SPANS, SPANS)
def test_joining_loses_no_character_but_the_time_beside_a_date(found, seen) -> None:
    joined = join(found, seen)
    assert joined[: len(found)] == found
    dates = covered([one for one in found if one.kind == "date"])
    dated = [one for one in seen if one.kind == "date" and covered([one]) & dates]
    assert covered(joined) >= covered(found) | covered([s for s in seen if s not in dated])
    assert covered(joined) <= covered(found) | covered(seen)


@given(st.text(string.ascii_letters + string.digits + " .,\n", max_size=60), SPANS)
def test_the_same_text_is_redacted_the_same_way(text, spans) -> None:
    by = {kind: label for label, kind in CLASSES.items()}
    told = [Seen(f.start, min(f.end, len(text)), by[f.kind]) for f in spans if f.start < len(text)]
    sight = Sight(lambda _: told, "tagger/1", healthcare.doubts())
    assert run(text + ".", sight)[0] == run(text + ".", sight)[0]


@pytest.mark.parametrize(
    ("word", "label"),
    [
        ("PUMP-0207", "licence"),
        ("MON-0110", "date"),
        ("NEPH-5", "place"),
        ("NEURO", "place"),
        ("ALLERGIES", "person"),
        ("MAR", "name"),
        ("SpO2 95%", "address"),
        ("BP 145", "place"),
        ("BP 121/69, HR 81, RR 15", "address"),
        ("4/10", "date"),
        ("123/80", "place"),
        ("NEPH-5 @ 4", "email"),
        ("R/o", "url"),
    ],
)
def test_what_charts_write_so_is_no_identifier_however_sure_the_tagger_is(
    word: str, label: str
) -> None:
    label = {"name": "person"}.get(label, label)
    seen = [Seen(0, len(word), label, 1.0)]
    assert Sight(lambda _: seen, "tagger/1", healthcare.doubts()).look(f"{word} checked") == []


@pytest.mark.parametrize(
    ("word", "label"),
    [
        ("WONG", "person"),
        ("SMITH", "person"),
        ("DERBY", "place"),
        ("4/10/26", "date"),
        ("AB-1234", "licence"),
        ("acme.io/x", "url"),
        ("RR 2 Box 152, Hiram", "address"),
        ("BP 4512, Thies", "address"),
        ("HR-10000 Zagreb", "address"),
        ("1200 Pine St, RR 2", "address"),
        ("CH-8001", "zip"),
        ("LEE", "person"),
        ("NG", "person"),
        ("j.smith@hospital", "email"),
        ("anna.mill @ kite.org", "email"),
        ("10.0.0.5/anna", "url"),
        ("hospital/patient/123", "url"),
        ("12/24", "date"),
        ("Oct-04", "date"),
    ],
)
def test_what_may_be_an_identifier_is_one(word: str, label: str) -> None:
    seen = [Seen(0, len(word), label, 1.0)]
    assert Sight(lambda _: seen, "tagger/1", healthcare.doubts()).look(f"{word} came")


def test_an_address_is_replaced_with_its_country_which_alone_stays() -> None:
    sight = clinical(**{"12_Elm_Road": "address", "Arnsdorf": "place", "Germany": "place"})
    told, _ = run("Moved from Germany to 12 Elm Road, Arnsdorf, Germany.", sight)
    assert str(told.text).count("Germany") == 1
    assert "Elm" not in told.text
    assert "Arnsdorf" not in told.text


def test_numbers_and_wards_in_a_row_make_no_address() -> None:
    text = "Vitals: 121/80, 78, 98. NEPH-5, NEPH-6"
    spots = [(text.index(one), one) for one in ("121/80", "78", "98", "NEPH-5", "NEPH-6")]
    seen = [Seen(at, at + len(one), "address", 1.0) for at, one in spots]
    assert Sight(lambda _: seen, "tagger/1").look(text) == []
