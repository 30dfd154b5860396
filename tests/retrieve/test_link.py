"""From a question to nodes: longest names first, plurals, codes, nothing from function words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.core.records import Node
from aegle.core.text import SafeText
from aegle.graph.names import NameIndex
from aegle.retrieve.link import link

NAMES = {
    "SNOMED:709044004": "Chronic kidney disease",
    "SNOMED:64033007": "Kidney",
    "device:pump-0042": "PUMP-0042",
    "ward:icu-3": "ICU-3",
    "host:icu3-gw01": "icu3-gw01",
    "ip:10.0.0.5": "10.0.0.5",
    "CVE:CVE-2024-1234": "Buffer overflow in pump firmware",
    "condition:infusion reaction": "Infusion reaction",
    "ATTACK:T1059": "Command and Scripting Interpreter",
    "thing:who": "WHO",
    "thing:5": "5",
}
INDEX = NameIndex(
    [Node(key, key.partition(":")[0], SafeText(name, by="testing")) for key, name in NAMES.items()]
    + [Node("00ff", "chunk", SafeText("", by="testing"))]
)


def linked(question, extract=()):
    return link(question, match=INDEX.find, extract=lambda text: extract)


@pytest.mark.parametrize(
    ("question", "keys"),
    [
        ("Who has chronic kidney disease?", ["SNOMED:709044004"]),
        ("Chronic pain in the kidneys", ["SNOMED:64033007"]),
        ("Which ward is PUMP-0042 in?", ["device:pump-0042"]),
        ("is pump 0042 in icu 3", ["device:pump-0042", "ward:icu-3"]),
        ("What did icu3-gw01 send to 10.0.0.5?", ["host:icu3-gw01", "ip:10.0.0.5"]),
        ("Is anything affected by CVE-2024-1234?", ["CVE:CVE-2024-1234"]),
        ("hosts with t1059", ["ATTACK:T1059"]),
        ("infusion reactions", ["condition:infusion reaction"]),
        ("who are the 5 patients", []),
        ("", []),
    ],
)
def test_names_in_questions(question, keys):
    assert linked(question) == keys


def test_what_extraction_finds_comes_first_and_once():
    found = linked("kidney and PUMP-0042", extract=["device:pump-0042", "LOINC:1"])
    assert found == ["device:pump-0042", "LOINC:1", "SNOMED:64033007"]


@given(
    st.lists(st.sampled_from(sorted(NAMES.values())[2:]), unique=True),
    st.sampled_from([", ", " and "]),
)
def test_every_name_that_is_said_is_found(names, between):
    found = {NAMES[key] for key in linked(between.join(names))}
    assert set(names) - {"WHO", "5", "Kidney"} <= found
