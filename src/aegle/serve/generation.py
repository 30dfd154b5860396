"""The generator behind slots: so many write, so many wait, streams end with their listener."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

from aegle.core.errors import BackendError, BusyError, NotFoundError, UsageError
from aegle.core.ports import Generator
from aegle.flows import swapping
from aegle.flows.kit import Kit

_END: Final = object()


class Generations:
    """Raw replies of the generator in this process.

    One writes at a time: on two cores two replies side by side take as long as one after the
    other, and each of them longer. A generator on another machine isn't offered: it would get
    texts that were not de-identified.
    """

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self.name = kit.settings.backends.generator_model
        self._slot = asyncio.Semaphore(1)
        self._waits = 0
        self._lock = threading.Lock()
        self._using: dict[int, int] = {}
        self._retired: dict[int, Generator] = {}

    @property
    def waiting(self) -> int:
        """How many wait for the slot."""
        return self._waits

    @property
    def offered(self) -> bool:
        """Whether this process generates."""
        backends = self._kit.settings.backends
        return not backends.generator_url and backends.generator == "llamacpp"

    def swap(self, model: str) -> None:
        """Another model from the next reply on; the old one ends what it writes."""
        swapping.generator(self._kit, model, retire=self._retire)
        self.name = model

    def _retire(self, old: Generator) -> None:
        with self._lock:
            if self._using.get(id(old), 0):
                self._retired[id(old)] = old
                return
        old.close()

    def _lease(self) -> Generator:
        with self._kit.lock:
            model = self._kit.generator
            with self._lock:
                self._using[id(model)] = self._using.get(id(model), 0) + 1
        return model

    def _give_back(self, model: Generator) -> None:
        with self._lock:
            self._using[id(model)] -= 1
            if self._using[id(model)]:
                return
            del self._using[id(model)]
            old = self._retired.pop(id(model), None)
        if old is not None:
            old.close()

    async def _enter(self) -> None:
        wanted = self._kit.settings.serve
        if self._slot.locked() and self._waits >= wanted.queue_generations:
            raise BusyError("too many conversations wait; ask again later", retry_after_s=2.0)
        self._waits += 1
        try:
            await asyncio.wait_for(self._slot.acquire(), wanted.deadline_s)
        except TimeoutError as error:
            said = "the request waited longer than its deadline"
            raise BusyError(said, retry_after_s=2.0) from error
        finally:
            self._waits -= 1

    async def stream(self, body: Mapping[str, Any], *, chat: bool) -> AsyncIterator[dict[str, Any]]:
        """The pieces of a reply as llama.cpp makes them; leaving the iterator stops the model.

        Raises:
            BusyError: too many wait, or it waited too long.
            UsageError: llama.cpp refuses the body.
            BackendError: the model failed.
        """
        if not self.offered:
            raise NotFoundError("no generator runs in this process; ask the model aegle-rag")
        await self._enter()
        loop = asyncio.get_running_loop()
        heard: asyncio.Queue[Any] = asyncio.Queue()
        left = threading.Event()

        def tell(piece: Any) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(heard.put_nowait, piece)

        def hear(piece: Any) -> bool:
            tell(piece)
            return left.is_set()

        def work() -> None:
            try:
                if not left.is_set():
                    self._write(body, chat, hear)
                tell(_END)
            except Exception as error:
                tell(error)
            finally:
                # Not where the listener leaves: the model may still write its last token then.
                if not loop.is_closed():
                    loop.call_soon_threadsafe(self._slot.release)

        threading.Thread(target=work, name="aegle-generate", daemon=True).start()
        try:
            while (piece := await heard.get()) is not _END:
                if isinstance(piece, Exception):
                    raise piece
                yield checked(piece)
        finally:
            left.set()

    def _write(self, body: Mapping[str, Any], chat: bool, hear: Any) -> None:
        model = self._lease()
        try:
            relay = getattr(model, "relay", None)
            if relay is None:
                raise BackendError(f"{model.name} has no raw replies")
            relay({**body, "stream": True}, chat=chat, hear=hear)
        finally:
            self._give_back(model)


def checked(piece: dict[str, Any]) -> dict[str, Any]:
    """A piece that is no refusal.

    Raises:
        UsageError: llama.cpp refused the body; what it says may quote it, so its kind is told.
    """
    problem = piece.get("error") or (piece if "code" in piece else None)
    if problem is None:
        return piece
    kind = problem.get("type", "unknown")
    if kind == "exceed_context_size_error":
        raise UsageError(
            f"the conversation has {problem['n_prompt_tokens']} tokens, the generator holds "
            f"{problem['n_ctx']}"
        )
    if int(problem.get("code", 500)) < 500:
        raise UsageError("llama.cpp refuses this request: is its JSON schema one that it knows?")
    raise BackendError(f"llama.cpp failed ({kind})")


def together(pieces: list[dict[str, Any]], *, chat: bool) -> tuple[str, str, dict[str, Any]]:
    """Text, finish reason and usage of a reply whose stream ended."""
    text: list[str] = []
    why = "stop"
    usage: dict[str, Any] = {}
    for piece in pieces:
        for choice in piece.get("choices", ()):
            said = choice["delta"].get("content") if chat else choice.get("text")
            text.append(said or "")
            why = choice.get("finish_reason") or why
        usage = piece.get("usage") or usage
    return "".join(text), why, usage
