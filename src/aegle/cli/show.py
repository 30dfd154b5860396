"""What a command shows: JSON on stdout, or lines for people; progress and errors on stderr."""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final, TextIO

if TYPE_CHECKING:
    from aegle.core.ports import Progress as Report

_SHOW_AFTER_S: Final = 2.0
"""A bar for less than this would only flicker."""

_PLAIN, _BOLD, _DIM = "", "1", "2"
"""Styles, as terminals know them."""


def say(text: str = "", *, style: str = _PLAIN, to: TextIO | None = None) -> None:
    """Print a line on stdout, or on another stream."""
    stream = to or sys.stdout
    styled = style and text and stream.isatty()
    stream.write(f"\x1b[{style}m{text}\x1b[0m\n" if styled else f"{text}\n")


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
    if not sys.stderr.isatty():
        yield lambda step, done, total=None: None
        return
    started: dict[str, float] = {}
    tasks: dict[str, Any] = {}
    shown: list[Any] = []
    with ExitStack() as stack:

        def report(step: str, done: int, total: int | None = None) -> None:
            began = started.setdefault(step, time.monotonic())
            if step not in tasks and time.monotonic() - began < _SHOW_AFTER_S:
                return
            if not shown:
                shown.append(stack.enter_context(bars()))
            if step not in tasks:
                tasks[step] = shown[0].add_task(step, total=total)
            shown[0].update(tasks[step], completed=done, total=total)

        yield report


def bars(*more: str) -> Any:
    """Bars on stderr, one a task, ended by what the task's fields of these names hold."""
    # rich takes longer to load than a short command to run: only what shows a bar or table loads it
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeRemainingColumn(),
        *(TextColumn(f"{{task.fields[{name}]}}") for name in more),
    )
    return Progress(*columns, console=Console(stderr=True), transient=True)


def note(message: str) -> None:
    """Say what is being done, on stderr."""
    say(message, to=sys.stderr)


def fail(message: str) -> None:
    """Say what went wrong, on stderr."""
    say(f"error: {message}", style=_BOLD, to=sys.stderr)


def fail_unforeseen(error: BaseException) -> None:
    """Say where an unforeseen error arose; not its message, which might quote a document."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    places = " < ".join(f"{frame.filename}:{frame.lineno}" for frame in reversed(frames))
    fail(f"unforeseen {type(error).__name__} at {places}; this is a bug of Aegle: please report it")


def pairs(result: dict[str, Any]) -> None:
    """Names and values, one a line."""
    for name, value in result.items():
        shown = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else value
        say(f"{name.replace('_', ' '):>14}  {shown}")


def table(rows: list[dict[str, Any]], *names: str) -> None:
    """Rows as a table with these columns."""
    from rich.console import Console
    from rich.table import Table

    shown = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        shown.add_column(name, overflow="fold")  # a path that is cut can't be opened
    for row in rows:
        shown.add_row(*(str(row[name]) for name in names))
    Console(highlight=False, soft_wrap=True).print(shown)


def answer(result: dict[str, Any]) -> None:
    """An answer with its citations under it, or a refusal."""
    if result["refusal"]:
        say(f"No answer: {result['refusal']}")
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
        say(f"{claim['text']} {''.join(marks)}")
    say()
    for note in notes:
        say(note, style=_DIM)


def hits(result: dict[str, Any]) -> None:
    """Hits, best first: why each was found, and its text on one line."""
    if result["added"]:
        names = "; ".join(f"{one['of']} = {', '.join(one['names'])}" for one in result["added"])
        say(f"Also searched for: {names}", style=_DIM)
    for place, hit in enumerate(result["hits"], 1):
        say(f"{place:>2}. {hit['title'] or hit['kind']}  ({', '.join(hit['via'])})")
        say(f"    {' '.join(hit['text'].split())[:240]}", style=_DIM)
        say(f"    {hit['document_id']} {hit['start']}-{hit['end']}", style=_DIM)


def facts(result: dict[str, Any]) -> None:
    """Entities and relations of a text."""
    entities = result["entities"]
    for one in entities:
        codes = " ".join(f"{c['system']}:{c['code']}" for c in one["concepts"])
        tag = "" if one["assertion"] == "present" else f" ({one['assertion']})"
        made = f"{one['score']:.2f} {one['extractor']}"
        place = f"{one['start']:>6}-{one['end']:<6}"
        say(f"{place} {one['type']:<15} {one['text']}{tag}  {made}  {codes}".rstrip())
    for one in result["relations"]:
        head, tail = entities[one["head"]]["text"], entities[one["tail"]]["text"]
        say(f"{head}  --{one['type']}->  {tail}")


def graph(result: dict[str, Any]) -> None:
    """Edges as sentences."""
    names = {node["key"]: node["name"] or node["key"] for node in result["nodes"]}
    for edge in result["edges"]:
        head = names.get(edge["head"], edge["head"])
        tail = names.get(edge["tail"], edge["tail"])
        tag = "" if edge["assertion"] == "present" else f" ({edge['assertion']})"
        say(f"{head}  --{edge['type']}->  {tail}{tag}")
    if not result["edges"]:
        say(f"{result['entity']['name']} has no relations.")
