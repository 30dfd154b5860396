"""The generator beside every store in one process: their native libraries must live together."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from aegle.testing.weights import WeightsUnavailableError, cached


def test_the_command_line_asks_with_the_generator(small_hospital: Path) -> None:
    try:
        cached("smollm2")
    except WeightsUnavailableError as error:
        pytest.skip(str(error))
    words = [
        "ask",
        "Which devices are in ICU-3?",
        "--generate",
        "--json",
        "-w",
        str(small_hospital),
    ]
    command = [sys.executable, "-m", "aegle", *words]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stderr
    answer = json.loads(run.stdout)
    assert answer["claims"]
    assert all(claim["citations"] for claim in answer["claims"])
