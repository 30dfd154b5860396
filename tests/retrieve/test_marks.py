"""Marks of names depend on the passage alone; together they tell titles and sure names."""

from hypothesis import given
from hypothesis import strategies as st

from aegle.retrieve import marks
from aegle.retrieve.marks import ABOUT, SURE, UNSURE, read
from aegle.retrieve.names import key_of


def how(named):
    return {int(row["mark"]): int(row["how"]) for row in named.names}


def phrases(title, text):
    kept = {int(row["mark"]) for row in read(title, text).phrases}
    return {" ".join(key) for number, key in marks.keys_in(title, text).items() if number in kept}


def test_titles_names_and_lone_capitals():
    told = how(read("Blood Street (film)", "Directed by Leo Fong, it was shown in Rome."))
    assert told[marks.mark(key_of("Blood Street"))] == ABOUT
    assert told[marks.mark(key_of("Leo Fong"))] == SURE
    assert told[marks.mark(key_of("Directed"))] == UNSURE


def test_phrases_are_what_titles_may_be():
    found = phrases(
        "", "President Leo Fong wrote of the theory of relativity and natural selection."
    )
    assert {"leo fong", "fong", "theory of relativity", "natural selection"} <= found
    assert not any(one.startswith("of ") or one.endswith(" of") for one in found)
    assert "rome in" not in phrases("", "He saw Rome. In May he left.")


@given(st.text(max_size=200), st.text(max_size=40))
def test_every_mark_can_be_told_and_stays_in_its_range(text, title):
    named = read(title, text)
    known = marks.keys_in(title, text)
    assert {int(one) for one in named.names["mark"]} <= known.keys()
    assert {int(one) for one in named.phrases["mark"]} <= known.keys()
    assert len(set(named.names["mark"].tolist())) == len(named.names)
