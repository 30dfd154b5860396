"""How the HTTP API says what went wrong: our shape, and OpenAI's on OpenAI's paths."""

from __future__ import annotations

import math
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from aegle.core import observe
from aegle.core.errors import AegleError, BusyError

OPENAI: Final = ("/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/models")
_KINDS: Final = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


def is_openai(path: str) -> bool:
    """Whether a path speaks OpenAI's language."""
    return path.startswith(OPENAI)


def failure(
    kind: str, message: str, status: int, *, path: str = "", retry_after_s: float = 0.0
) -> JSONResponse:
    """An error in the shape that clients of the path know."""
    body: dict[str, Any] = {"type": kind, "message": message, "status": status}
    if is_openai(path):
        fallback = "server_error" if status >= 500 else "invalid_request_error"
        kind = _KINDS.get(status, fallback)
        body = {"message": message, "type": kind, "param": None, "code": None}
    if path.startswith("/v2/"):  # the Open Inference Protocol's shape
        return JSONResponse({"error": message}, status_code=status, headers=_later(retry_after_s))
    return JSONResponse({"error": body}, status_code=status, headers=_later(retry_after_s))


def _later(retry_after_s: float) -> dict[str, str] | None:
    return {"retry-after": str(math.ceil(retry_after_s))} if retry_after_s else None


def _told(error: dict[str, Any]) -> str:
    """What is wrong with a request, without its values: they may hold what a patient said."""
    # The name of a field that there is none of is a value, too; so is a key of a mapping.
    place = error["loc"][:-1] if error["type"] == "extra_forbidden" else error["loc"]
    return f"{'.'.join(map(str, place))}: {error['msg']}"


def attach(app: FastAPI) -> None:
    """Let every error of the app end in one of the shapes."""

    @app.exception_handler(AegleError)
    async def known(request: Request, error: AegleError) -> JSONResponse:
        later = error.retry_after_s if isinstance(error, BusyError) else 0.0
        if error.http_status == 503:
            later = 5.0
        kind = type(error).__name__
        path = request.url.path
        return failure(kind, str(error), error.http_status, path=path, retry_after_s=later)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        path = request.url.path
        said = "; ".join(map(_told, error.errors()))
        return failure("UsageError", said, 400 if is_openai(path) else 422, path=path)

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> JSONResponse:
        path = request.url.path
        return failure("UsageError", str(error.detail), error.status_code, path=path)

    @app.exception_handler(Exception)
    async def unforeseen(request: Request, error: Exception) -> JSONResponse:
        observe.event("unforeseen", level="error", error=observe.Label(type(error).__name__))
        said = f"unforeseen {type(error).__name__}; this is a bug of Aegle: report it"
        return failure("AegleError", said, 500, path=request.url.path)
