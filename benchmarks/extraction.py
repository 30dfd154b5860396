"""How well lexicon and patterns alone find entities in public NER sets: exact spans, P/R/F1.

The floor that a trained tagger has to beat. Sets: bc5cdr test (chemicals and diseases), cyner test
and annoctr dev (malware, tools, groups, systems, indicators; each mapped to the nearest type of
ours).
Published models for orientation: scispaCy 84.3 F1 on bc5cdr, SecureBERT 73.7 F1 on cyner.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from aegle.core.pack import Cue, Pattern, Rule
from aegle.core.records import Document
from aegle.core.text import SafeText
from aegle.facts.extract import extract
from aegle.facts.lexicon import Lexicon
from aegle.packs.cybersecurity import ontology as security_names
from aegle.packs.cybersecurity import patterns as security_shapes
from aegle.packs.healthcare import ontology as clinical_names
from aegle.packs.healthcare import patterns as clinical_shapes

Sentence = list[tuple[str, str]]
"""Tokens with their IOB tags."""

_CLINICAL = {
    "condition": "Disease",
    "symptom": "Disease",
    "medication": "Chemical",
    "allergy": "Chemical",
}
_CYNER = {
    "malware": "Malware",
    "tool": "System",
    "service": "System",
    "threat_group": "Organization",
    "vulnerability": "Vulnerability",
    **dict.fromkeys(("ip", "domain", "url", "email", "hash", "file", "path"), "Indicator"),
}
_ANNOCTR = {
    "malware": "MALWARE",
    "tool": "TOOL",
    "threat_group": "GROUP",
    "technique": "TECHNIQUE",
    "tactic": "TACTIC",
}


def sentences(path: Path, column: int, separator: str) -> Iterator[Sentence]:
    """The sentences of an IOB file."""
    found: Sentence = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        parts = line.rstrip("\n").split(separator)
        if len(parts) <= column or not parts[0].strip():
            if found:
                yield found
            found = []
        else:
            found.append((parts[0], parts[column].strip()))
    if found:
        yield found


def gold(sentence: Sentence, labels: frozenset[str]) -> tuple[str, set[tuple[int, int, str]]]:
    """The text of a sentence, its tokens joined by blanks, and the labelled spans in it."""
    text, spans, open_at, label, end = "", set(), -1, "", 0
    for token, tag in sentence:
        start = len(text) + 1 if text else 0
        text = f"{text} {token}" if text else token
        starts = tag[:2] == "B-" or (tag[:2] == "I-" and tag[2:] != label)
        if label and (starts or tag[:2] != "I-"):
            spans.add((open_at, end, label))
            label = ""
        if starts and tag[2:] in labels:
            open_at, label = start, tag[2:]
        end = len(text)
    if label:
        spans.add((open_at, end, label))
    return text, spans


def measure(
    rows: Sequence[tuple[set[tuple[int, int, str]], set[tuple[int, int, str]]]],
    labels: Sequence[str],
) -> dict[str, object]:
    """Precision, recall and F1 by label and over all, with a 95% interval over sentences."""

    def counts(label: str) -> np.ndarray:
        def of(spans: set[tuple[int, int, str]]) -> set[tuple[int, int, str]]:
            return {span for span in spans if label in ("", span[2])}

        return np.array([(len(of(t) & of(s)), len(of(s)), len(of(t))) for t, s in rows])

    def score(total: np.ndarray) -> tuple[float, float, float]:
        hit, said, true = (float(value) for value in total)
        precision, recall = hit / max(said, 1), hit / max(true, 1)
        return precision, recall, 2 * precision * recall / max(precision + recall, 1e-9)

    out: dict[str, object] = {}
    rng = np.random.default_rng(0)
    for label in (*labels, ""):
        table = counts(label)
        precision, recall, f1 = score(table.sum(axis=0))
        resampled = [
            score(table[rng.integers(len(table), size=len(table))].sum(axis=0))[2]
            for _ in range(500)
        ]
        low, high = np.quantile(resampled, [0.025, 0.975])
        out[label or "all"] = {
            "precision": round(precision, 4),
            "recall": round(recall, 4),
            "f1": round(f1, 4),
            "low": round(float(low), 4),
            "high": round(float(high), 4),
            "entities": int(table.sum(axis=0)[2]),
        }
    return out


def evaluate(
    data: Sequence[Sentence], lexicon: Lexicon, shapes: Sequence[Pattern], types: Mapping[str, str],
    domain: str,
) -> dict[str, object]:  # fmt: skip
    """Run the extractor over sentences and compare spans."""
    labels = frozenset(types.values())
    cues: tuple[Cue, ...] = ()
    rules: tuple[Rule, ...] = ()
    rows, characters, seconds = [], 0, 0.0
    for i, sentence in enumerate(data):
        text, true = gold(sentence, labels)
        if not text.strip():
            continue
        safe = SafeText(text, by="benchmark")
        doc = Document(id=str(i), kind="note", domain=domain, text=safe, title=safe)
        began = time.perf_counter()
        facts = extract(doc, lexicons=[lexicon], patterns=shapes, cues=cues, rules=rules)
        seconds += time.perf_counter() - began
        characters += len(text)
        said = {(e.start, e.end, types[e.type]) for e in facts.entities if e.type in types}
        rows.append((true, said))
    out = measure(rows, sorted(labels))
    out["megabytes_per_second"] = round(characters / 1e6 / max(seconds, 1e-9), 3)
    return out


def main() -> None:
    """Print a table a set and, last, one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        clinical = Lexicon.cached(Path(folder), "healthcare", "1", clinical_names.terms)
        security = Lexicon.cached(Path(folder), "cybersecurity", "1", security_names.terms)
        built = time.perf_counter() - began
        began = time.perf_counter()
        Lexicon.cached(Path(folder), "healthcare", "1", clinical_names.terms)
        loaded = time.perf_counter() - began
    clinic, secure = clinical_shapes.patterns(), security_shapes.patterns()
    sets = {
        "bc5cdr": evaluate(
            list(sentences(args.data / "bc5cdr" / "test.tsv", 1, "\t")),
            clinical, clinic, _CLINICAL, "healthcare",
        ),
        "cyner": evaluate(
            list(sentences(args.data / "cyner" / "test.txt", 1, "\t")),
            security, secure, _CYNER, "cybersecurity",
        ),
        "annoctr": evaluate(
            list(sentences(args.data / "annoctr" / "ner_bio" / "dev.bio", 4, "\t")),
            security, secure, _ANNOCTR, "cybersecurity",
        ),
    }  # fmt: skip
    for name, scores in sets.items():
        print(name, json.dumps(scores, indent=1))
    lexicons = {
        "terms": [len(clinical), len(security)],
        "build_seconds": round(built, 2),
        "load_healthcare_seconds": round(loaded, 2),
    }
    print(json.dumps({**sets, "lexicons": lexicons}))


if __name__ == "__main__":
    main()
