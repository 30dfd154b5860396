"""The last stage: a real ``aegle serve`` process that is asked over HTTP by an ordinary client."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx

from aegle.core.errors import BackendError, StoppedError, UsageError
from aegle.flows import workspace
from aegle.flows.parity_stage import answered, resident, text_of
from aegle.flows.parity_tasks import Ask

_READY_S: Final = 180.0
_ASKED_S: Final = 300.0
_ENDS_S: Final = 30.0
_SETTINGS: Final[Mapping[str, str]] = {
    "tagger": "knowledge.tagger",
    "encoder": "backends.encoder_model",
    "pair": "retrieve.rerank",
    "decoder": "backends.generator_model",
}
"""Kind -> what names it to the server."""


def measure(
    kind: str,
    folder: Path,
    asks: Sequence[Ask],
    threads: int,
    progress: Callable[[int, int], None],
    stop: Callable[[], bool],
) -> dict[str, Any]:
    """As `aegle.flows.parity_stage.measure`, over HTTP; memory is that of the whole server.

    Raises:
        BackendError: the server didn't start, or refused a request.
        StoppedError: ``stop`` said so.
    """
    try:
        with served(kind, folder, threads) as (url, process):
            client = _Client(kind, url, f"path:{folder.resolve()}")
            try:
                raw, times = answered(client, asks, progress, stop)
                return {"answers": raw, "ms": times, "memory_bytes": resident(process)}
            finally:
                client.close()
    except BackendError as error:
        if stop():  # Ctrl-C in a terminal reaches the server, too
            raise StoppedError("stopped; no certificate is written", resumes=False) from error
        raise


def check(kind: str) -> None:
    """Raises UsageError where the server has no endpoint for a kind."""
    if kind not in _SETTINGS:
        raise UsageError(
            f"aegle serve has no endpoint for a {kind} of its own; leave the stage out (--no-serve)"
        )


@contextmanager
def served(kind: str, folder: Path, threads: int) -> Iterator[tuple[str, int]]:
    """A server of this model in a workspace of its own, on a free port: its URL and process.

    Caches are off, since answers would come from there.

    Raises:
        BackendError: it ended, or wasn't ready in time.
    """
    with tempfile.TemporaryDirectory(prefix="aegle-parity-") as made:
        root = Path(made) / "workspace"
        workspace.create(root)
        command = [sys.executable, "-m", "aegle", "serve", "-w", str(root), "--port", "0"]
        settings = {
            _SETTINGS[kind]: f"path:{folder.resolve()}",
            "serve.cache_mb": "0",
            "backends.threads": str(threads),
        }
        for name, value in settings.items():
            command += ["--set", f"{name}={value}"]
        log = (Path(made) / "log").open("w+")
        with log:
            process = subprocess.Popen(  # noqa: S603 - our own command
                command, stdout=subprocess.PIPE, stderr=log, text=True
            )
            try:
                yield _ready(process, log), process.pid
            finally:
                process.terminate()
                try:
                    process.wait(_ENDS_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                if process.stdout:
                    process.stdout.close()


def _ready(process: subprocess.Popen[str], log: Any) -> str:
    assert process.stdout is not None
    words = process.stdout.readline().split()  # ends with the process, too
    url = next((one.rstrip("/") for one in words if one.startswith("http")), "")
    until = time.monotonic() + _READY_S
    while url and process.poll() is None and time.monotonic() < until:
        try:
            if httpx.get(f"{url}/readyz", trust_env=False).status_code == httpx.codes.OK:
                return url
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    log.seek(0)
    said = " ".join(log.read()[-600:].split())  # the server's log has no text of documents
    raise BackendError(f"the server of the model was not ready: {said or 'it said nothing'}")


class _Client:
    """Asks the endpoint of a kind."""

    def __init__(self, kind: str, url: str, model: str) -> None:
        self._ask = {
            "tagger": self._tags,
            "encoder": self._vector,
            "pair": self._ranks,
            "decoder": self._writes,
        }[kind]
        self._http = httpx.Client(base_url=url, timeout=_ASKED_S, trust_env=False)
        self._model = model

    def ask(self, ask: Ask) -> Any:
        return self._ask(ask)

    def close(self) -> None:
        self._http.close()

    def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        try:
            reply = self._http.post(path, json=body)
            found = reply.json()
        except (httpx.HTTPError, ValueError) as error:
            raise BackendError(f"{path} didn't answer ({type(error).__name__})") from error
        if reply.status_code != httpx.codes.OK:
            # Not its message: it might tell of the text.
            kind = found.get("error", {}).get("type", "") if isinstance(found, dict) else ""
            raise BackendError(f"{path} refused a request: {reply.status_code} {kind}".strip())
        return found

    def _tags(self, ask: Ask) -> Any:
        body: dict[str, Any] = {"texts": [ask.text], "head": ask.head}
        if ask.whole:
            best = self._post("/v1/classify", {**body, "top": 1})["results"][0][0]
            return best["label"], best["score"]
        told = self._post("/v1/tag", body)["results"][0]["spans"]
        return [(one["start"], one["end"], one["label"], one["score"]) for one in told]

    def _vector(self, ask: Ask) -> Any:
        body = {"model": self._model, "input": ask.text}
        return self._post("/v1/embeddings", body)["data"][0]["embedding"]

    def _ranks(self, ask: Ask) -> Any:
        body = {"query": ask.text, "documents": list(ask.passages)}
        told = self._post("/v1/rerank", body)["results"]
        return [row["relevance_score"] for row in sorted(told, key=lambda one: one["index"])]

    def _writes(self, ask: Ask) -> str:
        body: dict[str, Any] = {"model": self._model, "max_tokens": ask.most, "seed": 0}
        body |= (
            {"messages": [{"role": "user", "content": ask.text}]}
            if ask.chat
            else {"prompt": ask.text}
        )
        reply = self._post("/v1/chat/completions" if ask.chat else "/v1/completions", body)
        return text_of(reply, chat=ask.chat)
