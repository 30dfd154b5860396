"""Stand-ins: consistent in a group, different across groups, never the value, format kept."""

import re
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.core.errors import UsageError
from aegle.corpus import dates
from aegle.corpus.asked import resolve
from aegle.corpus.redact import SAFE_HARBOR
from aegle.corpus.surrogates import surrogate_names
from aegle.corpus.vault import Vault

VAULT = Vault(b"0123456789abcdef" * 2)
ONE, OTHER = VAULT.group("patient/1"), VAULT.group("patient/2")
KINDS = st.sampled_from([*SAFE_HARBOR, "age"])
VALUES = st.text(st.characters(categories=["L", "Nd", "Zs", "Pd", "Po"]), min_size=1, max_size=30)


@given(KINDS, VALUES)
def test_a_stand_in_is_never_the_value_and_always_the_same(kind, value):
    made = VAULT.surrogate(kind, value, ONE)
    assert made != value
    assert made == Vault(b"0123456789abcdef" * 2).surrogate(kind, value, ONE)


def test_groups_and_pseudonyms():
    assert re.fullmatch(r"patient:[0-9a-f]{12}", ONE) and ONE != OTHER
    assert f"patient:{VAULT.pseudonym('patient/1')}" == ONE
    assert VAULT.group("host/web01") == "host:web01"
    assert VAULT.group("") == ""
    assert Vault(b"another secret of bytes").group("patient/1") != ONE


def test_a_short_secret_is_refused():
    with pytest.raises(UsageError, match="16 bytes"):
        Vault(b"short")


def test_a_name_is_the_same_in_all_its_forms():
    first, last = VAULT.surrogate("name", "John Smith", ONE).split()
    forms = {
        "Smith, John": f"{last}, {first}",
        "JOHN SMITH": f"{first} {last}".upper(),
        "john": first.lower(),
        "Mr. Smith": f"Mr. {last}",
        "J. Smith": f"{first[0]}. {last}",
        "Dr. John A. Smith, MD": None,
    }
    for form, wanted in forms.items():
        made = VAULT.surrogate("name", form, ONE)
        assert made == wanted if wanted else (made.startswith(f"Dr. {first} ") and ", MD" in made)
    assert VAULT.surrogate("name", "John Smith", OTHER) != f"{first} {last}"
    assert {first.lower(), last.lower()} <= surrogate_names()


@pytest.mark.parametrize(
    ("kind", "value", "pattern"),
    [
        ("phone", "(617) 253-1000", r"\(\d{3}\) 555-01\d\d"),
        ("phone", "+1 617.253.1000", r"\+1 \d{3}\.555\.01\d\d"),
        ("fax", "253-1000", r"555-01\d\d"),
        ("email", "john.smith@mgh.harvard.edu", r"[a-z]+\.[a-z]+@example\.org"),
        ("ssn", "123-45-6789", r"9\d\d-\d\d-\d{4}"),
        ("mrn", "AB-0012", r"[A-Z]{2}-\d{4}"),
        ("url", "https://mgh.org/p?id=3", r"https://example\.org/[0-9a-f]{8}"),
        ("ip", "10.1.2.3", r"(192\.0\.2|198\.51\.100|203\.0\.113)\.\d+"),
        ("ip", "fe80::1", r"2001:db8::.*"),
        ("place", "02139", "02100"),
        ("place", "03601", "00000"),
        ("place", "12 Oak Street, Boston, MA 02139", r"\d+ \w+ Street, \w+, MA 02100"),
        ("place", "P.O. Box 4711", r"P\.O\. Box \d{4}"),
        ("photo", "face_01.jpg", r"[a-z]{4}_\d\d\.jpg"),
        ("age", "93", r"90\+"),
        ("date", "nonsense", r"\[date\]"),
    ],
)
def test_formats(kind, value, pattern):
    assert re.fullmatch(pattern, VAULT.surrogate(kind, value, ONE))


@given(st.text(min_size=1), st.integers(1, 2000))
def test_the_shift_is_bounded_and_never_nothing(group, most):
    days = Vault(bytes(16), shift_days=most).shift(group)
    assert 0 < abs(days) <= most


FORMATS = (
    "%m/%d/%Y", "%Y-%m-%d", "%b %d, %Y", "%B %d, %Y", "%d %B %Y", "%Y%m%d", "%d-%b-%Y", "%m-%d-%Y",
    "%a, %d %b %Y", "%A, %B %d, %Y", "%d%b%Y", "%Y/%m/%d",
)  # fmt: skip
DATES = st.dates(date(1950, 1, 1), date(2030, 12, 31))


@given(DATES, st.sampled_from(FORMATS), st.integers(-400, 400))
def test_a_date_moves_by_just_so_many_days_in_its_own_format(day, form, days):
    written, wanted = day.strftime(form), (day + timedelta(days)).strftime(form)
    moved = dates.shift(written, days)
    assert moved is not None
    assert moved.casefold() == wanted.casefold() or dates.shift(moved, -days) == written


@given(DATES, st.sampled_from(FORMATS), st.text(st.sampled_from("ab .,\n("), max_size=5))
def test_a_date_in_text_is_found_whole(day, form, around):
    written = day.strftime(form)
    text = f"seen {around} {written}, and then"
    assert any(text[f.start : f.end] == written for f in dates.find(text))


@pytest.mark.parametrize(
    "text", ["BP 120/80", "pain 5/10", "version 1.2.3.4", "10.0.0.1", "in 2024", "500 mg", "may 5",
             "ratio 1/2", "550e8400-e29b-41d4-a716-446655440000", "12:30:01", "strength 4/5"]
)  # fmt: skip
def test_what_is_no_date(text):
    assert list(dates.find(text)) == []


@pytest.mark.parametrize("text", ["Mar 2024", "2024-03", "3/12", "2 January", "Jan 2nd", "1/2/24"])
def test_partial_dates_move_too(text):
    assert dates.shift(text, 40) not in (None, text)


def test_iso_times():
    assert dates.shift_iso("2024-01-31T10:00:00Z", 1) == "2024-02-01T10:00:00Z"
    assert dates.shift_iso("2024-01", 40) == "2024-02"
    assert dates.shift_iso("2024", 40) == "2024"
    assert dates.shift_iso("yesterday", 40) == ""
    assert dates.shift("02/30/2024", 3) is None


def test_questions_are_resolved_by_digests_alone():
    stored = {}
    for kind, value in (("name", "Smith, John"), ("mrn", "001-2345"), ("name", "María Núñez")):
        digest, group, stand_in = VAULT.alias(kind, value, ONE)
        stored[digest] = [(group, stand_in)]
    john = VAULT.surrogate("name", "John Smith", ONE)
    seen = []

    def lookup(digests):
        seen.extend(digests)
        return {d: stored[d] for d in digests if d in stored}

    for question, wanted in {
        "Is John Smith's allergy known?": f"Is {john}'s allergy known?",
        "is mr. smith, john ok?": f"is {john} ok?",
        "chart of 0012345, please": f"chart of {VAULT.surrogate('mrn', '001-2345', ONE)}, please",
        "maria nunez?": f"{VAULT.surrogate('name', 'María Núñez', ONE)}?",
    }.items():
        assert resolve(question, vault=VAULT, lookup=lookup) == (wanted, (ONE,))
    assert resolve("What is diabetes?", vault=VAULT, lookup=lookup) == ("What is diabetes?", ())
    assert resolve("", vault=VAULT, lookup=lookup) == ("", ())
    assert not any("smith" in digest.lower() for digest in seen)


def test_a_name_of_many_charts_names_no_group():
    def lookup(digests):
        return {VAULT.digest("Hathaway"): [(f"patient:{i}", "Rowe") for i in range(50)]}

    assert resolve("Did Hathaway sign?", vault=VAULT, lookup=lookup) == ("Did Rowe sign?", ())
