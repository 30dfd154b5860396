"""How well supported claims are told from unsupported ones, against words, vectors and a reranker.

    python benchmarks/entailment.py --data DIR [--model FOLDER] [--most 200] [--teacher NAME]

``--data`` is the folder of the public sets, or a folder with ``pairs.jsonl`` (``claim``,
``evidence``, ``supported``, ``group`` a line). Pairs are of documents that nothing was trained or
weighed on: SciFact's validation claims as people judged them; titles, conclusions, notes of
dialogues and names beside their own text and beside the nearest other one; the same made false by
rules; and two sets of questions that are read here only. AUC of all pairs, and for each way in
which a claim is unsupported, against the supported pairs of the same sources; intervals by
bootstrap over documents. Pairs of statements that stand word for word in training or dev, too, are
left out; the figure with them is told beside. ``--most`` caps the pairs of a source but SciFact.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np

from aegle import answer
from aegle.answer.concepts import content_words
from aegle.answer.support import WEIGHING, Verifier, Weighing
from aegle.answer.verify import MIN_COSINE, check
from aegle.backends.encoder_onnx import OnnxEncoder
from aegle.core.plugins import find
from aegle.flows.verifying import MOST_TOKENS, SHIPPED
from aegle.lm.catalog import resolve
from aegle.lm.chat import request
from aegle.lm.pairs import CrossEncoder
from aegle.metrics.stats import bootstrap
from aegle.train import data as train_data
from aegle.train.data.claims import repeats
from aegle.train.data.support import Pair, lexicon, made, statements
from entailment_cache import fingerprint, remembered
from entailment_sets import capped, graphrag, musique, own

PASSED: Final = 2.0
"""Of the rules: above whatever a claim gets that they don't pass."""
LEAST: Final = 20
"""Unsupported pairs that a kind needs for a figure of its own."""
PROMPT: Final = (
    "Evidence: {evidence}\n\nClaim: {claim}\n\nDoes the evidence say that the claim is true? "
    "Answer with Yes or No."
)


def auc(scores_N: np.ndarray, true_N: np.ndarray) -> float:
    """How often a supported pair scores above an unsupported one, ties counted half.

    By ranks, as Mann and Whitney (1947).
    """
    _, place_N, counts = np.unique(scores_N, return_inverse=True, return_counts=True)
    rank_N = (np.cumsum(counts) - (counts - 1) / 2)[place_N]
    above = int(true_N.sum())
    below = len(true_N) - above
    if not above or not below:
        return math.nan
    return float((rank_N[true_N].sum() - above * (above + 1) / 2) / (above * below))


def pairs_of(args: argparse.Namespace) -> tuple[list[Pair], np.ndarray]:
    """The test pairs of a folder, and of each whether its statement stands in training, too."""
    told = {name: str(value) for name, value in vars(args).items() if name != "cache"}
    told |= {"data": fingerprint(args.data), "code": fingerprint(Path(train_data.__file__).parent)}
    key = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:12]
    kept = args.cache / f"pairs-{key}.json" if args.cache else None
    if kept and kept.is_file():
        rows = json.loads(kept.read_text("utf-8"))
        return [Pair(**row) for row in rows["pairs"]], np.array(rows["repeated"])
    pairs, repeated = _made(args.data, args.most)
    if kept:
        kept.parent.mkdir(parents=True, exist_ok=True)
        rows = {"pairs": [asdict(one) for one in pairs], "repeated": repeated}
        kept.write_text(json.dumps(rows), "utf-8")
    return pairs, np.array(repeated)


def _made(data: Path, most: int) -> tuple[list[Pair], list[bool]]:
    if (data / "pairs.jsonl").is_file():
        pairs = own(data / "pairs.jsonl")
        return pairs, [False] * len(pairs)
    names = lexicon(data)
    told = statements(data)
    test = [one for one in told if one.split == "test"]
    again = repeats(test, [one for one in told if one.split != "test"])
    said = {id(one) for one, flag in zip(test, again, strict=True) if flag}
    some = [(one, pairs) for one, pairs in made(told, "test", names)]
    flagged = {id(pair) for one, pairs in some if id(one) in said for pair in pairs}
    every = [pair for _, pairs in some for pair in pairs]
    every += [*musique(data / "musique_100"), *graphrag(data / "graphrag_bench_medical", names)]
    judged = [one for one in every if one.source == "scifact"]
    kept = judged + capped([one for one in every if one.source != "scifact"], most)
    return kept, [id(one) in flagged for one in kept]


def share(one: Pair) -> float:
    """Of the claim's content words, in the evidence."""
    words = set(content_words(one.claim))
    return len(words & set(content_words(one.evidence))) / max(1, len(words))


def rules(one: Pair, cosine: float) -> float:
    """`PASSED` for what the strict rules pass; else the share of words less what is against it."""
    told = check(one.claim, [one.evidence])
    if told.hold and cosine >= MIN_COSINE:
        return PASSED
    against = (told.numbers > 0, not told.bound, told.names > 0, not told.negation, not told.denied)
    return told.share - sum(against) - told.barred


def cosines(pairs: Sequence[Pair], encoder: OnnxEncoder) -> np.ndarray:
    """Of claim and evidence."""
    claims, told = (
        encoder.embed([getattr(one, name) for one in pairs]) for name in ("claim", "evidence")
    )
    return np.asarray((claims * told).sum(1))


def reranked(pairs: Sequence[Pair], model: str, threads: int) -> np.ndarray:
    """The logits of a packaged reranker."""
    encoder = CrossEncoder(resolve(model), threads=threads)
    scores = [float(encoder.score(one.claim, [one.evidence])[0]) for one in pairs]
    encoder.close()
    return np.array(scores)


def judged(pairs: Sequence[Pair], folder: Path, threads: int) -> np.ndarray:
    """(2, pairs): logits, and milliseconds a check."""
    encoder = CrossEncoder(folder, threads=threads, max_tokens=MOST_TOKENS)
    logits: list[float] = []

    def score(claim: str, windows: Sequence[str]) -> Any:
        told = encoder.score(claim, windows)
        logits.append(float(max(told)))
        return told

    weighing = Weighing.read(folder / WEIGHING)
    times, alone = [], []
    for one in pairs:
        # A verifier of its own: it remembers, and some pairs stand here twice.
        verifier = Verifier(score, weighing, name=SHIPPED)
        start = time.perf_counter()
        before = len(logits)
        verifier.probability(one.claim, [one.evidence])
        times.append(1000 * (time.perf_counter() - start))
        alone.append(logits[-1] if len(logits) > before else -20.0)  # nothing to be read
    encoder.close()
    return np.array([alone, times])


def weighed(pairs: Sequence[Pair], logits: np.ndarray, weighing: Weighing) -> np.ndarray:
    """The probabilities that these logits give with the rules."""

    def of(one: Pair, logit: float) -> float:
        verifier = Verifier(lambda _, windows: [logit] * len(windows), weighing, name=SHIPPED)
        return verifier.probability(one.claim, [one.evidence])

    return np.array([of(one, logit) for one, logit in zip(pairs, logits, strict=True)])


def teacher(pairs: Sequence[Pair], name: str, threads: int) -> np.ndarray:
    """The probability that a generator gives Yes over that of Yes and No, by its logits."""
    generator = find("generator", "llamacpp")(resolve(name), threads=threads)
    told = []
    for one in pairs:
        asked = PROMPT.format(evidence=one.evidence, claim=one.claim)
        body = request(
            [{"role": "user", "content": asked}],
            max_tokens=1,
            seed=0,
            temperature=0.0,
            stop=(),
            stream=False,
        )
        # The port has no logits: the model's own server is asked.
        reply = generator._ask(body | {"logprobs": True, "top_logprobs": 20})
        first = reply["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
        mass = {"yes": 1e-9, "no": 1e-9}
        for token in first:
            word = token["token"].strip().lower()
            if word in mass:
                mass[word] += math.exp(token["logprob"])
        told.append(mass["yes"] / (mass["yes"] + mass["no"]))
    generator.close()
    return np.array(told)


def figure(scores_N: np.ndarray, true_N: np.ndarray, groups: Sequence[str]) -> dict[str, Any]:
    """AUC with its interval over documents."""

    def of(rows: np.ndarray) -> float:
        value = auc(scores_N[rows], true_N[rows])
        return 0.5 if math.isnan(value) else value

    found = bootstrap(of, groups)
    return {
        "auc": round(found.value, 4),
        "low": round(found.low, 4),
        "high": round(found.high, 4),
        "documents": found.n,
    }


def kinds(pairs: Sequence[Pair], systems: dict[str, np.ndarray]) -> dict[str, Any]:
    """For each reason why a claim is unsupported: AUC against supported pairs of its sources."""
    told: dict[str, Any] = {}
    true_N = np.array([one.supported for one in pairs])
    for kind in dict.fromkeys(one.kind for one in pairs if not one.supported):
        sources = {one.source for one in pairs if one.kind == kind}
        wrong_N = np.array([one.kind == kind for one in pairs])
        if wrong_N.sum() < LEAST:
            continue
        rows = np.flatnonzero(
            wrong_N | (true_N & np.isin([one.source for one in pairs], list(sources)))
        )
        told[kind] = {"unsupported": int(wrong_N.sum())} | _each(pairs, systems, rows)
    for source in dict.fromkeys(one.source for one in pairs):
        rows = np.flatnonzero([one.source == source for one in pairs])
        if 0 < true_N[rows].sum() < len(rows):
            told[f"of {source}"] = {"pairs": len(rows)} | _each(pairs, systems, rows)
    return told


def _each(
    pairs: Sequence[Pair], systems: dict[str, np.ndarray], rows: np.ndarray
) -> dict[str, Any]:
    true_N = np.array([one.supported for one in pairs])[rows]
    groups = [pairs[row].group for row in rows]
    others = {
        name: round(auc(scores[rows], true_N), 4)
        for name, scores in systems.items()
        if name != "ours"
    }
    return figure(systems["ours"][rows], true_N, groups) | {"others": others}


def decisions(
    pairs: Sequence[Pair], weighing: Weighing, sure_N: np.ndarray, strict_N: np.ndarray
) -> dict[str, Any]:
    """Calibration, the band, and what users see: kept sentences and how many of them are true."""
    true_N = np.array([one.supported for one in pairs])
    low, high = weighing.low, weighing.high
    kept_N = np.where((sure_N >= low) & (sure_N < high), strict_N, sure_N >= high)
    # As `Verifier.supports`: what is barred never stands.
    barred_N = np.array([check(one.claim, [one.evidence]).barred for one in pairs])
    kept_N &= ~barred_N
    bins = np.minimum((sure_N * 10).astype(int), 9)
    error = sum(
        abs(sure_N[bins == one].mean() - true_N[bins == one].mean()) * (bins == one).mean()
        for one in range(10)
        if (bins == one).any()
    )
    return {
        "ece": round(float(error), 4),
        "brier": round(float(((sure_N - true_N) ** 2).mean()), 4),
        "band": [low, high],
        "abstains": round(float(((sure_N >= low) & (sure_N < high)).mean()), 4),
        "kept_above": _rates(sure_N >= high, true_N),
        "dropped_below": round(float((~true_N)[sure_N < low].mean()), 4)
        if (sure_N < low).any()
        else None,
        "decision": _rates(kept_N, true_N),
        "rules_alone": _rates(strict_N, true_N),
        "barred": {
            "unsupported": int((barred_N & ~true_N).sum()),
            "supported": int((barred_N & true_N).sum()),
        },
    }


def _rates(kept_N: np.ndarray, true_N: np.ndarray) -> dict[str, float | None]:
    precision = float(true_N[kept_N].mean()) if kept_N.any() else None
    return {
        "precision": None if precision is None else round(precision, 4),
        "recall": round(float(kept_N[true_N].mean()), 4),
    }


def main() -> None:
    """Measure; the last line is one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, help="a folder; none: the packaged one")
    parser.add_argument("--most", type=int, default=200)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--cache", type=Path, help="keeps pairs and peers' scores between runs")
    parser.add_argument("--teacher", default="", help="a generator's name, asked Yes or No")
    parser.add_argument("--sample", type=int, default=60, help="pairs that the teacher is asked")
    args = parser.parse_args()
    every, repeated_N = pairs_of(args)
    folder = resolve(f"path:{args.model}" if args.model else SHIPPED)
    weighing = Weighing.read(folder / WEIGHING)
    systems, times_N = scored(every, folder, args)
    rows = np.flatnonzero(~repeated_N)
    pairs = [every[row] for row in rows]
    fresh = {name: scores[rows] for name, scores in systems.items()}
    result = compared(pairs, fresh) | {"repeated_in_training": int(repeated_N.sum())}
    result["with_repeated"] = {"n": len(every)} | _overall(every, systems["ours"])
    result["kinds"] = kinds(pairs, fresh)
    result["decisions"] = decisions(pairs, weighing, fresh["ours"], fresh["rules"] >= PASSED)
    result["ms"] = {
        "p50": round(float(np.percentile(times_N, 50)), 1),
        "p95": round(float(np.percentile(times_N, 95)), 1),
    }
    if args.teacher:
        result["teacher"] = asked(pairs, args, fresh)
    print(json.dumps(result))


def scored(
    pairs: Sequence[Pair], folder: Path, args: argparse.Namespace
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Every system's scores, and our milliseconds a check."""
    encoder = OnnxEncoder("minilm", threads=args.threads)
    cosine_N = remembered("cosine", pairs, args.cache, lambda: cosines(pairs, encoder))
    ours = fingerprint(folder)[:12] + fingerprint(Path(answer.__file__).parent)[:12]
    logit_N, times_N = remembered(
        f"ours-{ours}", pairs, args.cache, lambda: judged(pairs, folder, args.threads)
    )
    reranker_N = remembered(
        "reranker", pairs, args.cache, lambda: reranked(pairs, "ms-marco-minilm", args.threads)
    )
    told = {
        "reranker": reranker_N,
        "cosine": cosine_N,
        "lexical": np.array([share(one) for one in pairs]),
        "rules": np.array([rules(*one) for one in zip(pairs, cosine_N, strict=True)]),
        "ours": weighed(pairs, logit_N, Weighing.read(folder / WEIGHING)),
        "model_alone": logit_N,
    }
    return told, times_N


def _overall(pairs: Sequence[Pair], scores_N: np.ndarray) -> dict[str, Any]:
    true_N = np.array([one.supported for one in pairs])
    return figure(scores_N, true_N, [one.group for one in pairs])


def compared(pairs: Sequence[Pair], systems: dict[str, np.ndarray]) -> dict[str, Any]:
    """Ours, the baselines, and the differences."""
    true_N = np.array([one.supported for one in pairs])
    groups = [one.group for one in pairs]
    result = _overall(pairs, systems["ours"])
    result |= {"n": len(pairs), "supported": int(true_N.sum())}
    others = {name: scores for name, scores in systems.items() if name != "ours"}
    result["baselines"] = {name: _overall(pairs, scores) for name, scores in others.items()}
    result["gain_over"] = {
        name: gained(systems["ours"], scores, true_N, groups) for name, scores in others.items()
    }
    return result


def gained(
    ours_N: np.ndarray, other_N: np.ndarray, true_N: np.ndarray, groups: Sequence[str]
) -> dict[str, float]:
    """The difference of AUC with its interval, on the same draws of documents."""

    def of(rows: np.ndarray) -> float:
        difference = auc(ours_N[rows], true_N[rows]) - auc(other_N[rows], true_N[rows])
        return 0.0 if math.isnan(difference) else difference

    found = bootstrap(of, groups)
    return {"gain": round(found.value, 4), "low": round(found.low, 4), "high": round(found.high, 4)}


def asked(
    pairs: Sequence[Pair], args: argparse.Namespace, systems: dict[str, np.ndarray]
) -> dict[str, Any]:
    """The teacher on a sample, and ours on the same."""
    rows = np.random.default_rng(17).permutation(len(pairs))[: args.sample]
    some = [pairs[row] for row in rows]
    start = time.perf_counter()
    said_N = teacher(some, args.teacher, args.threads)
    true_N = np.array([one.supported for one in some])
    groups = [one.group for one in some]
    return {
        "name": args.teacher,
        "n": len(some),
        "seconds_a_pair": round((time.perf_counter() - start) / len(some), 2),
        "teacher": figure(said_N, true_N, groups),
        "ours": figure(systems["ours"][rows], true_N, groups),
    }


if __name__ == "__main__":
    main()
