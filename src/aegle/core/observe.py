"""Structured events and timed spans that can't carry a document's text.

A field of an event is a number, a truth value, `SafeText`, or a `Label` (a word that code chose).
A plain `str` is refused, so that no log line can leak what a patient said. Events go to stderr,
as lines for people or as JSON, and to OpenTelemetry where it is configured.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

from aegle.core.errors import PrivacyError
from aegle.core.plugins import load
from aegle.core.text import SafeText


class Label(str):
    """A word chosen by code, such as a step's or an error class's name; never taken from data."""

    __slots__ = ()


Field = int | float | bool | SafeText | Label | None
Sink = Callable[[dict[str, Field]], None]

LEVELS: Final = ("debug", "info", "warning", "error")


def to_people(event: dict[str, Field]) -> None:
    """Write an event to stderr as a line for people."""
    fields = {k: v for k, v in event.items() if k not in ("event", "level", "at")}
    shown = " ".join(f"{k}={_short(v)}" for k, v in fields.items())
    sys.stderr.write(f"{event['level']}: {event['event']} {shown}".rstrip() + "\n")


def to_json(event: dict[str, Field]) -> None:
    """Write an event to stderr as one JSON object."""
    sys.stderr.write(json.dumps(event) + "\n")


def _short(value: Field) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


_sinks: list[Sink] = [to_people]
_threshold = [LEVELS.index("warning")]


def configure(*sinks: Sink, level: str = "warning") -> None:
    """Send events of ``level`` and above to these sinks, replacing those before."""
    _sinks[:] = sinks
    _threshold[0] = LEVELS.index(level)


def event(name: str, *, level: str = "info", **fields: Field) -> None:
    """Record that something happened.

    Raises:
        PrivacyError: a field is a plain string, which might have come from a document.
    """
    for key, value in fields.items():
        if isinstance(value, str) and not isinstance(value, SafeText | Label):
            raise PrivacyError(
                f"field {key!r} of event {name!r} is a plain string; pass a number, a Label chosen "
                "by code, or SafeText"
            )
    if LEVELS.index(level) < _threshold[0]:
        return
    now = Label(datetime.now(UTC).isoformat(timespec="milliseconds"))
    record: dict[str, Field] = {"at": now, "level": Label(level), "event": Label(name), **fields}
    for sink in _sinks:
        sink(record)


@contextmanager
def span(name: str, **fields: Field) -> Iterator[None]:
    """Time a step; records its seconds, and the error's class when it fails."""
    started = time.perf_counter()
    try:
        yield
    except BaseException as error:
        took = time.perf_counter() - started
        event(name, level="debug", seconds=took, error=Label(type(error).__name__), **fields)
        raise
    event(name, level="debug", seconds=time.perf_counter() - started, **fields)


def open_telemetry(endpoint: str, service: str = "aegle") -> Sink:
    """A sink that sends each event as an OpenTelemetry span over OTLP/HTTP.

    Raises:
        MissingExtraError: the telemetry extra is not installed.
    """
    provider = load("opentelemetry.sdk.trace:TracerProvider")(
        resource=load("opentelemetry.sdk.resources:Resource").create({"service.name": service})
    )
    exporter = load("opentelemetry.exporter.otlp.proto.http.trace_exporter:OTLPSpanExporter")
    processor = load("opentelemetry.sdk.trace.export:BatchSpanProcessor")
    provider.add_span_processor(processor(exporter(endpoint=endpoint)))
    tracer = provider.get_tracer("aegle")

    def send(record: dict[str, Field]) -> None:
        end_ns = time.time_ns()
        seconds = record.get("seconds")
        took_ns = int(seconds * 1e9) if isinstance(seconds, float) else 0
        attributes = {k: v for k, v in record.items() if v is not None}
        one = tracer.start_span(
            str(record["event"]), start_time=end_ns - took_ns, attributes=attributes
        )
        one.end(end_time=end_ns)

    return send
