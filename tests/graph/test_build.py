"""From facts to the graph: names, mentions, groups, assertions; the same in any order."""

from hypothesis import given
from hypothesis import strategies as st

from aegle.core.records import (
    Chunk,
    Concept,
    Document,
    Edge,
    Entity,
    Facts,
    Relation,
    Stored,
    content_id,
)
from aegle.core.text import SafeText
from aegle.graph.build import ABOUT, MENTIONS, build, group_key


def safe(text):
    return SafeText(text, by="testing")


def stored(name, text, *, entities=(), relations=(), cut=20, group="", concepts=None):
    """A document cut every ``cut`` characters; entities as (text, type, key, assertion)."""
    doc = Document(content_id(name), "note", "healthcare", safe(text), safe(""), group=group)
    chunks = []
    for start in range(0, len(text), cut):
        end = min(start + cut, len(text))
        where = (doc.id, start, end, safe(text[start:end]), safe(""), "note", "healthcare", group)
        chunks.append(Chunk(content_id(doc.id, str(start)), *where))
    made = []
    for said, kind, key, assertion in entities:
        start = text.index(said)
        about = (doc.id, start, start + len(said), safe(said), kind, key, assertion)
        linked = (concepts or {}).get(key, ())
        made.append(Entity(content_id(doc.id, said), *about, concepts=linked, extractor="test/1"))
    ties = tuple(
        Relation(
            *(content_id(doc.id, str(i)), doc.id, made[head].id, made[tail].id, kind),
            *(0, len(text), assertion, 0.5, "2024"),
        )
        for i, (head, tail, kind, assertion) in enumerate(relations)
    )
    return Stored(doc, tuple(chunks), Facts(tuple(made), ties))


NOTE = stored(
    "note",
    "Denies fever. Pump PUMP-0042 stands in ICU-3.",
    entities=[
        ("fever", "symptom", "SNOMED:386661006", "negated"),
        ("PUMP-0042", "device", "device:pump-0042", "present"),
        ("ICU-3", "ward", "ward:icu-3", "present"),
    ],
    relations=[(1, 2, "located_in", "present")],
    group="patient:0123456789ab",
    concepts={"SNOMED:386661006": (Concept("SNOMED", "386661006", "Fever (finding)"),)},
)


def test_relations_keep_their_evidence():
    _, edges = build([NOTE])
    tie = next(edge for edge in edges if edge.type == "located_in")
    doc = NOTE.document
    assert tie == Edge(
        *("device:pump-0042", "ward:icu-3", "located_in", doc.id, 0, len(doc.text)),
        *("present", 0.5, "2024", ""),
    )


def test_mentions_have_the_entity_s_span_and_assertion():
    _, edges = build([NOTE])
    fever = [edge for edge in edges if edge.tail == "SNOMED:386661006"]
    assert [(edge.head, edge.type, edge.assertion) for edge in fever] == [
        (NOTE.chunks[0].id, MENTIONS, "negated")
    ]
    assert NOTE.document.text[fever[0].start : fever[0].end] == "fever"


def test_an_entity_across_a_cut_is_in_both_chunks():
    _, edges = build([NOTE])
    # PUMP-0042 stands at [19, 28) and the first cut at 20.
    heads = {edge.head for edge in edges if edge.tail == "device:pump-0042"}
    assert heads == {NOTE.chunks[0].id, NOTE.chunks[1].id}


def test_names_come_from_concepts_then_from_most_texts():
    def says(name, text):
        return stored(name, text, entities=[(text, "ward", "ward:icu-3", "present")])

    nodes, _ = build([NOTE, says("b", "icu-3"), says("c", "ICU-3"), says("d", "the third ICU")])
    names = {node.key: (node.type, node.name) for node in nodes}
    assert names["SNOMED:386661006"] == ("symptom", "Fever (finding)")
    assert names["ward:icu-3"] == ("ward", "ICU-3")
    assert names[NOTE.chunks[0].id] == ("chunk", "")


def test_every_chunk_of_a_patient_s_document_is_about_the_patient():
    nodes, edges = build([NOTE])
    about = [edge for edge in edges if edge.extractor == ABOUT]
    assert {edge.head for edge in about} == {chunk.id for chunk in NOTE.chunks}
    assert {edge.tail for edge in about} == {"patient:0123456789ab"}
    patient = next(node for node in nodes if node.key == "patient:0123456789ab")
    assert (patient.type, patient.name) == ("patient", "patient:0123456789ab")


def test_a_patient_who_is_named_has_that_name():
    named = stored(
        *("named", "Ada Example came."),
        entities=[("Ada Example", "patient", "patient:0123456789ab", "present")],
        group="patient/0123456789ab",
    )
    nodes, _ = build([named, NOTE])
    patients = [node for node in nodes if node.type == "patient"]
    assert [node.name for node in patients] == ["Ada Example"]


def test_group_keys():
    assert group_key("patient/ab12") == group_key("patient:ab12") == "patient:ab12"
    assert group_key("host/web01") == "host:web01"
    assert group_key("loose") == "group:loose"


words = st.sampled_from(["fever", "cough", "rash", "pump"])
documents = st.lists(
    st.tuples(st.lists(words, unique=True), st.sampled_from(["present", "negated"])), max_size=4
)


@given(documents, st.randoms())
def test_order_does_not_matter_and_no_node_is_loose(given_docs, random):
    batch = [
        stored(
            *(str(i), "fever cough rash pump"),
            entities=[(word, "symptom", f"symptom:{word}", assertion) for word in said],
            relations=[(0, 1, "causes", assertion)] if len(said) > 1 else [],
            cut=7,
            group="patient:1" if i % 2 else "",
        )
        for i, (said, assertion) in enumerate(given_docs)
    ]
    nodes, edges = build(batch)
    shuffled = list(batch)
    random.shuffle(shuffled)
    assert build(shuffled) == (nodes, edges)
    keys = [node.key for node in nodes]
    assert len(set(keys)) == len(keys)
    assert set(keys) == {key for edge in edges for key in (edge.head, edge.tail)}
    assert len(set(edges)) == len(edges)
