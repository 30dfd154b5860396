"""Heads for mentions, pairs and texts learn, and serve what they said in training."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra 'train'")

from aegle.core.errors import NotFoundError  # noqa: E402
from aegle.lm.encoder import read_tokenizer  # noqa: E402
from aegle.lm.heads import Classifier  # noqa: E402
from aegle.lm.tagger import Head, Tagger  # noqa: E402
from aegle.train.export import export  # noqa: E402
from aegle.train.network import Network  # noqa: E402
from aegle.train.parts import read_parts, tag_data  # noqa: E402
from aegle.train.predict import class_logits, pair_logits, word_logits  # noqa: E402
from aegle.train.recipe import Recipe  # noqa: E402
from aegle.train.run import run  # noqa: E402

RELATIONS = ("binds", "cuts")


def made(count: int, seed: int) -> list[dict[str, Any]]:
    """Texts of two things, x... and y...; "no" before a thing denies it; "+" or "-" between two
    relates them, "," doesn't; texts that begin with "a" are of class A."""
    rng = random.Random(seed)
    rows = []
    for number in range(count):
        first = rng.choice(["aa", "bb"])
        text, labels, asserted = first, [], []
        sign = rng.choice("+-,")
        for mark in "xy":
            denied = rng.random() < 0.5
            text += (" no" if denied else " is") + " "
            start = len(text)
            text += mark + "".join(rng.choices("cde", k=3))
            labels.append([start, len(text), "left" if mark == "x" else "right"])
            asserted.append([start, len(text), "negated" if denied else "present"])
            text += f" {sign}" if mark == "x" else ""
        kind = {"+": "binds", "-": "cuts"}.get(sign)
        rows.append(
            {
                "text": text,
                "labels": labels,
                "asserted": asserted,
                "pairs": [[0, 1, kind]] if kind else [],
                "classes": ["A" if first == "aa" else "B"],
                "group": f"{seed}-{number}",
            }
        )
    return rows


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("heads")
    for name, count, seed in (("train", 300, 1), ("dev", 60, 2), ("test", 60, 3)):
        rows = made(count, seed)
        (folder / f"things-{name}.json").write_text(json.dumps(rows))
        said = [{**row, "labels": row["asserted"], "pairs": []} for row in rows]
        (folder / f"said-{name}.json").write_text(json.dumps(said))
        table = [{"text": row["text"], "label": row["classes"][0]} for row in rows]
        (folder / f"sorted-{name}.json").write_text(json.dumps(table))
    return folder


def recipe(**changes: Any) -> Recipe:
    def corpus(task: str, name: str, **more: Any) -> dict[str, Any]:
        files = {part: f"{name}-{part}.json" for part in ("train", "dev", "test")}
        why = {"licence": "made here", "safe_because": "made here"}
        return {"task": task, "format": "json", **files, **why, **more}

    told = {
        "name": "heads",
        "max_pieces": 60,
        "overlap": 8,
        "tasks": {
            "things": {"labels": ["left", "right"]},
            "also": {"labels": ["mark"]},
            "said": {"kind": "span", "labels": ["present", "negated"]},
            "related": {"kind": "pair", "labels": RELATIONS},
            "sorted": {"kind": "text", "labels": ["A", "B"]},
        },
        "corpora": [
            corpus("things", "things", pairs="related", names={"left": "left", "right": "right"}),
            corpus("also", "things", names={"left": "mark"}),
            corpus("said", "said", names={"present": "present", "negated": "negated"}),
            corpus("sorted", "sorted", format="table"),
        ],
        "optimiser": {
            "lr": 3e-3,
            "head_lr": 3e-3,
            "epochs": 9,
            "patience": 9,
            "batch_words": 512,
        },
    }
    return Recipe.model_validate({**told, **changes})


def test_every_kind_of_head_learns(tiny: Path, data: Path, tmp_path: Path) -> None:
    _, test = run(recipe(), base=tiny, data=data, folder=tmp_path)
    assert set(test) == {"things", "also", "said", "related", "sorted"}
    low = {name: one.f1.value for name, one in test.items() if one.f1.value < 0.85}
    assert not low
    card = json.loads((tmp_path / "model" / "card.json").read_text())
    assert set(card["classifiers"]) == {"said", "related", "sorted"}
    assert card["classifiers"]["related"]["things"] == ["left", "right"]


@pytest.fixture(scope="module")
def both(tiny: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """An untrained network and the tagger exported from it, unquantised."""
    told = recipe()
    parts = read_parts(told, data)
    tokenizer = read_tokenizer(tiny / "tokenizer.json")
    test = tag_data(told, parts, "test", tokenizer)
    torch.manual_seed(5)
    net = Network(tiny, told.tasks, cases=True, dropout=0.1, things=2).eval()
    folder = tmp_path_factory.mktemp("export")
    heads: dict[str, Head | Classifier] = {
        "things": Head(("left", "right")),
        "also": Head(("mark",)),
        "said": Classifier("span", ("present", "negated")),
        "related": Classifier("pair", RELATIONS, ("left", "right"), 1.5, 0.25),
        "sorted": Classifier("text", ("A", "B")),
    }
    export(net, told, base=tiny, data=test, told=heads, scored={}, target=folder, int8=False)
    return net, test, Tagger(folder, threads=1)


def softmax(row: Any) -> Any:
    return np.exp(row - row.max()) / np.exp(row - row.max()).sum()


def test_a_mention_is_what_the_network_said(both: Any) -> None:
    net, test, tagger = both
    for text, number, _, row in class_logits(net, test["said"], size=512)[:20]:
        one = test["said"].examples[text]
        (reading,) = tagger.read([one.text])
        spans = [(label.start, label.end) for label in one.labels]
        assert reading.spans("said", spans)[number] == pytest.approx(softmax(row), abs=1e-4)
        assert reading.spans("said", []).shape == (0, 2)


def test_a_text_is_what_the_network_said(both: Any) -> None:
    net, test, tagger = both
    for text, _, _, row in class_logits(net, test["sorted"], size=512)[:20]:
        (reading,) = tagger.read([test["sorted"].examples[text].text])
        assert reading.classes("sorted") == pytest.approx(softmax(row), abs=1e-4)


def test_a_pair_is_what_the_network_said_whichever_comes_first(both: Any) -> None:
    net, test, tagger = both
    for text, _, _, row in pair_logits(net, test["things"], size=512)[:20]:
        one = test["things"].examples[text]
        (reading,) = tagger.read([one.text])
        things = [(label.label, [(label.start, label.end)]) for label in one.labels]
        told = reading.pairs("related", things)
        want = softmax(row / 1.5 + np.array([0.25, 0, 0]))
        assert told[0, 1] == pytest.approx(want, abs=1e-4)
        assert told[1, 0] == pytest.approx(want, abs=1e-4)
        assert reading.pairs("related", things[::-1])[0, 1] == pytest.approx(want, abs=1e-4)


def test_tags_are_what_the_network_said(both: Any) -> None:
    net, test, tagger = both
    tasks = ("also", "things")
    rows = word_logits(net, test["things"], size=512, tasks=tasks)
    again = tagger.word_logits(test["things"].texts)
    assert list(tagger.heads) == list(tasks)
    for number, told in enumerate(again):
        want = np.concatenate([rows[task][number] for task in tasks], 1)
        assert told == pytest.approx(want, abs=1e-3)


def test_an_unknown_head_is_named(both: Any) -> None:
    (reading,) = both[2].read(["aa is xcde"])
    with pytest.raises(NotFoundError, match="there are: said"):
        reading.spans("other", [(0, 2)])
    with pytest.raises(NotFoundError, match="relates no middle"):
        reading.pairs("related", [("middle", [(0, 2)]), ("left", [(6, 10)])])


def test_an_empty_text_is_read(both: Any) -> None:
    (reading,) = both[2].read([""])
    assert reading.found["things"] == []
    assert reading.classes("sorted").shape == (2,)
    assert reading.pairs("related", [("left", [(0, 1)]), ("right", [(0, 1)])]).shape == (2, 2, 3)
