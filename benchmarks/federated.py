"""Simulated hospitals: federated against local and pooled training, and DP-SGD at two budgets.

    python benchmarks/federated.py --data DIR [--base smollm2] [--texts 300] [--tests 200]
                                   [--rounds 3] [--sites 3] [--seeds 1] [--epsilon 8 3]
                                   [--arms base local pooled ...] [--quick] [--json]

Task: the ATT&CK technique of a sentence of TRAM2, of the ten commonest; a report is wholly in
training, dev or test, and at one site. Sites are unlike on purpose: a report goes where most of its
techniques go, and each technique belongs to a site. The model says a word of the class's name.
``local`` is the mean over sites of models that each trained alone; ``pooled`` trained on all, for
as many epochs as there are rounds; ``fedavg`` and ``fedprox`` train an epoch a round at each site.
``dp-E`` is pooled DP-SGD towards single sentences, spending epsilon E at delta 1e-5, for more and
larger steps; ``dp-none`` is the same without noise. Scores are accuracies over seeds on the same
held-out sentences, with 95% intervals over reports; ``over_local`` is the paired difference.
Nothing was tuned.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from adapters import WORDS, _drawn, _prompt, _right, tram2
from aegle.core.errors import AegleError
from aegle.lm.catalog import resolve
from aegle.metrics.stats import mean

Row = dict[str, str]
CLASSES = 10


def main() -> None:
    """Print each arm's figures and, last, one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", type=Path, required=True)
    add("--base", default="smollm2")
    add("--texts", type=int, default=300, help="learned from, over all sites")
    add("--tests", type=int, default=200, help="scored on")
    add("--rounds", type=int, default=3)
    add("--sites", type=int, default=3)
    add("--seeds", type=int, default=1)
    add("--epsilon", type=float, nargs="+", default=[8.0, 3.0])
    add("--arms", nargs="+", default=[])
    add("--quick", action="store_true", help="it shows that all runs, not which wins")
    add("--json", action="store_true", help="only the last line")
    args = parser.parse_args()
    if args.quick:
        args.texts, args.tests, args.rounds, args.epsilon = 45, 12, 1, [8.0]
    try:
        print(json.dumps(compared(args)))
    except AegleError as error:
        sys.exit(f"federated: {error}")


def compared(args: argparse.Namespace) -> dict[str, Any]:
    """All arms over all seeds; the last line's object."""
    from aegle.train.causal.steady import quieten

    quieten()
    parts = tram2(args.data)
    common = Counter(one["label"] for one in parts["train"]).most_common(CLASSES)
    labels = sorted(name for name, _ in common)
    kept = {p: [one for one in rows if one["label"] in labels] for p, rows in parts.items()}
    test = _drawn(kept["test"], args.tests, 0)
    right: dict[str, list[list[float]]] = {}
    about: dict[str, dict[str, Any]] = {}
    for seed in range(args.seeds):
        for name, make in arms(args).items():
            began = time.perf_counter()
            with tempfile.TemporaryDirectory() as scratch:
                told = Told(args, labels, kept, seed, Path(scratch), test)
                found, more = make(told)
            seconds = round(time.perf_counter() - began, 1)
            right.setdefault(name, []).append(found)
            about[name] = {**more, "seconds": seconds}
            if not args.json:
                score = round(sum(found) / len(found), 4)
                print(name, json.dumps({"seed": seed, "score": score, **about[name]}), flush=True)
    groups = [one["group"] for one in test]
    over = {n: [sum(c) / len(c) for c in zip(*some, strict=True)] for n, some in right.items()}
    figures = {}
    for name, one in over.items():
        figures[name] = {**_measure(one, groups), **about[name]}
        if name != "local" and "local" in over:
            gain = [mine - theirs for mine, theirs in zip(one, over["local"], strict=True)]
            figures[name]["over_local"] = _measure(gain, groups)
    size = {"texts": args.texts, "tests": len(test), "reports": len(set(groups))}
    how = {"rounds": args.rounds, "sites": args.sites, "seeds": args.seeds}
    return {"task": "tram2, ten techniques", "base": args.base, **size, **how, "arms": figures}


def _measure(values: list[float], groups: list[str]) -> dict[str, float]:
    one = mean(values, groups=groups)
    return {n: round(v, 4) for n, v in (("score", one.value), ("low", one.low), ("high", one.high))}


class Told:
    """What an arm is given: data at sites and pooled, and how to score."""

    def __init__(
        self,
        args: argparse.Namespace,
        labels: list[str],
        parts: dict[str, list[Row]],
        seed: int,
        scratch: Path,
        test: list[Row],
    ) -> None:
        self.args, self.labels, self.seed = args, labels, seed
        self.scratch, self.test, self.base = scratch, test, resolve(args.base)
        train, dev = _drawn(parts["train"], args.texts, seed), _drawn(parts["dev"], 40, seed)
        self.sites = {f"site-{n + 1}": scratch / f"site-{n + 1}" for n in range(args.sites)}
        places = placed(train, labels, args.sites)
        for number, folder in enumerate(self.sites.values()):
            self._write(folder, [o for o in train if places[o["group"]] == number], dev)
        self.pooled = scratch / "pooled"
        self._write(self.pooled, train, dev)

    def _write(self, folder: Path, train: list[Row], dev: list[Row]) -> None:
        folder.mkdir()
        for name, rows in (("train", train), ("dev", dev)):
            seen = {one["text"]: one for one in rows}.values()
            lines = [
                json.dumps(
                    {
                        "prompt": _prompt(one["text"]),
                        "completion": f" {WORDS[one['label']]}",
                        "group": one["group"],
                    }
                )
                for one in seen
            ]
            (folder / f"{name}.jsonl").write_text("\n".join(lines))

    def keys(self, epochs: int, **more: Any) -> dict[str, Any]:
        """A recipe's."""
        source = {"train": "train.jsonl", "dev": "dev.jsonl"}
        source |= {"licence": "Apache-2.0", "safe_because": "published"}
        return {
            "kind": "sft",
            "name": "hospitals",
            "base": self.args.base,
            "template": "plain",
            "seed": self.seed,
            "max_tokens": 512,
            "data": [source],
            "adapter": "lora",
            "optimiser": {"lr": 5e-4, "epochs": epochs, "schedule": "constant"},
            "batches": {"tokens": 512},
            "stopping": {"patience": 99},
            **more,
        }

    def trained(self, data: Path, keys: dict[str, Any]) -> tuple[list[float], dict[str, Any]]:
        """One run: what was right, and its metrics."""
        from aegle.train.causal.load import load_causal
        from aegle.train.causal.recipe import Recipe
        from aegle.train.causal.run import run

        folder = self.scratch / f"run-{data.name}"
        done = run(Recipe.model_validate(keys), base=self.base, data=data, folder=folder)
        core = done.model.get_base_model()
        tokenizer = load_causal(self.base)[1]
        return _right(done.model, core, self.test, self.labels, tokenizer), done.metrics


def placed(rows: list[Row], labels: list[str], sites: int) -> dict[str, int]:
    """Report -> site: where most of its techniques belong."""
    votes: dict[str, Counter[int]] = {}
    for one in rows:
        votes.setdefault(one["group"], Counter())[labels.index(one["label"]) % sites] += 1
    return {group: min(v, key=lambda s: (-v[s], s)) for group, v in votes.items()}


def arms(args: argparse.Namespace) -> dict[str, Any]:
    """Name -> what trains and scores it."""
    every: dict[str, Any] = {"base": base, "local": local, "pooled": pooled}
    every |= {"fedavg": lambda t: shared(t, 0.0), "fedprox": lambda t: shared(t, 0.1)}
    every["dp-none"] = lambda t: private(t, None)
    for one in args.epsilon:
        every[f"dp-{one:g}"] = lambda t, epsilon=one: private(t, epsilon)
    return {name: make for name, make in every.items() if not args.arms or name in args.arms}


def base(told: Told) -> tuple[list[float], dict[str, Any]]:
    """The base as it is."""
    from aegle.train.causal.load import load_causal

    model, tokenizer = load_causal(told.base)
    return _right(model, model, told.test, told.labels, tokenizer), {}


def local(told: Told) -> tuple[list[float], dict[str, Any]]:
    """Each site alone; of each text the share of sites that are right."""
    keys = told.keys(told.args.rounds)
    found = {name: told.trained(data, keys) for name, data in told.sites.items()}
    sizes = {name: more["data"]["train"] for name, (_, more) in found.items()}
    scores = {name: round(sum(some) / len(some), 4) for name, (some, _) in found.items()}
    rows = zip(*(some for some, _ in found.values()), strict=True)
    return [sum(one) / len(one) for one in rows], {"examples": sizes, "scores": scores}


def pooled(told: Told) -> tuple[list[float], dict[str, Any]]:
    """All texts in one place."""
    found, more = told.trained(told.pooled, told.keys(told.args.rounds))
    return found, {"examples": more["data"]["train"]}


def shared(told: Told, pull: float) -> tuple[list[float], dict[str, Any]]:
    """Rounds over the sites."""
    import yaml

    from aegle.flows import federated
    from aegle.train.causal import adapters
    from aegle.train.causal.load import load_causal

    path = told.scratch / "recipe.yaml"
    path.write_text(yaml.safe_dump(told.keys(1)))
    options = federated.Options(told.args.rounds, pull)
    transport = federated.here(told.sites, told.scratch / "work")
    result = federated.federate(path, transport, out=told.scratch / "out", options=options)
    core, tokenizer = load_causal(told.base)
    model = adapters.load(core, Path(result["artifact"]))
    sent = result["metrics"]["bytes_sent"]
    right = _right(model, model.get_base_model(), told.test, told.labels, tokenizer)
    return right, {"bytes_sent": sent, "pull": pull}


def private(told: Told, epsilon: float | None) -> tuple[list[float], dict[str, Any]]:
    """All texts in one place, by DP-SGD; without an epsilon, clipped but without noise."""
    keys = told.keys(4 if told.args.rounds > 1 else 1)
    keys["optimiser"] |= {"lr": 1e-3}
    privacy = {"epsilon": epsilon} if epsilon else {"noise": 0}
    size = max(8, told.args.texts // 5)
    keys["privacy"] = {**privacy, "unit": "record", "units_per_step": size, "clip": 1.0}
    found, more = told.trained(told.pooled, keys)
    wanted = ("epsilon", "delta", "noise_multiplier", "sampling_rate", "steps", "unit", "units")
    return found, {name: more["privacy"][name] for name in wanted}


if __name__ == "__main__":
    main()
