"""What tagger_speed.py lets taggers read, and an untrained tagger where none is given."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import numpy as np
from safetensors.numpy import load_file, save

from aegle.core.artifacts import write_bytes, write_json
from aegle.core.errors import InputError
from aegle.lm.bert import Shape
from aegle.lm.catalog import cache_folder, resolve
from aegle.lm.dequantise import trainable
from aegle.lm.encoder import read_tokenizer
from aegle.lm.tag_graph import build_tagger
from aegle.lm.tagger import CARD, GRAPH, HEADS, Head
from aegle.train.batches import special_ids
from aegle.train.data.formats import read_corpus
from aegle.train.recipe import read_recipe
from ner_known import RECIPE

_FRAMES: Final = (
    "{who} was treated with {drug} {dose} mg for {ill}, which had begun {days} days before.",
    "Serum {lab} was {dose} on day {days}; {drug} was stopped and {ill} resolved.",
    "The operators of {tool} exploited CVE-2021-{dose}{days} on {host} and moved on to {other}.",
    "We found that {drug} reduced {ill} in {days} of {dose} patients, without change of {lab}.",
    "On {host} the process {tool}.exe opened 10.{days}.4.{dose} and wrote to {other}.",
)
_VALUES: Final = {
    "who": ["The patient", "A 61-year-old woman", "Her brother", "Case 4"],
    "drug": ["metformin", "amoxicillin", "warfarin", "ibuprofen", "levothyroxine"],
    "ill": ["pneumonia", "chest pain", "type 2 diabetes", "atrial fibrillation", "a rash"],
    "lab": ["potassium", "creatinine", "haemoglobin A1c", "TSH"],
    "tool": ["Emotet", "PlugX", "mimikatz", "cobaltstrike"],
    "host": ["icu3-gw01", "web-02", "the print server", "PUMP-0042"],
    "other": ["db-11", "C:\\Windows\\Temp", "the domain controller", "/var/tmp"],
}


def pages(data: Path | None, count: int, *, seed: int = 0) -> list[str]:
    """So many texts: BioRED's abstracts (one after another, again if need be), or made ones.

    Raises:
        InputError: the folder holds no BioRED.
    """
    if data is not None:
        found = read_corpus(data / "biored" / "Test.PubTator", format="pubtator", because="public")
        return [str(found[number % len(found)].text) for number in range(count)]
    rng = random.Random(seed)
    return [
        " ".join(_sentence(rng) for _ in range(rng.choice((1, 2, 5, 12, 25)))) for _ in range(count)
    ]


def _sentence(rng: random.Random) -> str:
    values = {name: rng.choice(some) for name, some in _VALUES.items()}
    return rng.choice(_FRAMES).format(dose=rng.randint(1, 255), days=rng.randint(2, 30), **values)


def of_length(model: Path, texts: Sequence[str], length: int, *, count: int = 10) -> list[str]:
    """Stretches of the texts that make so many word pieces with the two special ones.

    Raises:
        InputError: the texts are too short together.
    """
    tokenizer = read_tokenizer(model / "tokenizer.json")
    joined = " ".join(texts)
    offsets = tokenizer.encode(joined, add_special_tokens=False).offsets
    size = length - 2
    if len(offsets) < size:
        raise InputError(f"the texts have {len(offsets)} word pieces; {size} are needed")
    starts = range(0, len(offsets) - size + 1, max(1, (len(offsets) - size) // count))
    return [joined[offsets[at][0] : offsets[at + size - 1][1]] for at in list(starts)[:count]]


def untrained(base: str, target: Path) -> Path:
    """A tagger's folder on a packaged encoder, with the recipe's label sets and heads of zeros."""
    recipe = read_recipe(RECIPE)
    folder = trainable(resolve(base), cache_folder() / "bases")
    shape = Shape.read(folder / "config.json")
    weights = {
        f"encoder.{name.removeprefix('bert.')}": value
        for name, value in load_file(folder / "model.safetensors").items()
    }
    tasks = {name: one.labels for name, one in recipe.tasks.items() if one.kind == "tags"}
    for name, labels in tasks.items():
        tags = 1 + 2 * len(labels)
        weights[f"heads.{name}.weight"] = np.zeros((tags, shape.width), np.float32)
        weights[f"heads.{name}.bias"] = np.zeros(tags, np.float32)
    target.mkdir(parents=True, exist_ok=True)
    model = build_tagger(shape, weights, tasks=list(tasks), int8=True)
    write_bytes(target / GRAPH, model.SerializeToString())
    write_bytes(target / HEADS, save({}))
    words = (folder / "tokenizer.json").read_bytes()
    write_bytes(target / "tokenizer.json", words)
    card = {
        "version": f"untrained {base}",
        "max_pieces": recipe.max_pieces,
        "overlap": recipe.overlap,
        "special_ids": list(special_ids(read_tokenizer(target / "tokenizer.json"))),
        "heads": {name: asdict(Head(labels)) for name, labels in tasks.items()},
        "classifiers": {},
    }
    write_json(target / CARD, card)
    return target
