"""A head is fitted to the states that serve, and never gets worse on dev by it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra 'train'")

from aegle.lm.encoder import read_tokenizer  # noqa: E402
from aegle.train.batches import TagData  # noqa: E402
from aegle.train.data.iob import read  # noqa: E402
from aegle.train.predict import tag_scores, word_starts  # noqa: E402
from aegle.train.refit import States, refit  # noqa: E402


@pytest.fixture(scope="module")
def parts(tiny: Path, corpora: Path) -> tuple[TagData, TagData]:
    tokenizer = read_tokenizer(tiny / "tokenizer.json")
    made = [
        TagData(
            "drugs",
            list(read(corpora / f"drugs-{part}.txt", because="made here")),
            labels=("Drug",),
            tokenizer=tokenizer,
            size=40,
            overlap=8,
        )
        for part in ("train", "dev")
    ]
    return made[0], made[1]


def _states(data: TagData, seed: int) -> States:
    """Noise around a place of its own for each tag."""
    tags = np.concatenate(data.tags)
    rng = np.random.default_rng(seed)
    rows = 100 * np.eye(3, 8)[tags] + rng.normal(size=(len(tags), 8))
    return States(rows.astype(np.float16), tags, word_starts(data))


def _f1(states: States, data: TagData, head: Any) -> float:
    logits = states.logits(head["weight"].numpy(), head["bias"].numpy())
    return tag_scores(logits, data).f1.value


def test_a_head_learns_what_the_states_tell(parts: tuple[TagData, TagData]) -> None:
    train, dev = parts
    head = {"weight": torch.zeros(3, 8), "bias": torch.zeros(3)}
    learned, asked = _states(train, 1), _states(dev, 2)
    better = refit(learned, asked, dev, head, seed=3)
    assert _f1(asked, dev, better) == 1.0 > _f1(asked, dev, head)
    again = refit(learned, asked, dev, head, seed=3)
    assert all(torch.equal(better[name], again[name]) for name in better)
    assert not head["weight"].any(), "the given head is left alone"


def test_a_head_that_nothing_betters_stays(parts: tuple[TagData, TagData]) -> None:
    train, dev = parts
    asked = _states(dev, 2)
    perfect = {"weight": 20 * torch.eye(3, 8), "bias": torch.zeros(3)}
    wrong = States(
        _states(train, 1).rows_WC,
        np.zeros(len(_states(train, 1).tags_W), np.int64),
        word_starts(train),
    )
    kept = refit(wrong, asked, dev, perfect, seed=3)
    assert all(torch.equal(kept[name], perfect[name]) for name in perfect)
