"""Every adapter on a clinical and a security task: score, parameters, memory, time; merged; INT8.

    python benchmarks/adapters.py --data DIR [--task mts_dialog tram2] [--methods lora ia3 ...]
                                  [--texts 160] [--seeds 3] [--keep FILE] [--quick]

Tasks: the section of a MTS-Dialog dialogue (its own training, dev and first test part), and the
ATT&CK technique of a sentence of TRAM2 (split by report, seeded); of both the classes that have
most training texts, so that what a CPU trains in a minute can be learned, and texts of --characters
at most. As many texts of each class are learned from; tests are drawn as they come. The model reads
the text and says a word of the class's name (a verbaliser: Schick and Schuetze, 2021,
arXiv:2001.07676); the likeliest of these words counts, by first tokens. Scores are accuracies over
seeds, with 95% intervals over documents; ``majority`` is that of the test's own most frequent
class, ``base`` the model's before training. Each method trains the same texts for as many steps, at
a learning rate that is usual for it (none was tuned), in a process of its own; peak memory is that
of the process, seconds those of training. ``merged`` and ``int8`` are the scores after merging
(null where a method can't), and after weights of linear layers, of the merged model or of base and
adapter, were rounded to 8 bits by output channel; computed in floats. ``--part dev`` scores dev
instead, to choose settings by. ``--keep`` appends each finished method to a file and leaves out
those that it holds: a long run may be done in pieces. ``--quick`` is a few texts and one seed: it
shows that all runs, not which wins.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from aegle.core.errors import AegleError
from aegle.lm.catalog import resolve
from aegle.metrics.stats import mean
from aegle.train.causal.recipe import OPTIONS

TASKS = ("mts_dialog", "tram2")

STEP = {"mts_dialog": 256, "tram2": 64}
"""Tokens of a step: three or four texts, so that few texts make enough steps."""

RATES = {
    **dict.fromkeys(("lora", "rslora", "dora", "pissa", "qlora", "bottleneck"), 5e-4),
    "adalora": 2e-3,
    "ia3": 5e-3,
    "prefix": 1e-2,
    "prompt": 3e-2,
    "ptuning": 5e-3,
    "bitfit": 2e-3,
    "full": 5e-5,
}
"""What papers and PEFT's examples begin with."""

WORDS = {
    "ALLERGY": "allergies",
    "ASSESSMENT": "assessment",
    "CC": "complaint",
    "EXAM": "examination",
    "FAM/SOCHX": "family",
    "GENHX": "history",
    "MEDICATIONS": "medications",
    "PASTMEDICALHX": "past",
    "PASTSURGICAL": "surgery",
    "ROS": "review",
    "T1027": "obfuscated",
    "T1053.005": "scheduled",
    "T1055": "process",
    "T1059.003": "command",
    "T1071.001": "web",
    "T1078": "accounts",
    "T1082": "system",
    "T1105": "transfer",
    "T1106": "native",
    "T1140": "decode",
}
"""A word of each class's name; their first tokens differ."""

Row = dict[str, str]


def mts_dialog(data: Path) -> dict[str, list[Row]]:
    """Dialogues with the class of their section, in the parts that are published."""
    names = {"train": "TrainingSet", "dev": "ValidationSet"}
    names["test"] = "TestSet-1-MEDIQA-Chat-2023"
    found = {}
    for part, name in names.items():
        path = data / "mts_dialog" / f"MTS-Dialog-{name}.csv"
        with path.open(encoding="utf-8", newline="") as file:
            found[part] = [
                {
                    "text": " ".join(one["dialogue"].split()),
                    "label": one["section_header"].strip().upper(),
                    "group": f"{part}-{one['ID']}",
                }
                for one in csv.DictReader(file)
            ]
    return found


def tram2(data: Path) -> dict[str, list[Row]]:
    """Sentences with their technique; a report is wholly in one part."""
    rows = json.loads((data / "tram2" / "single_label.json").read_text("utf-8"))
    found: dict[str, list[Row]] = {"train": [], "dev": [], "test": []}
    for one in rows:
        point = int(hashlib.sha256(one["doc_title"].encode()).hexdigest()[:8], 16) / 2**32
        part = "train" if point < 0.7 else "dev" if point < 0.8 else "test"
        told = {"text": " ".join(one["text"].split()), "label": one["label"]}
        found[part].append({**told, "group": one["doc_title"]})
    return found


def main() -> None:
    """Print a table and, last, one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", type=Path, required=True)
    add("--base", default="smollm2")
    add("--task", nargs="+", choices=TASKS, default=list(TASKS))
    add("--methods", nargs="+", choices=list(OPTIONS), default=list(OPTIONS))
    add("--texts", type=int, default=160, help="learned from")
    add("--tests", type=int, default=100, help="scored on")
    add("--classes", type=int, default=8, help="the most frequent in training")
    add("--characters", type=int, default=400, help="of a text at most")
    add("--epochs", type=int, default=2)
    add("--part", choices=("dev", "test"), default="test", help="what is scored")
    add("--seeds", type=int, default=3)
    add("--keep", type=Path, help="finished methods go there, and are not run again")
    add("--quick", action="store_true")
    add("--child", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.quick:
        args.texts, args.tests, args.epochs, args.seeds = 12, 8, 1, 1
    try:
        if args.child:
            print(json.dumps(measured(json.loads(args.child.read_text()))))
        else:
            print(json.dumps(compared(args)))
    except AegleError as error:
        sys.exit(f"adapters: {error}")


def compared(args: argparse.Namespace) -> dict[str, Any]:
    """All methods on all tasks; the last line's object."""
    kept = {}
    if args.keep and args.keep.is_file():
        lines = map(json.loads, args.keep.read_text().splitlines())
        kept = {(one["task"], one["method"]): one for one in lines}
    tasks: dict[str, Any] = {}
    for task in args.task:
        rows = [kept.get((task, method)) or child(args, task, method) for method in args.methods]
        tasks[task] = {one["method"]: told(one) for one in rows}
    if len(tasks) == 1:
        return {"task": args.task[0], "methods": tasks[args.task[0]], "tasks": tasks}
    pooled = {
        method: {
            key: sum(found) / len(found) if key in ("score", "low", "high") else max(found)
            for key in ("score", "low", "high", "parameters", "seconds", "memory_bytes")
            if (found := [some[method][key] for some in tasks.values()])
        }
        for method in args.methods
    }
    return {"task": "mean of tasks", "methods": pooled, "tasks": tasks}


def child(args: argparse.Namespace, task: str, method: str) -> dict[str, Any]:
    """One method on one task, in a process of its own."""
    names = ("texts", "tests", "epochs", "seeds", "classes", "characters", "part")
    about = {name: getattr(args, name) for name in names} | {"task": task, "method": method}
    about |= {"data": str(args.data), "base": str(resolve(args.base))}
    with tempfile.TemporaryDirectory() as scratch:
        given = Path(scratch) / "given.json"
        given.write_text(json.dumps({**about, "scratch": scratch}))
        command = [sys.executable, __file__, "--data", str(args.data), "--child", str(given)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"adapters: {method}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if args.keep:
        with args.keep.open("a") as file:
            file.write(json.dumps(found) + "\n")
    one = told(found)
    print(f"{task:11} {method:11}", json.dumps(one), flush=True)
    return found


def told(found: dict[str, Any]) -> dict[str, Any]:
    """A method's figures, from what was right."""
    right = found["right"]
    score = mean(right["adapter"], groups=found["groups"])
    plain = {
        name: None if some is None else round(sum(some) / len(some), 4)
        for name, some in right.items()
        if name != "adapter"
    }
    rest = {name: found[name] for name in ("parameters", "seconds", "memory_bytes")}
    rest["majority"] = round(found["majority"], 4)
    told_of = {"score": score.value, "low": score.low, "high": score.high}
    return {**{name: round(one, 4) for name, one in told_of.items()}, **rest, **plain}


def measured(about: dict[str, Any]) -> dict[str, Any]:
    """Train and score one method over all seeds, in this process."""
    import time

    from aegle.train.causal import adapters
    from aegle.train.causal.load import load_causal
    from aegle.train.causal.recipe import PROMPTS
    from aegle.train.causal.steady import quieten
    from aegle.train.memory import peaks

    quieten()
    parts = _parts(about)
    labels = sorted({one["label"] for one in parts["train"]})
    test = _drawn(parts[about["part"]], about["tests"], 0)
    right: dict[str, Any] = {"base": [], "adapter": [], "merged": [], "int8": []}
    seconds, parameters = 0.0, 0
    memory: dict[str, int] = {}
    for seed in range(about["seeds"]):
        model, tokenizer = load_causal(Path(about["base"]))
        if not right["base"]:
            right["base"].append(_right(model, model, test, labels, tokenizer))
        rows = _even(parts["train"], about["texts"], seed)
        recipe = _recipe(about, rows, _drawn(parts["dev"], 32, seed), labels, seed)
        texts = _texts(recipe, tokenizer, Path(about["scratch"]))
        began = time.perf_counter()
        trainer = _trained(recipe, model, tokenizer, texts, Path(about["scratch"]) / str(seed))
        seconds += time.perf_counter() - began
        parameters = sum(one.numel() for one in adapters.trained(trainer.model).values())
        memory = memory or peaks()  # of the first: later ones find what it left
        asked = (test, labels, tokenizer)
        right["adapter"].append(_right(trainer.model, trainer.core, *asked))
        if recipe.adapter.method in (*PROMPTS, "bottleneck"):
            final, core, right["merged"] = trainer.model, trainer.core, None
        else:
            final = core = adapters.merge(trainer.model, recipe.adapter)
            right["merged"].append(_right(final, core, *asked))
        _round(core)
        right["int8"].append(_right(final, core, *asked))
    over = {
        name: some and [sum(column) / len(some) for column in zip(*some, strict=True)]
        for name, some in right.items()
    }
    return {
        **{name: about[name] for name in ("task", "method", "texts", "seeds")},
        "right": over,
        "groups": [one["group"] for one in test],
        "majority": max(Counter(one["label"] for one in test).values()) / len(test),
        "parameters": parameters,
        "seconds": round(seconds / about["seeds"], 1),
        "memory_bytes": memory.get("device_peak_bytes", memory["peak_bytes"]),
    }


def _parts(about: dict[str, Any]) -> dict[str, list[Row]]:
    """A task's parts, of its most frequent classes and short texts."""
    parts = {"mts_dialog": mts_dialog, "tram2": tram2}[about["task"]](Path(about["data"]))
    kept = {
        part: [one for one in rows if len(one["text"]) <= about["characters"]]
        for part, rows in parts.items()
    }
    counts = Counter(one["label"] for one in kept["train"])
    labels = sorted(counts, key=lambda label: (-counts[label], label))[: about["classes"]]
    if unnamed := sorted({*labels} - {*WORDS}):
        sys.exit(f"adapters: no word is known for {', '.join(unnamed)}; lower --classes")
    return {part: [one for one in rows if one["label"] in labels] for part, rows in kept.items()}


def _even(rows: list[Row], count: int, seed: int) -> list[Row]:
    """Some rows, as many of each class as there are, in an order that follows from the seed."""
    seen: Counter[str] = Counter()
    places = []
    for at, one in enumerate(_drawn(rows, len(rows), seed)):
        seen[one["label"]] += 1
        places.append((seen[one["label"]], at, one))
    some = [one for _, _, one in sorted(places, key=lambda place: place[:2])[:count]]
    return _drawn(some, count, seed)


def _drawn(rows: list[Row], count: int, seed: int) -> list[Row]:
    """Some rows, in an order that follows from the seed and each row alone."""

    def place(one: Row) -> bytes:
        return hashlib.sha256(f"{seed}\0{one['group']}\0{one['text']}".encode()).digest()

    return sorted(rows, key=place)[:count]


def _prompt(text: str) -> str:
    return f"{text}\nClass:"


def _recipe(
    about: dict[str, Any], train: list[Row], dev: list[Row], labels: list[str], seed: int
) -> Any:
    from aegle.train.causal.recipe import Recipe

    folder = Path(about["scratch"])
    for name, rows in (("train", train), ("dev", dev)):
        lines = [
            json.dumps(
                {
                    "prompt": _prompt(one["text"]),
                    "completion": f" {WORDS[one['label']]}",
                    "group": one["group"],
                }
            )
            for one in rows
            if one["label"] in labels
        ]
        (folder / f"{name}.jsonl").write_text("\n".join(lines))
    source = {"train": "train.jsonl", "dev": "dev.jsonl"}
    source |= {"licence": "CC BY 4.0, Apache-2.0", "safe_because": "published"}
    return Recipe.model_validate(
        {
            "kind": "sft",
            "name": "bake-off",
            "template": "plain",
            "seed": seed,
            "max_tokens": 256,
            "overlong": "error",
            "duplicates": "drop",
            "data": [source],
            "adapter": about["method"],
            "optimiser": {"lr": RATES[about["method"]], "epochs": about["epochs"], "warmup": 0.1},
            "batches": {"tokens": STEP[about["task"]]},
        }
    )


def _texts(recipe: Any, tokenizer: Any, data: Path) -> dict[str, Any]:
    from aegle.train.causal.chat import Encoder
    from aegle.train.causal.corpus import read_corpus
    from aegle.train.causal.run import encoded

    fit = {"max_tokens": recipe.max_tokens, "overlong": recipe.overlong}
    encode = Encoder(tokenizer, template=recipe.template, **fit)
    corpus = read_corpus(recipe, data)
    return {part: encoded(corpus, part, encode) for part in ("train", "dev")}


def _trained(recipe: Any, model: Any, tokenizer: Any, texts: Any, folder: Path) -> Any:
    from aegle.train.causal.run import prepare
    from aegle.train.causal.steady import Watch

    trainer = prepare(recipe, model, tokenizer, texts, Watch(folder), "auto")
    trainer.run(resume=False)
    return trainer


def _right(
    model: Any, core: Any, test: list[Row], labels: list[str], tokenizer: Any
) -> list[float]:
    """1.0 for each text whose class's word is the likeliest of the words, by first tokens."""
    import torch

    from aegle.train.causal.loss import listening

    words = [f" {WORDS[one]}" for one in labels]
    codes = [tokenizer(one, add_special_tokens=False)["input_ids"][0] for one in words]
    if len({*codes}) < len(codes):
        sys.exit("adapters: two classes' words begin with one token of this base; name another")
    wanted = torch.tensor(codes)
    head = core.get_output_embeddings()
    found = []
    model.eval()
    with torch.no_grad():
        for one in test:
            ids = tokenizer(_prompt(one["text"]), add_special_tokens=False)["input_ids"]
            given = torch.tensor([ids]).to(head.weight.device)
            mask = torch.ones_like(given)
            with listening(core) as ear:
                model(input_ids=given, attention_mask=mask, use_cache=False)
            logits = head(ear.heard[0, -1])[wanted.to(given.device)]
            found.append(float(labels[int(logits.argmax())] == one["label"]))
    return found


def _round(model: Any) -> None:
    """Weights of linear layers to 8 bits by output channel, and back."""
    from torch import nn

    for layer in model.modules():
        if isinstance(layer, nn.Linear) and layer.weight.is_floating_point():
            step = layer.weight.data.abs().amax(1, keepdim=True).clamp(min=1e-12) / 127
            layer.weight.data = (layer.weight.data / step).round() * step


if __name__ == "__main__":
    main()
