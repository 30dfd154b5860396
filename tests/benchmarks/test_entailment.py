"""The entailment benchmark counts as its words say."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.train.data.support import Pair
from entailment import auc
from entailment_sets import capped, musique, own


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=30))
def test_auc_is_how_often_a_true_one_is_above_a_false_one(rows: list[tuple[int, bool]]) -> None:
    true = [score for score, wanted in rows if wanted]
    false = [score for score, wanted in rows if not wanted]
    found = auc(np.array([float(s) for s, _ in rows]), np.array([w for _, w in rows]))
    if not true or not false:
        assert np.isnan(found)
        return
    wins = [(a > b) + (a == b) / 2 for a, b in product(true, false)]
    assert found == pytest.approx(np.mean(wins))


def test_a_cap_takes_whole_documents() -> None:
    pairs = [Pair("c", "e", True, "supported", "s", f"d{n // 3}") for n in range(30)]
    kept = capped(pairs, 8)
    assert len(kept) == 9
    groups = {one.group for one in kept}
    assert kept.count(pairs[0]) in (0, 3) and len(groups) == 3


def test_pairs_of_ones_own(tmp_path: Path) -> None:
    row = {"claim": "a", "evidence": "b", "supported": False, "group": "g"}
    path = tmp_path / "mine" / "pairs.jsonl"
    path.parent.mkdir()
    path.write_text(json.dumps(row) + "\n")
    assert own(path) == [Pair("a", "b", False, "unsupported", "mine", "g")]


def test_parts_of_questions_become_statements(tmp_path: Path) -> None:
    question = {
        "id": "1",
        "paragraphs": [
            {"title": "Hello Love", "paragraph_text": "Hello Love is a song by Hank Snow."},
            {"title": "Hello", "paragraph_text": "Hello is a song by a performer in Ohio."},
        ],
        "question_decomposition": [
            {"question": "Hello Love >> performer", "answer": "Hank Snow",
             "paragraph_support_idx": 0},
            {"question": "Where was #1 born?", "answer": "Ohio", "paragraph_support_idx": 1},
        ],
    }  # fmt: skip
    (tmp_path / "musique_train.json").write_text(json.dumps([question]))
    told = list(musique(tmp_path))
    assert [(one.claim, one.supported, one.kind) for one in told] == [
        ("The performer of Hello Love is Hank Snow.", True, "supported"),
        ("The performer of Hello Love is Hank Snow.", False, "neighbour"),
        ("The performer of Hello Love is Ohio.", False, "answer"),
    ]
