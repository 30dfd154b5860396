"""Own a workspace and serve it: HTTP and console for people, the socket for other commands."""

from __future__ import annotations

import errno
import socket
import sys
import threading
import time
import webbrowser
from types import FrameType
from typing import Any, Final

import uvicorn

from aegle.core import observe, plugins
from aegle.core.errors import AegleError, UsageError
from aegle.core.settings import Settings
from aegle.flows import commands, extracting, keys, knowledge, settle, workspace
from aegle.flows.kit import Kit, open_kit
from aegle.flows.workspace import Layout
from aegle.serve.app import LOOPBACK, Server
from aegle.serve.gate import Gate
from aegle.serve.log import to_events

_LINGER_S: Final = 0.5
"""So long at least are new requests told to ask elsewhere, before the port is closed."""
_SOCKETS_S: Final = 5
"""How long the console's sockets may take to end."""
_CHANGES: Final = frozenset({"ingest", "forget", "reindex"})
"""Commands after which a result that was kept may be another, or must be gone."""


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()  # who reads the address may ask at once, and waits instead of failing
    except OSError as error:
        listener.close()
        reason = "is taken" if error.errno == errno.EADDRINUSE else f"({error.strerror})"
        raise UsageError(f"port {port} on {host} {reason}; choose another with --port") from error
    return listener


class _Draining(uvicorn.Server):
    """Told to end, it ends what was accepted and sends new requests away; told twice, it ends."""

    def __init__(
        self, config: uvicorn.Config, gate: Gate, drain_s: float, beside: Any = None
    ) -> None:
        super().__init__(config)
        self._gate, self._drain_s, self._told_at = gate, drain_s, 0.0
        self._beside = beside

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._beside is not None:
            await self._beside.start()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._beside is not None:
            await self._beside.stop(_LINGER_S)
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._gate.draining:
            super().handle_exit(sig, frame)
            return
        self._told_at = time.monotonic()
        self._gate.draining = True

    async def on_tick(self, counter: int) -> bool:
        if self._gate.draining:
            since_s = time.monotonic() - self._told_at
            done = since_s >= _LINGER_S and not self._gate.in_flight
            self.should_exit = self.should_exit or done or since_s >= self._drain_s
        return await super().on_tick(counter)


def _warm(kit: Kit, server: Server) -> None:
    """Open what the first question needs, so that it need not wait; then the server is ready."""
    try:
        with kit.lock:
            settle.repair(kit)
            kit.encoder.embed(["ready"])
            kit.index.count()
            kit.corpus.counts()
            knowledge.seeds(kit, "ready")
            extracting.extract_text(kit, "Takes warfarin 5 mg daily.")
            if kit.settings.answers.generate:
                _ = kit.generator
    except AegleError as error:
        kind = observe.Label(type(error).__name__)
        observe.event("warming up failed; the server stays unready", level="error", error=kind)
        return
    server.warm.set()


def serve(layout: Layout, settings: Settings) -> None:
    """Serve until interrupted.

    Raises:
        WorkspaceBusyError: another process owns the workspace.
        UsageError: the port is taken.
    """
    with workspace.try_own(layout, "serve") as owned:
        if not owned:
            raise workspace.busy(layout, 0)
        wanted = settings.serve
        _check_keys(layout, settings)
        listener = _bind(wanted.host, wanted.port)
        with listener, open_kit(layout, settings) as kit:
            _serve(kit, layout, listener)


def _check_keys(layout: Layout, settings: Settings) -> None:
    wanted = settings.serve
    beyond = wanted.host not in LOOPBACK and not wanted.open_reason
    if (beyond or wanted.require_keys) and not keys.read(layout):
        raise UsageError(
            f"on {wanted.host} every request needs a key, and there is none; make one: "
            "aegle keys add NAME (or give serve.open_reason, which is audited)"
        )


def _serve(kit: Kit, layout: Layout, listener: socket.socket) -> None:
    wanted = kit.settings.serve
    server = Server(kit)
    server.warm.clear()
    plugins.load("aegle.console.pages:attach")(server.app, kit)
    if wanted.host not in LOOPBACK and wanted.open_reason:
        kit.ledger.audit("served without keys", host=wanted.host, reason=wanted.open_reason)
        observe.event("serving beyond this machine, without access control", level="warning")
    port = listener.getsockname()[1]
    host = f"[{wanted.host}]" if ":" in wanted.host else wanted.host
    url = f"http://{host}:{port}/"

    def changed(command: str) -> None:
        if command in _CHANGES:
            server.work.forget()

    for_others = commands.serve_owner(kit, layout, after=changed)
    for_others.start()
    warm = threading.Thread(target=_warm, args=(kit, server), daemon=True)
    warm.start()
    beside = None
    if wanted.grpc_port:
        service = plugins.load("aegle.serve.oip_grpc:Service")
        beside = service(server.app, f"{host}:{wanted.grpc_port}")
    sys.stdout.write(f"Aegle serves {layout.root} at {url}  (Ctrl-C ends)\n")
    sys.stdout.flush()
    if wanted.open_browser:
        webbrowser.open(url)
    try:
        config = uvicorn.Config(
            server.app,
            log_config=None,
            access_log=False,
            lifespan="on",
            timeout_graceful_shutdown=_SOCKETS_S,
        )
        with to_events():
            _Draining(config, server.gate, wanted.drain_s, beside).run(sockets=[listener])
    finally:
        for_others.stop()
        warm.join(timeout=30)
        server.close()
