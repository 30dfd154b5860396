"""One of two servers is killed (-9) under load: who loses what?

A caller as simple as one may be: it asks the servers in turn, and asks the other one when a reply
breaks off, can't be had, or is 429 or 503. Nothing else is tried twice.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

import serving_load as load
import serving_servers as servers

WORKERS: Final = 8
BEFORE: Final = 60
AFTER: Final = 120
BUSY: Final = (429, 503)


@dataclass
class _Seen:
    """What the caller saw; ``under_way`` are the requests that each server has now."""

    under_way: Counter[str] = field(default_factory=Counter)
    answered: Counter[int] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    """Attempts that got no reply, by what was wrong."""
    other_broken: int = 0
    """Of them, at the server that was not killed."""
    done: int = 0
    lost: int = 0
    """Requests that no server answered."""


def faults(args: argparse.Namespace, workspace: Path) -> dict[str, Any]:
    """Statuses, attempts that broke off, requests lost; and the killed server's next start."""
    second = workspace.with_name("second")
    options = ("serve.cache_mb=0",)
    given = load.texts(args.data, BEFORE + AFTER, seed=7)
    with servers.aegle(workspace, options) as one, servers.aegle(second, options) as other:
        seen, in_flight = asyncio.run(_loaded(one, other, given))
    began = time.perf_counter()
    with servers.aegle(second, options) as again:
        ready_s = time.perf_counter() - began
        reply = httpx.post(again.url + "/v1/extract", json={"text": given[0]}, timeout=60)
    return {
        "requests": len(given),
        "in_flight_at_kill": in_flight,
        "statuses": dict(seen.answered),
        "broken_attempts": dict(seen.broken),
        "broken_at_the_other": seen.other_broken,
        "lost": seen.lost,
        "ready_again_s": round(ready_s, 1),
        "answers_again": reply.status_code == 200,
    }


async def _loaded(
    one: servers.Running, other: servers.Running, given: list[str]
) -> tuple[_Seen, int]:
    left = iter(enumerate(given))
    seen = _Seen()
    in_flight = 0
    async with httpx.AsyncClient(timeout=load.TIMEOUT_S) as client:

        async def work() -> None:
            for number, text in left:
                first, second = (one, other) if number % 2 else (other, one)
                answered = await _ask(client, seen, first, text, killed=other.url)
                if not answered:
                    answered = await _ask(client, seen, second, text, killed=other.url)
                seen.lost += not answered
                seen.done += 1

        async def kill() -> None:
            nonlocal in_flight
            while seen.done < BEFORE or not seen.under_way[other.url]:
                await asyncio.sleep(0.001)
            other.process.kill()
            in_flight = seen.under_way[other.url]

        await asyncio.gather(kill(), *(work() for _ in range(WORKERS)))
    return seen, in_flight


async def _ask(
    client: httpx.AsyncClient, seen: _Seen, server: servers.Running, text: str, *, killed: str
) -> bool:
    seen.under_way[server.url] += 1
    try:
        reply = await client.post(server.url + "/v1/extract", json={"text": text})
    except httpx.TransportError as error:
        seen.broken[type(error).__name__] += 1
        seen.other_broken += server.url != killed
        return False
    finally:
        seen.under_way[server.url] -= 1
    seen.answered[reply.status_code] += 1
    return reply.status_code not in BUSY
