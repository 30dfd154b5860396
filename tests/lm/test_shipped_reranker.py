"""aegle-rerank as it ships: small, of a base that is pinned, and it knows what answers."""

from pathlib import Path

import pytest

from aegle.core.artifacts import check_manifest, read_json
from aegle.lm import delta
from aegle.lm.catalog import resolve
from aegle.lm.known import KNOWN
from aegle.lm.pairs import CrossEncoder
from aegle.testing.weights import WeightsUnavailableError, cached

FOLDER = Path(delta.__file__).parents[1] / "weights" / "aegle-rerank"


def test_the_card_says_what_it_was_made_of():
    card = read_json(FOLDER / "card.json")
    base = next(one for one in KNOWN if one.name == card["base"])
    assert card["base_sha256"] in base.pins.values()
    assert all(one["licence"] and one["safe_because"] for one in card["data"].values())
    # Evaluation only, or nobody's to ship: nothing of these may have taught.
    never = {"graphrag_bench_medical", "seceval", "ade_corpus_v2", "annoctr", "2wiki_101"}
    assert not never & set(card["data"])
    assert card["data"]["musique_100"]["train"] == 0
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 6_000_000
    assert check_manifest(FOLDER / "manifest.json")


@pytest.mark.parametrize(
    ("question", "right", "wrong"),
    [
        (
            "Which vitamin reverses warfarin?",
            "Vitamin K reverses warfarin when the patient has taken too much of it.",
            "Warfarin tablets are given once a day, at the same time each evening.",
        ),
        (
            "It adds itself under a Run key so that it starts with each logon.",
            "Registry Run Keys: adversaries add a program to a run key to be started at logon.",
            "Windows Registry queries tell adversaries which programs are installed.",
        ),
    ],
)
def test_what_answers_is_before_what_shares_words(question, right, wrong):
    try:
        cached("ms-marco-minilm")
    except WeightsUnavailableError as why:
        pytest.skip(str(why))
    reader = CrossEncoder(resolve("aegle-rerank"), threads=1)
    first, second = reader.score(question, [right, wrong])
    reader.close()
    assert first > second
