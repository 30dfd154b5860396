"""What a command shows: JSON on stdout, or lines for people; progress and errors on stderr."""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console

if TYPE_CHECKING:
    from aegle.core.ports import Progress as Report

_SHOW_AFTER_S: Final = 2.0
"""A bar for less than this would only flicker."""

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def emit(result: Any, as_json: bool, render: Callable[[Any], None]) -> None:
    """Print a result as one JSON value, or by ``render`` for people."""
    if as_json:
        sys.stdout.write(json.dumps(result, ensure_ascii=False) + "\n")
        sys.stdout.flush()
    else:
        render(result)


@contextmanager
def bar() -> Iterator[Report]:
    """Progress on a terminal's stderr, a bar for each step that takes over two seconds."""
    if not err.is_terminal:
        yield lambda step, done, total=None: None
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(),
    )
    started: dict[str, float] = {}
    with Progress(*columns, console=err, transient=True) as shown:
        tasks: dict[str, Any] = {}

        def report(step: str, done: int, total: int | None = None) -> None:
            began = started.setdefault(step, time.monotonic())
            if step not in tasks and time.monotonic() - began < _SHOW_AFTER_S:
                return
            if step not in tasks:
                tasks[step] = shown.add_task(step, total=total)
            shown.update(tasks[step], completed=done, total=total)

        yield report


def note(message: str) -> None:
    """Say what is being done, on stderr."""
    err.print(message, markup=False)


def fail(message: str) -> None:
    """Say what went wrong, on stderr."""
    err.print(f"error: {message}", markup=False, style="bold red" if err.is_terminal else None)


def fail_unforeseen(error: BaseException) -> None:
    """Say where an unforeseen error arose; not its message, which might quote a document."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    places = " < ".join(f"{frame.filename}:{frame.lineno}" for frame in reversed(frames))
    fail(f"unforeseen {type(error).__name__} at {places}; this is a bug of Aegle: please report it")


def pairs(result: dict[str, Any]) -> None:
    """Names and values, one a line."""
    for name, value in result.items():
        shown = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else value
        out.print(f"{name.replace('_', ' '):>14}  {shown}", markup=False)


def table(rows: list[dict[str, Any]], *names: str) -> None:
    """Rows as a table with these columns."""
    from rich.table import Table

    shown = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        shown.add_column(name)
    for row in rows:
        shown.add_row(*(str(row[name]) for name in names))
    out.print(shown)


def answer(result: dict[str, Any]) -> None:
    """An answer with its citations under it, or a refusal."""
    if result["refusal"]:
        out.print(f"No answer: {result['refusal']}", markup=False)
        return
    number = 0
    notes: list[str] = []
    for claim in result["claims"]:
        marks = []
        for citation in claim["citations"]:
            number += 1
            marks.append(f"[{number}]")
            place = f"{citation['document_id']} {citation['start']}-{citation['end']}"
            notes.append(f"  [{number}] {place}  {' '.join(citation['text'].split())}")
        out.print(f"{claim['text']} {''.join(marks)}", markup=False)
    out.print()
    for note in notes:
        out.print(note, markup=False, style="dim")


def hits(result: dict[str, Any]) -> None:
    """Hits, best first: why each was found, and its text on one line."""
    for place, hit in enumerate(result["hits"], 1):
        out.print(
            f"{place:>2}. {hit['title'] or hit['kind']}  ({', '.join(hit['via'])})", markup=False
        )
        out.print(f"    {' '.join(hit['text'].split())[:240]}", markup=False, style="dim")
        out.print(
            f"    {hit['document_id']} {hit['start']}-{hit['end']}", markup=False, style="dim"
        )


def facts(result: dict[str, Any]) -> None:
    """Entities and relations of a text."""
    entities = result["entities"]
    for one in entities:
        codes = " ".join(f"{c['system']}:{c['code']}" for c in one["concepts"])
        tag = "" if one["assertion"] == "present" else f" ({one['assertion']})"
        line = f"{one['start']:>6}-{one['end']:<6} {one['type']:<15} {one['text']}{tag}  {codes}"
        out.print(line, markup=False)
    for one in result["relations"]:
        head, tail = entities[one["head"]]["text"], entities[one["tail"]]["text"]
        out.print(f"{head}  --{one['type']}->  {tail}", markup=False)


def graph(result: dict[str, Any]) -> None:
    """Edges as sentences."""
    names = {node["key"]: node["name"] or node["key"] for node in result["nodes"]}
    for edge in result["edges"]:
        head = names.get(edge["head"], edge["head"])
        tail = names.get(edge["tail"], edge["tail"])
        tag = "" if edge["assertion"] == "present" else f" ({edge['assertion']})"
        out.print(f"{head}  --{edge['type']}->  {tail}{tag}", markup=False)
    if not result["edges"]:
        out.print(f"{result['entity']['name']} has no relations.", markup=False)
