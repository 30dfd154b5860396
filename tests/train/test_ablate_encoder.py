"""An ablation of an encoder: dev F1 by group and seed, and how fast what it made serves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="training needs the extra 'train'")

from aegle.flows import ablating

RECIPE = """
name: tiny
base: path:{base}
max_pieces: 40
overlap: 8
tasks: {{drugs: {{labels: [Drug]}}}}
corpora:
  - {{task: drugs, train: drugs-train.txt, dev: drugs-dev.txt, test: drugs-test.txt,
     names: {{Drug: Drug}}, licence: made here, safe_because: made here}}
optimiser: {{lr: 3.0e-3, head_lr: 1.0e-2, epochs: 2, batch_words: 512}}
"""


def test_an_encoders_heads_sizes_and_latency(
    tiny: Path, corpora: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def here(target: str, given: Any, **told: Any) -> None:
        ablating.train_one(**given)  # in this process: what is apart is tested beside generators

    monkeypatch.setattr(ablating, "apart", here)
    (tmp_path / "tiny.yaml").write_text(RECIPE.format(base=tiny))
    vary = {"optimiser.lr": [3e-3, 1e-5]}
    found = ablating.ablate(
        tmp_path / "tiny.yaml", data=corpora, out=tmp_path / "runs", vary=vary, seeds=1
    )
    assert found["measure"] == {"name": "dev drugs", "figures": ["drugs"], "higher": True}
    good, bad = found["arms"]
    assert good["quality"]["value"] > bad["quality"]["value"]
    assert bad["difference"]["high"] < 0
    assert good["costs"]["p50_ms"] > 0
    assert good["costs"]["stored_bytes"] > 1000
    folder = Path(good["runs"][0]["folder"])
    result = json.loads((folder / "result.json").read_text())
    assert good["quality"]["value"] == pytest.approx(result["dev"]["drugs"]["value"])
    assert good["quality"]["n"] == result["dev"]["drugs"]["n"]
    assert [p[0] for p in good["curves"][0]["points"]] == [1, 2]
