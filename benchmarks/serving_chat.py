"""Chat completions by Aegle and by llama.cpp's own server: overhead, first token, tokens/s."""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np

import serving_servers as servers
from aegle.lm.catalog import resolve

TOKENS: Final = 48
CONTEXT: Final = 4096
PREFIX: Final = (
    "You are a careful assistant of a hospital's security team. You answer in short sentences, "
    "name what you rely on, and say so when you do not know. " * 6
)


@dataclass(frozen=True)
class Reply:
    """Seconds to the first token and to the end, and how many tokens came."""

    first_s: float
    whole_s: float
    tokens: int


def chat(args: argparse.Namespace, workspace: Path) -> dict[str, Any]:
    """Both servers run; each question goes to both, first to the one, then to the other."""
    file = resolve("smollm2")
    about = {"file": str(file), "context": str(CONTEXT)}
    questions = [
        f"Name {number + 2} things that a nurse checks before a shift."
        for number in range(args.chats)
    ]
    rows: dict[str, list[Reply]] = {"aegle": [], "llama": []}
    cold: dict[str, list[Reply]] = {"aegle": [], "llama": []}
    with servers.aegle(workspace) as ours, servers.peer("llama", sys.executable, about) as bare:
        both = {"aegle": ours.url, "llama": bare.url}
        for url in both.values():
            _ask(url, "Say yes.", system=PREFIX)
        for number, question in enumerate(questions):
            for name in sorted(both, reverse=bool(number % 2)):
                rows[name].append(_ask(both[name], question, system=PREFIX))
        for number, question in enumerate(questions):
            for name in sorted(both, reverse=bool(number % 2)):
                fresh = f"Conversation {number}. {PREFIX}"
                cold[name].append(_ask(both[name], question, system=fresh))
    ratio = [
        a.whole_s / a.tokens / (b.whole_s / b.tokens) - 1
        for a, b in zip(rows["aegle"], rows["llama"], strict=True)
    ]
    return {
        "n": len(questions),
        "tokens": TOKENS,
        "overhead": _interval(ratio),
        "prefix_seen": {name: _told(some) for name, some in rows.items()},
        "prefix_new": {name: _told(some) for name, some in cold.items()},
    }


def _ask(url: str, question: str, *, system: str) -> Reply:
    body = {
        "model": "smollm2",
        "messages": [{"role": "system", "content": system}, {"role": "user", "content": question}],
        "max_tokens": TOKENS,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    began = time.perf_counter()
    first, tokens = 0.0, 0
    with httpx.stream("POST", url + "/v1/chat/completions", json=body, timeout=300) as reply:
        if reply.status_code != 200:
            raise SystemExit(f"serving: {url} answered {reply.status_code}: {reply.read()!r:.300}")
        for line in reply.iter_lines():
            if not line.startswith("data: {"):
                continue
            told = json.loads(line[6:])
            if told.get("choices") and told["choices"][0]["delta"].get("content"):
                first = first or time.perf_counter() - began
            if told.get("usage"):
                tokens = told["usage"]["completion_tokens"]
    return Reply(first, time.perf_counter() - began, max(1, tokens))


def _told(some: list[Reply]) -> dict[str, float]:
    return {
        "first_token_ms": round(1e3 * statistics.median(one.first_s for one in some), 1),
        "tokens_per_s": round(statistics.median(one.tokens / one.whole_s for one in some), 1),
    }


def _interval(values: list[float]) -> dict[str, float]:
    """The median, by a bootstrap over questions."""
    drawn = np.random.default_rng(0).choice(values, (2000, len(values)))
    low, high = np.percentile(np.median(drawn, axis=1), (2.5, 97.5))
    return {
        "value": round(statistics.median(values), 4),
        "low": round(float(low), 4),
        "high": round(float(high), 4),
    }
