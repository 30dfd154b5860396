"""Other names are alternatives: nothing of a question is lost, and no chunk scores less."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from aegle.lm.terms import terms
from aegle.retrieve.expand import MOST_NAMES, MOST_THINGS, Added, Known, Widened, expand

WORDS = st.sampled_from("heart attack renal failure apt29 bear cozy the of pump icu".split())
TEXTS = st.lists(WORDS, max_size=8).map(" ".join)
NAMES = st.lists(WORDS, min_size=1, max_size=3).map(" ".join)


@st.composite
def questions(draw):
    """A question and what of it has other names."""
    question = draw(TEXTS)
    ends = st.integers(0, len(question))
    spans = draw(st.lists(st.tuples(ends, ends).filter(lambda at: at[0] < at[1]), max_size=5))
    names = st.lists(NAMES, max_size=6).map(tuple)
    return question, [Known(start, end, draw(names)) for start, end in spans]


def widened(index, added, weight=0.5):
    return Widened(
        index, added, texts=lambda ids: [index.texts[item] for item in ids], weight=weight
    )


class Counted:
    """An index whose score is the sum of a query's words that a chunk has."""

    def __init__(self, chunks):
        self.chunks = {f"c{n}": Counter(terms(text)) for n, text in enumerate(chunks)}
        self.texts = dict(zip(self.chunks, chunks, strict=True))
        self.asked = []

    def search_dense(self, vector, *, k, where=None):
        return [("dense", 1.0)][:k]

    def search_text(self, query, *, k, where=None):
        self.asked.append((query, where))
        scores = {
            item: float(sum(times * counts[word] for word, times in Counter(terms(query)).items()))
            for item, counts in self.chunks.items()
        }
        found = [(item, score) for item, score in scores.items() if score > 0]
        return sorted(found, key=lambda one: (-one[1], one[0]))[:k]


@given(questions())
def test_what_is_added_is_new_and_bounded(case):
    question, known = case
    added = expand(question, known)
    assert len(added) <= MOST_THINGS
    for one in added:
        assert one.of in question
        assert 1 <= len(one.names) <= MOST_NAMES
        assert all(set(terms(name)) - set(terms(question)) for name in one.names)
    assert added == expand(question, known)


@given(questions())
def test_a_question_that_holds_the_names_gets_no_more(case):
    question, known = case
    longer = " ".join([question, *(name for one in known for name in one.names)])
    assert expand(longer, known) == ()


@given(TEXTS)
def test_what_nothing_is_known_of_gets_nothing(question):
    assert expand(question, []) == ()
    assert expand(question, [Known(0, len(question), ())]) == ()


@given(questions())
def test_words_that_de_identification_put_in_are_not_expanded(case):
    question, known = case
    assert expand(question, known, hidden=question.lower().split()) == ()


@given(questions(), st.lists(TEXTS, max_size=6), st.floats(0, 1))
def test_no_chunk_scores_less_and_the_question_is_asked_whole(case, chunks, weight):
    question, known = case
    index = Counted(chunks)
    added = expand(question, known)
    before = dict(index.search_text(question, k=50))
    index.asked.clear()
    after = dict(widened(index, added, weight).search_text(question, k=50))
    assert index.asked[0][0] == question
    assert all(after[item] >= score for item, score in before.items())
    if not added:
        assert after == before


@given(questions(), st.lists(TEXTS, max_size=6), st.integers(1, 4))
def test_the_first_are_the_first_of_more(case, chunks, k):
    question, known = case
    index = widened(Counted(chunks), expand(question, known))
    assert index.search_text(question, k=k) == index.search_text(question, k=50)[:k]


def test_a_chunk_with_both_names_gains_nothing():
    index = Counted(["heart attack", "myocardial infarction", "heart attack myocardial infarction"])
    added = (Added("heart attack", ("myocardial infarction", "mi")),)
    found = dict(widened(index, added).search_text("heart attack", k=9))
    assert found == {"c0": 2.0, "c1": 1.0, "c2": 2.0}


def test_where_nothing_is_called_so_another_name_counts_in_full():
    index = Counted(["apt29 used a tool", "a bear used a tool"])
    added = (Added("cozy bear", ("apt29",)),)
    found = widened(index, added, 0.1).search_text("cozy bear tool", k=9)
    assert found == [("c0", 2.0), ("c1", 2.0)]


def test_filters_hold_for_every_name_and_meaning_is_as_before():
    index = Counted(["heart attack"])
    wide = widened(index, (Added("heart attack", ("infarction",)),))
    wide.search_text("heart attack", k=2, where={"group": ["g"]})
    assert [where for _, where in index.asked] == [{"group": ["g"]}] * 3
    assert wide.search_dense(None, k=1) == [("dense", 1.0)]


def test_of_two_that_overlap_the_longer_counts_and_agreeing_lists_are_joined():
    question = "type 2 diabetes"
    known = [Known(7, 15, ("sugar",)), Known(0, 15, ("T2DM",)), Known(0, 15, ("NIDDM", "T2DM"))]
    assert expand(question, known) == (Added("type 2 diabetes", ("T2DM", "NIDDM")),)
