"""De-identification: nothing planted is left, spans and times follow, the way back holds."""

import string
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegle.core.pack import Found
from aegle.core.records import Identifier, Link, Mention, RawDocument
from aegle.core.text import RawText
from aegle.corpus.clean import clean
from aegle.corpus.redact import SAFE_HARBOR, Policy, redact
from aegle.corpus.surrogates import surrogate_names
from aegle.corpus.vault import Vault
from aegle.packs.cybersecurity import PACK as CYBERSECURITY
from aegle.packs.cybersecurity import identifiers as cybersecurity
from aegle.packs.general import identifiers as general
from aegle.packs.healthcare import identifiers as healthcare
from linear import grows_linearly

VAULT = Vault(b"0123456789abcdef" * 2)
CLINICAL = healthcare.recognisers()


def raw(text: str, domain: str = "healthcare", group: str = "patient/1", **more) -> RawDocument:
    return RawDocument("a.txt", "note", domain, RawText(text), group=RawText(group), **more)


def run(doc: RawDocument, recognisers=CLINICAL, policy: Policy | None = None, edits=()):
    return redact(doc, recognisers=recognisers, policy=policy or Policy(), vault=VAULT, edits=edits)


def everything(document, account) -> str:
    return "\n".join([repr(document), repr(account), document.text, document.title,
                      *document.meta.values()])  # fmt: skip


def digits(size):
    return st.text(string.digits, min_size=size, max_size=size)


def shaped(*parts):
    return st.tuples(*(digits(p) if isinstance(p, int) else st.just(p) for p in parts)).map("".join)


FIRST = ["Jonathan", "Amelia", "Roberto", "Katherine", "Mei", "Oluwaseun", "Siobhan"]
LAST = ["Hathaway", "O'Connell", "Ramirez", "Vandersloot", "Kowalczyk", "Smith-Jones", "Okafor"]
LETTERS = st.text("ABCDEFGHJK", min_size=2, max_size=2)

# Class -> (contexts with {}, values): at least one typical context of each of the 18.
PLANTS = {
    "name": (
        ["Patient: {}\n", "Mr. {} was seen.", "seen by Dr. {} today", "Dictated by: {}\n",
         "Signed: /s/ {}\n", "{}, MD", "Name: {}", "her son {} called"],
        st.tuples(st.sampled_from(FIRST), st.sampled_from(LAST)).map(" ".join),
    ),
    "place": (
        ["lives at {}.", "Home: {}\n"],
        st.builds("{} {} Street, Cambridge, MA {}".format, st.integers(10, 9999),
                  st.sampled_from(["Oakhurst", "North Main", "Birchwood"]), digits(5)),
    ),
    "date": (["admitted on {}.", "DOB: {}\n", "since {}"],
             st.dates(date(1940, 1, 1), date(2026, 1, 1)).map(lambda d: d.strftime("%m/%d/%Y"))),
    "phone": (["Phone: {}", "call him at {}.", "({}) is the number of his wife"],
              shaped("617-", "2", 2, "-", 4)),
    "fax": (["Fax: {}", "fax number {}."], shaped("617-", "3", 2, "-", 4)),
    "email": (["write to {} today", "E-mail: {}"],
              LETTERS.map(lambda s: f"{s.lower()}.q7@mgh.org")),
    "ssn": (["SSN: {}", "social security number {}", "id {} on file"], shaped("4", 2, "-31-9", 3)),
    "mrn": (["MRN: {}", "MRN {}", "Medical record number: {}"], shaped("8", 6)),
    "health_plan": (["Member ID: {}", "Medicare number {}", "Policy # {}"], shaped("XH", 7)),
    "account": (["Account number: {}", "Acct # {}", "Billing no. {}"], shaped("77", 6)),
    "licence": (["Driver's license {}", "DEA: {}", "License number {}"], shaped("S", 7)),
    "vehicle": (["VIN {}", "Vehicle plate: {}", "license plate {}"], shaped("KJ", 5)),
    "device": (["serial number {}", "S/N: {}", "UDI {}"], shaped("PM", 6)),
    "url": (["see {} for it", "portal: {}"], digits(6).map("https://portal.mgh.org/u/{}".format)),
    "ip": (["from {} at night", "IP: {}"], st.integers(1, 250).map("10.31.7.{}".format)),
    "biometric": (["fingerprint ID {}", "voice print: {}"], shaped("FP", 6)),
    "photo": (["photo {}", "Image file: {}"], digits(4).map("face_{}.jpg".format)),
    "other": (["badge number {}", "Study ID: {}"], shaped("ST", 6)),
}  # fmt: skip


def test_every_class_of_the_safe_harbor_is_planted():
    assert set(PLANTS) == set(SAFE_HARBOR) and len(SAFE_HARBOR) == 18


@pytest.mark.parametrize("kind", SAFE_HARBOR)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_a_planted_identifier_is_left_nowhere(kind, data):
    contexts, values = PLANTS[kind]
    context, value = data.draw(st.sampled_from(contexts)), data.draw(values)
    title = RawText(context.format(value))
    text = f"Chief complaint: cough.\n{context.format(value)}\nDenies chest pain."
    meta = {"from": context.format(value)}
    out = everything(*run(raw(text, title=title, meta=meta)))
    assert value not in out
    if kind == "name":
        assert not any(part in out for part in value.split())
    assert "Chief complaint: cough." in out and "Denies chest pain." in out


@pytest.mark.parametrize("kind", SAFE_HARBOR)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_a_value_that_the_source_names_is_left_nowhere(kind, data):
    value = data.draw(PLANTS[kind][1])
    text = f"No context at all {value} here ({value.upper()}), {value.lower()}"
    doc = raw(text, identifiers=(Identifier(kind, RawText(value)),))
    out = everything(*run(doc, recognisers=()))
    assert value not in out and value.upper() not in out and value.lower() not in out


def test_names_are_found_by_their_parts_everywhere():
    who = Identifier("name", RawText("Smith, Will"))
    out, account = run(raw("smith came. SMITH left, Will too. He will rest; Smithfield is a town.",
                           identifiers=(who,)), recognisers=())  # fmt: skip
    assert "smith " not in out.text.lower() and "Will " not in out.text
    assert "He will rest; Smithfield is a town." in out.text
    assert account.counts == {"name": 3}


def test_one_person_is_one_surrogate_in_all_documents_of_a_group():
    one = run(raw("Seen by Dr. Amelia Hathaway."))[0].text
    two = run(raw("HATHAWAY, AMELIA signed. Dr. Hathaway agrees."))[0].text
    other = run(raw("Seen by Dr. Amelia Hathaway.", group="patient/2"))[0].text
    first, last = one.removeprefix("Seen by Dr. ").rstrip(".").split()
    assert two == f"{last.upper()}, {first.upper()} signed. Dr. {last} agrees."
    assert other != one
    assert {first.lower(), last.lower()} <= surrogate_names()


@given(st.lists(st.dates(date(1990, 1, 1), date(2026, 1, 1)), min_size=2, max_size=5))
def test_intervals_between_dates_are_kept(days):
    doc = raw("\n".join(day.isoformat() for day in days), time=days[0].isoformat(),
              mentions=(Mention(0, 10, "date", time=days[1].isoformat()),))  # fmt: skip
    out, _ = run(doc)
    moved = [date.fromisoformat(line) for line in out.text.splitlines()]
    shift = timedelta(VAULT.shift(out.group))
    assert moved == [day + shift for day in days]
    assert (out.time, out.mentions[0].time) == (moved[0].isoformat(), moved[1].isoformat())


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["Mr. Jonathan Hathaway", "SSN 123-45-6789", "\u200b", "\r\n", " ",
                                 "cough", "on 01/02/2024", "a@b.org", ",", "\n\n\n\n"]),
                max_size=14),
       st.data())  # fmt: skip
def test_what_was_not_replaced_leads_back_to_itself(parts, data):
    text = " ".join(parts) + "."
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    cleaned, edits = clean(raw(text, mentions=(Mention(start, end, "symptom"),)))
    out, _ = run(cleaned, edits=edits)
    assert list(out.edits) == sorted(out.edits, key=lambda e: (e.start, e.end))
    edited = {i for edit in out.edits for i in range(edit.start, edit.end)}
    for i, char in enumerate(out.text):
        span = out.original(i, i + 1)
        if i not in edited:
            assert text[span.start : span.end] == char
    for edit in out.edits:
        assert 0 <= edit.raw_start <= edit.raw_end <= len(text)
    # A mention still covers every kept character that it covered.
    mention = out.mentions[0]
    back = out.original(mention.start, mention.end)
    kept = [i for i in range(len(out.text)) if i not in edited]
    inside = [i for i in kept if start <= out.original(i, i + 1).start < end]
    assert all(mention.start <= i < mention.end for i in inside)
    assert back.start < back.end


def test_mentions_follow_what_replaced_them():
    text = "Patient: Jonathan Hathaway has asthma."
    at = text.index("Jonathan")
    doc = raw(text, mentions=(Mention(at, at + 17, "patient", ref=RawText("patient/1")),
                              Mention(at + 9, at + 21, "symptom"),
                              Mention(text.index("asthma"), len(text) - 1, "condition")),
              links=(Link(0, 2, "has_condition", "2024-01-02"),))  # fmt: skip
    out, _ = run(doc)
    patient, across, asthma = (out.text[m.start : m.end] for m in out.mentions)
    assert (asthma, across) == ("asthma", f"{patient} has")
    assert out.mentions[0].ref == RawText(VAULT.pseudonym("patient/1"))
    assert out.group == f"patient:{VAULT.pseudonym('patient/1')}"
    assert out.links[0].time != "2024-01-02"


def test_the_account_counts_and_knows_the_aliases():
    _, account = run(raw("Mr. Jonathan Hathaway, MRN 8812345, is a 93-year-old. Seen 01/02/2024."))
    assert account.counts == {"date": 2, "mrn": 1, "name": 1}
    assert {VAULT.digest("hathaway, jonathan"), VAULT.digest("8812345")} == {
        digest for digest, _, _ in account.aliases
    }


def test_what_the_policy_keeps_is_kept_and_shields_its_digits():
    policy = Policy(keeps=CYBERSECURITY.keeps, shift_dates=False)
    text = ("2024-01-02 10:00:00 web01 sshd[4711]: Failed password for root from 10.1.2.3\n"
            "Analyst: Amelia Hathaway, call 617-253-1000 https://x.org/617-253-1001\n")  # fmt: skip
    doc = raw(text, "cybersecurity", "host/web01", time="2024-01-02T10:00:00Z")
    out, account = run(doc, cybersecurity.recognisers(), policy)
    assert out.text.splitlines()[0] == text.splitlines()[0]
    assert "Hathaway" not in out.text and "253-1000" not in out.text
    assert "https://x.org/617-253-1001" in out.text
    assert (out.group, out.time) == ("host:web01", "2024-01-02T10:00:00Z")
    assert account.counts == {"name": 1, "phone": 1}


def test_general_documents_keep_dates_unless_they_are_a_patients():
    text, policy = "Issued 01/02/2024.", Policy(shift_dates=False)
    assert run(raw(text, "general", ""), general.recognisers(), policy)[0].text == text
    assert run(raw(text, "general", "patient/1"), general.recognisers(), policy)[0].text != text


def test_without_a_shift_only_the_year_is_left():
    doc = raw("Seen 01/02/2024 and 3/4/24.", time="2024-01-02")
    out, _ = run(doc, policy=Policy(shift_dates=False))
    assert (out.text, out.time) == ("Seen 2024 and [date].", "2024")


def test_the_override_passes_the_text_and_says_so():
    doc = raw("Mr. Jonathan Hathaway", meta={"a": "b"})
    out, account = run(doc, policy=Policy(override_reason="synthetic data, ticket 7"))
    assert out.text == "Mr. Jonathan Hathaway"
    assert (account.by, account.reason, account.counts) == (
        "override", "synthetic data, ticket 7", {}
    )  # fmt: skip


def test_what_sticks_out_of_the_longer_find_is_replaced_too():
    def overlapping(text):
        return [Found(0, 6, "name"), Found(4, 12, "mrn")]

    out, _ = run(raw("abcdefgh1234 rest"), recognisers=[overlapping])
    assert not out.text.startswith("abcd") and out.text.endswith(" rest")


def test_the_same_document_gets_the_same_id():
    doc = raw("Mr. Jonathan Hathaway")
    assert run(doc) == run(doc)
    assert run(doc)[0].id != run(raw("Mr. Jonathan Hathaway", group="patient/2"))[0].id


@pytest.mark.parametrize("born", ["03/04/1931", "3/4/31", "March 4, 1931", "1931-03-04"])
def test_the_birth_of_somebody_over_89_is_no_date_any_more(born):
    doc = raw(f"DOB: {born}. Seen 05/06/2024; born in 1931.", time="2024-05-06",
              meta={"born": born})  # fmt: skip
    out, account = run(doc)
    assert "193" not in out.text and out.text.startswith("DOB: [date]. Seen ")
    assert out.meta["born"] == "[date]"
    assert account.counts["date"] == 4
    young = run(raw("DOB: 03/04/1961. Seen 05/06/2024.", time="2024-05-06"))[0].text
    assert "[date]" not in young and "03/04/1961" not in young


def test_seconds_since_1970_shift_where_they_are_times():
    out, _ = run(raw('{"timestamp": 1714838400, "size": 1714838400}'))
    days = VAULT.shift(out.group)
    assert out.text == f'{{"timestamp": {1714838400 + days * 86400}, "size": 1714838400}}'


def test_what_one_text_names_is_replaced_in_title_and_meta():
    doc = raw("Seen by Dr. Amelia Hathaway.", title=RawText("hathaway"), meta={"by": "HATHAWAY"})
    out, _ = run(doc)
    assert out.title.upper() == out.meta["by"] and "hathaway" not in out.title


def test_what_was_replaced_before_is_replaced_again():
    seen = {"Zelph Quorbin", "77123401"}
    doc = raw("as agreed by Zelph Quorbin and 77123401 of Ward Nine")
    kept = run(doc)[0].text
    out = redact(doc, recognisers=(), policy=Policy(), vault=VAULT,
                 known=lambda values: seen & set(values))[0].text  # fmt: skip
    assert "Ward Nine" in out and not any(one in out for one in seen)
    assert "77123401" in kept


@pytest.mark.parametrize("unit", ["a", "/aA9+=", "%41", "x=1,", '{"a":1,'])
def test_a_line_without_blanks_does_not_take_long(unit):
    assert grows_linearly(lambda text: run(raw(text)), unit, 300_000)
