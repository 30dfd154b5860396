"""Whom a question names: by full name, by family name, by number; never one of several."""

import re
from collections.abc import Iterator

import pytest

from aegle.core.pack import Found
from aegle.core.records import Identifier, Mention, RawDocument
from aegle.core.text import RawText
from aegle.corpus.asked import SharedNameError, own_aliases, resolve
from aegle.corpus.redact import Policy, redact
from aegle.corpus.vault import Vault

VAULT = Vault(b"0123456789abcdef" * 2)


def chart(number: str, family: str, given: str, text: str = "") -> RawDocument:
    name = f"{given} {family}"
    values = (name, f"{family}, {given}", "Hathaway, Iris")
    return RawDocument(
        "s", "note", "healthcare", RawText(f"{name}\n{text}"), group=RawText(f"patient/{number}"),
        mentions=(Mention(0, len(name), "patient", ref=RawText(f"patient/{number}")),),
        identifiers=tuple(Identifier("name", RawText(value)) for value in values),
    )  # fmt: skip


def okonkwo(text: str) -> Iterator[Found]:
    for match in re.finditer(r"(?:Marguerite )?Okonkwo", text):
        yield Found(*match.span(), "name")


def stored(*charts: RawDocument):
    rows: dict[str, list[tuple[str, str]]] = {}
    for doc in charts:
        _, account = redact(doc, recognisers=[okonkwo], policy=Policy(), vault=VAULT)
        for digest, group, surrogate in account.aliases:
            rows.setdefault(digest, []).append((group, surrogate))
    return lambda digests: {one: rows[one] for one in digests if one in rows}


def asks(question: str, *charts: RawDocument):
    return resolve(question, vault=VAULT, lookup=stored(*charts))


ONE = chart("1", "Okonkwo", "Marguerite", "Iris Hathaway was here.")
TWO = chart("2", "Quillfeather", "Bartholomew", "Her aunt, Marguerite Okonkwo, and Okonkwo's son.")
MINE = (VAULT.group("patient/1"),)


@pytest.mark.parametrize(
    "question", ["Is Okonkwo well?", "is okonkwo's ECG normal?", "Okonkwo, Marguerite: drugs?"]
)
def test_the_patients_own_name_outweighs_its_mention_in_anothers_chart(question):
    text, groups = asks(question, ONE, TWO)
    assert groups == MINE and "okonkwo" not in text.casefold()


def test_a_clinician_of_a_patients_name_is_not_that_patient():
    assert asks("Did Dr. Okonkwo sign?", ONE) == ("Did Dr. Okonkwo sign?", ())


def test_names_of_several_patients_are_refused_unless_something_tells():
    other = chart("3", "Okonkwo", "Ignatius")
    with pytest.raises(SharedNameError, match="2 patients") as raised:
        asks("What ails Okonkwo?", ONE, other)
    assert raised.value.question == "What ails [hidden]?"
    assert asks("Marguerite Okonkwo?", ONE, other)[1] == MINE
    with pytest.raises(SharedNameError):
        asks("Marguerite Okonkwo?", ONE, chart("4", "Okonkwo", "Marguerite"))


def test_a_family_name_that_is_a_word_needs_its_capital():
    brown = chart("5", "Brown", "Cordelia")
    assert asks("why is the sputum brown?", brown)[1] == ()
    assert asks("Brown sputum: why?", brown)[1] == ()
    assert asks("why is Brown here?", brown)[1] == (VAULT.group("patient/5"),)


def test_a_family_name_of_several_words_is_asked_by_all_or_the_last():
    doc = chart("6", "de la Cruz", "Ximena")
    mine = (VAULT.group("patient/6"),)
    assert asks("Is de la Cruz well?", doc)[1] == asks("Is Cruz well?", doc)[1] == mine


def test_only_the_patient_of_the_chart_has_aliases_of_this_kind():
    surrogates = {surrogate for _, _, surrogate in own_aliases(ONE, MINE[0], VAULT)}
    full = VAULT.surrogate("name", "Marguerite Okonkwo", MINE[0])
    assert surrogates == {full, full.split()[-1]}
    nobody = RawDocument("s", "note", "healthcare", RawText("Marguerite Okonkwo"))
    assert list(own_aliases(nobody, "", VAULT)) == []
