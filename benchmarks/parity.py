"""Does the tagger that is served say what its float model says? By `aegle parity` itself.

    python benchmarks/parity.py --data DATA [--work DIR] [--limit N] [--threads N]

The shipped tagger is INT8; its float model is made of those weights (what their rounding cost
before isn't seen). BioRED's test part, label set biology; critical is what the healthcare pack says
of it. Stages: float, INT8 here, INT8 behind `aegle serve`. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from aegle.core.plugins import load
from aegle.core.ports import quiet
from aegle.flows import parity
from aegle.flows.compress_table import ORIGINALS
from aegle.flows.parity_tasks import Given
from aegle.lm.catalog import resolve
from compress_sets import tagger


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, default=Path("runs/parity-benchmark"))
    parser.add_argument("--limit", type=int, default=0, help="score so many documents; 0: all")
    parser.add_argument("--threads", type=int, default=0)
    options = parser.parse_args()
    shipped = resolve("tagger")
    _, _, test, _ = tagger(options.data, options.work)
    whole = options.work / "float"
    if not (whole / "manifest.json").is_file():
        load(ORIGINALS["tagger"])(shipped, whole, texts=(), settings={}, progress=quiet)
    result = parity.certify(
        str(whole),
        {"compressed": shipped},
        given=Given((("biology", test),), "public", limit=options.limit),
        wanted=parity.Wanted(threads=options.threads),
        out=options.work / "parity",
    )
    for one in result["stages"]:
        for label, told in one.get("labels", {}).items():
            print(one["name"], label, told["verdict"], told["why"])
    rows = [
        {name: one.get(name) for name in one if name not in ("counts", "labels", "digest")}
        for one in result["stages"]
    ]
    told = {name: result[name] for name in ("passes", "reasons", "critical", "documents", "groups")}
    print(json.dumps({**told, "stages": rows}))


if __name__ == "__main__":
    main()
