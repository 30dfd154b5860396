"""The OpenTelemetry sink sends events to a real OTLP endpoint."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from aegle.core import observe

pytest.importorskip("opentelemetry.sdk", reason="needs the telemetry extra")


def test_spans_reach_a_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")  # ms; it sends every 5 s otherwise
    got: list[bytes] = []
    arrived = threading.Event()

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(self.rfile.read(int(self.headers["content-length"])))
            self.send_response(200)
            self.end_headers()
            arrived.set()

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Collector)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        sink = observe.open_telemetry(f"http://127.0.0.1:{server.server_port}/v1/traces")
        sink({"event": observe.Label("ingest"), "documents": 7, "seconds": 0.5})
        assert arrived.wait(15), "no span arrived"
    finally:
        server.shutdown()
        server.server_close()
    assert b"ingest" in got[0]
    assert b"documents" in got[0]
