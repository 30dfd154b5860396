"""Reasons and relations in words that a nurse or an analyst understands."""

from __future__ import annotations

import pytest

from aegle.console import words
from aegle.retrieve.search import explain

NAMES = {"device:pump-7": "PUMP-7", "patient:1a2b": "Ada Stone", "vendor:acme inc": "Acme Inc"}


@pytest.mark.parametrize(
    ("via", "style", "says"),
    [
        ("dense#2", "dense", "Similar meaning (no. 2)"),
        ("text#36", "text", "Same words (no. 36)"),
        ("graph: device:pump-7", "graph", "Connected: PUMP-7"),
        (
            "graph: device:pump-7 <-uses_device- patient:1a2b <-mentions- 0a1b",
            "graph",
            "Connected: PUMP-7 \u2190 uses device \u2190 Ada Stone \u2192 this text",
        ),
        (
            "graph: device:pump-7 -made_by-> vendor:acme inc <-mentions- 0a1b",
            "graph",
            "Connected: PUMP-7 \u2192 made by \u2192 Acme Inc \u2192 this text",
        ),
    ],
)
def test_reasons_name_things_not_keys(via: str, style: str, says: str) -> None:
    assert words.reason(via, NAMES) == (style, says)


def test_every_path_that_a_search_explains_is_understood() -> None:
    path = ("device:pump-7", "^uses_device", "patient:1a2b", "made_by", "vendor:acme inc")
    via = f"graph: {explain(path)}"
    assert words.keys([via, "dense#1"]) == set(NAMES)


def test_marks_escape_what_a_document_says() -> None:
    shown = words.marked("a <b> & c", 2, 5)
    assert shown == "a <mark>&lt;b&gt;</mark> &amp; c"
    assert "<i>" not in words.chip("graph: x", {"x": "<i>"})
