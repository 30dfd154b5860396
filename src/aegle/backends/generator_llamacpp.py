"""Generator by llama.cpp in this process: a GGUF file, no server to run."""

from __future__ import annotations

import os
import queue
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import xllamacpp  # type: ignore[import-untyped]  # it ships no types

from aegle.core.errors import BackendError, InputError, NotFoundError, UsageError
from aegle.lm import lora
from aegle.lm.catalog import cache_folder, resolve
from aegle.lm.chat import request

CONTEXT_TOKENS: Final = 4096
"""Most tokens of a conversation with its reply; more memory for more."""


class LlamaCppGenerator:
    """An `aegle.core.ports.Generator`. The chat template is the one inside the file.

    Temperature 0 takes the likeliest token each time: the same conversation, the same reply.

    Args:
        model: a GGUF file, a folder that holds one, a folder with a LoRA adapter of PEFT's (whose
            base is fetched, `aegle.lm.lora`), or a reference for `aegle.lm.catalog.resolve`.
        threads: 0 for all cores.
        context: most tokens of a conversation with its reply.

    Raises:
        NotFoundError: no such file.
        InputError: it is no GGUF file that llama.cpp can load.
        UsageError: an adapter that llama.cpp has no form for; the message says what to do.
    """

    def __init__(
        self, model: Path | str, *, threads: int = 0, context: int = CONTEXT_TOKENS
    ) -> None:
        path = model if isinstance(model, Path) else resolve(model)
        file, adapter = _adapted(path) if lora.is_adapter(path) else (_gguf(path), None)
        shown = file.stem if adapter is None else f"{file.stem}+{path.name}"
        self.name = f"llamacpp:{model if isinstance(model, str) else shown}"
        try:
            self._server: Any = xllamacpp.Server(_params(file, threads, context, adapter))
        except RuntimeError as error:
            raise InputError(_unloaded(path, file, adapter)) from error
        # A server that is ended before its loop has begun never ends (xllamacpp 2026.10.11549): the
        # first reply tells that it has begun.
        self.generate([{"role": "user", "content": "a"}], max_tokens=1)

    def generate(
        self,
        messages: Sequence[Mapping[str, str]],
        *,
        max_tokens: int,
        seed: int = 0,
        temperature: float = 0.0,
        stop: Sequence[str] = (),
    ) -> str:
        """The reply to a conversation.

        Raises:
            UsageError: the conversation is none.
            BackendError: it does not fit into the context, or the model failed.
        """
        body = request(
            messages,
            max_tokens=max_tokens,
            seed=seed,
            temperature=temperature,
            stop=stop,
            stream=False,
        )
        reply = self._ask(body)
        return str(reply["choices"][0]["message"]["content"] or "")

    def stream(
        self,
        messages: Sequence[Mapping[str, str]],
        *,
        max_tokens: int,
        seed: int = 0,
        temperature: float = 0.0,
        stop: Sequence[str] = (),
    ) -> Iterator[str]:
        """The same reply in pieces; who stops listening stops the model."""
        body = request(
            messages,
            max_tokens=max_tokens,
            seed=seed,
            temperature=temperature,
            stop=stop,
            stream=True,
        )
        for piece in _pieces(lambda hear: self._ask(body, hear)):
            choices = piece.get("choices")
            if choices and (text := choices[0]["delta"].get("content")):
                yield text

    def relay(
        self, body: Mapping[str, Any], *, chat: bool, hear: Callable[[Any], bool] | None = None
    ) -> dict[str, Any] | None:
        """What llama.cpp's own OpenAI server replies to a body, which the caller has checked.

        Args:
            chat: a conversation; else a prompt to go on from.
            hear: gets each piece of a stream, and stops the model by returning True.

        Raises:
            BackendError: the model failed, or the generator is closed. What llama.cpp refuses is a
                reply with ``error``; its message may quote the body.
        """
        server = self._server
        if server is None:
            raise BackendError("the generator is closed; open it again")
        ask = server.handle_chat_completions if chat else server.handle_completions
        try:
            if hear is None:
                reply: dict[str, Any] = ask(dict(body))
                return reply
            ask(dict(body), hear)
        except ValueError:
            refused = {"error": {"code": 400, "type": "invalid_request_error"}}
            if hear is None:
                return refused
            hear(refused)
        except (RuntimeError, TypeError) as error:
            raise BackendError(f"llama.cpp failed ({type(error).__name__})") from error
        return None

    def close(self) -> None:
        """Free the model's memory; calling it twice is harmless."""
        self._server = None

    def _ask(self, body: dict[str, Any], hear: Callable[[Any], bool] | None = None) -> Any:
        server = self._server
        if server is None:
            raise BackendError("the generator is closed; open it again")
        # A reused prompt is cut into other batches, which changes the sums' last bits and, now and
        # then, a token: without the cache a seed is a promise.
        body = {**body, "cache_prompt": False}
        try:
            if hear is not None:
                return server.handle_chat_completions(body, hear)
            reply = server.handle_chat_completions(body)
        except (RuntimeError, ValueError, TypeError) as error:
            raise BackendError(f"llama.cpp failed ({type(error).__name__})") from error
        _check(reply)
        return reply


def _pieces(ask: Callable[[Callable[[Any], bool]], Any]) -> Iterator[dict[str, Any]]:
    """What ``ask`` reports to its callback, as an iterator that can be left at any time."""
    heard: queue.SimpleQueue[Any] = queue.SimpleQueue()
    left = threading.Event()
    end = object()

    def hear(piece: Any) -> bool:
        heard.put(piece)
        return left.is_set()

    def work() -> None:
        try:
            ask(hear)
            heard.put(end)
        except BackendError as error:
            heard.put(error)

    thread = threading.Thread(target=work, name="aegle-generate", daemon=True)
    thread.start()
    try:
        while (piece := heard.get()) is not end:
            if isinstance(piece, BackendError):
                raise piece
            _check(piece)
            yield piece
    finally:
        left.set()
        thread.join()


def _check(reply: Any) -> None:
    problem = reply.get("error") or (reply if "code" in reply else None)
    if problem is None:
        return
    if problem.get("type") == "exceed_context_size_error":
        raise BackendError(
            f"the conversation has {problem['n_prompt_tokens']} tokens, the generator holds "
            f"{problem['n_ctx']}; give fewer or shorter passages"
        )
    raise BackendError(f"llama.cpp refused the request ({problem.get('type', 'unknown')})")


def _adapted(folder: Path) -> tuple[Path, Path]:
    """A base and the adapter over it, both GGUF."""
    reference = lora.base_of(folder)
    base = resolve(reference)
    try:
        file = _gguf(base)
    except (NotFoundError, InputError) as error:
        raise UsageError(
            f"{folder} is an adapter on {reference}, which is no GGUF file; {lora.INSTEAD}"
        ) from error
    return file, lora.as_gguf(folder, file, cache_folder())


def _unloaded(path: Path, file: Path, adapter: Path | None) -> str:
    if adapter is None:
        return f"llama.cpp can't load {file}; is it damaged?"
    return (
        f"llama.cpp can't load {file} with the adapter {path}; was it trained on this base? If it "
        f"was, {adapter} may be damaged: remove it, it is made anew"
    )


def _gguf(path: Path) -> Path:
    if path.is_dir():
        files = sorted(path.glob("*.gguf"))
        if len(files) != 1:
            raise NotFoundError(f"{path} holds {len(files)} GGUF files; name one of them")
        path = files[0]
    if not path.is_file():
        raise NotFoundError(f"{path}: there is no such file")
    with path.open("rb") as file:
        if file.read(4) != b"GGUF":
            raise InputError(f"{path} is not a GGUF file")
    return path


def _params(file: Path, threads: int, context: int, adapter: Path | None) -> Any:
    params = xllamacpp.CommonParams()
    params.model.path = str(file)
    if adapter is not None:
        params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(adapter), 1.0)]
    params.n_ctx = context
    params.n_parallel = 1
    cores = threads or os.cpu_count() or 1
    # Two threads on two cores generate slower than one, as each waits for the other; reading a
    # prompt gains from all cores. Threads that poll while waiting starve the rest.
    params.cpuparams.n_threads = max(1, cores // 2)
    params.cpuparams_batch.n_threads = cores
    params.cpuparams.poll = params.cpuparams_batch.poll = 0
    params.verbosity = -1
    params.warmup = False
    # xllamacpp always listens on a port of this machine. Nobody else learns this key, so that no
    # other user of the machine can ask the model or look at what it is asked.
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [secrets.token_urlsafe(32)]
    params.endpoint_slots = params.endpoint_props = params.endpoint_metrics = False
    params.ui = False
    return params
