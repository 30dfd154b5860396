"""A lexicon finds the longest terms at word edges, at exact offsets, and loads as it was saved."""

from __future__ import annotations

import importlib.util
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.core.errors import InputError
from aegle.core.pack import Term
from aegle.core.records import Concept
from aegle.facts.lexicon import Lexicon
from aegle.facts.words import phrase_key, words

TERMS = [
    Term("heart failure", "condition", Concept("ICD10CM", "I50.9", "Heart failure")),
    Term("failure", "condition"),
    Term("type 2 diabetes", "condition", Concept("ICD10CM", "E11.9")),
    Term("Crohn disease", "condition", Concept("ICD10CM", "K50.90")),
    Term("fracture", "condition"),
    Term("biopsy", "procedure"),
    Term("MS", "condition", Concept("ICD10CM", "G35"), exact=True, score=0.4),
    Term("diabetes mellitus, type 1", "condition"),
]


@pytest.fixture(scope="module")
def lexicon() -> Lexicon:
    return Lexicon.build(TERMS)


def found(lexicon: Lexicon, text: str) -> list[str]:
    return [text[match.start : match.end] for match in lexicon.find(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Acute HEART FAILURE today", ["HEART FAILURE"]),
        ("heart-failure, failure", ["heart-failure", "failure"]),
        ("heart\nfailure", ["heart\nfailure"]),
        ("type-2  diabetes", ["type-2  diabetes"]),
        ("Crohn's disease and Crohn’s disease", ["Crohn's disease", "Crohn’s disease"]),
        ("fractures, biopsies", ["fractures", "biopsies"]),
        ("MS but not ms or Ms", ["MS"]),
        ("diabetes mellitus, type 1", ["diabetes mellitus, type 1"]),
        ("heartfailure refractured", []),
        ("of the heart. Failure to thrive", ["Failure"]),
        ("heart\n\nfailure", ["failure"]),
        ("- heart\n- failure", ["failure"]),
        ("diabetes mellitus type 1", []),
    ],
)
def test_finds_what_is_named_and_nothing_else(lexicon, text, expected):
    assert found(lexicon, text) == expected


def test_all_terms_of_a_name_are_offered():
    lexicon = Lexicon.build([*TERMS, Term("Heart failure", "condition", Concept("X", "1"))])
    (match,) = lexicon.find("heart failure")
    assert [term.concept.key for term in match.terms if term.concept] == ["ICD10CM:I50.9", "X:1"]


def test_saved_lexicon_loads_equal(tmp_path, lexicon):
    lexicon.save(tmp_path / "a.json.gz")
    again = Lexicon.load(tmp_path / "a.json.gz")
    text = "MS, heart failure, Crohn's disease and a fracture"
    assert again.find(text) == lexicon.find(text)
    again.save(tmp_path / "b.json.gz")
    assert (tmp_path / "a.json.gz").read_bytes() == (tmp_path / "b.json.gz").read_bytes()


def test_damaged_file_is_an_input_error(tmp_path):
    path = tmp_path / "bad.json.gz"
    path.write_bytes(b"not gzip")
    with pytest.raises(InputError, match="built again"):
        Lexicon.load(path)


def test_cache_builds_once_and_repairs_itself(tmp_path):
    made = []

    def make():
        made.append(1)
        return iter(TERMS)

    first = Lexicon.cached(tmp_path, "p", "1", make)
    second = Lexicon.cached(tmp_path, "p", "1", make)
    assert len(made) == 1
    assert first.find("fracture") == second.find("fracture")
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:40])
    assert Lexicon.cached(tmp_path, "p", "1", make).find("fracture")
    assert len(made) == 2
    Lexicon.cached(tmp_path, "p", "2", make)
    assert len(made) == 3


def test_cache_is_built_anew_when_a_word_list_changes(tmp_path):
    code = tmp_path / "terms_of_lists.py"
    code.write_text(
        "from pathlib import Path\n"
        "from aegle.core.pack import Term\n"
        "LIST = Path(__file__).parent / 'data' / 'names.txt'\n"
        "def make():\n"
        "    return (Term(line, 'tool') for line in LIST.read_text().splitlines())\n"
    )
    names = tmp_path / "data" / "names.txt"
    names.parent.mkdir()
    names.write_text("Firstname")
    spec = importlib.util.spec_from_file_location("terms_of_lists", code)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    cache = tmp_path / "cache"
    assert Lexicon.cached(cache, "p", "1", module.make).find("Firstname")
    names.write_text("Secondname")
    again = Lexicon.cached(cache, "p", "1", module.make)
    assert again.find("Secondname")
    assert not again.find("Firstname")


@given(st.text())
def test_words_are_where_they_say(text):
    split = words(text)
    assert all(a < b for a, b in zip(split.starts, split.ends, strict=True))
    assert split.starts == sorted(split.starts)
    for a, b, key in zip(split.starts, split.ends, split.keys, strict=True):
        assert words(text[a:b]).keys in ([key], []) or key == "\n"


@given(st.text(alphabet="abc MS-'s\n.", max_size=60), st.text(alphabet="xyz ,.", max_size=20))
def test_matches_do_not_overlap_and_spell_their_terms(before, after):
    lexicon = Lexicon.build(TERMS)
    text = f"{before} heart failure {after}"
    matches = lexicon.find(text)
    assert any(text[m.start : m.end] == "heart failure" for m in matches)
    for left, right in pairwise(matches):
        assert left.end <= right.start
    for match in matches:
        assert all(
            phrase_key(t.text) == phrase_key(text[match.start : match.end]) for t in match.terms
        )


def test_a_megabyte_of_one_character_takes_no_time(lexicon):
    for text in ("a" * 1_000_000, "heart " * 160_000, "\n " * 500_000, "'s" * 500_000):
        assert all(text[m.start : m.end].strip() for m in lexicon.find(text))


def test_the_terms_of_a_code_are_all_that_have_it(lexicon: Lexicon) -> None:
    assert lexicon.coded("I50.9") == TERMS[:1] == lexicon.coded("I50.9", "ICD10CM")
    assert lexicon.coded("I50.9", "LOINC") == lexicon.coded("I50") == lexicon.coded("") == []
    codes = {term.concept.code for term in lexicon if term.concept}
    for code in codes:
        expected = [t for t in lexicon if t.concept and t.concept.code == code]
        assert lexicon.coded(code) == expected == lexicon.coded(code)
