"""A workspace is asked a file of questions: figures as counted by hand, and no text anywhere."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aegle.core.errors import NotFoundError, UsageError
from aegle.core.ports import quiet
from aegle.evaluate.sets import read_set, unfold
from aegle.flows import assess, commands, knowledge, workspace
from aegle.flows.kit import Kit, open_kit
from aegle.flows.workspace import Layout

SCORES = ("recall", "str_em", "citation_recall", "refused_rightly", "aurc")


@pytest.fixture(scope="module", autouse=True)
def _rules_judge() -> Iterator[None]:
    """What is counted here is counted by the rules: the model has its own tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AEGLE_ANSWERS__VERIFIER", "none")
        yield


@pytest.fixture(scope="module")
def kit(_built: Path) -> Iterator[Kit]:
    """The small hospital, open; questions change nothing in it."""
    layout = workspace.check(_built)
    with open_kit(layout, workspace.load_settings(layout)) as opened:
        yield opened


@pytest.fixture(scope="module")
def told(kit: Kit, small_sample: Path) -> dict[str, Any]:
    """The sample's own questions, by BM25 against vectors."""
    path = str(small_sample / "gold" / "questions.json")
    return assess.evaluate(kit, path, mode="text", against="dense", progress=quiet)


def squeeze(text: str) -> str:
    return re.sub(r"\s+", " ", text).casefold().strip()


def found_share(kit: Kit, row: dict[str, Any], hits: list[dict[str, Any]], files: Path) -> float:
    """As `benchmarks/questions.py` counts, read literally."""

    def proved(hop: dict[str, Any]) -> bool:
        if any(squeeze(hop["text"]) in squeeze(hit["text"]) for hit in hits):
            return True
        return any(
            squeeze(one["text"]) in squeeze(hit["text"])
            and hit["document_id"] in kit.ledger.documents_of(str((files / one["path"]).absolute()))
            for one in hop.get("alternatives", [])
            for hit in hits
        )

    return sum(map(proved, row["evidence"])) / len(row["evidence"])


def test_the_samples_questions_count_as_the_benchmark_counts(
    kit: Kit, told: dict[str, Any], small_sample: Path
) -> None:
    asked = json.loads((small_sample / "gold" / "questions.json").read_text("utf-8"))
    rows = {row["id"]: row for row in told["evaluation"]["rows"]}
    assert list(rows) == [row["id"] for row in asked]
    for row in asked:
        if not row["evidence"]:
            assert "recall" not in rows[row["id"]]["scores"]
            continue
        hits = knowledge.search(kit, row["question"], k=5, mode="text")["hits"]
        share = found_share(kit, row, hits, small_sample / "files")
        assert rows[row["id"]]["scores"]["recall"] == share, row["id"]
        assert rows[row["id"]]["scores"]["all_gold"] == float(share == 1)


def test_figures_have_intervals_and_kinds(told: dict[str, Any]) -> None:
    one = told["evaluation"]
    assert (one["system"], one["k"], one["entailment"]) == ("text", 5, "words")
    assert one["questions"] == 60
    assert list(one["measures"]) == ["all", "single", "multi", "cross", "unanswerable"]
    for name in SCORES:
        figure = one["measures"]["all"][name]
        assert 0 <= figure["low"] <= figure["value"] <= figure["high"] <= 1
    assert one["measures"]["all"]["refused_rightly"]["n"] == 10
    assert "aurc" not in one["measures"]["unanswerable"]
    assert told["comparison"]["against"] == "dense"
    assert told["missing"] == []
    json.dumps(told)


def test_no_text_of_questions_or_documents_is_told(
    told: dict[str, Any], small_sample: Path
) -> None:
    asked = json.loads((small_sample / "gold" / "questions.json").read_text("utf-8"))
    shown = json.dumps(told).casefold()
    for row in asked:
        texts = [row["question"], *(one["text"] for one in row["evidence"])]
        # Whole sentences: an asset tag of ten letters may be a part of anything.
        assert not [text for text in texts if len(text) > 20 and text.casefold() in shown]


def test_it_answers_as_ask_does(kit: Kit, small_sample: Path) -> None:
    asked = json.loads((small_sample / "gold" / "questions.json").read_text("utf-8"))
    for row in [asked[0], asked[20], asked[-1]]:
        one = assess.attempt(kit, row["question"], k=3, mode="graph", answers=True, generate=False)
        got = knowledge.ask(kit, row["question"], generate=False)
        assert [str(claim.text) for claim in one.claims] == [c["text"] for c in got["claims"]]
        assert one.refused == bool(got["refusal"])
        assert len(one.found) <= 3


def write(tmp_path: Path, *rows: dict[str, Any]) -> str:
    path = tmp_path / "q.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), "utf-8")
    return str(path)


def run(layout: Layout, questions: str, **more: Any) -> dict[str, Any]:
    result: dict[str, Any] = commands.run(layout.root, "evaluate", {"questions": questions, **more})
    return result


def test_paths_names_and_what_is_missing(layout: Layout, notes: Path, tmp_path: Path) -> None:
    commands.run(layout.root, "ingest", {"paths": [str(notes)]})
    questions = write(
        tmp_path,
        {
            "id": "by-path",
            "question": "Which drug does Marguerite Okonkwo take?",
            "gold": [{"document": "88123401.txt"}],
            "answers": ["warfarin"],
        },
        {
            "id": "by-name",
            "question": "What does Bartholomew Quillfeather take?",
            "gold": [{"text": "Bartholomew Quillfeather is a 63 y/o"}],
            "answers": ["lisinopril 5 mg"],
        },
        {"id": "gone", "question": "And the fourth?", "gold": [{"document": "none.txt"}]},
    )
    told = run(layout, questions, files=str(notes))
    by = {row["id"]: row for row in told["evaluation"]["rows"]}
    assert by["by-path"]["scores"]["recall"] == 1
    assert by["by-path"]["wrong"] is False
    assert by["by-name"]["scores"]["recall"] == 1, "a name in a quote has a surrogate there"
    assert told["missing"] == ["gone"]
    assert "Quillfeather" not in json.dumps(told)


def test_a_public_set_is_unfolded_and_only_searched(layout: Layout, tmp_path: Path) -> None:
    home = tmp_path / "set"
    home.mkdir()
    texts = ["Warfarin thins the blood.", "Metoprolol slows the heart.", "Gout hurts the toe."]
    rows = [{"title": text.split()[0], "text": text} for text in texts]
    (home / "corpus.json").write_text(json.dumps(rows))
    asked = [{"question": "What does warfarin do to blood?", "supporting_titles": ["Warfarin"]}]
    (home / "questions.json").write_text(json.dumps(asked))
    questions = unfold(read_set(home), tmp_path / "out")
    commands.run(layout.root, "ingest", {"paths": [str(tmp_path / "out" / "files")]})
    for told in (
        run(layout, str(questions), k=1, mode="hybrid"),
        run(layout, str(home), k=1, mode="hybrid", files=str(tmp_path / "out" / "files")),
    ):
        assert told["evaluation"]["measures"]["all"]["recall"]["value"] == 1
        assert "str_em" not in told["evaluation"]["measures"]["all"]
        assert told["evaluation"]["curve"] == []


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"mode": "fast"}, "mode is one of"),
        ({"against": "fast"}, "mode is one of"),
        ({"against": "graph"}, "another one"),
        ({"k": 0}, "at least 1"),
    ],
)
def test_nonsense_is_refused(kit: Kit, tmp_path: Path, more: dict[str, Any], told: str) -> None:
    path = write(tmp_path, {"question": "x"})
    with pytest.raises(UsageError, match=told):
        assess.evaluate(kit, path, progress=quiet, **more)


def test_no_file(kit: Kit, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no file"):
        assess.evaluate(kit, str(tmp_path / "none.jsonl"), progress=quiet)
