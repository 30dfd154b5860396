"""How fast, how cheap and how steady `aegle serve` is, beside what one would write without it.

    python benchmarks/serving.py --data DIR [--parts load long peers openai faults malformed soak]
        [--rate 20] [--seconds 30] [--rounds 3] [--texts 160] [--workers 8] [--soak 10]
        [--peer-python PYTHON] [--json]

All servers and the load share this machine, one server at a time.

- ``load``: /v1/extract at --rate requests a second, Poisson, mixed lengths (a sentence to a whole
  abstract of BioRED), no text twice and no cache; seconds count from when a request was due.
- ``long``: short texts at --rate / 4 while a text of 32,000 characters is read again and again.
- ``peers``: the same endpoint as fast as --workers connections get answers, in turns with FastAPI
  around a Hugging Face pipeline (FP32, one text a call, tags alone) and with LitServe around the
  same ONNX model: tags alone, and doing all that the endpoint does. Documents a second; seconds of
  all cores for 1,000 documents, of the server's processes. ``plain`` is the same endpoint with
  the tagger in FP32, one text at a time, one request after another: what compression and batches
  save where the work is the same. LitServe runs in --peer-python; null
  where that has none.
- ``openai``: chat completions of the packaged generator by Aegle and by llama.cpp's own server, in
  turns: overhead, time to first token, tokens a second, and both with a prefix that was seen.
- ``faults``: one of two servers is killed under load; requests lost, in flight, broken off.
- ``malformed``: --malformed bodies, cut, mixed and mistyped, to every endpoint: none may be
  answered with 5xx or a traceback. By schemathesis, too, where --peer-python has it.
- ``soak``: --soak minutes of mixed load; memory's slope after the first third.

The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

import serving_load as load
import serving_servers as servers
from aegle.core.errors import AegleError
from aegle.metrics.stats import percentile
from serving_chat import chat
from serving_faults import faults
from serving_malformed import malformed
from serving_soak import soak

PARTS: Final = ("load", "long", "peers", "openai", "faults", "malformed", "soak")
STUDENT: Final = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""97.5% points of Student's t, of 1 degree of freedom and more."""
NO_CACHE: Final = ("serve.cache_mb=0",)


def measured(args: argparse.Namespace, scratch: Path) -> dict[str, Any]:
    """The parts that were asked for; each prints what it found."""
    workspace = scratch / "w"
    found: dict[str, Any] = {"machine": _machine()}
    if "load" in args.parts:
        with servers.aegle(workspace, NO_CACHE) as ours:
            found["load"] = on_clock(ours, args)
        print(json.dumps({"load": found["load"]}), flush=True)
    if "peers" in args.parts:
        found["peers"] = against(args, workspace, scratch)
        print(json.dumps({"peers": found["peers"]}), flush=True)
    more = (
        ("long", beside_long),
        ("openai", chat),
        ("faults", faults),
        ("malformed", malformed),
        ("soak", soak),
    )
    for name, part in more:
        if name in args.parts:
            found[name] = part(args, workspace)
            print(json.dumps({name: found[name]}), flush=True)
    return _contract(found)


def on_clock(ours: servers.Running, args: argparse.Namespace) -> dict[str, Any]:
    """p50, p95 and p99 with intervals, at a fixed rate."""
    ask = load.json_post("/v1/extract", lambda text: {"text": text, "domain": "healthcare"})
    count = int(args.rate * args.seconds)
    given = load.texts(args.data, count + 20, seed=1)
    asyncio.run(load.as_fast(ours.url, ask, given[count:], workers=2))
    before = ours.core_seconds()
    done = asyncio.run(load.on_clock(ours.url, ask, given[:count], rate=args.rate))
    cores = ours.core_seconds() - before
    ms = [1e3 * one.seconds for one in done if one.status == 200]
    lengths = [len(text) for text in given[:count]]
    return {
        "rate": args.rate,
        "n": len(done),
        "failed": len(done) - len(ms),
        "characters": {"median": statistics.median(lengths), "most": max(lengths)},
        **{f"p{q}_ms": _measure(percentile(ms, q)) for q in (50, 95, 99)},
        "core_seconds_per_1000": round(1e3 * cores / len(done), 2),
    }


def beside_long(args: argparse.Namespace, workspace: Path) -> dict[str, Any]:
    """Seconds of sentences while a long text is read without a pause, and of the long one."""
    short = load.json_post("/v1/extract", lambda text: {"text": text, "domain": "healthcare"})
    many = load.texts(args.data, 400, seed=3)
    long = "\n\n".join(many)[:32_000]
    given = [text for text in many if len(text) < 400][: int(args.seconds * args.rate / 4)]
    with servers.aegle(workspace, NO_CACHE) as ours:
        done, longs = asyncio.run(_beside(ours.url, short, given, long, args.rate / 4))
    ms = [1e3 * one.seconds for one in done if one.status == 200]
    return {
        "n": len(done),
        "failed": len(done) - len(ms),
        **{f"p{q}_ms": _measure(percentile(ms, q)) for q in (50, 95)},
        "long_s": [round(one, 1) for one in longs],
    }


async def _beside(
    url: str, ask: load.Ask, given: list[str], long: str, rate: float
) -> tuple[list[load.Sample], list[float]]:
    """Samples of short texts; seconds of each long one."""
    ended = asyncio.Event()
    took: list[float] = []

    async def again_and_again() -> None:
        while not ended.is_set():
            (one,) = await load.as_fast(url, ask, [f"{len(took)}. {long}"], workers=1)
            took.append(one.seconds)

    beside = asyncio.create_task(again_and_again())
    await asyncio.sleep(0.5)
    done = await load.on_clock(url, ask, given, rate=rate)
    ended.set()
    await beside
    return done, took


def against(args: argparse.Namespace, workspace: Path, scratch: Path) -> dict[str, Any]:
    """Documents a second and core-seconds of each contender, round by round in turns."""
    from aegle.lm.catalog import resolve

    model = str(resolve("tagger"))
    floats = (*NO_CACHE, "serve.batch_tokens=64", f"knowledge.tagger=path:{_floats(scratch)}")
    plain = load.json_post("/predict", lambda text: {"text": text})
    whole = load.json_post("/v1/extract", lambda text: {"text": text, "domain": "healthcare"})
    starts: dict[str, tuple[Callable[[], AbstractContextManager[servers.Running]], load.Ask]] = {
        "aegle": (lambda: servers.aegle(workspace, NO_CACHE), whole),
        "plain": (lambda: servers.aegle(workspace, floats), whole),
        "hf": (
            lambda: servers.peer("hf", sys.executable, {"model": model, "scratch": str(scratch)}),
            plain,
        ),
    }
    if _has(args.peer_python, "litserve"):
        lit = args.peer_python
        starts["litserve"] = (lambda: servers.peer("litserve", lit, {"model": model}), plain)
        about = {"workspace": str(workspace)}
        starts["litserve-whole"] = (lambda: servers.peer("litserve-whole", lit, about), plain)
    rows: dict[str, list[dict[str, float]]] = {name: [] for name in starts}
    for number in range(args.rounds):
        given = load.texts(args.data, args.texts + 16, seed=10 + number)
        for name, (start, ask) in starts.items():
            workers = 1 if name == "plain" else args.workers
            rows[name].append(_round(start, ask, given, args, workers))
            print(name, rows[name][-1], flush=True)
    found: dict[str, Any] = {"rounds": args.rounds, "texts": args.texts, "of": rows}
    for name in rows:
        if name != "aegle":
            found[f"vs_{name}"] = {
                "throughput": _ratio(rows["aegle"], rows[name], "rps"),
                "cost": _ratio(rows["aegle"], rows[name], "core_seconds_per_1000"),
            }
    return found


def _floats(scratch: Path) -> Path:
    """The packaged tagger with weights of 32 bits."""
    from aegle.compress.encoders import original
    from aegle.core.ports import quiet
    from aegle.lm.catalog import resolve

    folder = scratch / "floats"
    if not folder.exists():
        original(resolve("tagger"), folder, texts=(), settings={}, progress=quiet)
    return folder


def _round(
    start: Callable[[], AbstractContextManager[servers.Running]],
    ask: load.Ask,
    given: list[str],
    args: argparse.Namespace,
    workers: int,
) -> dict[str, float]:
    with start() as running:
        asyncio.run(load.as_fast(running.url, ask, given[args.texts :], workers=workers))
        before = running.core_seconds()
        done = asyncio.run(load.as_fast(running.url, ask, given[: args.texts], workers=workers))
        cores = running.core_seconds() - before
        held = running.rss_bytes()
    failed = [one.status for one in done if one.status != 200]
    if failed:
        raise SystemExit(f"serving: {len(failed)} requests failed, first with {failed[0]}")
    seconds = max(one.due_s + one.seconds for one in done)
    return {
        "rps": round(len(done) / seconds, 2),
        "core_seconds_per_1000": round(1e3 * cores / len(done), 2),
        "rss_mb": round(held / 1e6),
    }


def _ratio(
    ours: list[dict[str, float]], theirs: list[dict[str, float]], key: str
) -> dict[str, float]:
    """The geometric mean over rounds, with Student's interval of its logarithm."""
    logs = [math.log(one[key] / other[key]) for one, other in zip(ours, theirs, strict=True)]
    middle = statistics.fmean(logs)
    found = {"value": round(math.exp(middle), 3)}
    if 1 < len(logs) <= len(STUDENT) + 1:
        half = STUDENT[len(logs) - 2] * statistics.stdev(logs) / math.sqrt(len(logs))
        found["low"] = round(math.exp(middle - half), 3)
        found["high"] = round(math.exp(middle + half), 3)
    return found


def _contract(found: dict[str, Any]) -> dict[str, Any]:
    timed, peers = found.get("load"), found.get("peers", {})

    def of(peer: str, what: str) -> float | None:
        return peers[f"vs_{peer}"][what]["value"] if f"vs_{peer}" in peers else None

    return {
        "p95_ms": timed and timed["p95_ms"]["value"],
        "rps": statistics.median(one["rps"] for one in peers["of"]["aegle"]) if peers else None,
        "throughput_vs_hf": of("hf", "throughput"),
        "throughput_vs_litserve": of("litserve", "throughput"),
        "throughput_vs_litserve_whole": of("litserve-whole", "throughput"),
        "cost_ratio": of("plain", "cost"),
        "cost_ratio_hf": of("hf", "cost"),
        **found,
    }


def _has(python: str, module: str) -> bool:
    asked = f"import importlib.util as u, sys; sys.exit(u.find_spec('{module}') is None)"
    return subprocess.run([python, "-c", asked], check=False).returncode == 0


def _measure(one: Any) -> dict[str, float]:
    return {"value": round(one.value, 2), "low": round(one.low, 2), "high": round(one.high, 2)}


def _machine() -> dict[str, Any]:
    return {"cores": os.cpu_count(), "load_average": round(os.getloadavg()[0], 2)}


def main() -> None:
    """Measure what was asked; the last line is one JSON object."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", type=Path, required=True)
    add("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    add("--rate", type=float, default=20.0, help="requests a second")
    add("--seconds", type=float, default=30.0)
    add("--rounds", type=int, default=3)
    add("--texts", type=int, default=160, help="a round")
    add("--workers", type=int, default=8)
    add("--chats", type=int, default=20)
    add("--malformed", type=int, default=10_000)
    add("--soak", type=float, default=10.0, help="minutes")
    add("--peer-python", default=sys.executable, help="a Python that has litserve, schemathesis")
    add("--json", action="store_true", help="accepted, since the last line always is JSON")
    args = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory() as scratch:
            print(json.dumps(measured(args, Path(scratch))))
    except AegleError as error:
        sys.exit(f"serving: {error}")


if __name__ == "__main__":
    main()
