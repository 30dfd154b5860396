"""What instruction tuning gives the packaged generator on questions with evidence.

    python benchmarks/grounded.py --data DIR [--train 240] [--tests 100] [--out DIR] [--json]
    python benchmarks/grounded.py --data DIR --adapter aegle-grounded --served --tests 100

PubMedQA's questions with the numbered paragraphs of their abstracts (to be answered by cited
sentences) or of the nearest other abstracts (to be refused), as `aegle.train.data.instructions`
makes them; its own test questions are the test, and no abstract stands in two parts. The recipe is
recipes/sft-grounded.yaml. The base and what was learned answer the same test questions, greedily,
and are asked as `aegle ask` asks its generator. The test holds about as many refusals as answers;
to learn from there are ``--answers`` answers to one refusal. With 95% intervals over abstracts:

- ``citation_precision``: the share of citations that are of use (ALCE's precision), of questions
  that can be answered; a reply without one has 0. `aegle-support` judges.
- ``refusal_accuracy``: the mean of how many unanswerable questions are refused, and how many
  answerable ones are not.
- ``answer_f1``: token F1 with the conclusion's sentences, of questions that can be answered.

``--adapter`` scores one that is there. ``--served`` lets llama.cpp answer, as `aegle ask` and
`aegle serve` do, with the packaged file of 4 bits and the adapter over it; else Transformers does,
in floats. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from aegle.answer.support import WEIGHING, Verifier, Weighing
from aegle.backends.generator_llamacpp import LlamaCppGenerator
from aegle.core.errors import AegleError
from aegle.flows import causal
from aegle.flows.instructing import SERVED
from aegle.lm.catalog import resolve
from aegle.lm.pairs import CrossEncoder
from aegle.metrics.answers import Cited, citation_scores, token_f1
from aegle.metrics.stats import bootstrap
from aegle.train.data.instructions.published import pubmedqa
from aegle.train.rewards import refuses, sentences_of

RECIPE: Final = Path(__file__).parent.parent / "recipes" / "sft-grounded.yaml"
FIGURES: Final = ("citation_precision", "refusal_accuracy", "answer_f1")
MOST: Final = 128
REFUSE: Final = 0.5
"""Refusals made for a paper; half of the papers give an answer: one refusal to one answer."""
ANSWERS: Final = 6
"""Answers to one refusal in training. A refusal begins with one word and an answer with any: at one
to one, greedy replies refuse all (decision 0091). Six by the odds of a refusal on dev."""
_MARK: Final = re.compile(r"\s*\[[\d,\s]+\]")

Row = dict[str, Any]


def write(
    parts: dict[str, list[Any]], folder: Path, most: int, answers_to_one: int
) -> dict[str, list[Row]]:
    """The parts as files; of train and dev at most so many, of dev a sixth; with few refusals."""
    folder.mkdir(parents=True, exist_ok=True)
    sizes = {"train": most, "dev": max(8, most // 6)}
    rows = {part: [one.as_json() for one in some] for part, some in parts.items()}
    for part, size in sizes.items():
        mixed = _mixed(sorted(rows[part], key=lambda one: str(one["id"])), answers_to_one)
        rows[part] = mixed[:size]
        lines = "\n".join(map(json.dumps, rows[part]))
        (folder / f"{part}.jsonl").write_text(lines, "utf-8")
    return rows


def _mixed(rows: list[Row], answers_to_one: int) -> list[Row]:
    """All answers, and a refusal after so many of them while there are some."""
    refusals = iter([one for one in rows if not one["answerable"]])
    found = []
    for count, one in enumerate((one for one in rows if one["answerable"]), 1):
        found.append(one)
        if count % answers_to_one == 0:
            found.extend([one] if (one := next(refusals, None)) else [])
    return found


def answers(model: Any, tokenizer: Any, rows: Sequence[Row]) -> list[str]:
    """A greedy reply to each question."""
    from aegle.train.causal.chat import Encoder
    from aegle.train.causal.generate import endings, replies

    encode = Encoder(tokenizer, template="auto", max_tokens=4096, overlong="error")
    prompts = []
    for one in rows:
        asked = one["messages"][:-1]
        told = {"chat_template": encode.template, "tokenize": False}
        text = tokenizer.apply_chat_template(asked, add_generation_prompt=True, **told)
        prompts.append(tokenizer(text, add_special_tokens=False)["input_ids"])
    ends = endings(encode)
    how: dict[str, Any] = {"ends": ends, "pad": ends[0], "most": MOST, "size": 8192}
    return [tokenizer.decode(one.ids) for one in replies(model, prompts, **how)]


def answers_served(model: Path, rows: Sequence[Row]) -> list[str]:
    """A greedy reply to each question by what serves the packaged generator."""
    generator = LlamaCppGenerator(model)
    try:
        return [generator.generate(one["messages"][:-1], max_tokens=MOST) for one in rows]
    finally:
        generator.close()


def answers_floats(adapter: Path | None, rows: Sequence[Row]) -> list[str]:
    """The same by Transformers, in floats."""
    from aegle.train.causal import adapters
    from aegle.train.causal.load import load_causal

    model, tokenizer = load_causal(resolve("smollm2"))
    return answers(adapters.load(model, adapter) if adapter else model, tokenizer, rows)


def verifier() -> Verifier:
    """`aegle-support`."""
    folder = resolve("aegle-support")
    encoder = CrossEncoder(folder, max_tokens=192)
    return Verifier(encoder.score, Weighing.read(folder / WEIGHING), name="aegle-support")


def scored(rows: Sequence[Row], said: Sequence[str], judge: Verifier) -> dict[str, list[float]]:
    """Of each figure the values of its rows; refusals as right or wrong, first the answerable."""
    answerable = [at for at, one in enumerate(rows) if one["answerable"]]
    rest = [at for at, one in enumerate(rows) if not one["answerable"]]
    found: dict[str, list[float]] = {
        "citation_precision": [_precision(rows[at], said[at], judge) for at in answerable],
        "answer_f1": [
            token_f1(_bare(said[at]), [_bare(rows[at]["messages"][-1]["content"])])
            for at in answerable
        ],
    }
    right = [float(not refuses(said[at])) for at in answerable]
    found["refusal_accuracy"] = [*right, *(float(refuses(said[at])) for at in rest)]
    return found


def _precision(row: Row, reply: str, judge: Verifier) -> float:
    passages = SERVED_PASSAGE.findall(row["messages"][-2]["content"])
    claims = []
    for text, numbers in sentences_of(reply):
        there = tuple(passages[n - 1] for n in dict.fromkeys(numbers) if 1 <= n <= len(passages))
        claims.append(Cited(text, there))
    if refuses(reply) or not claims:
        return 0.0

    def supports(premise: str, claim: str) -> float:
        return judge.probability(claim, premise.split("\n"))

    return citation_scores(claims, supports).precision


SERVED_PASSAGE: Final = re.compile(r'^\[\d+\] "(.*)"$', re.MULTILINE)


def _bare(text: str) -> str:
    return _MARK.sub("", text)


def told(rows: Sequence[Row], before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """Both systems and the gain, with intervals over groups."""
    can = [one["group"] for one in rows if one["answerable"]]
    every = [*can, *(one["group"] for one in rows if not one["answerable"])]
    found: dict[str, Any] = {}
    for name in FIGURES:
        old, new = np.array(before[name]), np.array(after[name])
        groups, parts = (can, 1) if name != "refusal_accuracy" else (every, 2)
        found[name] = {"n": len(groups)}
        for key, values in (("before", old), ("after", new), ("gain", new - old)):
            measure = bootstrap(partial(_balanced, values, len(can), parts), groups)
            found[name][key] = _measure(measure)
    return found


def _balanced(values: NDArray[Any], first: int, parts: int, places: NDArray[np.intp]) -> float:
    """The mean; of two parts, which begin at 0 and at ``first``, the mean of their means."""
    if parts == 1:
        return float(values[places].mean())
    halves = [places[places < first], places[places >= first]]
    return float(np.mean([values[half].mean() for half in halves if len(half)]))


def _measure(one: Any) -> list[float]:
    return [round(float(value), 3) for value in (one.value, one.low, one.high)]


def measured(args: argparse.Namespace, out: Path) -> dict[str, Any]:
    """Examples, training, and the answers of both; the last line's object."""
    parts = pubmedqa(args.data, SERVED, refuse=REFUSE)
    rows = write(parts, out / "examples", args.train, max(1, args.answers))
    test = sorted(rows["test"], key=lambda one: str(one["id"]))[: args.tests]
    result: dict[str, Any] = {"train": len(rows["train"]), "dev": len(rows["dev"])}
    if args.adapter:
        adapter = args.adapter if args.adapter.is_dir() else resolve(str(args.adapter))
    else:
        from aegle.train.causal.steady import quieten

        quieten()
        changes = {"data": [{**_source(), "train": "train.jsonl", "dev": "dev.jsonl"}]}
        changes |= {key: json.loads(value) for key, value in (one.split("=") for one in args.set)}
        run = causal.train(
            RECIPE, "sft", data=out / "examples", out=out / "runs", changes=changes,
            resume=(out / "runs" / "sft-grounded" / "checkpoint.json").is_file(),
        )  # fmt: skip
        adapter = Path(run["artifact"])
        result |= {key: run[key] for key in ("steps", "seconds", "tokens_per_s", "metrics")}
    judge = verifier()
    scores, replied = [], []
    for name in ("before", "after"):
        began = time.perf_counter()
        if args.served:
            said = answers_served(adapter if name == "after" else resolve("smollm2"), test)
        else:
            said = answers_floats(adapter if name == "after" else None, test)
        print(f"{name}: {len(said)} replies in {time.perf_counter() - began:.0f} s", flush=True)
        replied.append(said)
        scores.append(scored(test, said, judge))
    lines = [
        json.dumps({"id": one["id"], "gold": one["messages"][-1]["content"], "said": said})
        for one, *said in zip(test, *replied, strict=True)
    ]
    (out / "replies.jsonl").write_text("\n".join(lines), "utf-8")
    return {"n": len(test), **told(test, *scores), **result}


def _source() -> dict[str, str]:
    return {"licence": "MIT", "safe_because": "published abstracts"}


def main() -> None:
    """Print one JSON object as the last line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", type=Path, required=True)
    add("--train", type=int, default=240, help="examples learned from")
    add("--answers", type=int, default=ANSWERS, help="learned from, to one refusal")
    add("--tests", type=int, default=100)
    add("--out", type=Path, help="keeps examples, run and replies, and goes on from them")
    add("--adapter", type=Path, help="a trained one, or a name of aegle models; nothing is trained")
    add("--served", action="store_true", help="answer by llama.cpp, not by Transformers")
    add("--set", nargs="*", default=[], metavar="KEY=JSON", help="changes to the recipe")
    add("--json", action="store_true", help="the last line always is")
    args = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as scratch:
            print(json.dumps(measured(args, args.out or Path(scratch))))
    except AegleError as error:
        sys.exit(f"grounded: {error}")


if __name__ == "__main__":
    main()
