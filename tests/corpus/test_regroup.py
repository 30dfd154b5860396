"""A stored document after its patient turned out to be another group's."""

from __future__ import annotations

import datetime as dt

from hypothesis import given
from hypothesis import strategies as st

from aegle.core.records import Document, Identifier, Mention, RawDocument
from aegle.core.text import RawText
from aegle.corpus import dates
from aegle.corpus.redact import Policy, redact, regroup
from aegle.corpus.vault import Vault

VAULT = Vault(b"0123456789abcdef" * 2)
FORMER, GROUP = VAULT.group("patient/4711"), VAULT.group("patient/p1")
NAME = Identifier("name", RawText("Amara Diallo"))


def made(text: str, group: str) -> Document:
    raw = RawDocument(
        "s", "note", "healthcare", RawText(text), title=RawText("Visit 2024-05-06"),
        group=RawText(group), time="2024-05-06T10:00", identifiers=(NAME,),
        mentions=(Mention(0, 5, "patient", time="2024-05-06", ref=RawText("patient/4711")),),
        meta={"first": "2024-05-06", "ward": "ICU-3"},
    )  # fmt: skip
    policy = Policy(keeps=frozenset(), shift_dates=True)
    return redact(raw, recognisers=[dates.find], policy=policy, vault=VAULT)[0]


def moved(doc: Document) -> Document:
    old, new = (VAULT.surrogate("name", "Amara Diallo", group) for group in (FORMER, GROUP))
    return regroup(doc, former=FORMER, group=GROUP, vault=VAULT, renamed={old: new})


@given(
    st.lists(
        st.one_of(
            st.dates(dt.date(1950, 1, 1), dt.date(2030, 1, 1)).map(dt.date.isoformat),
            st.sampled_from(["met Amara Diallo then", "warfarin", "wrote,", "Seen on 05/06/2024."]),
        ),
        max_size=12,
    )
)
def test_it_is_what_it_had_been_in_that_group_from_the_start(words: list[str]) -> None:
    text = " ".join(["Chart", *words, "end"])
    doc, wanted = moved(made(text, "patient/4711")), made(text, "patient/p1")
    assert (doc.id, doc.text, doc.title, doc.time, doc.meta, doc.group) == (
        wanted.id, wanted.text, wanted.title, wanted.time, wanted.meta, GROUP,
    )  # fmt: skip
    assert doc.edits == wanted.edits
    (mention,) = doc.mentions
    assert mention.ref == RawText(GROUP.partition(":")[2])
    assert mention.time == wanted.mentions[0].time


def test_a_document_of_another_only_speaks_of_the_patient_by_the_new_name() -> None:
    other = made("Chart of the brother, Amara Diallo, 2024-05-06", "patient/99")
    doc = moved(other)
    assert (doc.id, doc.text, doc.time, doc.group) == (
        other.id, other.text, other.time, other.group,
    )  # fmt: skip
    assert doc.mentions[0].ref == RawText(GROUP.partition(":")[2])


def test_dates_that_were_kept_stay() -> None:
    doc = made("Chart 2024-05-06", "patient/4711")
    same = regroup(doc, former=FORMER, group=GROUP, vault=VAULT, renamed={}, shift_dates=False)
    assert (same.text, same.time, same.group) == (doc.text, doc.time, GROUP)
