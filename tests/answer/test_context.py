"""Further evidence for the generator stands behind the answer's own and repeats nothing of it."""

from aegle.answer.rag import with_context
from aegle.core.records import Citation, Claim
from aegle.core.text import SafeText


def cited(document, start, end):
    return Citation(document, start, end, SafeText("x" * (end - start), by="test"))


def test_what_is_cited_already_is_not_repeated():
    own = [Claim(SafeText("a", by="test"), (cited("a", 10, 20), cited("b", 0, 5)))]
    further = [cited("a", 0, 10), cited("a", 15, 30), cited("b", 4, 9), cited("c", 10, 20)]
    found = with_context(own, further)
    assert found[0] is own[0]
    assert [one.citations for one in found[1:]] == [(further[0],), (further[3],)]
    assert with_context(own, []) == own
