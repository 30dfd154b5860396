"""Walks over passages: from what is named over a bridge to the answer, steered by the question."""

from dataclasses import replace

import numpy as np
import pytest

from aegle.retrieve import marks
from aegle.retrieve.names import key_of
from aegle.retrieve.passages import Passage, PassageGraph, Rows, graph_of

FILM = Passage(
    "film", "Blood Street", "Blood Street is a film directed by Leo Fong for Acme Films."
)
MAN = Passage("man", "Leo Fong", "Leo Fong is an actor from China who lived in California.")
STUDIO = Passage("studio", "Acme Films", "Acme Films made silent pictures.")
OTHER = Passage("other", "Mount Rose", "Mount Rose is a mountain of Nevada.")
ALL = [FILM, MAN, STUDIO, OTHER]


def flat(places):
    return np.zeros(len(places))


def test_a_bridge_leads_to_the_second_passage():
    found = graph_of(ALL).walk([key_of("Blood Street")], {}, focus=flat)
    ids = [item for item, _ in found]
    assert ids[0] == "film"
    assert set(ids) == {"film", "man", "studio"}


@pytest.mark.parametrize("wanted", ["man", "studio"])
def test_what_is_asked_steers_the_walk(wanted):
    graph = graph_of(ALL)
    (place,) = graph.places([wanted])
    found = graph.walk(
        [key_of("Blood Street")], {}, focus=lambda places: np.where(places == place, 0.9, 0.0)
    )
    shares = dict(found)
    rival = "studio" if wanted == "man" else "man"
    assert shares[wanted] > shares[rival]


def test_hits_are_starts_and_unknown_ones_are_left_out():
    graph = graph_of(ALL)
    found = graph.walk([key_of("No Such Name")], {"other": 0.1, "gone": 1.0}, focus=flat)
    assert [item for item, _ in found] == ["other"]
    assert graph.walk([], {}, focus=flat) == []
    assert graph_of([]).walk([], {}, focus=flat) == []


def test_links_and_titles():
    graph = graph_of(ALL)
    linked = graph.link("What nationality is the director of film Blood Street from Nevada?")
    assert [" ".join(one.key) for one in linked] == ["blood street", "nevada"]
    assert [graph.is_title(one) for one in linked] == [True, False]


def test_what_fewer_passages_name_says_more():
    many = [Passage(f"n{i}", f"Place {i}x", "It lies in Nevada state.") for i in range(9)]
    graph = graph_of([*ALL, *many])
    rare, common = (graph.specificity(key_of(n)) for n in ("Leo Fong", "Nevada"))
    assert rare > common > 0


def test_walks_neither_meet_nor_pass_what_may_not_be_seen():
    graph = graph_of(ALL)
    hidden = np.ones(len(ALL), bool)
    hidden[graph.places(["film"])] = False
    found = graph.walk([key_of("Blood Street")], {"film": 1.0}, focus=flat, seen=hidden)
    assert found == []
    question = "Who directed Blood Street?"
    (name,) = graph.link(question)
    assert graph.is_title(name)
    assert not graph.is_title(name, seen=hidden)
    assert graph.link(question, seen=hidden) == []


def test_a_title_inside_a_run_and_in_small_letters_is_found_in_other_passages():
    acme = Passage("acme", "Films", "About films.")
    run = Passage("run", "Roles", "The part of Actor Leo Fong needs acme films of old.")
    found = dict(graph_of([*ALL, acme, run]).walk([key_of("Roles")], {}, focus=flat))
    assert {"man", "studio"} <= found.keys()


def test_all_passages_of_a_long_document_count_as_one_that_is_about_it():
    parts = [(f"p{n}", "film", marks.read(FILM.title, FILM.text)) for n in range(60)]
    man = ("man", "man", marks.read(MAN.title, MAN.text))
    graph = PassageGraph(Rows.of([*parts, man]))
    (name,) = graph.link("Who made Blood Street?")
    assert graph.is_title(name)
    kind = PassageGraph(Rows.of([(i, i, named) for i, _, named in parts]))
    assert not kind.is_title(name), "a title of sixty documents is a kind"


def test_order_of_passages_does_not_matter():
    one = dict(graph_of(ALL).walk([key_of("Blood Street")], {"man": 0.1}, focus=flat))
    other = dict(graph_of(ALL[::-1]).walk([key_of("Blood Street")], {"man": 0.1}, focus=flat))
    assert one.keys() == other.keys()
    assert all(one[item] == pytest.approx(other[item]) for item in one)


CHARTS = [
    ("c1", "Acme Films", "Seen by Leo Fong. Nevada was named, and Mount Rose, and Rash Guard."),
    ("c2", "California", "California: Leo Fong again, who came from Nevada with a Film crew."),
    *((f"c{n}", f"Chart {n}x", "Leo Fong of Acme Films. Nevada State.") for n in range(3, 60)),
]
LONE = Passage("lone", "Old Rash", "Film crews lived in California. Rash was the word.")


def with_charts(*apart):
    """ALL and LONE among as many charts, and which of the passages are none."""
    open_ones = [(one.id, one.title, one.text) for one in (*ALL, LONE)]
    given = [*apart[:1], *open_ones[:2], *apart[1:], *open_ones[2:]]
    rows = Rows.of((item, item, marks.read(title, text)) for item, title, text in given)
    charts = np.array([one in apart for one in given])
    return PassageGraph(replace(rows, apart=charts)), ~charts


@pytest.mark.parametrize("starts", [{}, {"lone": 0.1, "c1": 1.0}])
def test_what_may_not_be_seen_changes_no_walk(starts):
    keys = [key_of(one) for one in ("Blood Street", "Leo Fong", "California")]
    (alone, every), (among, open_ones) = with_charts(), with_charts(*CHARTS)
    question = "Did Leo Fong of Acme Films see Rash or California with a Film from Nevada?"
    named = alone.link(question)
    assert among.link(question, seen=open_ones) == named
    for one in named:
        assert among.is_title(one, seen=open_ones) == alone.is_title(one)
        assert among.specificity(one.key) == alone.specificity(one.key)
    found = [
        graph.walk(keys, starts, focus=flat, seen=seen)
        for graph, seen in ((alone, every), (among, open_ones))
    ]
    assert found[0] == found[1]


def test_who_may_see_a_chart_is_led_to_it():
    graph, seen = with_charts(*CHARTS)
    seen[graph.places(["c1"])] = True
    ids = [item for item, _ in graph.walk([key_of("Leo Fong")], {}, focus=flat, seen=seen)]
    assert "c1" in ids
    assert not {item for item, _, _ in CHARTS[1:]} & set(ids)
    assert graph.specificity(key_of("Chart 7x")) < graph.specificity(key_of("Leo Fong"))
    rows = Rows.of((item, item, marks.read(title, text)) for item, title, text in CHARTS)
    charts = PassageGraph(replace(rows, apart=np.ones(len(CHARTS), bool)))
    assert charts.walk([key_of("Leo Fong")], {}, focus=flat), "a workspace of charts alone"
