"""FHIR of any size and quality: nothing is lost unsaid, bad parts cost little."""

from __future__ import annotations

import base64
import copy
import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from fhir_files import (
    ALL,
    CONDITION,
    NOTE,
    PATIENT,
    SUBJECT,
    bundle,
    coding,
    facts,
    note,
    of,
    read,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from aegle.core.pack import Origin
from aegle.packs.healthcare.readers import fhir_stream
from aegle.packs.healthcare.readers.fhir import FhirReader
from aegle.packs.healthcare.readers.fhir_stream import resources


def test_a_note_inside_becomes_a_note() -> None:
    docs, _ = read(bundle(PATIENT, note()))
    (found,) = [doc for doc in docs if doc.kind == "note"]
    assert found.text.reveal() == NOTE + "\n"
    assert found.title.reveal() == "History and physical note"
    assert found.time == "2020-02-03T09:00:00Z"
    assert found.meta["sections"] == "Chief Complaint; Plan"
    assert "Mirela Oakhurst" in facts(found)


def test_html_is_read_pictures_are_left_and_pdf_is_a_problem() -> None:
    html = "<div><h1>Plan</h1><p>Rest &amp; <b>fluids</b></p><script>x()</script></div>"
    docs, problem = read(bundle(note(html, "text/html"), note("png", "image/png")))
    assert not problem
    assert [doc.text.reveal() for doc in docs if doc.kind == "note"] == ["Plan\nRest & fluids\n"]
    docs, problem = read(bundle(CONDITION, note("%PDF", "application/pdf")))
    assert "application/pdf" in problem
    assert {doc.title.reveal() for doc in docs} == {"Condition", "DocumentReference"}


def test_the_same_note_in_report_and_reference_comes_once() -> None:
    report = {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "code": coding("34117-2", "History and physical note", "http://loinc.org"),
        "subject": SUBJECT,
        "presentedForm": [note()["content"][0]["attachment"]],
    }
    docs, _ = read(bundle(report, note()))
    assert sum(doc.kind == "note" for doc in docs) == 1


def test_truncated_json_gives_all_whole_entries_then_says_so() -> None:
    raw = json.dumps(bundle(*[{**CONDITION, "id": str(n)} for n in range(30)])).encode()
    docs, problem = read(raw[: raw.index(b'"id": "29"')])
    assert sum(int(doc.meta["resources"]) for doc in docs) == 29
    assert "cut off" in problem


@given(st.integers(0, 4000))
@settings(max_examples=60, deadline=None)
def test_a_cut_anywhere_loses_only_what_is_cut(cut: int) -> None:
    raw = json.dumps(bundle(*[CONDITION] * 6)).encode()
    cut = min(cut, len(raw))
    ends = [place for place in range(len(raw)) if raw.startswith(b'"2011-04-02"}}', place)]
    docs, problem = read(raw[:cut])
    whole = sum(end + len(b'"2011-04-02"}}') <= cut for end in ends)
    assert sum(int(doc.meta["resources"]) for doc in docs) == whole
    assert bool(problem) == (cut < len(raw))


@given(st.lists(st.integers(1, 40), min_size=1, max_size=12), st.booleans())
@settings(max_examples=50, deadline=None)
def test_how_the_text_arrives_does_not_matter(sizes: list[int], spaced: bool) -> None:
    data = {"resourceType": "Bundle", "entry": [{"resource": {"a": ['x\\"]}', 1.5, None]}}] * 3}
    text = json.dumps(data, indent=2 if spaced else None)
    pieces, at = [], 0
    while at < len(text):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(text[at : at + size])
        at += size
    found = [item.value for item in resources(iter(pieces), lines=False)]
    assert found == [{"a": ['x\\"]}', 1.5, None]}] * 3


def test_a_broken_entry_costs_itself() -> None:
    good = json.dumps({"resource": CONDITION})
    bad = '{"resource": {"resourceType": "Condition", "id": }, "x": ["}"]}'
    raw = f'{{"resourceType":"Bundle","entry":[{good},{bad},{good}, wrong, {good}]}}'.encode()
    docs, problem = read(raw)
    assert sum(int(doc.meta["resources"]) for doc in docs) == 3
    assert "entry 2" in problem
    assert "entry 4" in problem


def test_a_bad_line_is_named_by_number_and_never_quoted() -> None:
    lines = [json.dumps(CONDITION), '{"resourceType": "Secretname"', "[1]", json.dumps(CONDITION)]
    docs, problem = read("\n".join(lines).encode(), "x.ndjson")
    assert int(docs[0].meta["resources"]) == 2
    assert "line 2" in problem
    assert "line 3" in problem
    assert "Secretname" not in problem


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"   \n",
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b'{"resourceType":"Condition","x":' + b"[" * 100_000,
        b"[}",
        b"[1,2",
        b"{,}",
        b'{"resourceType":"Bundle","entry":[}',
        b'{"resourceType":"Bundle","entry":{"a":1}}',
        b'{"resourceType": 5}',
        b"nonsense",
        b"9" * 10_000,
        b'{"resourceType":"Basic","x":' + b"9" * 10_000 + b"}",
        b"\xff\xfe\x00",
    ],
)
@pytest.mark.parametrize("name", ["a.json", "a.ndjson"])
def test_what_is_no_fhir_is_a_clear_error(raw: bytes, name: str) -> None:
    docs, problem = read(raw, name)
    assert problem
    assert len(problem) < 700
    assert not docs


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-be", "cp1252"])
def test_other_encodings_are_read(encoding: str) -> None:
    text = json.dumps({**CONDITION, "code": {"text": "Sjögren’s"}}, ensure_ascii=False)
    docs, problem = read(text.encode(encoding))
    assert not problem
    assert "Sjögren’s" in docs[0].text.reveal()


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None), max_size=20)
    | st.sampled_from(["Patient/p1", "urn:uuid:", "#x", "2020-13-45", "a" * 5000]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """A bundle of good resources with junk in some places."""
    data = copy.deepcopy(bundle(*ALL))
    for _ in range(draw(st.integers(1, 4))):
        spot: Any = draw(st.sampled_from(data["entry"]))["resource"]
        while True:
            keys = list(spot) if isinstance(spot, dict) else list(range(len(spot)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(spot[key], (dict, list)) and draw(st.integers(0, 3)):
                spot = spot[key]
                continue
            if key != "resourceType":
                spot[key] = draw(JUNK)
            break
    return data


@given(mutated())
@settings(max_examples=150, deadline=None)
def test_wrong_types_never_crash_and_lose_no_resource(data: Any) -> None:
    docs, _ = read(data)
    told = sum(int(doc.meta["resources"]) for doc in docs if doc.kind == "fhir")
    assert told == len(ALL)
    for doc in docs:
        doc.text.reveal().encode("utf-8")


@pytest.mark.parametrize("name", ["concept", "reference", "low", "numerator", "contact"])
@pytest.mark.parametrize("field", ["code", "valueQuantity", "anything"])
def test_deep_values_are_told_without_their_depths(name: str, field: str) -> None:
    deep: Any = {"text": "x"}
    for _ in range(300):
        deep = {name: deep}
    for kind in ("Observation", "Basic"):
        docs, problem = read({"resourceType": kind, field: deep})
        assert len(docs) == 1
        assert not problem


def test_sniff_knows_fhir_and_leaves_other_json() -> None:
    sniff = FhirReader().sniff
    assert sniff(json.dumps(bundle(PATIENT)).encode(), Origin("a.json")) > 0.9
    assert sniff(json.dumps(PATIENT, indent=1).encode("utf-16"), Origin("a.json")) > 0.9
    for other in (
        b'{"type": "bundle", "objects": []}',
        b'{"dataType": "CVE_RECORD"}',
        b"<x/>",
        b"",
    ):
        assert sniff(other, Origin("a.json")) == 0.0


@pytest.mark.parametrize("name", ["f.json", "f.ndjson"])
def test_a_note_of_50_mb_is_refused_and_the_rest_is_read(name: str) -> None:
    big = note("word " * 10_000_000)
    lines = "\n".join(json.dumps(one) for one in (CONDITION, big, CONDITION)).encode()
    docs, problem = read(lines if name == "f.ndjson" else bundle(CONDITION, big, CONDITION), name)
    assert "an attachment of more than 16 MB" in problem
    assert of(docs, "Condition").meta["resources"] == "2"
    assert of(docs, "DocumentReference")


def test_a_note_of_a_megabyte_comes_whole_in_parts() -> None:
    body = "".join(f"Day {n}: no change, the plan stays as it is.\n" for n in range(22_000))
    docs, problem = read(bundle(PATIENT, note("Mirela Oakhurst\n" + body)))
    parts = [doc for doc in docs if doc.kind == "note"]
    assert not problem
    assert "".join(doc.text.reveal() for doc in parts) == "Mirela Oakhurst\n" + body
    assert all(len(doc.text) <= 200_000 and doc.group.reveal() == "patient/p1" for doc in parts)
    assert len({doc.source for doc in parts}) == len(parts) == 6


HUGE = {"resourceType": "Basic", "id": "b", "x": ['}]\\"' * 300_000, "{" * 300_000]}


@pytest.mark.parametrize("member", ["resource", "x"])
def test_a_value_over_the_limit_costs_only_itself(
    member: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fhir_stream, "MAX_VALUE_CHARS", 1 << 19)
    whole = bundle(CONDITION, CONDITION, CONDITION)
    whole["entry"][1] = {member: HUGE}
    docs, problem = read(whole)
    assert of(docs, "Condition").meta["resources"] == "2"
    assert "entry 2: a value of more than" in problem
    lines = "\n".join(json.dumps(one) for one in (CONDITION, HUGE, CONDITION)).encode()
    for name in ("x.ndjson", "x.json"):
        docs, problem = read(lines, name)
        assert of(docs, "Condition").meta["resources"] == "2"
        assert "2: a value of more than" in problem
    docs, problem = read({"resourceType": "Bundle", "link": HUGE, **bundle(CONDITION)})
    assert of(docs, "Condition")
    assert "a value of more than" in problem


@pytest.mark.parametrize("start", ['{"entry": [{"resource": {"x": "', '[{"x": ["', '{"x": "'])
def test_a_value_of_any_length_is_not_held(start: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fhir_stream, "MAX_VALUE_CHARS", 1 << 20)

    def pieces() -> Iterator[str]:
        yield start
        for _ in range(200):
            yield 'a\\"}' * (1 << 16)

    tracemalloc.start()
    found = list(resources(pieces(), lines=False))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert any(item.problem for item in found)
    assert peak < 10 << 20


@pytest.mark.parametrize(
    "resource",
    [
        {"resourceType": "Binary", "contentType": "text/plain", "data": "@"},
        {
            "resourceType": "Consent",
            "sourceAttachment": {"contentType": "text/plain", "data": "@"},
        },
        {
            "resourceType": "QuestionnaireResponse",
            "item": [{"answer": [{"valueAttachment": {"contentType": "text/plain", "data": "@"}}]}],
        },
        {"resourceType": "Observation", "code": {"text": "Report"}, "valueString": "#"},
        {"resourceType": "Condition", "code": {"text": "Asthma"}, "note": [{"text": "#"}]},
        {"resourceType": "DiagnosticReport", "code": {"text": "CT"}, "conclusion": "#"},
    ],
)
def test_text_is_read_wherever_a_resource_holds_it(resource: dict[str, Any]) -> None:
    text = "A long report. " * 200 + "The last word."
    raw = json.dumps(resource).replace("@", base64.b64encode(text.encode()).decode())
    docs, problem = read(raw.replace('"#"', json.dumps(text)).encode())
    assert not problem
    assert any("The last word." in doc.text.reveal() for doc in docs)


def test_an_entry_that_holds_nothing_is_named() -> None:
    entries = [{"resource": CONDITION}, {"resorce": CONDITION}, {"request": {"method": "DELETE"}}]
    docs, problem = read({"resourceType": "Bundle", "entry": entries})
    assert len(docs) == 1
    assert "1 part(s)" in problem and "entry 2" in problem


def test_a_resource_in_the_place_of_its_entry_is_read() -> None:
    docs, problem = read({"resourceType": "Bundle", "entry": [CONDITION]})
    assert of(docs, "Condition")
    assert not problem


def test_html_nested_to_hurt_is_refused() -> None:
    _, problem = read(bundle(CONDITION, note("<div>" * 100_000, "text/html")))
    assert "nested" in problem
