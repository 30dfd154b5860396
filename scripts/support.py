"""Trains what judges whether evidence bears a claim out, on a processor, and writes its weights.

``python scripts/support.py --data DIR --run FOLDER [--minutes 10] [--into FOLDER]`` makes pairs of
the public sets (train and dev only), teaches the last layers of a packaged cross-encoder, and stops
after so many minutes; called again, it goes on. When all pairs were seen it fits the weighing of
logit and rules on dev and writes ``delta.safetensors`` and ``card.json`` into ``--into``.
``--figures FILE`` puts the last line of benchmarks/entailment.py into a card that is there.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from aegle.answer.support import FAVOURS, WEIGHING, Weighing, features
from aegle.answer.verify import check
from aegle.core.artifacts import describe, read_json, write_json, write_manifest
from aegle.core.text import SafeText
from aegle.flows.verifying import MOST_TOKENS
from aegle.lm.catalog import cache_folder, resolve
from aegle.lm.delta import whole
from aegle.lm.pairs import CrossEncoder
from aegle.train import support
from aegle.train.data.support import PUBLISHED, READERS, Pair, lexicon, make, statements
from aegle.train.lowrank import save_delta
from aegle.train.weigh import band, signed

BASE: Final = "ms-marco-minilm"
CONFIG: Final = {
    "model_type": "bert",
    "hidden_act": "gelu",
    "vocab_size": 30522,
    "hidden_size": 384,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 1536,
    "max_position_embeddings": 512,
    "type_vocab_size": 2,
    "layer_norm_eps": 1e-12,
}
"""Of ms-marco-MiniLM-L12-v2, whose package leaves it out."""
MOST: Final = {
    "mts_dialog": 2600,
    "medquad": 2000,
    "attack_stix": 1700,
    "capec": 400,
    "cwe": 450,
    "sigma_rules": 450,
}
"""Pairs of a source that are learnt from; none of the others is left out."""
FIRST: Final = 1140
"""Pairs of the first round."""
LATER: Final = (2000, 2600)
"""Pairs of the rounds after it, each with a schedule of its own."""
SHARES: Final = {"true": 0.45, "false": 0.47, "far": 0.08}
"""Of these: supported; made false or judged so; of another document."""
NAMED: Final = ("capec", "cwe", "sigma_rules")
"""Names against descriptions: learnt in the first round, if at all."""
TWICE: Final = "scifact"
"""What people judged is read twice."""
WEIGHED: Final = 1500
"""Pairs of dev that the weighing is fitted on."""
PRECISION: Final = 0.9
"""From the band's upper end on so many of dev's pairs are supported, below its lower end not."""
LICENCES: Final = {
    "scifact": "CC BY 4.0 (claims), ODC-By 1.0 (abstracts)",
    "titles": "ODC-By 1.0",
    "pubmedqa": "MIT",
    "mts_dialog": "CC BY 4.0",
    "medquad": "CC BY 4.0",
    "attack_stix": "MITRE ATT&CK terms of use",
    "capec": "MITRE CAPEC terms of use",
    "cwe": "MITRE CWE terms of use",
    "sigma_rules": "Detection Rule License 1.1",
    "bc5cdr": "CC BY 4.0 (names of drugs and diseases)",
}


def pairs_of(data: Path, run: Path, split: str, seed: int) -> list[Pair]:
    """The pairs of a split, made once a run."""
    path = run / f"{split}.json"
    if not path.is_file():
        told = list(make(statements(data), split, lexicon(data), seed=seed))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([asdict(one) for one in told]), "utf-8")
    rows = json.loads(path.read_text("utf-8"))
    texts = ("claim", "evidence")
    return [
        Pair(**row | {name: SafeText(row[name], by=PUBLISHED) for name in texts}) for row in rows
    ]


def chosen(pairs: list[Pair], seed: int) -> list[Pair]:
    """What is learnt from, in the order in which it is read first to last."""
    rng = np.random.default_rng(seed)
    by: dict[str, list[Pair]] = {}
    for one in pairs:
        by.setdefault(one.source, []).append(one)
    kept = [
        some[at]
        for source, some in by.items()
        for at in rng.permutation(len(some))[: MOST.get(source, len(some))]
    ]
    kept += by.get(TWICE, [])
    return [kept[at] for at in rng.permutation(len(kept))]


def rounds(pairs: list[Pair], seed: int) -> list[list[Pair]]:
    """What is read first: a bit of everything. Then what a reranker does not know by itself.

    That another passage speaks of something else it knows; that a word more or less makes a claim
    false it has to learn.
    """
    first, rest = pairs[:FIRST], pairs[FIRST:]
    rng = np.random.default_rng(seed)
    by: dict[str, list[Pair]] = {"false": [], "true": [], "far": []}
    for one in rest:
        if one.source in NAMED:
            continue
        which = "true" if one.supported else "far" if one.kind == "neighbour" else "false"
        by[which].append(one)
    read = [first]
    at = dict.fromkeys(SHARES, 0)
    for size in LATER:
        some: list[Pair] = []
        for name, share in SHARES.items():
            end = at[name] + round(size * share)
            some += by[name][at[name] : end]
            at[name] = end
        read.append([some[place] for place in rng.permutation(len(some))])
    return read


def sampled(dev: list[Pair], seed: int) -> list[Pair]:
    """All that people judged, and some of the rest."""
    judged = [one for one in dev if one.source == TWICE]
    rest = [one for one in dev if one.source != TWICE]
    order = np.random.default_rng(seed).permutation(len(rest))
    return judged + [rest[at] for at in order[: WEIGHED - len(judged)]]


def weigh(folder: Path, dev: list[Pair], run: Path) -> tuple[Weighing, dict[str, Any]]:
    """The weighing that dev's pairs give, by the INT8 graph that is served."""
    kept = run / f"dev-{folder.name}.json"
    if not kept.is_file():
        encoder = CrossEncoder(folder, max_tokens=MOST_TOKENS)
        told = [float(encoder.score(one.claim, [one.evidence])[0]) for one in dev]
        encoder.close()
        write_json(kept, {"logits": told})
    logits = read_json(kept)["logits"]
    rows = [
        features(logit, check(one.claim, [one.evidence]))
        for logit, one in zip(logits, dev, strict=True)
    ]
    wanted = [one.supported for one in dev]
    fitted = signed(rows, wanted, favours=FAVOURS)
    free = Weighing(fitted.weights, fitted.bias, 0.0, 1.0)
    low, high = band([free.probability(row) for row in rows], wanted, precision=PRECISION)
    for name in rows[0]:
        print(name, round(auc([row[name] for row in rows], wanted), 4), flush=True)
    sure = [free.probability(row) for row in rows]
    print("weighed", round(auc(sure, wanted), 4), flush=True)
    for kind in sorted({one.kind for one in dev} - {"supported"}):
        sources = {one.source for one in dev if one.kind == kind}
        some = [
            at
            for at, one in enumerate(dev)
            if one.kind == kind or (one.supported and one.source in sources)
        ]
        value = auc([sure[at] for at in some], [wanted[at] for at in some])
        print(kind, sum(one.kind == kind for one in dev), round(value, 3), flush=True)
    return Weighing(fitted.weights, fitted.bias, low, high), {"pairs": len(dev)}


def auc(scores: list[float], wanted: list[bool]) -> float:
    """How often a supported pair of dev scores above an unsupported one."""
    order = np.argsort(scores, kind="stable")
    rank = np.empty(len(scores))
    rank[order] = np.arange(1, len(scores) + 1)
    true = np.array(wanted)
    above = int(true.sum())
    return float((rank[true].sum() - above * (above + 1) / 2) / (above * (len(scores) - above)))


def main() -> None:
    """Train for a while, or finish."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--into", type=Path, default=Path("src/aegle/weights/aegle-support"))
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--figures", type=Path, help="a result of benchmarks/entailment.py")
    parser.add_argument("--seed", type=int, default=17)
    args = parser.parse_args()
    if args.figures:
        write_figures(args.into, args.figures)
        return
    how = support.How(minutes=args.minutes, seed=args.seed)
    pairs = chosen(pairs_of(args.data, args.run, "train", args.seed), args.seed)
    base = resolve(BASE)
    read = rounds(pairs, args.seed)
    for number, some in enumerate(read):
        net, batches = support.prepare(some, base, CONFIG, how)
        if number:
            support.begin(net, args.run / f"round-{number - 1}")
        folder = args.run / f"round-{number}"
        if not support.learn(net, batches, folder, log=lambda line: print(line, flush=True)):
            print("to be gone on with")
            return
        print(f"round {number} is done", flush=True)
    finish(args, net, [one for some in read for one in some], base, how)


def finish(
    args: argparse.Namespace, net: Any, train: list[Pair], base: Path, how: support.How
) -> None:
    """Write the weights, weigh on dev, write them again with what was weighed."""
    dev = sampled(pairs_of(args.data, args.run, "dev", args.seed), args.seed)
    texts = "\n".join(f"{one.claim}\t{one.evidence}\t{one.supported}" for one in train)
    card: dict[str, Any] = {
        "name": "aegle-support",
        "version": 1,
        "task": "whether evidence bears a claim out: one logit, weighed with rules on words",
        "config": CONFIG | {"num_labels": 1},
        "trained_by": "scripts/support.py",
        "how": asdict(how),
        "pairs": {name: sum(one.source == name for one in train) for name in READERS},
        "licences": LICENCES,
        "licence": "Apache-2.0",
    }
    sha = hashlib.sha256(texts.encode()).hexdigest()
    about = {
        "base": BASE,
        "base_folder": base,
        "tensors": support.learned(net),
        "made_from": (sha,),
    }
    first = args.run / "unweighed"
    save_delta(first, card=card, **about)
    weighing, told = weigh(whole(first, base, cache_folder()), dev, args.run)
    card["weighed_on"] = told | {"precision": PRECISION}
    save_delta(args.into, card=card, **about)
    write_json(args.into / WEIGHING, weighing.as_json())
    sign(args.into)
    print(json.dumps(weighing.as_json()))


def write_figures(folder: Path, result: Path) -> None:
    """Put a benchmark's last line into the card and sign it anew."""
    card = read_json(folder / "card.json")
    card["figures"] = json.loads(result.read_text("utf-8").strip().splitlines()[-1])
    write_json(folder / "card.json", card)
    sign(folder)


def sign(folder: Path) -> None:
    """Write the manifest anew, with what the first one says the weights were made from."""
    made_from = tuple(read_json(folder / "manifest.json")["artifacts"][0]["made_from"])
    files = [
        replace(describe(folder / name, made_from=made_from), path=name)
        for name in ("delta.safetensors", "card.json", WEIGHING)
    ]
    write_manifest(folder / "manifest.json", files)


if __name__ == "__main__":
    main()
