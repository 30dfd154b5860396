"""Does the server's memory stay as it is? Mixed load for minutes, and memory's slope."""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np

import serving_load as load
import serving_servers as servers

EVERY_S: Final = 2.0
RATE: Final = 8.0


def soak(args: argparse.Namespace, workspace: Path) -> dict[str, Any]:
    """Megabytes an hour with a 95% interval by least squares, after the first third."""
    with servers.aegle(workspace) as ours:
        samples, failed, n = asyncio.run(_loaded(ours, args))
    rest = samples[len(samples) // 3 :]
    hours = np.array([at for at, _ in rest]) / 3600
    held = np.array([size for _, size in rest]) / 1e6
    slope, half = _slope(hours, held)
    return {
        "minutes": args.soak,
        "requests": n,
        "failed": failed,
        "mb_an_hour": {
            "value": round(slope, 1),
            "low": round(slope - half, 1),
            "high": round(slope + half, 1),
        },
        "rss_mb": {
            "first": round(samples[0][1] / 1e6, 1),
            "third": round(rest[0][1] / 1e6, 1),
            "last": round(rest[-1][1] / 1e6, 1),
        },
    }


def _slope(x: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> tuple[float, float]:
    """Least squares, and half of the interval; over ten stretches, since neighbours are alike."""
    parts = [(a.mean(), b.mean()) for a, b in zip(_ten(x), _ten(y), strict=True)]
    at, of = (np.array(one) for one in zip(*parts, strict=True))
    around = at - at.mean()
    slope = float(around @ of / (around @ around))
    left = of - of.mean() - slope * around
    error = float(np.sqrt(left @ left / (len(at) - 2) / (around @ around)))
    return slope, 2.306 * error  # Student's t of 8 degrees


def _ten(one: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    return np.array_split(one, 10)


async def _loaded(
    ours: servers.Running, args: argparse.Namespace
) -> tuple[list[tuple[float, int]], int, int]:
    texts = load.texts(args.data, 3000, seed=5)
    drawn = random.Random(0)
    samples: list[tuple[float, int]] = []
    failed = n = 0
    tasks: set[asyncio.Task[int]] = set()
    began = time.monotonic()
    async with httpx.AsyncClient(base_url=ours.url, timeout=60) as client:
        while (at := time.monotonic() - began) < 60 * args.soak:
            if not samples or at - samples[-1][0] >= EVERY_S:
                samples.append((at, ours.rss_bytes()))
            tasks.add(asyncio.create_task(_one(client, drawn.choice(texts), drawn.random())))
            n += 1
            done = {one for one in tasks if one.done()}
            failed += sum(one.result() >= 500 or not one.result() for one in done)
            tasks -= done
            await asyncio.sleep(drawn.expovariate(RATE))
        failed += sum(one >= 500 or not one for one in await asyncio.gather(*tasks))
    return samples, failed, n


async def _one(client: httpx.AsyncClient, text: str, which: float) -> int:
    """Mostly extraction; embeddings, classes, a search, a body that is refused."""
    if which < 0.6:
        path, body = "/v1/extract", {"text": text}
    elif which < 0.8:
        path, body = "/v1/embeddings", {"input": [text], "model": "any"}
    elif which < 0.9:
        path, body = "/v1/classify", {"texts": [text]}
    elif which < 0.95:
        path, body = "/v1/search", {"question": text[:200]}
    else:
        path, body = "/v1/extract", {"text": 3}
    try:
        return (await client.post(path, json=body)).status_code
    except httpx.HTTPError:
        return 0
