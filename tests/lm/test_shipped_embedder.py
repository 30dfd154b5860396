"""aegle-embed as it ships: small, of a base that is pinned, and better at what it was made for."""

from pathlib import Path

import numpy as np
import pytest

from aegle.core.artifacts import check_manifest, read_json
from aegle.lm import delta
from aegle.lm.catalog import resolve
from aegle.lm.encoder import SentenceEncoder
from aegle.lm.known import KNOWN
from aegle.testing.weights import WeightsUnavailableError, cached

FOLDER = Path(delta.__file__).parents[1] / "weights" / "aegle-embed"


def test_the_card_says_what_it_was_made_of_and_what_it_reaches():
    card = read_json(FOLDER / "card.json")
    base = next(one for one in KNOWN if one.name == card["base"])
    assert card["base_sha256"] == base.pins["model.safetensors"]
    assert all(one["licence"] for one in card["data"].values())
    # Evaluation only, or nobody's to ship: nothing of these may have taught.
    never = {"graphrag_bench_medical", "seceval", "ade_corpus_v2", "annoctr", "2wiki_101"}
    assert not never & set(card["data"])
    assert card["data"]["musique_100"]["train"] == 0
    gain = card["test"]["sets"]["tram2"]["systems"]["aegle-embed"]["ndcg10"]["gain"]
    assert gain[1] > 0
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 6_000_000
    assert check_manifest(FOLDER / "manifest.json")


def test_a_sentence_of_a_report_finds_its_technique_better_than_by_the_base():
    try:
        base = cached("minilm")
    except WeightsUnavailableError as why:
        pytest.skip(str(why))
    asked = "It drops a copy of itself under a Run key so that it starts with each logon."
    right = "Boot or Logon Autostart Execution: Registry Run Keys / Startup Folder."
    wrong = "Hijack Execution Flow: DLL Search Order Hijacking. A copy is loaded at start."
    margins = []
    for folder, size in ((base, 0), (resolve("aegle-embed"), 0), (resolve("aegle-embed"), 128)):
        encoder = SentenceEncoder(folder, threads=1, dimensions=size)
        question, first, second = encoder.embed([asked, right, wrong])
        margins.append(float(question @ first - question @ second))
        assert np.linalg.norm(question) == pytest.approx(1, abs=1e-4)
        encoder.close()
    assert margins[1] > margins[0]
    assert margins[2] > 0
