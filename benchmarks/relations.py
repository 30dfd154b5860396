"""How well a tagger relates the things of a text: BioRED test, entities given, micro F1.

    python benchmarks/relations.py --data DATA --model FOLDER [--part test]

``--part dev`` is the recipe's own dev part: what ``learn_dev`` leaves of the corpus's dev file. The
rest of that file is trained on and never asked.

The concepts of an abstract and all their mentions are given; each pair of concepts gets one of
eight types or none. A relation is right when pair and type are (direction doesn't count, as BioRED
annotates none). Two concepts of the very same mentions can't be told apart, and both count. The
interval is a bootstrap over abstracts. For orientation: the best pair and type of BioCreative VIII
scored 0.589.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from aegle.core.errors import AegleError, InputError
from aegle.core.examples import Example
from aegle.lm.tagger import Tagger
from aegle.metrics.extraction import scores
from aegle.train.data.formats import read_corpus
from aegle.train.parts import read_parts
from aegle.train.recipe import Corpus, read_recipe
from ner_known import RECIPE
from tagger_weights import folder_of

Mentions = tuple[int, ...]
Item = tuple[Mentions, Mentions, str, int]
"""Two things by the places of their mentions, the type, and a number: concepts of the very same
mentions may make the same relation twice."""


def corpus_of(name: str) -> Corpus:
    """The recipe's corpus that teaches relations.

    Raises:
        InputError: it names none.
    """
    for one in read_recipe(RECIPE).corpora:
        if one.pairs and Path(one.train).parts[0] == name:
            return one
    raise InputError(f"{RECIPE.name} names no relations of {name!r}")


def read(corpus: Corpus, data: Path, part: str) -> list[Example]:
    """The corpus's test file, or what of its dev file the recipe doesn't train on."""
    path = data / getattr(corpus, part)
    examples = read_corpus(path, format=corpus.format, because=corpus.safe_because)
    if part == "test" or not corpus.learn_dev:
        return examples
    alone = read_recipe(RECIPE).model_copy(update={"corpora": (corpus,)})
    held_out = {one.group for one in read_parts(alone, data)[0].dev}
    return [one for one in examples if one.group in held_out]


def things_of(example: Example, names: Mapping[str, str]) -> list[Mentions]:
    """The mentions of each concept whose label the model knows."""
    return [one for one in example.things if example.labels[one[0]].label in names]


def gold(example: Example) -> list[Item]:
    """What is annotated, each relation numbered among those that look the same."""
    seen: Counter[tuple[Mentions, Mentions, str]] = Counter()
    for pair in example.pairs:
        head, tail = sorted((pair.head, pair.tail))
        seen[head, tail, pair.label] += 1
    return [(*one, number) for one, count in seen.items() for number in range(count)]


def found(things: Sequence[Mentions], told_KKL: NDArray[Any], labels: Sequence[str]) -> list[Item]:
    """The likeliest type of each pair, where it is not "nothing".

    Args:
        things: K concepts.
        told_KKL: probabilities; the first class is "nothing".
        labels: of the other classes.
    """
    best_KK = told_KKL.argmax(-1)
    seen: Counter[tuple[Mentions, Mentions, str]] = Counter()
    for a, b in combinations(range(len(things)), 2):
        if best := int(best_KK[a, b]):
            head, tail = sorted((things[a], things[b]))
            seen[head, tail, labels[best - 1]] += 1
    return [(*one, number) for one, count in seen.items() for number in range(count)]


def related(tagger: Tagger, examples: Sequence[Example], corpus: Corpus) -> list[list[Item]]:
    """What the model says of each example."""
    readings = tagger.read([one.text for one in examples], tasks=[corpus.task])
    labels = tagger.classifiers[corpus.pairs].labels
    out = []
    for example, reading in zip(examples, readings, strict=True):
        things = things_of(example, corpus.names)
        asked = [
            (
                corpus.names[example.labels[one[0]].label],
                [(example.labels[place].start, example.labels[place].end) for place in one],
            )
            for one in things
        ]
        out.append(found(things, reading.pairs(corpus.pairs, asked), labels))
    return out


def line(name: str, true: list[list[Item]], said: list[list[Item]], groups: list[str]) -> str:
    """A row of the table."""
    one = scores(true, said, groups=groups)
    return (
        f"{name:22} {one.gold:5d}  {one.f1.value:.3f} [{one.f1.low:.3f}, {one.f1.high:.3f}]  "
        f"{one.precision.value:.3f}  {one.recall.value:.3f}"
    )


def main() -> None:
    """Print a line a type and, last, one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", default="tagger", help="a folder, or a name of the catalog")
    parser.add_argument("--part", default="test", choices=("test", "dev"))
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()
    try:
        corpus = corpus_of("biored")
        examples = read(corpus, args.data, args.part)
        tagger = Tagger(folder_of(args.model), threads=args.threads)
        if corpus.pairs not in tagger.classifiers:
            raise InputError(f"the model has no head {corpus.pairs!r}")
        began = time.perf_counter()
        said = related(tagger, examples, corpus)
        seconds = time.perf_counter() - began
    except AegleError as error:
        sys.exit(f"relations: {error}")
    true = [gold(one) for one in examples]
    groups = [one.group for one in examples]
    print(f"{'type':22}     n  F1 [95% interval]      P      R")
    for name in sorted({item[2] for one in true for item in one}):
        of = [[[i for i in one if i[2] == name] for one in some] for some in (true, said)]
        print(line(name, *of, groups))
    bare = [[[(*i[:2], "", i[3]) for i in one] for one in some] for some in (true, said)]
    print(line("pairs, of any type", *bare, groups))
    print(line("all", true, said, groups))
    print(f"{len(examples) / seconds:.1f} abstracts/s, reading and relating")
    whole = scores(true, said, groups=groups)
    print(
        json.dumps(
            {
                "dataset": "biored",
                "part": args.part,
                "f1": round(whole.f1.value, 4),
                "low": round(whole.f1.low, 4),
                "high": round(whole.f1.high, 4),
                "n": whole.gold,
            }
        )
    )


if __name__ == "__main__":
    main()
