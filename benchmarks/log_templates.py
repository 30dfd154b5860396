"""How well log templates group lines: grouping accuracy per system of Loghub 2k.

A line is grouped correctly when its template holds exactly the lines of its true event.
Run: python benchmarks/log_templates.py --data DIR   (DIR holds SYSTEM/SYSTEM_2k.log_structured.csv)

References:
    Zhu et al. (2019), Tools and benchmarks for automated log parsing.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from aegle.packs.cybersecurity.readers.templates import Miner


def grouping_accuracy(found: Sequence[Any], true: Sequence[Any]) -> float:
    """The share of lines whose found group is their true group, in [0, 1]."""
    found_size, true_size = Counter(found), Counter(true)
    both = Counter(zip(found, true, strict=True))
    right = sum(n for (f, t), n in both.items() if n == found_size[f] == true_size[t])
    return right / len(found)


def aegle() -> Callable[[str], int]:
    """Our templates."""
    miner = Miner()
    return lambda line: miner.add(line.split()).id


def drain3() -> Callable[[str], int]:
    """The drain3 package, its defaults, as a peer."""
    from drain3.drain import Drain

    drain = Drain()
    return lambda line: drain.add_log_message(line)[0].cluster_id


def main() -> None:
    """Print a table, then one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--peer", action="store_true", help="also run drain3, if installed")
    options = parser.parse_args()
    makers = {"aegle": aegle, **({"drain3": drain3} if options.peer else {})}
    result: dict[str, Any] = {name: {} for name in makers}
    for path in sorted(options.data.glob("**/*_2k.log_structured.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        true = [row["EventId"] for row in rows]
        for name, make in makers.items():
            add = make()
            started = time.perf_counter()
            found = [add(row["Content"]) for row in rows]
            took = time.perf_counter() - started
            accuracy = grouping_accuracy(found, true)
            result[name][path.parent.name] = {
                "accuracy": round(accuracy, 4),
                "templates": len(set(found)),
                "true_templates": len(set(true)),
                "lines_per_s": round(len(rows) / took),
            }
            print(
                f"{name:8} {path.parent.name:12} {accuracy:.3f} {len(set(found)):5} "
                f"of {len(set(true)):4} {len(rows) / took:10.0f} lines/s"
            )
    for name in makers:
        scores = [entry["accuracy"] for entry in result[name].values()]
        result[name]["mean"] = round(sum(scores) / len(scores), 4)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
