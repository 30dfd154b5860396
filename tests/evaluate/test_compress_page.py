"""The page of a search for a smaller model: well-formed, whole, escaped."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

from aegle.evaluate.compress_page import page


def trial(name: str, size: float, kept: float, **more: Any) -> dict[str, Any]:
    told = {"value": kept, "low": kept - 0.02, "high": kept + 0.01, "n": 40}
    return {
        "name": name,
        "bytes": int(size * 1e8),
        "size": size,
        "quality": told,
        "retention": told,
        "texts_per_s": 12.3,
        "speedup": 2.5,
        "labels_failed": {},
        "front": True,
        "meets": True,
        "chosen": False,
        **more,
    }


def test_the_page_holds_every_trial() -> None:
    rows = [
        trial("int8", 0.25, 0.99, chosen=True),
        trial(
            "int4 block=32", 0.2, 0.9, front=False, labels_failed={"<rare>": {"was": 1, "is": 0}}
        ),
    ]
    result = {
        "model": "a<b",
        "score": "f1",
        "documents": 120,
        "groups": 40,
        "calibration_texts": 30,
        "target": {"size": 0.5, "speed": None, "keep": 0.98, "sure": False},
        "float": {"bytes": 10**8, "quality": rows[0]["quality"], "dequantised": True},
        "trials": rows,
        "failed": [{"method": "prune-heal", "settings": {}, "why": "needs torch & more"}],
        "choice": "int8",
        "held_out": {
            "documents": 77,
            "groups": 33,
            "float": rows[0]["quality"],
            "quality": rows[0]["quality"],
            "retention": rows[1]["retention"],
            "labels_failed": {"<one>": {"was": 1, "is": 0}},
        },
        "meets": True,
    }
    made = page(result)
    pictures = re.findall(r"<svg.*?</svg>", made, re.DOTALL)
    assert len(pictures) == 2
    for one in pictures:
        tree = ElementTree.fromstring(one)
        assert sum(1 for node in tree.iter() if node.tag == "circle") == len(rows)
    assert "a&lt;b" in made
    assert "On 77 other documents in 33 groups" in made
    assert "<strong>0.9000</strong>" in made
    assert "&lt;one&gt;" in made
    assert "&lt;rare&gt;" in made
    assert "needs torch &amp; more" in made
    assert "made of rounded weights" in made
    assert '<tr class="chosen"><td>1</td><td>int8</td>' in made
    assert '<tr class="beaten"><td>2</td>' in made
    assert "src=" not in made
