"""A small source in BEIR's layout: each question's answer holds its word and a sign."""

from __future__ import annotations

import json
import random
from pathlib import Path


def write(folder: Path, *, count: int = 24, name: str = "made", dev: int = 6) -> Path:
    """``count`` passages, a question each; neighbours are linked; the last ``dev`` are dev."""
    rng = random.Random(5)
    target = folder / name
    (target / "qrels").mkdir(parents=True)
    words = ["".join(rng.choices("abcdefgh", k=5)) for _ in range(count)]
    corpus = [{"_id": f"p{n}", "text": f"{word} is told here"} for n, word in enumerate(words)]
    asked = [{"_id": f"q{n}", "text": f"what of {word}"} for n, word in enumerate(words)]
    for file, rows in (("corpus", corpus), ("queries", asked)):
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (target / f"{file}.jsonl").write_text(lines)
    for part, numbers in (("train", range(count - dev)), ("dev", range(count - dev, count))):
        rows = "".join(f"q{n}\tp{n}\t1\n" for n in numbers)
        (target / "qrels" / f"{part}.tsv").write_text("query-id\tcorpus-id\tscore\n" + rows)
    links = "".join(f"p{n}\tp{n + 1}\n" for n in range(count - 1))
    (target / "links.tsv").write_text(links)
    (target / "card.json").write_text('{"licence": "ours", "safe_because": "made for a test"}')
    return target
