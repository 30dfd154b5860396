"""Bodies that no client should send, to every endpoint: never 5xx, never a traceback."""

from __future__ import annotations

import argparse
import json
import random
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any, Final

import httpx

import serving_servers as servers

ODD: Final[tuple[Any, ...]] = (
    *(None, True, -1, 0, 1e308, 10**40, "", " ", "\x00", "\ud800", "a" * 5000, [], {}, [[]]),
    *([None], {"a": {}}, "../../etc/passwd", "'; DROP TABLE x", "NaN", 2**63, -0.0, "🜂" * 9),
)
RAW: Final = (
    *(b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"text":', b"NaN", b'{"text": NaN}'),
    *(b"[" * 9000, b'{"a":' * 3000, b'"\\ud800"', b"\x00" * 40, b'{"text":"\\ud800"}'),
)


def malformed(args: argparse.Namespace, workspace: Path) -> dict[str, Any]:
    """Statuses by hundreds, what was wrong, and schemathesis' own verdict where it is there."""
    with servers.aegle(workspace) as ours:
        with httpx.Client(base_url=ours.url, timeout=120) as client:
            told, wrong = fuzzed(client, args.malformed)
        found: dict[str, Any] = {"n": sum(told.values()), "statuses": dict(told), "wrong": wrong}
        found["schemathesis"] = _schemathesis(ours.url, args.peer_python)
        alive = httpx.get(ours.url + "/readyz").status_code == 200
    return {**found, "alive": alive}


def fuzzed(client: httpx.Client, count: int, *, seed: int = 0) -> tuple[Counter[str], list[str]]:
    """Statuses by hundreds of so many bodies, and which endpoints failed or showed a traceback."""
    drawn = random.Random(seed)
    told: Counter[str] = Counter()
    wrong: list[str] = []
    schema = client.get("/openapi.json").json()
    asked = [
        (path, method, _sample(schema, one))
        for path, methods in schema["paths"].items()
        for method, one in methods.items()
        # A swap of a model changes the server for all that follow.
        if method in ("get", "post", "put", "delete") and path != "/admin/models"
    ]
    for _ in range(count):
        path, method, body = drawn.choice(asked)
        reply = _ask(client, drawn, path, method, body)
        told[f"{reply.status_code // 100}xx"] += 1
        if reply.status_code >= 500 or "Traceback" in reply.text:
            wrong.append(f"{method} {path} {reply.status_code}")
    return told, sorted(set(wrong))


def _ask(
    client: httpx.Client, drawn: random.Random, path: str, method: str, body: Any
) -> httpx.Response:
    place = str(drawn.choice(ODD))[:200].encode("ascii", "ignore").decode().replace("\x00", "%00")
    where = path.replace("{document_id}", place or "x")
    if "{" in where:
        where = "/".join(place or "x" if "{" in one else one for one in where.split("/"))
    headers = {"content-type": drawn.choice(("application/json",) * 8 + ("text/plain", "x", ""))}
    if method == "get":
        query = {drawn.choice(("entity", "hops", "limit", "to", "q")): str(place) for _ in range(2)}
        return client.get(where, params=query)
    if drawn.random() < 0.3:
        content = drawn.choice(RAW)
    else:
        content = json.dumps(_bent(drawn, body)).encode()
        if drawn.random() < 0.2:
            cut = drawn.randrange(len(content) + 1)
            content = content[:cut] + bytes([drawn.randrange(256)]) + content[cut + 1 :]
    return client.request(method.upper(), where, content=content, headers=headers)


def _bent(drawn: random.Random, value: Any) -> Any:
    """A body with something odd somewhere, or a field too many or too few."""
    if isinstance(value, dict) and value and drawn.random() < 0.85:
        bent = dict(value)
        key = drawn.choice(list(bent))
        kind = drawn.random()
        if kind < 0.15:
            del bent[key]
        elif kind < 0.25:
            bent[drawn.choice(("", "extra", "__class__"))] = drawn.choice(ODD)
        else:
            bent[key] = _bent(drawn, bent[key])
        return bent
    if isinstance(value, list) and value and drawn.random() < 0.5:
        place = drawn.randrange(len(value))
        return [*value[:place], _bent(drawn, value[place]), *value[place + 1 :]]
    return drawn.choice(ODD)


def _sample(schema: dict[str, Any], operation: dict[str, Any]) -> Any:
    content = operation.get("requestBody", {}).get("content", {})
    shape = next(iter(content.values()), {}).get("schema", {})
    return _value(schema, shape, 0)


def _value(schema: dict[str, Any], shape: dict[str, Any], depth: int) -> Any:
    """A small value that a schema allows."""
    if "$ref" in shape:
        named = schema["components"]["schemas"][shape["$ref"].rsplit("/", 1)[1]]
        return _value(schema, named, depth + 1) if depth < 6 else {}
    for word in ("anyOf", "oneOf", "allOf"):
        if word in shape:
            return _value(schema, shape[word][0], depth + 1)
    if "enum" in shape or "const" in shape or "default" in shape:
        return shape.get("default", shape.get("const", (shape.get("enum") or [None])[0]))
    kind = shape.get("type", "object")
    if kind == "object":
        return {
            key: _value(schema, one, depth + 1) for key, one in shape.get("properties", {}).items()
        }
    if kind == "array":
        return [_value(schema, shape.get("items", {}), depth + 1)]
    return {"string": "fever", "integer": 1, "number": 0.5, "boolean": False}.get(kind)


def _schemathesis(url: str, python: str) -> dict[str, Any] | None:
    """Its exit code (0: nothing found) and how many cases; null where it isn't installed."""
    tool = Path(python).with_name("schemathesis")
    if not tool.exists():
        return None
    command = [str(tool), "run", f"{url}/openapi.json", "--checks", "not_a_server_error"]
    command += ["--max-examples", "40", "--seed", "1", "--exclude-path", "/admin/models"]
    with tempfile.TemporaryDirectory() as scratch:  # it leaves a folder where it runs
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=scratch)
    cases = re.search(r"(\d+) generated", done.stdout)
    if done.returncode:
        print(done.stdout[-3000:], file=sys.stderr)
    return {"exit": done.returncode, "cases": int(cases[1]) if cases else None}
