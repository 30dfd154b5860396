"""Questions as people put them, in words that no template of the sample has: right, wrong, refused?

    python benchmarks/wordings.py [--seeds 1 2 3] [--patients 10 --days 2] [--set a|b] [--keep DIR]

Set a is what the analysis of questions was worked on with; set b was written at the same time and
only counted. Right is an answer whose first claim cites an accepted answer (of the right chart,
where it is about a patient), or the refusal of what nothing says; wrong is any other answer. A
wrong answer is worse than a refusal, so both are counted.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from aegle.flows import commands, knowledge, workspace
from aegle.flows.kit import Kit, open_kit
from aegle.metrics.stats import mean
from aegle.packs.sample import intrusion, write_sample
from aegle.packs.sample.questions_single import names
from aegle.packs.sample.threat import policy
from aegle.packs.sample.world import Patient, World, build
from wordings_list import SETS

VITALS = tuple("BP|HR|RR|T|SpO2|heart rate|respiratory rate|body temperature|oxygen saturation|"
               "systolic blood pressure".split("|"))  # fmt: skip


@dataclass(frozen=True, slots=True)
class Gold:
    """What is right: any of some texts, in a document of any of some patients."""

    says: tuple[str, ...] = ()
    charts: tuple[str, ...] = ()
    verdict: str = ""
    """Of a yes-or-no question; an answer may leave it open, but not say the opposite."""
    may_refuse: bool = False
    person: bool = False
    """The answer is a person's name, for which a surrogate stands."""


def told(world: World, rng: random.Random) -> tuple[dict[str, str], dict[str, Gold]]:
    """The names that questions are made with, and what is right for each of their ``gold``."""
    story, rules = intrusion.plan(world), policy(world)
    mild = [p for p in world.patients if p.allergies and p.allergies[0].code]
    p = rng.choice(mild)
    tag, host = p.pump.tag, world.host(p.pump.host)
    known = {drug.name for drug in p.drugs} | {p.illness.infusion}
    drug = rng.choice([one for one in p.drugs])
    ward = world.ward(p.ward)
    free = next(x for x in ("latex", "codeine", "naproxen", "tramadol")
                if x not in {a.substance for a in p.allergies})  # fmt: skip
    comorbid = rng.choice(p.others)
    words = {
        "name": p.person.name, "mrn": p.mrn, "tag": tag, "host": host.name, "ward": p.ward,
        "drug": drug.name, "infusion": p.illness.infusion, "substance": p.allergies[0].substance,
        "free": free, "cve": host.flaws[0].cve, "illness": p.illness.words[0],
        "other_cve": next(h.flaws[0].cve for h in world.hosts if h.flaws and h.ward != p.ward),
        "comorbid": comorbid.words[0], "loader": story.loader, "actor": story.actor,
        "domain": story.domain, "entry": story.entry.name,
        "date": f"{story.times['open']:%Y-%m-%d}",
        "us_date": f"{story.times['open']:%B} {story.times['open'].day}, {story.times['open']:%Y}",
    }  # fmt: skip
    takes = [
        q for q in world.patients if drug.name in {d.name for d in q.drugs} | {q.illness.infusion}
    ]
    infused = [q for q in world.patients
               if p.illness.infusion in {d.name for d in q.drugs} | {q.illness.infusion}]  # fmt: skip
    ill = [q for q in world.patients if q.illness.name == p.illness.name]
    tags = tuple(d.tag for d in world.devices if d.ward == p.ward)
    controlled = tuple(d.tag for d in world.devices if d.host == host.name)
    labs = p.first_labs
    gold = {
        "ward": Gold((p.ward,), (p.mrn,)), "device_ward": Gold((p.ward,)),
        "taking": Gold((drug.name,), charts(takes)), "infused": Gold((p.illness.infusion,), charts(infused)),
        "tags": Gold(tags), "controlled": Gold(controlled),
        "attending": Gold((p.attending.name, p.attending.last), (p.mrn,), person=True),
        "allergic": Gold((p.allergies[0].substance,), (p.mrn,), "yes"),
        "allergies": Gold(tuple(a.substance for a in p.allergies), (p.mrn,)),
        "not_allergic": Gold((p.allergies[0].substance,), (p.mrn,), "no", may_refuse=True),
        "cve": Gold((host.flaws[0].cve,)), "cve_yes": Gold((host.name,), (), "yes"),
        "cve_no": Gold((host.flaws[0].cve,), (), "no", may_refuse=True),
        "seen": Gold((story.entry.name,)), "meds": Gold(tuple(known), (p.mrn,)),
        "battery": Gold((f"{rules['battery_hours']} hours",)),
        "logs": Gold((f"{rules['log_days']} days",)),
        "isolate": Gold(("isolated",)), "nothing": Gold(may_refuse=True),
        "gateway_down": Gold(("Compare each running rate", "Keep the pump on its last confirmed rate",
                              "are checked by two nurses", "Tell the attending")),
        "vitals": Gold(VITALS, (p.mrn,)),
        "pressure": Gold(("BP", "systolic blood pressure"), (p.mrn,)),
        "pulse": Gold(("HR", "heart rate"), (p.mrn,)),
        "potassium": Gold((f"K {labs['potassium']:.1f}", f"potassium {labs['potassium']:.1f}",
                           f"{labs['potassium']:.1f}"), (p.mrn,)),
        "hemoglobin": Gold((f"{labs['hemoglobin']:.1f}",), (p.mrn,)),
        "reason": Gold((*names(p.illness), *p.illness.symptoms), (p.mrn,)),
        "illness": Gold(names(p.illness), (p.mrn,)), "ip": Gold((host.ip,)),
        "engine_ip": Gold((world.host("hl7-eng01").ip,)), "owner": Gold((host.owner,)),
        "system": Gold((host.system,)),
        "product": Gold((host.flaws[0].product,)), "host": Gold((host.name,)),
        "depends": Gold(("ehr-app01", "hl7-eng01")), "vendor": Gold((p.pump.vendor,)),
        "model": Gold((p.pump.model,)), "actor": Gold((story.actor,)), "loader": Gold((story.loader,)),
        "entry_way": Gold(("spearphishing attachment", "T1566.001", f"exploits {story.flaw.cve}")),
        "password": Gold((f"at least {rules['password_length']} characters",)),
        "clerks": Gold(("Clerks have no administrator rights",)),
        "comorbid": Gold(names_of(comorbid), (p.mrn,), "yes"),
        "patients_ill": Gold(names(p.illness), charts(ill)),
        "dose": Gold((drug.dose,), (p.mrn,)), "occlusion": Gold(("check line and cannula",)),
        "air": Gold(("clamp, remove air, restart",)), "owner_of_pump": Gold((tag,), (p.mrn,)),
        "patch": Gold((f"{rules['patch_hours']} hours",)),
        "call": Gold(("calls biomedical engineering and the security officer",
                      "Tell the attending, biomedical engineering")),
        "drugs": Gold(tuple(known), (p.mrn,)),
    }  # fmt: skip
    return words | {"title": ward.title}, gold


def names_of(condition: Any) -> tuple[str, ...]:
    """Every word for a condition."""
    return tuple(dict.fromkeys((condition.name, *condition.words, condition.icd_name)))


def charts(patients: list[Patient]) -> tuple[str, ...]:
    """The record numbers of some patients."""
    return tuple(p.mrn for p in patients)


def holds(text: str, wanted: str) -> bool:
    """Whether a text holds another, not as a part of a longer word or number."""
    folded, sought = " ".join(text.split()).casefold(), " ".join(wanted.split()).casefold()
    return re.search(rf"(?<![\w.-]){re.escape(sought)}(?![\w-]|\.\d)", folded) is not None


def judge(kit: Kit, got: Mapping[str, Any], gold: Gold) -> str:
    """``right``, ``wrong`` or ``refused``; the refusal of what nothing says is right."""
    if got["refusal"]:
        return "right" if gold.may_refuse else "refused"
    if not gold.says:
        return "wrong"
    groups = {group for mrn in gold.charts for group in knowledge.safe_question(kit, mrn)[1]}
    says = set(gold.says)
    if gold.person:
        says |= {kit.vault.surrogate("name", one, group) for one in gold.says for group in groups}
    cited = got["claims"][0]["citations"]
    documents = kit.corpus.get([one["document_id"] for one in cited])
    here = not groups or any(one.group in groups for one in documents)
    said = " ".join(one["text"] for one in cited)
    opposite = {"yes": "no", "no": "yes"}.get(gold.verdict, "\0")
    begun = not got["answer"].casefold().startswith((f"{opposite}:", f"{opposite}."))
    lead = got["claims"][0]["text"]
    found = any(holds(f"{said} {lead}", one) for one in says)
    return "right" if here and begun and found else "wrong"


def run(kit: Kit, world: World, rows: Any, show: bool) -> list[tuple[str, str, float]]:
    """(wording, outcome, seconds) of every question."""
    found = []
    for number, (wording, key) in enumerate(rows):
        words, gold = told(world, random.Random(f"{world.seed}/{number}"))
        question = wording.format(**words)
        began = time.perf_counter()
        got = knowledge.ask(kit, question, generate=False)
        took = time.perf_counter() - began
        outcome = judge(kit, got, gold[key])
        if show and outcome != "right":
            print(f"{outcome:8} {question}\n         gold {gold[key].says[:3]}")
            for claim in got["claims"]:
                print(f"         - {claim['text'][:150]!r}")
            if got["refusal"]:
                print(f"         {got['refusal']}")
        found.append((wording, outcome, took))
    return found


def built(root: Path, args: argparse.Namespace, seed: int) -> Path:
    """A workspace with the sample of a seed; made once."""
    sample, home = root / "sample", root / "workspace"
    if not (sample / "gold").exists():
        write_sample(sample, patients=args.patients, days=args.days, seed=seed)
        workspace.create(home)
        commands.run(home, "ingest", {"paths": [str(sample / "files")]})
    return home


def main() -> None:
    """Print what was not right, the counts, then one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--patients", type=int, default=10)
    parser.add_argument("--days", type=int, default=2)
    parser.add_argument("--set", choices=sorted(SETS), default="a")
    parser.add_argument("--keep", type=Path, help="a folder with a folder sN for each seed")
    parser.add_argument("--quiet", action="store_true", help="counts only")
    args = parser.parse_args()
    outcomes: list[tuple[str, str, float]] = []
    with tempfile.TemporaryDirectory() as scratch:
        for seed in args.seeds:
            home = built((args.keep or Path(scratch)) / f"s{seed}", args, seed)
            world = build(patients=args.patients, days=args.days, seed=seed)
            layout = workspace.check(home)
            with open_kit(layout, workspace.load_settings(layout)) as kit:
                outcomes += run(kit, world, SETS[args.set], not args.quiet)
    counts = Counter(outcome for _, outcome, _ in outcomes)
    shares = {
        name: asdict(
            mean([float(o == name) for _, o, _ in outcomes], groups=[w for w, _, _ in outcomes])
        )
        for name in ("right", "wrong", "refused")
    }
    print(f"set {args.set}: {dict(counts)} of {len(outcomes)}")
    print(json.dumps({"set": args.set, "seeds": args.seeds, "counts": counts, "shares": shares}))


if __name__ == "__main__":
    main()
