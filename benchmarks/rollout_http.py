"""A short month through a real server with two real taggers; `rollout.py --http` runs it, too.

    python benchmarks/rollout_http.py --data DIR [--units 1500] [--no-cost]

Sentences of BC5CDR's test set with a name in them, each asked for by a unit of its own, 50 a day;
feedback is the F1 of the names in the reply against the gold's. The packaged tagger against itself
with the bias of each head raised by 3, so that it misses names, both ways round, and against itself
under another version's name. The status is looked at after every tenth reply. Cost of the shadow:
seconds of paced requests (5 a second) without a rollout and with a shadow, in turn.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import httpx

from aegle.flows import commands, promoting, workspace
from aegle.lm.catalog import resolve
from aegle.metrics.stats import percentile

UNITS, A_DAY, LOOK = 1500, 50, 10
PAIRS = (("packaged", "dull"), ("dull", "packaged"), ("packaged", "twin"))
RAISED = 3.0
PACE_S, PACED = 0.2, 60


def sentences(data: Path) -> list[tuple[str, set[str]]]:
    """Texts with the names in them, in lower case."""
    found = []
    for block in (data / "bc5cdr" / "test.tsv").read_text("utf-8").strip().split("\n\n"):
        rows = [line.split("\t") for line in block.splitlines() if "\t" in line]
        names: list[list[str]] = []
        for word, label in ((row[0], row[-1]) for row in rows):
            if label.startswith("B"):
                names.append([word])
            elif label.startswith("I") and names:
                names[-1].append(word)
        if names:
            text = " ".join(row[0] for row in rows)
            found.append((text, {" ".join(one).lower() for one in names}))
    return found


def score(reply: dict[str, Any], gold: set[str]) -> float:
    """F1 of names, whatever their type."""
    told = {one["text"].lower() for one in reply["entities"]}
    return 2 * len(told & gold) / (len(told) + len(gold))


def variants(folder: Path) -> dict[str, Path]:
    """The packaged tagger, the same under another name, and one that misses names."""
    made = {}
    for name, raised in (("packaged", 0.0), ("twin", 0.0), ("dull", RAISED)):
        made[name] = folder / name
        shutil.copytree(resolve("tagger"), made[name])
        card = json.loads((made[name] / "card.json").read_text())
        for head, told in card["heads"].items():
            if head != "identifiers":
                told["bias"] += raised
        card["version"] = f"{name}/1"
        (made[name] / "card.json").write_text(json.dumps(card))
        (made[name] / "manifest.json").unlink()
    return made


@contextmanager
def serving(root: Path) -> Iterator[str]:
    """The URL of a server of its own process."""
    command = [sys.executable, "-m", "aegle", "serve", "-w", str(root), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    url = next(w for w in process.stdout.readline().split() if w.startswith("http")).rstrip("/")
    try:
        while httpx.get(url + "/readyz").status_code != 200:
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(60)


def asked(client: httpx.Client, text: str, unit: str) -> httpx.Response:
    """A reply for a unit."""
    body = {"text": text, "domain": "healthcare"}
    return client.post("/v1/extract", json=body, headers={"x-aegle-unit": unit})


def one(
    folder: Path, models: dict[str, Path], pair: tuple[str, str], data: Path, units: int
) -> dict[str, Any]:
    """A month of one champion and one challenger, to its verdict."""
    here = folder / "-".join(pair)
    layout = workspace.create(here / "w")
    layout.settings.write_text(
        f'[knowledge]\ntagger = "path:{models[pair[0]]}"\n[serve]\ncache_mb = 0\n'
        "[rollout]\nagreement = 0.2\n"
    )
    registry = promoting.opened(here / "registry", here / "key")
    promoting.add(registry, "tagger", models[pair[1]], data=[data / "bc5cdr" / "test.tsv"])
    where = {"registry": str(here / "registry"), "key": str(here / "key")}
    failed, told = 0, {}
    with serving(layout.root) as url, httpx.Client(base_url=url, timeout=60) as client:
        params = {"model": "tagger", "which": "1", "share": 0.5, **where}
        commands.run(layout.root, "rollout_start", params)
        asked(client, "Denies chest pain.", "warm")
        for number, (text, gold) in enumerate(sentences(data)[:units], 1):
            reply = asked(client, text, f"note {number}")
            failed += reply.status_code != 200
            token = reply.headers.get("x-aegle-rollout")
            if token:
                body = {"id": token, "score": score(reply.json(), gold)}
                failed += client.post("/v1/feedback", json=body).status_code != 200
            if number % LOOK == 0:
                told = commands.run(layout.root, "rollout_status", {})
                if told["status"] != "running":
                    break
        for _ in range(300 if told["status"] == "gain" else 0):  # the server attaches it
            if commands.run(layout.root, "rollout_status", {})["evidence"]:
                break
            time.sleep(0.1)
    evidence = sorted(registry.open("tagger", 1).evidence)
    days = number / A_DAY
    figures = told["figures"]
    return {
        "verdict": told["status"],
        "figure": told["reason"],
        "units": number,
        "days": days,
        "failed_requests": failed,
        "figures": figures,
        "evidence": evidence,
    }


def cost(folder: Path, models: dict[str, Path], data: Path) -> dict[str, Any]:
    """Seconds of paced requests without and with a shadow, in turn."""
    here = folder / "cost"
    layout = workspace.create(here / "w")
    layout.settings.write_text(
        f'[knowledge]\ntagger = "path:{models["packaged"]}"\n[serve]\ncache_mb = 0\n'
    )
    registry = promoting.opened(here / "registry", here / "key")
    promoting.add(registry, "tagger", models["twin"], data=[data / "bc5cdr" / "test.tsv"])
    where = {"registry": str(here / "registry"), "key": str(here / "key")}
    texts = [text for text, _ in sentences(data)]
    seen: dict[str, list[float]] = {"without": [], "with": []}
    with serving(layout.root) as url, httpx.Client(base_url=url, timeout=60) as client:
        asked(client, "Denies chest pain.", "")
        for turn in range(6):
            name = "with" if turn % 2 else "without"
            if name == "with":
                params = {"model": "tagger", "which": "1", "share": 0.0, **where}
                commands.run(layout.root, "rollout_start", params)
            for n in range(PACED):
                began = time.perf_counter()
                asked(client, texts[turn * PACED + n], "")
                took = time.perf_counter() - began
                seen[name].append(1000 * took)
                time.sleep(max(0.0, PACE_S - took))
            if name == "with":
                pairs = commands.run(layout.root, "rollout_stop", {})["pairs"]
    found: dict[str, Any] = {"pairs_of_last_turn": pairs}
    for name, times in seen.items():
        found[name] = {f"p{q}_ms": asdict(percentile(times, q)) for q in (50, 95)}
    return found


def month(data: Path, *, units: int = UNITS, shadow: bool = True) -> dict[str, Any]:
    """Verdicts of three rollouts, and what the shadow costs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = variants(folder)
        found: dict[str, Any] = {}
        for pair in PAIRS:
            began = time.perf_counter()
            found[" -> ".join(pair)] = told = one(folder, models, pair, data, units)
            took = time.perf_counter() - began
            print(
                f"{' -> '.join(pair)}: {told['verdict']} {told['figure']} after {told['units']} "
                f"units, {told['failed_requests']} failed, {took:.0f}s",
                flush=True,
            )
        if shadow:
            found["shadow"] = cost(folder, models, data)
            print(f"shadow: {found['shadow']}", flush=True)
        return found


def main() -> None:
    """Print lines, then one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--units", type=int, default=UNITS)
    parser.add_argument("--cost", action=argparse.BooleanOptionalAction, default=True)
    args = parser.parse_args()
    print(json.dumps(month(args.data, units=args.units, shadow=args.cost)))


if __name__ == "__main__":
    main()
