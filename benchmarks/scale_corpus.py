"""Texts and questions for measuring search at size: real ones first, made ones beyond them.

Real: titles and texts of 2wiki_101, musique_100, scifact, pubmedqa, medquad, attack_stix, cwe,
cve_vulnrichment, sigma_rules, atomic_red_team and cisa_kev, cut into passages of at most `WORDS`
words, each once: a little over 100,000 of them, short so that embedding them takes minutes.
Made, beyond that: words drawn one after the other by the bigrams of the real ones, and as vectors
those of the real ones with noise (`jittered`). Made passages keep what costs time (how often words
occur, how near vectors lie) and mean nothing: they measure speed and memory, never quality.
Questions are those that come with the sets.
"""

from __future__ import annotations

import csv
import gzip
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

import numpy as np
import yaml
from numpy.typing import NDArray

from aegle.core.ports import Vectors
from retrieval_sets import read_set

WORDS: Final = 32
LEAST: Final = 6
"""A rest of fewer words stays with the passage before it."""

NOISE: Final = 0.4
"""Length of the noise on a unit vector: the cosine to where it came from is about .93."""

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

csv.field_size_limit(1 << 28)


def documents(data: Path) -> Iterator[tuple[str, str]]:
    """(title, text) of every set that is there."""
    for name in ("2wiki_101", "musique_100", "scifact"):
        if (data / name).is_dir():
            yield from read_set(data / name).passages
    for row in _json(data / "pubmedqa" / "ori_pqal.json", {}).values():
        yield "", " ".join([*row["CONTEXTS"], row["LONG_ANSWER"]])
    for page in sorted((data / "medquad").rglob("*.xml")):
        root = ElementTree.fromstring(page.read_bytes())
        for pair in root.iter("QAPair"):
            yield root.findtext("Focus") or "", pair.findtext("Answer") or ""
    for name in ("enterprise_objects", "ics_objects", "capec_attack_patterns"):
        for row in _lines(data / "attack_stix" / f"{name}.jsonl.gz"):
            yield row.get("name", ""), row.get("description", "")
    for row in _lines(data / "attack_stix" / "enterprise_relationships.jsonl.gz"):
        yield "", row.get("description", "")
    for row in _lines(data / "cve_vulnrichment" / "cve.jsonl"):
        yield row["cveId"], row["description"]
    yield from _tables(data)
    for path in sorted((data / "sigma_rules").rglob("*.yml")):
        for rule in yaml.load_all(path.read_text("utf-8"), Loader=_LOADER):
            told = [rule.get("description", ""), json.dumps(rule.get("detection", {}), default=str)]
            yield rule.get("title", ""), " ".join(told)
    for path in sorted((data / "atomic_red_team").glob("*.yaml")):
        for test in yaml.load(path.read_text("utf-8"), Loader=_LOADER).get("atomic_tests", []):
            command = test.get("executor", {}).get("command") or ""
            yield test["name"], f"{test['description']} {command}"


def _tables(data: Path) -> Iterator[tuple[str, str]]:
    cwe = data / "cwe" / "1000_research_concepts.csv.gz"
    if cwe.is_file():
        with gzip.open(cwe, "rt", encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                told = [value for value in row.values() if isinstance(value, str)]
                yield row["Name"], " ".join(told).replace("::", " ")
    kev = data / "cisa_kev" / "known_exploited_vulnerabilities.csv"
    if kev.is_file():
        with kev.open(encoding="utf-8") as lines:
            for row in csv.DictReader(lines):
                yield row["vulnerabilityName"], f"{row['shortDescription']} {row['requiredAction']}"


def _json(path: Path, missing: Any) -> Any:
    return json.loads(path.read_text("utf-8")) if path.is_file() else missing


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if path.is_file():
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def passages(data: Path) -> list[tuple[str, str]]:
    """(title, text) of all real passages in an order that mixes the sets, the same each time."""
    found: dict[tuple[str, str], None] = {}
    for title, text in documents(data):
        words = text.split()
        starts = list(range(0, len(words), WORDS)) or [0]
        if len(starts) > 1 and len(words) - starts[-1] < LEAST:
            starts.pop()
        for start, end in itertools.pairwise([*starts, len(words)]):
            if end - start >= LEAST:
                found[title.strip(), " ".join(words[start:end])] = None
    every = list(found)
    order = np.random.default_rng(78).permutation(len(every))
    return [every[int(at)] for at in order]


def questions(data: Path) -> list[str]:
    """Questions that come with the sets, each once, mixed, the same order each time."""
    found: list[str] = []
    for name in ("2wiki_101", "musique_100", "scifact"):
        if (data / name).is_dir():
            found += [one.question for one in read_set(data / name).questions]
    found += [row["QUESTION"] for row in _json(data / "pubmedqa" / "ori_pqal.json", {}).values()]
    for page in sorted((data / "medquad").rglob("*.xml")):
        for pair in ElementTree.fromstring(page.read_bytes()).iter("QAPair"):
            found.append(" ".join((pair.findtext("Question") or "").split()))
    found += [row["text"] for row in _json(data / "tram2" / "single_label.json", [])]
    every = [one for one in dict.fromkeys(found) if one]
    order = np.random.default_rng(79).permutation(len(every))
    return [every[int(at)] for at in order]


class Bigrams:
    """Texts in a corpus's proportions: each word is one that followed the one before it there."""

    def __init__(self, real: list[tuple[str, str]]) -> None:
        known: dict[str, int] = {}
        words = (word for _, text in real for word in (*text.split(), "\n"))
        codes = np.array([known.setdefault(word, len(known)) for word in words], np.int64)
        self._words = np.array(list(known), object)
        self._next = codes[np.argsort(codes[:-1], kind="stable") + 1]
        self._starts = np.concatenate([[0], np.cumsum(np.bincount(codes[:-1]))])
        if len(self._starts) <= len(self._words):  # the last word of all was followed by none
            self._starts = np.append(self._starts, self._starts[-1])
        self._codes = codes

    def texts(self, count: int, rng: np.random.Generator) -> Iterator[str]:
        """``count`` texts of `WORDS` words."""
        now = self._codes[rng.integers(0, len(self._codes) - 1, count)]
        rows: list[NDArray[Any]] = []
        for _ in range(WORDS):
            low, high = self._starts[now], self._starts[now + 1]
            now = self._next[low + (rng.random(count) * (high - low)).astype(np.int64)]
            rows.append(now)
        for codes in np.array(rows).T:
            yield " ".join(self._words[codes]).replace("\n", " ").strip() or "none"


def jittered(vectors: Vectors, count: int, rng: np.random.Generator) -> Vectors:
    """``count`` unit vectors, each one of the given with noise of length `NOISE`."""
    width = vectors.shape[1]
    noise = rng.standard_normal((count, width), np.float32) * np.float32(NOISE / width**0.5)
    made = vectors[rng.integers(0, len(vectors), count)] + noise
    return np.asarray(made / np.linalg.norm(made, axis=1, keepdims=True), np.float32)
