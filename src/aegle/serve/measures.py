"""What Prometheus sees of the server: counts, seconds, queues and caches; no text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Measures:
    """One registry a server."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._seconds = Histogram(
            "aegle_request_seconds",
            "Time to answer",
            ["path"],
            registry=self.registry,
            buckets=_BUCKETS,
        )
        self._count = Counter(
            "aegle_requests", "Requests", ["path", "status"], registry=self.registry
        )
        self._held = Gauge(
            "aegle_held", "What the workspace holds", ["what"], registry=self.registry
        )

    def count(self, path: str, status: int, seconds: float) -> None:
        """A request that ended; ``path`` is a route's template."""
        self._seconds.labels(path).observe(seconds)
        self._count.labels(path, str(status)).inc()

    def held(self, what: str, value: float) -> None:
        """How much of something the workspace holds."""
        self._held.labels(what).set(value)

    def watch(self, name: str, about: str, value: Callable[[], float]) -> None:
        """Read a value whenever somebody looks."""
        Gauge(name, about, registry=self.registry).set_function(value)

    def shown(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self.registry)
