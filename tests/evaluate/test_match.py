"""What proves a passage: quotes, spans, documents, alternatives; and the gains of a ranking."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aegle.core.records import Citation
from aegle.core.text import SafeText
from aegle.evaluate import match
from aegle.evaluate.questions import Passage
from aegle.metrics.ranking import ndcg


def piece(document: str, text: str, start: int = 0) -> Citation:
    return Citation(document, start, start + len(text), SafeText(text, by="test"))


def proves(shown: Citation, passage: Passage) -> bool:
    return match.proves(shown, passage, documents=lambda name: {name.removesuffix(".txt")})


def test_a_quote_wherever_it_stands() -> None:
    passage = Passage(text="heart  Failure\nwith")
    assert proves(piece("a", "Has Heart failure with edema."), passage)
    assert not proves(piece("a", "Has heart failure."), passage)


def test_a_quote_of_one_document() -> None:
    passage = Passage("a.txt", "heart")
    assert proves(piece("a", "heart"), passage)
    assert not proves(piece("b", "heart"), passage)


def test_a_document_and_half_of_a_span() -> None:
    assert proves(piece("a", "anything"), Passage("a.txt"))
    assert not proves(piece("b", "anything"), Passage("a.txt"))
    span = Passage("a.txt", start=10, end=20)
    assert proves(piece("a", "x" * 10, 5), span)
    assert not proves(piece("a", "x" * 10, 4), span)
    assert not proves(piece("a", "x" * 10, 40), span)


def test_an_alternative_and_another_way_to_say_it() -> None:
    passage = Passage(text="long", alternatives=(Passage("a.txt", "short"),))
    assert proves(piece("a", "short"), passage)
    assert not proves(piece("b", "short"), passage)
    renamed = match.proves(
        piece("a", "Dr. Moss"),
        Passage(text="Dr. Reed"),
        documents=lambda name: (),
        says=lambda quote: {quote, quote.replace("Reed", "Moss")},
    )
    assert renamed


PLACES = st.lists(st.sampled_from([[0], [1], [2], []]), max_size=6)


@given(PLACES)
def test_one_passage_a_piece_is_the_usual_ndcg(proved: list[list[int]]) -> None:
    passages = [Passage(f"d{n}", grade=n + 1) for n in range(3)]
    seen: set[int] = set()
    once = []  # a document that comes again counts as nothing
    for place, numbers in enumerate(proved):
        new = set(numbers) - seen
        once.append(f"d{new.pop()}" if new else f"none {place}")
        seen |= set(numbers)
    usual = ndcg(once, {f"d{n}": n + 1.0 for n in range(3)}, k=4)
    ours = ndcg([str(n) for n in range(len(proved))], match.gains(proved, passages), k=4)
    assert ours == usual


@given(st.lists(st.lists(st.integers(0, 3), unique=True), max_size=6))
def test_gains_share_out_every_grade_once(proved: list[list[int]]) -> None:
    passages = [Passage(f"d{n}", grade=2.0) for n in range(4)]
    assert sum(match.gains(proved, passages).values()) == 8
