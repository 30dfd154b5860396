"""How many labels does active learning save, against labelling at random?

    python benchmarks/active.py --data DIR [--seeds 5] [--sets tram2 mts_dialog] [--quick]

A pool without labels, a classifier (multinomial logistic regression on vectors of the plain MiniLM
encoder, which learned from neither set) that is trained anew after each batch, and a strategy that
says which texts are labelled next. Told is, by seed, how many labels reach 95% of the accuracy that
the whole pool's labels give, between two sizes by a straight line, and the area under the curve.
TRAM2 (techniques of report sentences) is split by report, anew with each seed; MTS-Dialog (sections
of notes) as published. Nothing was tuned; intervals are by bootstrap over the seeds.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

# Before numpy: its threads wait for each other on products as small as these, 30 times as long.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax

from aegle.backends.encoder_onnx import OnnxEncoder
from aegle.metrics.stats import mean, paired
from aegle.train.active import choose
from aegle.train.data.instructions.build import part_of

SHARE = 0.95
SIZES = (50, 100, 200, 300, 400, 600, 800, 1000, 1300, 1600, 2000, 2600)
STRATEGIES = ("random", "margin", "entropy", "k_centres", "mixed", "badge")
L2 = 1e-4
Rows = tuple[list[str], list[str], list[str]]
"""Texts, labels and groups."""


def tram2(data: Path) -> Rows:
    """Sentences of reports, each once."""
    rows = json.loads((data / "tram2" / "single_label.json").read_text("utf-8"))
    once = {" ".join(row["text"].split()): row for row in rows}
    told = list(once.values())
    return list(once), [row["label"] for row in told], [row["doc_title"] for row in told]


def mts_dialog(data: Path) -> Rows:
    """Sections of notes; the published training set is the pool, the test sets are the test."""
    texts, labels, groups = [], [], []
    for path in sorted((data / "mts_dialog").glob("*.csv")):
        if "Valid" in path.name:
            continue
        part = "train" if "Training" in path.name else "test"
        with path.open(encoding="utf-8-sig", newline="") as file:
            for row in csv.DictReader(file):
                texts.append(" ".join(row["section_text"].split()) or "none")
                labels.append(row["section_header"])
                groups.append(part)
    return texts, labels, groups


SETS = {"tram2": tram2, "mts_dialog": mts_dialog}


def in_pool(name: str, group: str, seed: int) -> bool:
    """Whether a group's texts may be labelled; the others test."""
    if name == "mts_dialog":
        return group == "train"
    return part_of(group, seed, {"pool": 0.7, "test": 0.3}) == "pool"


class Classifier:
    """Multinomial logistic regression by L-BFGS, begun where the last fit ended.

    C width, K classes.
    """

    def __init__(self, width: int, classes: int) -> None:
        self.weights_KC1 = np.zeros((classes, width + 1))

    def fit(self, vectors: NDArray[Any], labels: NDArray[Any]) -> None:
        """Learn from what is labelled."""
        rows = np.hstack([vectors, np.ones((len(vectors), 1))]).astype(np.float32)
        shape = self.weights_KC1.shape
        hot = np.eye(shape[0], dtype=np.float32)[labels]

        def loss(flat: NDArray[Any]) -> tuple[float, NDArray[Any]]:
            weights = flat.reshape(shape).astype(np.float32)
            logs = log_softmax(rows @ weights.T, axis=1)
            slope = (np.exp(logs) - hot).T @ rows / len(rows) + L2 * weights
            value = -(logs * hot).sum() / len(rows) + L2 / 2 * (weights**2).sum()
            return float(value), slope.ravel().astype(float)

        options = {"maxiter": 100, "ftol": 1e-7}
        found = minimize(
            loss, self.weights_KC1.ravel(), jac=True, method="L-BFGS-B", options=options
        )
        self.weights_KC1 = found.x.reshape(shape)

    def probabilities(self, vectors: NDArray[Any]) -> NDArray[Any]:
        """(N, K), each row summing to 1."""
        rows = np.hstack([vectors, np.ones((len(vectors), 1))])
        told: NDArray[Any] = np.exp(log_softmax(rows @ self.weights_KC1.T, axis=1))
        return told / told.sum(1, keepdims=True)


def curve(
    strategy: str,
    pool: tuple[NDArray[Any], NDArray[Any]],
    test: tuple[NDArray[Any], NDArray[Any]],
    classes: int,
    sizes: Sequence[int],
    seed: int,
) -> list[float]:
    """Test accuracy at each size; the first batch is the same random one for every strategy."""
    vectors, labels = pool
    rng = np.random.default_rng(seed)
    taken = [int(one) for one in rng.choice(len(vectors), sizes[0], replace=False)]
    scores, model = [], Classifier(vectors.shape[1], classes)
    for size in sizes:
        if size > len(taken):
            left = np.setdiff1d(np.arange(len(vectors)), taken)
            told = model.probabilities(vectors[left])
            wanted = {"k": size - len(taken), "rng": rng, "labelled_LC": vectors[taken]}
            taken += [int(left[n]) for n in choose(strategy, told, vectors[left], **wanted)]
        model.fit(vectors[taken], labels[taken])
        right = model.probabilities(test[0]).argmax(1) == test[1]
        scores.append(float(right.mean()))
    return scores


def needed(sizes: Sequence[int], scores: Sequence[float], goal: float) -> float:
    """Labels at which a curve first reaches a goal, between two sizes by a straight line."""
    for place, score in enumerate(scores):
        if score >= goal:
            if not place or score == scores[place - 1]:
                return float(sizes[place])
            part = (goal - scores[place - 1]) / (score - scores[place - 1])
            return sizes[place - 1] + part * (sizes[place] - sizes[place - 1])
    return float(sizes[-1])


def measured(name: str, data: Path, seeds: int, encoder: OnnxEncoder) -> dict[str, Any]:
    """Every strategy on one set."""
    texts, names, groups = SETS[name](data)
    vectors = np.asarray(encoder.embed(texts), float)
    order = {one: n for n, one in enumerate(sorted(set(names)))}
    labels = np.array([order[one] for one in names])
    saved: dict[str, list[float]] = {one: [] for one in STRATEGIES}
    areas: dict[str, list[float]] = {one: [] for one in STRATEGIES}
    full, pools = [], []
    for seed in range(seeds):
        inside = np.array([in_pool(name, one, seed) for one in groups])
        pool, test = (vectors[inside], labels[inside]), (vectors[~inside], labels[~inside])
        sizes = [one for one in SIZES if one < len(pool[0])] + [len(pool[0])]
        pools.append(len(pool[0]))
        for strategy in STRATEGIES:
            scores = curve(strategy, pool, test, len(order), sizes, seed)
            if strategy == "random":
                full.append(scores[-1])
            saved[strategy].append(needed(sizes, scores, SHARE * full[-1]))
            areas[strategy].append(float(np.trapezoid(scores, sizes) / (sizes[-1] - sizes[0])))
    table = {}
    for one in STRATEGIES:
        ratios = [a / b for a, b in zip(saved[one], saved["random"], strict=True)]
        table[one] = {
            "labels": asdict(mean(saved[one])),
            "labels_by_seed": [round(n) for n in saved[one]],
            "of_random": asdict(mean(ratios)),
            "area": asdict(mean(areas[one])),
            "area_over_random": asdict(paired(areas[one], areas["random"]).difference),
        }
    return {
        "pool": round(float(np.mean(pools))),
        "classes": len(order),
        "full_accuracy": asdict(mean(full)),
        "strategies": table,
    }


def main() -> None:
    """Print a table, then one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--sets", nargs="+", choices=sorted(SETS), default=sorted(SETS))
    parser.add_argument("--quick", action="store_true", help="two seeds of MTS-Dialog")
    args = parser.parse_args()
    if args.quick:
        args.seeds, args.sets = 2, ["mts_dialog"]
    encoder = OnnxEncoder("minilm")
    result: dict[str, Any] = {"seeds": args.seeds, "share": SHARE}
    for name in args.sets:
        began = time.perf_counter()
        told = result[name] = measured(name, args.data, args.seeds, encoder)
        told["seconds"] = round(time.perf_counter() - began, 1)
        print(f"{name}: pool {told['pool']}, all labels {told['full_accuracy']['value']:.3f}")
        for strategy, one in told["strategies"].items():
            labels, ratio, area = one["labels"], one["of_random"], one["area_over_random"]
            print(
                f"  {strategy:10} {labels['value']:6.0f} labels [{labels['low']:.0f}, "
                f"{labels['high']:.0f}]  {ratio['value']:.2f} of random [{ratio['low']:.2f}, "
                f"{ratio['high']:.2f}]  area {area['value']:+.4f} "
                f"[{area['low']:+.4f}, {area['high']:+.4f}]",
                flush=True,
            )
    print(json.dumps(result))


if __name__ == "__main__":
    main()
