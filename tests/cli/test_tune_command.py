"""`aegle tune` in the shell: its table, to the character, its page, its options."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from aegle.cli import tuning
from aegle.cli.app import app
from aegle.retrieve.tune_page import page

GOLDEN = Path(__file__).parent / "golden" / "tune.txt"


def row(name: str, recall: float, p95: float, memory: float, **more: Any) -> dict[str, Any]:
    kind, *pairs = name.split()
    around = {"value": recall, "low": recall - 0.01 * (recall < 1), "high": recall, "n": 200}
    time = {"value": p95, "low": 0.9 * p95, "high": 1.2 * p95, "n": 400}
    return {
        "name": name,
        "kind": kind,
        "options": {key: int(one) for key, one in (pair.split("=") for pair in pairs)},
        "recall": around,
        "recalls": {"chunks": around},
        "p50_ms": {**time, "value": 0.8 * p95, "low": 0.7 * p95},
        "p95_ms": time,
        "build_s": 1.25,
        "memory_mb": memory,
        "disk_mb": memory + 3,
        "front": True,
        "meets": recall >= 0.99,
        "chosen": False,
        **more,
    }


RESULT: dict[str, Any] = {
    "chunks": 8000,
    "measured_on": 7800,
    "held_out": 200,
    "questions": 40,
    "questions_left_out": 1,
    "k": 10,
    "now": "qdrant-edge auto",
    "target": {"recall": 0.97, "p95_ms": 5.0, "memory_mb": None},
    "candidates": [
        row("binary rescore=8", 0.912, 1.3, 0.4),
        row("flat", 1.0, 3.2, 12.288),
        row("hnsw-sq ef=128 m=16", 0.991, 0.6, 4.2, chosen=True),
        row("hnsw ef=64 m=16", 0.96, 0.7, 13.4, front=False),
    ],
    "skipped": [
        {"kind": "ivf-pq", "reason": "needs 9,984 vectors to be worth having, there are 7,800"}
    ],
    "choice": "hnsw-sq ef=128 m=16",
    "meets": True,
    "applied": False,
}


def test_the_table_is_the_golden_one(capsys: pytest.CaptureFixture[str]) -> None:
    """To renew it: delete the file, run this, and read what came out."""
    tuning.tuned(RESULT)
    tuning.tuned({**RESULT, "meets": False, "choice": "flat"})
    shown = "\n".join(line.rstrip() for line in capsys.readouterr().out.splitlines()) + "\n"
    if not GOLDEN.exists():
        GOLDEN.write_text(shown)
    assert shown == GOLDEN.read_text()


def test_the_page_stands_alone_and_shows_each() -> None:
    html = page(RESULT)
    assert not re.findall(r"(?:src|href)=|@import|url\(", html)
    tree = ElementTree.fromstring(html.replace("<!doctype html>", "").replace(
        '<meta charset="utf-8">', ""))  # fmt: skip
    dots = [one for one in tree.iter("circle") if one.find("title") is not None]
    assert len(dots) == len(RESULT["candidates"])
    radius = {str(one.findtext("title")).split()[0].strip(":"): one for one in dots}
    assert float(radius["binary"].attrib["r"]) < float(radius["flat"].attrib["r"])
    assert float(radius["flat"].attrib["cy"]) < float(radius["binary"].attrib["cy"])
    assert float(radius["hnsw-sq"].attrib["cx"]) < float(radius["flat"].attrib["cx"])
    for one in dots:
        assert 0 < float(one.attrib["cx"]) < 720
        assert 0 < float(one.attrib["cy"]) < 460
    assert len(list(tree.iter("tr"))) == 1 + len(RESULT["candidates"])
    assert "ivf-pq: needs 9,984" in html


@pytest.mark.skipif(find_spec("faiss") is None, reason="tuning needs the extra 'faiss'")
def test_it_runs_writes_and_exits(small_hospital: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    words = ["tune", "-w", str(small_hospital), "--recall", "0.9", "--json", "--sample", "150"]
    result = CliRunner().invoke(app, [*words, "--out", str(out)])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["meets"]
    assert page(told) == out.read_text()
    result = CliRunner().invoke(app, [*words, "--memory-mb", "0.0001", "--apply"])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["applied"] is False


def test_an_out_that_cannot_be_is_told_before_anything(small_hospital: Path) -> None:
    words = ["tune", "-w", str(small_hospital), "--out", "/no/such/folder/report.html"]
    result = CliRunner().invoke(app, words)
    assert "is no folder" in str(result.exception)
