"""Tensors of the Open Inference Protocol: JSON, or JSON with bytes behind it.

Source: KServe's Open Inference Protocol V2, and Triton's extension for binary tensor data.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from aegle.core.errors import UsageError

HEADER: Final = "inference-header-content-length"
MOST_TEXTS: Final = 64
_LENGTH: Final = struct.Struct("<I")


@dataclass(frozen=True)
class Asked:
    """A request: texts by the names of inputs, parameters, and which outputs it wants.

    Attributes:
        texts: of each input, in order.
        parameters: of the request.
        outputs: names -> whether as bytes; empty for all.
        binary: whether outputs that aren't named come as bytes.
        id: told back.
    """

    texts: Mapping[str, list[str]]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, bool] = field(default_factory=dict)
    binary: bool = False
    id: str = ""


@dataclass(frozen=True)
class Output:
    """A tensor that is told: strings (BYTES), or floats (FP32) of a shape."""

    name: str
    values: list[str] | np.ndarray[Any, Any]

    @property
    def shape(self) -> list[int]:
        """As JSON has it."""
        return [len(self.values)] if isinstance(self.values, list) else list(self.values.shape)

    @property
    def datatype(self) -> str:
        """BYTES or FP32."""
        return "BYTES" if isinstance(self.values, list) else "FP32"

    def raw(self) -> bytes:
        """As bytes: each string behind its length, or little-endian floats."""
        if isinstance(self.values, list):
            return pack(one.encode() for one in self.values)
        return self.values.astype("<f4").tobytes()

    def plain(self) -> list[Any]:
        """As JSON, flattened."""
        if isinstance(self.values, list):
            return self.values
        return [float(one) for one in self.values.reshape(-1)]


def pack(values: Any) -> bytes:
    """Strings of bytes, each behind its length in 4 bytes, little-endian."""
    return b"".join(_LENGTH.pack(len(one)) + one for one in values)


def unpack(raw: bytes) -> list[bytes]:
    """The other way.

    Raises:
        UsageError: a length points behind the end.
    """
    found, at = [], 0
    while at < len(raw):
        if at + 4 > len(raw):
            raise UsageError("a BYTES tensor ends inside a length")
        (size,) = _LENGTH.unpack_from(raw, at)
        if at + 4 + size > len(raw):
            raise UsageError("a BYTES tensor ends inside a string")
        found.append(raw[at + 4 : at + 4 + size])
        at += 4 + size
    return found


def read(body: bytes, header_size: str | None) -> Asked:
    """A request's body.

    Args:
        body: JSON, with bytes behind it where ``header_size`` says so.
        header_size: the header `HEADER`.

    Raises:
        UsageError: it is no such request; never with a value of it.
    """
    size = len(body)
    if header_size is not None:
        if not header_size.isascii() or not header_size.isdigit() or int(header_size) > size:
            raise UsageError(f"the header {HEADER} must be at most the body's length")
        size = int(header_size)
    try:
        told = json.loads(body[:size])
    except (ValueError, RecursionError) as error:
        raise UsageError("the request is no JSON") from error
    if not isinstance(told, dict) or not isinstance(told.get("inputs"), list):
        raise UsageError("a request is an object with inputs")
    texts, at = {}, size
    for tensor in told["inputs"]:
        name, values, used = _input(tensor, body[at:])
        texts[name] = values
        at += used
    if at != len(body):
        raise UsageError("there are more bytes than the tensors take")
    parameters = _object(told, "parameters")
    return Asked(
        texts,
        parameters,
        {name: bool(how) for name, how in _outputs(told)},
        parameters.get("binary_data_output") is True,
        str(told.get("id", ""))[:200],
    )


def _input(tensor: Any, rest: bytes) -> tuple[str, list[str], int]:
    if not isinstance(tensor, dict) or not isinstance(tensor.get("name"), str):
        raise UsageError("an input is an object with a name")
    if tensor.get("datatype") != "BYTES":
        raise UsageError("inputs are texts: datatype BYTES")
    size = _object(tensor, "parameters").get("binary_data_size")
    if size is None:
        values = _flat(tensor.get("data"))
        used = 0
    else:
        if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size <= len(rest):
            raise UsageError("binary_data_size is more than the body holds")
        values, used = unpack(rest[:size]), size
    _check_shape(tensor.get("shape"), len(values))
    try:
        texts = [one.decode() if isinstance(one, bytes) else one for one in values]
        for one in texts:
            one.encode()
    except UnicodeError as error:
        raise UsageError("a text is no Unicode") from error
    if not 1 <= len(texts) <= MOST_TEXTS:
        raise UsageError(f"an input has 1 to {MOST_TEXTS} texts")
    return tensor["name"], texts, used


def _flat(data: Any) -> list[Any]:
    """Strings of a list, or of lists of them."""
    if not isinstance(data, list):
        raise UsageError("an input has data, a list, or binary_data_size")
    flat = [two for one in data for two in (one if isinstance(one, list) else [one])]
    if not all(isinstance(one, str) for one in flat):
        raise UsageError("data of BYTES are strings")
    return flat


def _check_shape(shape: Any, count: int) -> None:
    whole = isinstance(shape, list) and all(type(one) is int and one >= 0 for one in shape)
    if not whole or not 1 <= len(shape) <= 2 or (len(shape) == 2 and shape[1] != 1):
        raise UsageError("an input's shape is [texts] or [texts, 1]")
    if shape[0] != count:
        raise UsageError("an input's shape doesn't fit its data")


def _object(told: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = told.get(name) or {}
    if not isinstance(found, dict):
        raise UsageError(f"{name} must be an object")
    return found


def _outputs(told: Mapping[str, Any]) -> list[tuple[str, bool]]:
    found = told.get("outputs") or []
    if not isinstance(found, list) or not all(
        isinstance(one, dict) and isinstance(one.get("name"), str) for one in found
    ):
        raise UsageError("outputs are objects with names")
    return [(one["name"], _object(one, "parameters").get("binary_data") is True) for one in found]


def write(
    model: str, version: str, asked: Asked, outputs: Sequence[Output]
) -> tuple[bytes, dict[str, str]]:
    """A reply's body, and its headers.

    Raises:
        UsageError: an output is wanted that there is none of.
    """
    known = {one.name: one for one in outputs}
    if strange := [name for name in asked.outputs if name not in known]:
        raise UsageError(f"{len(strange)} wanted outputs are none of: {', '.join(known)}")
    wanted = asked.outputs or dict.fromkeys(known, asked.binary)
    told: list[dict[str, Any]] = []
    behind: list[bytes] = []
    for name, binary in wanted.items():
        one = known[name]
        tensor: dict[str, Any] = {"name": name, "datatype": one.datatype, "shape": one.shape}
        if binary:
            behind.append(one.raw())
            tensor["parameters"] = {"binary_data_size": len(behind[-1])}
        else:
            tensor["data"] = one.plain()
        told.append(tensor)
    head = {"model_name": model, "model_version": version, "outputs": told}
    body = json.dumps(head | ({"id": asked.id} if asked.id else {})).encode()
    if not behind:
        return body, {"content-type": "application/json"}
    headers = {"content-type": "application/octet-stream", HEADER: str(len(body))}
    return b"".join([body, *behind]), headers
