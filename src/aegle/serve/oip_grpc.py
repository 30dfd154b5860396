"""The Open Inference Protocol V2 over gRPC: each call is a request of the HTTP app, in process.

So keys, rates, batches, caches, audit, limits and drain are the same; only the shape differs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

import grpc
import httpx
from google.protobuf.message import DecodeError

from aegle.core.errors import UsageError
from aegle.serve.oip_messages import MESSAGES, SERVICE
from aegle.serve.tensors import HEADER, pack

MAX_BYTES: Final = 4_000_000
_STATUS: Final = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    413: grpc.StatusCode.INVALID_ARGUMENT,
    422: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
}
_TIMEOUT_S: Final = 3600.0
"""The app ends requests by its own deadlines; this is only no infinity."""


class Service:
    """A gRPC server before an app.

    Args:
        app: the HTTP app (ASGI).
        address: ``host:port``; port 0 for any.

    Attributes:
        port: where it listens, once started.
    """

    def __init__(self, app: Any, address: str) -> None:
        self._address, self.port = address, 0
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(
            transport=transport, base_url="http://127.0.0.1", timeout=_TIMEOUT_S
        )
        self._server: Any = None

    async def start(self) -> None:
        """Listen, in the running loop.

        Raises:
            UsageError: the port is taken.
        """
        options = [("grpc.max_receive_message_length", MAX_BYTES), ("grpc.so_reuseport", 0)]
        self._server = grpc.aio.server(options=options)
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(self._handler(name)) for name in _ASKS
        }
        generic = grpc.method_handlers_generic_handler(SERVICE, handlers)
        self._server.add_generic_rpc_handlers((generic,))
        try:
            self.port = self._server.add_insecure_port(self._address)
        except RuntimeError as error:
            raise UsageError(f"{self._address} is taken; choose another grpc_port") from error
        await self._server.start()

    async def stop(self, grace_s: float) -> None:
        """Take nothing new, and end what was taken."""
        if self._server is not None:
            await self._server.stop(grace_s)
        await self._client.aclose()

    def _handler(self, name: str) -> Callable[[bytes, Any], Any]:
        ask = _ASKS[name]

        async def handled(raw: bytes, context: Any) -> bytes:
            try:
                # Parsed here: gRPC answers INTERNAL for what it can't parse itself.
                given = MESSAGES[f"{name}Request"].FromString(raw)
                method, path, body, headers = ask(given)
            except (DecodeError, UsageError) as error:
                said = str(error) if isinstance(error, UsageError) else "no such message"
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, said)
            told = dict(context.invocation_metadata() or ())
            headers = {**headers, "authorization": str(told.get("authorization", ""))}
            headers |= {k: str(told[k]) for k in ("traceparent", "x-aegle-unit") if k in told}
            reply = await self._client.request(method, path, content=body, headers=headers)
            if reply.status_code >= 400 and name not in ("ServerReady", "ModelReady"):
                await self._refused(context, reply)
            if reply.status_code >= 400 and reply.status_code != 503:
                await self._refused(context, reply)
            made: bytes = _REPLIES[name](reply).SerializeToString()
            return made

        return handled

    @staticmethod
    async def _refused(context: Any, reply: httpx.Response) -> None:
        if after := reply.headers.get("retry-after"):
            context.set_trailing_metadata((("retry-after", after),))
        status = _STATUS.get(reply.status_code, grpc.StatusCode.INTERNAL)
        try:
            said = str(reply.json()["error"])
        except (ValueError, KeyError, TypeError):
            said = "refused"
        await context.abort(status, said)


def _infer(given: Any) -> tuple[str, str, bytes, dict[str, str]]:
    body, size = _body(given)
    path = _path(given.model_name, given.model_version) + "/infer"
    return "POST", path, body, {HEADER: str(size)}


_ASKS: Final[dict[str, Callable[[Any], tuple[str, str, bytes, dict[str, str]]]]] = {
    "ServerLive": lambda given: ("GET", "/v2/health/live", b"", {}),
    "ServerReady": lambda given: ("GET", "/v2/health/ready", b"", {}),
    "ServerMetadata": lambda given: ("GET", "/v2", b"", {}),
    "ModelReady": lambda given: ("GET", _path(given.name, given.version) + "/ready", b"", {}),
    "ModelMetadata": lambda given: ("GET", _path(given.name, given.version), b"", {}),
    "ModelInfer": _infer,
}
"""Method, path, body and headers of the HTTP request that a message stands for."""


def _path(name: str, version: str) -> str:
    if not re.fullmatch(r"[\w.-]+", name) or not re.fullmatch(r"[\w.-]*", version):
        raise UsageError("a model's name and version have letters, digits, dots and dashes")
    return f"/v2/models/{quote(name)}" + (f"/versions/{quote(version)}" if version else "")


def _body(given: Any) -> tuple[bytes, int]:
    """The request as HTTP has it, all tensors as bytes, and the length of its JSON."""
    raw = list(given.raw_input_contents)
    if raw and len(raw) != len(given.inputs):
        raise UsageError("raw_input_contents has one entry for each input, or none")
    inputs, behind = [], []
    for place, one in enumerate(given.inputs):
        behind.append(raw[place] if raw else pack(one.contents.bytes_contents))
        inputs.append(
            {
                "name": one.name,
                "datatype": one.datatype,
                "shape": list(one.shape),
                "parameters": {"binary_data_size": len(behind[-1])},
            }
        )
    told = {
        "id": given.id,
        "inputs": inputs,
        "outputs": [
            {"name": one.name, "parameters": {"binary_data": True}} for one in given.outputs
        ],
        "parameters": {
            **{key: _value(one) for key, one in given.parameters.items()},
            "binary_data_output": True,
        },
    }
    head = json.dumps(told).encode()
    return b"".join([head, *behind]), len(head)


def _value(one: Any) -> Any:
    which = one.WhichOneof("parameter_choice")
    return getattr(one, which) if which else None


def _inferred(reply: httpx.Response) -> Any:
    size = int(reply.headers[HEADER])
    told, rest = json.loads(reply.content[:size]), reply.content[size:]
    made = MESSAGES["ModelInferResponse"](
        model_name=told["model_name"], model_version=told["model_version"], id=told.get("id", "")
    )
    for one in told["outputs"]:
        made.outputs.add(name=one["name"], datatype=one["datatype"], shape=one["shape"])
        length = one["parameters"]["binary_data_size"]
        made.raw_output_contents.append(rest[:length])
        rest = rest[length:]
    return made


def _model(reply: httpx.Response) -> Any:
    told = reply.json()
    made = MESSAGES["ModelMetadataResponse"](
        name=told["name"], versions=told["versions"], platform=told["platform"]
    )
    for side in ("inputs", "outputs"):
        for one in told[side]:
            getattr(made, side).add(**one)
    return made


_REPLIES: Final[dict[str, Callable[[httpx.Response], Any]]] = {
    "ServerLive": lambda reply: MESSAGES["ServerLiveResponse"](live=True),
    "ServerReady": lambda reply: MESSAGES["ServerReadyResponse"](ready=reply.status_code == 200),
    "ModelReady": lambda reply: MESSAGES["ModelReadyResponse"](ready=reply.status_code == 200),
    "ServerMetadata": lambda reply: MESSAGES["ServerMetadataResponse"](**reply.json()),
    "ModelMetadata": _model,
    "ModelInfer": _inferred,
}
