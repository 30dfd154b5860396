"""What each request passes before and after its answer: drain, key, size, metrics and audit."""

from __future__ import annotations

import asyncio
import secrets
import time
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aegle.core import observe
from aegle.core.errors import AegleError
from aegle.core.observe import Label
from aegle.flows.keys import Key
from aegle.serve.access import OPEN, Access, Denied
from aegle.serve.audit import Audit
from aegle.serve.failures import failure
from aegle.serve.measures import Measures

MAX_BODY_BYTES: Final = 2_000_000
_API: Final = ("/v1/", "/v2/", "/admin/")
_DRAIN_RETRY_S: Final = 5.0


class Gate:
    """ASGI middleware around the app; made before it, so that the server can drain it.

    Attributes:
        draining: set it, and new requests get 503 with Retry-After.
        in_flight: API requests that are being answered, streams included.
    """

    def __init__(self, access: Access, audit: Audit, measures: Measures) -> None:
        self.access, self.audit, self.measures = access, audit, measures
        self.draining = False
        self.in_flight = 0

    def around(self, app: ASGIApp) -> ASGIApp:
        """The app behind this gate."""

        async def gated(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] == "websocket":
                await self._socket(app, scope, receive, send)
            elif scope["type"] == "http":
                await self._http(app, scope, receive, send)
            else:
                await app(scope, receive, send)

        return gated

    async def _socket(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        told = Headers(scope=scope).get("authorization", "")
        if isinstance(self._checked(scope["path"], told), Denied):
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        await app(scope, receive, send)

    def _checked(self, path: str, authorization: str) -> Key | Denied | None:
        try:
            return self.access.check(path, authorization)
        except AegleError:
            observe.event("the keys can't be read", level="error")
            return Denied(503, "the server's keys can't be read; tell its operator", 60.0)

    async def _http(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        headers = Headers(scope=scope)
        refusal: Any = None
        who: Key | Denied | None = None
        if self.draining and path != "/healthz":
            said = "the server is being stopped; ask again in a moment"
            refusal = failure("StoppedError", said, 503, path=path, retry_after_s=_DRAIN_RETRY_S)
            refusal.headers["connection"] = "close"
        elif path not in OPEN:
            who = self._checked(path, headers.get("authorization", ""))
            refusal = _denied(who, path) if isinstance(who, Denied) else None
        if path in OPEN or (refusal is None and not path.startswith(_API)):
            await (refusal or app)(scope, receive, send)  # probes and pages: not audited
            return
        one = _One(self, scope, send, who if isinstance(who, Key) else None)
        self.in_flight += refusal is None
        try:
            if refusal is not None:
                await refusal(scope, receive, one.send)
            else:
                await one.answer(app, headers, receive)
        except asyncio.CancelledError:
            # The drain took too long and the server cuts off what is left: to be asked again.
            if not one.begun and self.draining:
                await _cut(path)(scope, receive, one.send)
            raise
        except Exception:
            one.fail()
            raise
        finally:
            self.in_flight -= refusal is None
            one.end()


class _One:
    """An API request on its way."""

    def __init__(self, gate: Gate, scope: Scope, send: Send, key: Key | None) -> None:
        self._gate, self._scope, self._send, self._key = gate, scope, send, key
        self._id = secrets.token_hex(8)
        self._started = time.perf_counter()
        self._status = self._in = self._out = 0
        self._whole = False
        scope["aegle"] = {"model": "", "items": 0, "cached": 0, "caller": key.sha256 if key else ""}

    async def answer(self, app: ASGIApp, headers: Headers, receive: Receive) -> None:
        declared = headers.get("content-length", "0")
        body = b""
        if not (declared.isdigit() and int(declared) > MAX_BODY_BYTES):
            found = await _read(receive)
            if found is None:
                return  # the client left before it had said what it wants
            body = found
        if len(body) > MAX_BODY_BYTES or (declared.isdigit() and int(declared) > MAX_BODY_BYTES):
            said = f"a body has at most {MAX_BODY_BYTES} bytes"
            reply = failure("UsageError", said, 413, path=self._scope["path"])
            await reply(self._scope, receive, self.send)
            return
        self._in = len(body)
        first: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def again() -> Message:
            return first.pop() if first else await receive()

        await app(self._scope, again, self.send)

    @property
    def begun(self) -> bool:
        """Whether some of the reply was sent."""
        return bool(self._status)

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            named = (b"x-request-id", self._id.encode())
            message = {**message, "headers": [*message.get("headers", ()), named]}
        elif message["type"] == "http.response.body":
            self._out += len(message.get("body", b""))
            self._whole = not message.get("more_body", False)
        await self._send(message)

    def fail(self) -> None:
        """What went wrong was not foreseen: the server answers 500 outside this gate."""
        self._status, self._whole = 500, True

    def end(self) -> None:
        """Count and audit it, whatever became of it; status 499 where the client left."""
        seconds = time.perf_counter() - self._started
        # The route's template, not the path asked for, which might hold an identifier.
        route = str(getattr(self._scope.get("route"), "path", _area(self._scope["path"])))
        told: dict[str, Any] = self._scope["aegle"]
        whole = self._whole or self._status >= 400
        status = 499 if told.get("left") or not whole else self._status
        self._gate.measures.count(route, status, seconds)
        self._gate.audit.write(
            id=self._id,
            key=self._key.name if self._key else None,
            role=self._key.role if self._key else None,
            what=route,
            model=told["model"],
            items=told["items"],
            cached=told["cached"],
            bytes_in=self._in,
            bytes_out=self._out,
            seconds=round(seconds, 6),
            status=status,
        )
        observe.event(
            "http.request",
            level="debug",
            id=Label(self._id),
            route=Label(route),
            status=status,
            seconds=seconds,
        )


def _cut(path: str) -> Any:
    said = "the server ended before this was done; ask again in a moment"
    return failure("StoppedError", said, 503, path=path, retry_after_s=_DRAIN_RETRY_S)


def _area(path: str) -> str:
    """What is told of a path that reached no route: it was refused, or there is none."""
    return next((area + "*" for area in _API if path.startswith(area)), "/*")


async def _read(receive: Receive) -> bytes | None:
    """The body, or a little more than the most that it may have; None when the client left."""
    parts: list[bytes] = []
    size = 0
    while size <= MAX_BODY_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if not message.get("more_body", False):
            break
    return b"".join(parts)


def _denied(why: Denied, path: str) -> Any:
    kind = {429: "BusyError", 503: "WorkspaceError"}.get(why.status, "AccessError")
    reply = failure(kind, why.message, why.status, path=path, retry_after_s=why.retry_after_s)
    if why.status == 401:
        reply.headers["www-authenticate"] = 'Basic realm="Aegle: the key is the password"'
    return reply
