"""Waiting for what is made for a client, for as long as the client waits."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import Any

from fastapi import Request

from aegle.core.errors import StoppedError


async def result(request: Request, future: Future[Any], *, within_s: float | None = None) -> Any:
    """What a future becomes; cancelled when the client leaves before it is begun.

    Raises:
        StoppedError: the client left.
        TimeoutError: it took longer than ``within_s``.
    """
    return await until_left(request, asyncio.wrap_future(future), within_s=within_s)


async def until_left(
    request: Request, made: asyncio.Future[Any], *, within_s: float | None = None
) -> Any:
    """What is made for a client; cancelled when the client leaves, or it takes too long.

    Raises:
        StoppedError: the client left.
        TimeoutError: it took longer than ``within_s``.
    """
    left = asyncio.create_task(_left(request))
    try:
        await asyncio.wait({made, left}, timeout=within_s, return_when=asyncio.FIRST_COMPLETED)
        if made.done():
            return made.result()
        if not left.done():
            raise TimeoutError
        request.scope["aegle"]["left"] = 1
        raise StoppedError("the client left", resumes=False)
    finally:
        made.cancel()
        left.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
