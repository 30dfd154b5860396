"""Questions as people put them, in words that no template of the sample has: right, wrong, refused?

    python benchmarks/wordings.py [--seeds 1 2 3] [--patients 10 --days 2] [--set c] [--keep DIR]

Set a is what the analysis of questions was worked on with; set b was written at the same time and
only counted; set c was written when all was done, and put once. Right is an answer whose first
claim cites an accepted answer (of the right chart, where it is about a patient), or the refusal of
what nothing says; wrong is any other answer. A wrong answer is worse than a refusal, so both are
counted.
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
from dataclasses import asdict
from pathlib import Path
from typing import Any

from aegle.flows import commands, knowledge, workspace
from aegle.flows.kit import Kit, open_kit
from aegle.metrics.stats import mean
from aegle.packs.sample import write_sample
from aegle.packs.sample.world import World, build
from wordings_gold import Gold, case, right, words
from wordings_list import SETS


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
    lead = got["claims"][0]["text"]
    found = any(holds(f"{said} {lead}", one) for one in says)
    return "right" if here and found else "wrong"


def run(kit: Kit, world: World, rows: Any, show: bool) -> list[tuple[str, str, float]]:
    """(wording, outcome, seconds) of every question."""
    found = []
    for number, (wording, key) in enumerate(rows):
        one = case(world, random.Random(f"{world.seed}/{number}"))
        question, gold = wording.format(**words(one)), right(one)
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
