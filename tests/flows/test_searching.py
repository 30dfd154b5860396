"""What facts may lead: questions, demands, key words and identifiers, and no claim."""

from __future__ import annotations

from pathlib import Path

import pytest

from aegle.answer.question import take_apart
from aegle.core.text import SafeText
from aegle.flows import commands, finding, searching
from aegle.flows.asking import Question
from aegle.flows.searching import by_facts
from aegle.flows.workspace import Layout


def of(text: str, *groups: str) -> Question:
    return Question(SafeText(text, by="test"), groups, take_apart(text), ())


@pytest.mark.parametrize(
    "text",
    [
        "Which devices in ICU-3 depend on the gateway that was attacked last night?",
        "List all patients who were given warfarin and have a fall in their chart",
        "please show everything that the host gw01 did on the third of March",
        "warfarin dose ICU-3",
        "CVE-2021-44228",
    ],
)
def test_what_asks_names_or_is_short_is_led_by_facts(text: str) -> None:
    assert by_facts(of(text))


def test_a_claim_is_looked_up_by_its_words_and_meaning() -> None:
    claim = "Low levels of vitamin K raise the risk of bleeding in patients on warfarin"
    assert not by_facts(of(claim))
    assert by_facts(of(claim, "patient:1")), "a chart is a chart, however it is asked"


def test_a_claim_has_the_hits_of_words_and_meaning_alone(
    layout: Layout, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout.settings.write_text('[knowledge]\ntagger = "none"\n[redact]\ntagger = "none"\n')
    commands.run(layout.root, "ingest", {"paths": [str(notes)]})
    claim = "Infusion pump PUMP-0043 stands beside those who take warfarin for heart failure"

    def ways(mode: str) -> list[list[str]]:
        found = commands.run(layout.root, "search", {"question": claim, "k": 5, "mode": mode})
        return [hit["via"] for hit in found["hits"]]

    assert ways("graph") == ways("hybrid") != []
    for module in (searching, finding):
        monkeypatch.setattr(module, "by_facts", lambda question: True)
    assert any("graph: " in way for via in ways("graph") for way in via), "facts would have led"
