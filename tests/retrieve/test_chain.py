"""Chains: only types that a question names are entered, and each step is evidence."""

from hypothesis import given
from hypothesis import strategies as st

from aegle.core.records import Edge
from aegle.retrieve.chain import reach

FACTS = [
    ("patient:a", "uses_device", "device:pump", 1.0),
    ("host:gw", "controls", "device:pump", 1.0),
    ("host:gw", "has_vulnerability", "vulnerability:x", 1.0),
    ("patient:a", "stays_in", "ward:icu", 1.0),
    ("patient:b", "stays_in", "ward:icu", 0.5),
    ("host:other", "located_in", "ward:icu", 1.0),
]


def ties(key):
    found = []
    for head, kind, tail, score in FACTS:
        if key in (head, tail):
            other = tail if key == head else head
            edge = Edge(head, tail, kind, "doc", 0, 1, score=score)
            found.append((edge, other, other.partition(":")[0]))
    return found


def test_types_on_the_way_lead_to_the_host_of_the_pump_and_no_other():
    found = reach([("patient:a", "patient")], ties=ties, types={"patient", "device", "host"})
    assert found[0].key == "host:gw"
    assert [edge.type for edge in found[0].steps] == ["uses_device", "controls"]
    assert "host:other" not in {one.key for one in found}


def test_other_patients_are_not_entered_when_they_are_not_allowed():
    types = {"patient", "ward"}
    free = reach([("ward:icu", "ward")], ties=ties, types=types)
    assert {"patient:a", "patient:b"} <= {one.key for one in free}
    kept = reach(
        [("ward:icu", "ward")], ties=ties, types=types, allowed=lambda key: key != "patient:b"
    )
    assert "patient:b" not in {one.key for one in kept}


def test_hops_and_fan_bound_the_walk():
    types = {"patient", "device", "host", "vulnerability"}
    near = reach([("patient:a", "patient")], ties=ties, types=types, hops=1)
    assert {one.key for one in near} == {"patient:a", "device:pump"}
    one = reach([("ward:icu", "ward")], ties=ties, types={"patient"}, fan=1)
    assert {found.key for found in one} == {"ward:icu", "patient:a"}


@given(st.sets(st.sampled_from(["patient", "device", "host", "vulnerability", "ward"])))
def test_steps_are_a_path_through_named_types(types):
    for one in reach([("patient:a", "patient")], ties=ties, types=types):
        at = "patient:a"
        for edge in one.steps:
            at = edge.tail if edge.head == at else edge.head
            assert at.partition(":")[0] in types
        assert at == one.key
