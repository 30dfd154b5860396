"""Names from files that MITRE publishes and a user adds: CAPEC as STIX, D3FEND as an ontology.

References:
    MITRE CAPEC in STIX 2.1 (github.com/mitre/cti, folder capec), (c) The MITRE Corporation.
    MITRE D3FEND ontology (d3fend.mitre.org), MIT licence.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from aegle.core.errors import InputError
from aegle.core.pack import Term
from aegle.core.records import Concept

_LABEL: Final = re.compile(r'^    rdfs:label "([^"\n]+)"', re.MULTILINE)
_ID: Final = re.compile(r'^    :d3fend-id "(D3-[A-Z0-9]+)"', re.MULTILINE)
_SYNONYMS: Final = re.compile(r'^    :synonym ((?:"[^"\n]+",?\s*)+)', re.MULTILINE)
_QUOTED: Final = re.compile(r'"([^"\n]+)"')
_SCORE: Final = 0.9
_OTHER_SCORE: Final = 0.8


def capec_terms(path: Path) -> Iterator[Term]:
    """The attack patterns of CAPEC, from a STIX bundle or a file of one object a line."""
    for item in _objects(path):
        if item.get("type") != "attack-pattern" or item.get("revoked"):
            continue
        if item.get("x_capec_status") in ("Deprecated", "Obsolete"):
            continue
        for ref in item.get("external_references", ()):
            if ref.get("source_name") == "capec":
                concept = Concept("CAPEC", ref["external_id"], item["name"])
                yield _term(item["name"], "attack_pattern", concept, _SCORE)
                for other in item.get("x_capec_alternate_terms", ()):
                    yield _term(str(other), "attack_pattern", concept, _OTHER_SCORE)


def d3fend_terms(path: Path) -> Iterator[Term]:
    """The defensive techniques of ``d3fend.ttl`` with their synonyms."""
    text = _text(path)
    if "d3fend" not in text[:4096].casefold():
        raise InputError(f"{path} is not the D3FEND ontology in Turtle")
    for block in text.split("\n\n"):
        label, code = _LABEL.search(block), _ID.search(block)
        if label and code:
            concept = Concept("D3FEND", code[1], label[1])
            yield _term(label[1], "mitigation", concept, _SCORE)
            synonyms = _SYNONYMS.search(block)
            for other in _QUOTED.findall(synonyms[1]) if synonyms else ():
                yield _term(other, "mitigation", concept, _OTHER_SCORE)


def _term(name: str, type: str, concept: Concept, score: float) -> Term:
    """A name of one word is a word of the language: it matches in its own case."""
    return Term(name, type, concept, exact=" " not in name, score=score)


def _objects(path: Path) -> Iterator[Mapping[str, Any]]:
    text = _text(path)
    try:
        if text.lstrip()[:1] == "{" and '"bundle"' in text[:4096]:
            yield from json.loads(text)["objects"]
        else:
            yield from (json.loads(line) for line in text.splitlines() if line.strip())
    except (ValueError, KeyError) as error:
        raise InputError(f"{path} is not STIX ({type(error).__name__})") from error


def _text(path: Path) -> str:
    data = path.read_bytes()
    try:
        return (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise InputError(f"{path} can't be read as text ({type(error).__name__})") from error
