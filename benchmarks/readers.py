"""What of real files can be read, how fast, and why the rest can't.

    python benchmarks/readers.py --data DIR

For each data set: files, documents, quarantined, megabytes a second of reading alone (no
de-identification, no index), and every reason for quarantine.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from aegle.flows import workspace
from aegle.flows.kit import Kit, open_kit
from aegle.sources import FileDone, Got, Limits, Refused, read

SETS = (
    "fhir_synthea_10",
    "hl7_ccda_samples",
    "loghub_2k",
    "mordor_events",
    "sigma_rules",
    "cve_vulnrichment",
    "cisa_kev",
    "attack_stix",
    "medquad",
    "spam_assassin",
)


def measure(kit: Kit, folder: Path) -> dict[str, Any]:
    """Read one data set to its end."""
    files = size = 0
    kinds: Counter[str] = Counter()
    refused: dict[str, str] = {}
    characters = 0
    started = time.perf_counter()
    for event in read([str(folder)], kit.readers, limits=Limits(), seen=lambda _: False):
        if isinstance(event, Got):
            kinds[event.document.kind] += 1
            characters += len(event.document.text)
        elif isinstance(event, Refused):
            refused[str(Path(event.path).relative_to(folder))] = event.reason
        elif isinstance(event, FileDone):
            files += 1
            size += event.size_bytes
    seconds = time.perf_counter() - started
    return {
        "files": files,
        "documents": sum(kinds.values()),
        "kinds": dict(kinds),
        "quarantined": len(refused),
        "mb": round(size / 1e6, 2),
        "text_mb": round(characters / 1e6, 2),
        "mb_per_s": round(size / 1e6 / seconds, 2),
        "seconds": round(seconds, 2),
        "refused": refused,
    }


def main() -> None:
    """Print a table, the reasons, then one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", nargs="*", default=SETS)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        layout = workspace.create(Path(scratch) / "w")
        with open_kit(layout, workspace.load_settings(layout)) as kit:
            result = {name: measure(kit, args.data / name) for name in args.only}
    print("| data set | files | documents | quarantined | MB read | MB/s |")
    print("|---|---|---|---|---|---|")
    for name, row in result.items():
        cells = (row["files"], row["documents"], row["quarantined"], row["mb"], row["mb_per_s"])
        print(f"| {name} | {' | '.join(map(str, cells))} |")
    for name, row in result.items():
        for path, reason in row["refused"].items():
            print(f"{name}/{path}: {reason}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
