"""ConText: what a cue says of what stands near it, and where its reach ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegle.core.pack import Cue
from aegle.core.records import Span
from aegle.facts.assertion import ORDER, Context, strongest
from aegle.facts.words import words
from aegle.lm.segment import sentences

CUES = (
    Cue("no", "negated", "forward", 6),
    Cue("no increase", "negated", "pseudo", 0),
    Cue("no acute", "negated", "forward", 6),
    Cue("ruled out", "negated", "backward", 5),
    Cue("possible", "possible", "forward", 5),
    Cue("history of", "historical", "forward", 5),
    Cue("mother", "family", "forward", 8),
    Cue("if", "hypothetical", "forward", 8),
    Cue("but", "", "stop", 0),
    Cue("family history", "family", "section", 0),
    Cue("past medical history", "historical", "section", 0),
    Cue("plan", "present", "section", 0),
)
CONTEXT = Context(CUES)


def said(text: str, *names: str) -> list[str]:
    spans = [Span(text.index(name), text.index(name) + len(name)) for name in names]
    return [strongest(one) for one in CONTEXT.assertions(words(text), sentences(text), spans)]


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ("There is no fever.", "fever", "negated"),
        ("There is no cough, chills or fever.", "fever", "negated"),
        ("There is no cough but has fever.", "fever", "present"),
        ("There is no cough. She has fever.", "fever", "present"),
        ("There is no increase in fever.", "fever", "present"),
        ("Fever no more.", "Fever", "present"),
        ("Pneumonia was ruled out.", "Pneumonia", "negated"),
        ("No one two three four five six seven fever.", "fever", "present"),
        ("In no acute distress.", "acute distress", "negated"),
        ("Possible pneumonia.", "pneumonia", "possible"),
        ("A history of asthma.", "asthma", "historical"),
        ("No history of asthma.", "asthma", "negated"),
        ("Mother had cancer.", "cancer", "family"),
        ("Return if fever.", "fever", "hypothetical"),
        ("Family History:\nBreast cancer\nPlan: treat asthma", "cancer", "family"),
        ("Family History:\nBreast cancer\nPlan: treat asthma", "asthma", "present"),
        ("Past Medical History: asthma, no cancer", "asthma", "historical"),
        ("Past Medical History: asthma, no cancer", "cancer", "negated"),
    ],
)
def test_cue_governs_its_scope(text, name, expected):
    assert said(text, name) == [expected]


def test_strongest_of_nothing_is_present():
    assert strongest(()) == "present"


@given(st.sets(st.sampled_from(ORDER), min_size=1))
def test_strongest_is_one_of_what_was_said(some):
    assert strongest(some) in some


@given(st.text(alphabet="no fever but if. \n:", min_size=1, max_size=80), st.data())
def test_any_text_and_span_has_an_answer(text, data):
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    (one,) = CONTEXT.assertions(words(text), sentences(text), [Span(start, end)])
    assert one <= set(ORDER)


def test_spans_may_come_in_any_order():
    text = "No fever. Possible asthma."
    assert said(text, "asthma", "fever") == ["possible", "negated"]


def test_benchmark_beats_its_floor_on_unseen_sentences():
    data = os.environ.get("AEGLE_DATA")
    if not data:
        pytest.skip("AEGLE_DATA is not set: no negex_context sentences")
    import json

    script = Path(__file__).parents[2] / "benchmarks" / "assertion.py"
    done = subprocess.run(
        [sys.executable, str(script), "--data", data], capture_output=True, text=True, check=True
    )
    scores = json.loads(done.stdout.splitlines()[-1])
    assert scores["negated"]["f1"] > 0.9
    assert scores["historical"]["f1"] > 0.55
