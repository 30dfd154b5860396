"""Load for serving.py: on a clock, or as fast as it is answered; texts of all lengths."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from aegle.lm.segment import sentences
from aegle.train.data.formats import read_corpus

SIZES: Final = (1, 1, 2, 4, 100)
"""Sentences of a text; the last takes all to the end of the abstract."""
TIMEOUT_S: Final = 60.0

Ask = Callable[[httpx.AsyncClient, str], Any]


@dataclass(frozen=True)
class Sample:
    """One request: when it was due, how long until its reply, what came."""

    due_s: float
    seconds: float
    status: int


def texts(data: Path, count: int, *, seed: int = 0) -> list[str]:
    """Different stretches of BioRED's test abstracts, from a sentence to the whole of one."""
    found = read_corpus(data / "biored" / "Test.PubTator", format="pubtator", because="public")
    drawn = random.Random(seed)
    made: dict[str, None] = {}
    while len(made) < count:
        text = str(drawn.choice(found).text)
        cut = sentences(text)
        first = drawn.randrange(len(cut))
        last = min(len(cut), first + drawn.choice(SIZES)) - 1
        made[text[cut[first].start : cut[last].end]] = None
        if len(made) > len(found) * 20:
            # All that there is was drawn: so that no cache answers, a text gets a number.
            made[f"Case {len(made)}. {text}"] = None
    return list(made)


def json_post(path: str, body: Callable[[str], dict[str, Any]]) -> Ask:
    """A request that posts what ``body`` makes of a text."""

    async def ask(client: httpx.AsyncClient, text: str) -> int:
        return (await client.post(path, json=body(text))).status_code

    return ask


async def on_clock(
    url: str, ask: Ask, given: Sequence[str], *, rate: float, seed: int = 0
) -> list[Sample]:
    """Requests at random moments (Poisson, so many a second), whether others were answered or not.

    Seconds count from the moment at which a request was due: one that had to wait for its turn to
    be sent has waited, too (no coordinated omission).
    """
    drawn = random.Random(seed)
    due = 0.0
    tasks = []
    async with _client(url) as client:
        began = time.perf_counter()
        for text in given:
            due += drawn.expovariate(rate)
            await asyncio.sleep(max(0.0, began + due - time.perf_counter()))
            tasks.append(asyncio.create_task(_one(client, ask, text, began, due)))
        return list(await asyncio.gather(*tasks))


async def as_fast(url: str, ask: Ask, given: Sequence[str], *, workers: int) -> list[Sample]:
    """All texts, so many requests under way at any time."""
    left = iter(given)
    done: list[Sample] = []
    async with _client(url) as client:
        began = time.perf_counter()

        async def work() -> None:
            for text in left:
                done.append(await _one(client, ask, text, began, time.perf_counter() - began))

        await asyncio.gather(*(work() for _ in range(workers)))
    return done


async def _one(client: httpx.AsyncClient, ask: Ask, text: str, began: float, due: float) -> Sample:
    try:
        status = await ask(client, text)
    except httpx.HTTPError:
        status = 0
    return Sample(due, time.perf_counter() - began - due, status)


def _client(url: str) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=200)
    return httpx.AsyncClient(base_url=url, timeout=TIMEOUT_S, limits=limits)
