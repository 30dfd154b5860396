"""One owner a workspace: a command runs here, or in the process that owns the workspace.

The owner (`aegle serve`) listens on a Unix socket inside the workspace. A request is one JSON line
``{"command", "params"}``; the replies are JSON lines: ``{"progress": [step, done, total]}`` as it
goes, then ``{"result"}`` or ``{"error": {"type", "message"}}``. The socket lies in a folder that
only the workspace's user can enter.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import socketserver
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from aegle.core import errors
from aegle.core.ports import Progress, quiet
from aegle.flows import workspace
from aegle.flows.workspace import Layout

_PATH_LIMIT: Final = 100
"""A Unix socket's path may have 108 bytes on Linux, 104 elsewhere."""

_POLL_S: Final = 0.1

Handler = Callable[[str, Mapping[str, Any], Progress], Any]


def socket_path(layout: Layout) -> Path:
    """Where the owner listens; in the temporary folder when the workspace's path is too long."""
    path = layout.journal / "owner.sock"
    if len(os.fsencode(path)) <= _PATH_LIMIT:
        return path
    digest = hashlib.sha256(os.fsencode(layout.root)).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"aegle-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise errors.WorkspaceError(
            f"{folder} belongs to another user; set TMPDIR to a folder of yours"
        )
    return folder / f"{digest}.sock"


class _GoneError(Exception):
    """The client hung up; the command stops at its next report of progress."""


class _Request(socketserver.StreamRequestHandler):
    server: OwnerServer

    def _send(self, message: Mapping[str, Any]) -> None:
        try:
            self.wfile.write(json.dumps(message).encode() + b"\n")
            self.wfile.flush()
        except OSError as error:
            raise _GoneError from error

    def handle(self) -> None:
        def progress(step: str, done: int, total: int | None = None) -> None:
            self._send({"progress": [step, done, total]})

        try:
            line = self.rfile.readline()
            if not line:
                return
            request = json.loads(line)
            result = self.server.handler(request["command"], request["params"], progress)
            self._send({"result": result})
        except _GoneError:
            return
        except errors.AegleError as error:
            self._fail(type(error).__name__, str(error))
        except Exception as error:
            # The message of an unforeseen error might quote a document: only its class leaves.
            self._fail("AegleError", f"the owner failed ({type(error).__name__}); see its log")

    def _fail(self, kind: str, message: str) -> None:
        try:
            self._send({"error": {"type": kind, "message": message}})
        except _GoneError:
            return


class OwnerServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Answers commands of other processes; ``start`` and ``stop`` it around the owner's life."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, layout: Layout, handler: Handler) -> None:
        self.handler = handler
        self.path = socket_path(layout)
        self.path.unlink(missing_ok=True)
        super().__init__(str(self.path), _Request)
        self.path.chmod(0o600)
        self._thread = threading.Thread(target=self.serve_forever, args=(_POLL_S,), daemon=True)

    def start(self) -> None:
        """Begin to answer, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and remove the socket."""
        self.shutdown()
        self.server_close()
        self.path.unlink(missing_ok=True)


def _error(found: Mapping[str, str]) -> errors.AegleError:
    kind = getattr(errors, found["type"], errors.AegleError)
    error = kind.__new__(kind)
    error.args = (found["message"],)
    assert isinstance(error, errors.AegleError)
    return error


def _connect(path: Path) -> socket.socket | None:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(str(path))
    except OSError:
        connection.close()
        return None
    return connection


def listens(layout: Layout) -> bool:
    """Whether an owner answers on the workspace's socket."""
    connection = _connect(socket_path(layout))
    if connection is None:
        return False
    connection.close()
    return True


def ask_owner(
    layout: Layout, command: str, params: Mapping[str, Any], progress: Progress = quiet
) -> tuple[bool, Any]:
    """Let the owner run a command: (True, its result), or (False, None) when nobody listens.

    Raises:
        AegleError: what the command raised there, as the same class.
        BackendError: the owner went away before it answered.
    """
    connection = _connect(socket_path(layout))
    if connection is None:
        return False, None
    with connection, connection.makefile("rwb") as stream:
        stream.write(json.dumps({"command": command, "params": dict(params)}).encode() + b"\n")
        stream.flush()
        for line in stream:
            message = json.loads(line)
            if "progress" in message:
                progress(*message["progress"])
            elif "error" in message:
                raise _error(message["error"])
            else:
                return True, message["result"]
    raise errors.BackendError(
        "the process that owns the workspace stopped before it answered; run the command again"
    )


def run(
    layout: Layout,
    command: str,
    params: Mapping[str, Any],
    here: Callable[[Progress], Any],
    *,
    wait_s: float,
    forward: bool = True,
    progress: Progress = quiet,
) -> Any:
    """Run a command as the owner, or through the owner; wait while somebody else works.

    Args:
        here: runs the command in this process, called while the workspace is owned.
        wait_s: how long to wait for an owner that does not listen.
        forward: whether an owner that listens may run it.

    Raises:
        UsageError: an owner listens, but ``forward`` is False.
        WorkspaceBusyError: the workspace did not get free in time.
    """
    deadline = time.monotonic() + wait_s
    while True:
        with workspace.try_own(layout, command) as owned:
            if owned:
                return here(progress)
        if not forward and listens(layout):
            raise errors.UsageError(
                "a server owns this workspace and has settings of its own; stop it, or leave out "
                "the settings on the command line"
            )
        done, result = ask_owner(layout, command, params, progress)
        if done:
            return result
        if time.monotonic() >= deadline:
            raise workspace.busy(layout, wait_s)
        time.sleep(_POLL_S)
