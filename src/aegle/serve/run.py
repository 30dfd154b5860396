"""Own a workspace and serve it: HTTP and console for people, the socket for other commands."""

from __future__ import annotations

import errno
import socket
import sys
import threading
import webbrowser
from typing import Final

import uvicorn

from aegle.core import observe, plugins
from aegle.core.errors import UsageError
from aegle.core.settings import Settings
from aegle.flows import commands, knowledge, settle, workspace
from aegle.flows.kit import Kit, open_kit
from aegle.flows.workspace import Layout
from aegle.serve.app import build_app
from aegle.serve.log import to_events

_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        reason = "is taken" if error.errno == errno.EADDRINUSE else f"({error.strerror})"
        raise UsageError(f"port {port} on {host} {reason}; choose another with --port") from error
    return listener


def _warm(kit: Kit) -> None:
    """Open what the first question needs, so that it need not wait."""
    with kit.lock:
        settle.repair(kit)
        kit.encoder.embed(["ready"])
        kit.index.count()
        kit.corpus.counts()
        knowledge.seeds(kit, "ready")


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
        listener = _bind(wanted.host, wanted.port)
        with listener, open_kit(layout, settings) as kit:
            _serve(kit, layout, listener)


def _serve(kit: Kit, layout: Layout, listener: socket.socket) -> None:
    wanted = kit.settings.serve
    app = build_app(kit)
    plugins.load("aegle.console.pages:attach")(app, kit)
    if wanted.host not in _LOOPBACK:
        observe.event("serving beyond this machine, without access control", level="warning")
    port = listener.getsockname()[1]
    host = f"[{wanted.host}]" if ":" in wanted.host else wanted.host
    url = f"http://{host}:{port}/"
    for_others = commands.serve_owner(kit, layout)
    for_others.start()
    warm = threading.Thread(target=_warm, args=(kit,), daemon=True)
    warm.start()
    sys.stdout.write(f"Aegle serves {layout.root} at {url}  (Ctrl-C ends)\n")
    sys.stdout.flush()
    if wanted.open_browser:
        webbrowser.open(url)
    try:
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="on")
        with to_events():
            uvicorn.Server(config).run(sockets=[listener])
    finally:
        for_others.stop()
        warm.join(timeout=30)
