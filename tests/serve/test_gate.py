"""The gate alone: what the server cuts off when a drain took too long can be asked again."""

from __future__ import annotations

import asyncio
from pathlib import Path

from starlette.types import Message, Receive, Scope, Send

from aegle.flows import workspace
from aegle.serve.access import Access
from aegle.serve.audit import Audit
from aegle.serve.gate import Gate
from aegle.serve.measures import Measures


def test_what_is_cut_off_gets_an_error_to_retry(tmp_path: Path) -> None:
    workspace.create(tmp_path / "w")
    layout = workspace.check(tmp_path / "w")
    audit = Audit(layout.journal)
    gate = Gate(Access(layout, required=False), audit, Measures())
    sent: list[Message] = []

    async def endless(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.Event().wait()

    async def receive() -> Message:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    async def cut_off() -> None:
        scope: Scope = {"type": "http", "path": "/v1/ask", "method": "POST", "headers": []}
        asked = asyncio.create_task(gate.around(endless)(scope, receive, send))
        await asyncio.sleep(0.05)
        assert gate.in_flight == 1
        gate.draining = True
        asked.cancel()
        await asyncio.wait({asked})
        assert asked.cancelled()

    asyncio.run(cut_off())
    audit.close()
    assert sent[0]["status"] == 503
    assert dict(sent[0]["headers"])[b"retry-after"] == b"5"
    assert gate.in_flight == 0
    (path,) = layout.journal.glob("requests-*.jsonl")
    assert '"status": 503' in path.read_text()
