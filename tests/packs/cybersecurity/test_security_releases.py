"""CAPEC and D3FEND as MITRE publishes them: names, synonyms and ids."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from aegle.core.errors import InputError
from aegle.packs.cybersecurity.releases import capec_terms, d3fend_terms

PATTERN = {
    "type": "attack-pattern",
    "name": "Forceful Browsing",
    "external_references": [
        {"source_name": "capec", "external_id": "CAPEC-87"},
        {"source_name": "cwe", "external_id": "CWE-425"},
    ],
    "x_capec_alternate_terms": ["Forced browsing"],
}
TURTLE = """@prefix : <http://d3fend.mitre.org/ontologies/d3fend.owl#> .

:FileAnalysis a :FileAnalysis,
        owl:Class ;
    rdfs:label "File Analysis" ;
    :d3fend-id "D3-FA" ;
    :synonym "File Inspection",
        "File Review" .

:File a owl:Class ;
    rdfs:label "File" .
"""


def said(terms) -> list[tuple[str, str]]:
    return [(term.text, term.concept.key) for term in terms]


@pytest.mark.parametrize("bundled", [True, False])
def test_capec_from_a_bundle_or_from_lines(tmp_path, bundled):
    old = PATTERN | {"name": "Old", "x_capec_status": "Deprecated"}
    items = [PATTERN, old, {"type": "malware", "name": "X"}]
    whole = json.dumps({"type": "bundle", "objects": items})
    path = tmp_path / "capec.json"
    path.write_text(whole if bundled else "\n".join(json.dumps(item) for item in items))
    assert said(capec_terms(path)) == [
        ("Forceful Browsing", "CAPEC:CAPEC-87"),
        ("Forced browsing", "CAPEC:CAPEC-87"),
    ]


def test_d3fend_gives_techniques_with_their_synonyms_and_no_artifacts(tmp_path):
    path = tmp_path / "d3fend.ttl"
    path.write_text(TURTLE)
    assert said(d3fend_terms(path)) == [
        ("File Analysis", "D3FEND:D3-FA"),
        ("File Inspection", "D3FEND:D3-FA"),
        ("File Review", "D3FEND:D3-FA"),
    ]


@pytest.mark.parametrize("read", [capec_terms, d3fend_terms])
def test_another_file_is_refused_without_quoting_it(tmp_path, read):
    path = tmp_path / "other"
    path.write_text("some words of a document")
    with pytest.raises(InputError) as caught:
        list(read(path))
    assert "words of" not in str(caught.value)


@pytest.mark.skipif("AEGLE_DATA" not in os.environ, reason="AEGLE_DATA names no test data")
def test_the_published_files_give_hundreds_of_names():
    data = Path(os.environ["AEGLE_DATA"])
    capec = list(capec_terms(data / "attack_stix" / "capec_attack_patterns.jsonl.gz"))
    d3fend = list(d3fend_terms(data / "d3fend" / "d3fend-protege.ttl.gz"))
    assert len({term.concept.code for term in capec}) > 500
    assert len({term.concept.code for term in d3fend}) > 200
