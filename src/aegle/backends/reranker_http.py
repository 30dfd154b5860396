"""Reranker behind HTTP: what speaks as Cohere, as Jina (vLLM, Infinity) or as Hugging Face TEI."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx
import numpy as np

from aegle.core.errors import BackendError, PrivacyError, UsageError
from aegle.core.ports import Scores
from aegle.core.text import SafeText

_ATTEMPTS: Final = 3
_FIRST_WAIT_S: Final = 0.5
_LONGEST_WAIT_S: Final = 8.0
_BUSY: Final = frozenset({408, 429, 500, 502, 503, 504})
"""What may pass by itself; everything else is answered the same the next time."""


@dataclass(frozen=True, slots=True)
class Wire:
    """How a service wants to be asked, and where its answer holds the scores.

    Attributes:
        path: the end of its address.
        passages, score: what it calls them.
        host: whose it is; an address of this host needs no path.
        results: the key of the list; empty where the answer is that list.
        batch: most passages in one request.
        fixed: what else it is told.
    """

    path: str
    passages: str
    score: str
    host: str
    results: str
    batch: int
    fixed: Mapping[str, Any]


WIRES: Final = {
    # https://docs.cohere.com/reference/rerank
    "cohere": Wire(
        "/v2/rerank", "documents", "relevance_score", "api.cohere.com", "results", 1000, {}
    ),
    # https://api.jina.ai/redoc
    "jina": Wire(
        "/v1/rerank",
        "documents",
        "relevance_score",
        "api.jina.ai",
        "results",
        1000,
        {"return_documents": False},
    ),
    # https://huggingface.github.io/text-embeddings-inference; 32 is its --max-client-batch-size
    "tei": Wire(
        "/rerank",
        "texts",
        "score",
        "",
        "",
        32,
        {"raw_scores": False, "return_text": False, "truncate": True},
    ),
}


class HttpReranker:
    """An `aegle.core.ports.Reranker`. What it sends leaves this machine: safe text only.

    Args:
        url: the service's address, with or without the path of its format.
        format: a name of `WIRES`, or ``auto``: by the path or the host of the address.
        model: the name under which the service knows its model; Cohere and Jina want one.
        api_key: sent as a bearer token when given.
        timeout_s: how long to wait for the service at each step.
        wait: called with the seconds before a further try.

    Raises:
        UsageError: the address is none, its format can't be told, or a model is not named.
    """

    def __init__(
        self,
        url: str,
        *,
        format: str = "auto",
        model: str = "",
        api_key: str = "",
        timeout_s: float = 20,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        address = _address(url)
        self.format = format_of(address) if format == "auto" else format
        if self.format not in WIRES:
            raise UsageError(
                f"the format of a rerank service is {', '.join(WIRES)} or auto; got {format!r}"
            )
        self._wire = WIRES[self.format]
        if not model and self.format != "tei":
            raise UsageError(f"{self.format} wants to know the model: set retrieve.rerank_model")
        path = address.path.rstrip("/")
        if not path.endswith("/rerank"):
            version = self._wire.path.removesuffix("/rerank")
            path = f"{path.removesuffix(version) if version else path}{self._wire.path}"
        self._url = address.copy_with(path=path)
        self._where = str(self._url.copy_with(username=None, password=None, query=None))
        self._model = model
        self._wait = wait
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._client = httpx.Client(headers=headers, timeout=timeout_s)
        self.name = f"{self.format}:{model or address.host}"

    def score(self, question: str, passages: Sequence[SafeText]) -> Scores:
        """The relevance of each passage, as the service tells it.

        Raises:
            PrivacyError: a passage is not known to be de-identified.
            BackendError: the service did not answer as it should.
        """
        if not all(isinstance(one, SafeText) for one in passages):
            raise PrivacyError(
                "a rerank service gets de-identified passages only; pass them through "
                "corpus.redact first"
            )
        if self._client.is_closed:
            raise BackendError("the reranker is closed; open it again")
        scores_N = np.empty(len(passages), np.float32)
        for start in range(0, len(passages), self._wire.batch):
            part = [str(one) for one in passages[start : start + self._wire.batch]]
            scores_N[start : start + len(part)] = self._ask(question, part)
        return scores_N

    def close(self) -> None:
        """Close the connections; calling it twice is harmless."""
        self._client.close()

    def _ask(self, question: str, passages: Sequence[str]) -> list[float]:
        body: dict[str, Any] = {"query": question, self._wire.passages: list(passages)}
        body |= self._wire.fixed
        if self._model and self.format != "tei":
            body |= {"model": self._model, "top_n": len(passages)}
        try:
            told = json.loads(self._post(body).content)
        except ValueError as error:
            raise BackendError(f"the reranker at {self._where} sent no JSON") from error
        return self._read(told, len(passages))

    def _post(self, body: Mapping[str, Any]) -> httpx.Response:
        """The answer of the first try that was answered, of three with longer and longer waits."""
        for attempt in range(1, _ATTEMPTS + 1):
            pause = _FIRST_WAIT_S * 2 ** (attempt - 1)
            cause: httpx.HTTPError | None = None
            try:
                response = self._client.post(self._url, json=body)
            except httpx.TimeoutException as error:
                problem, cause = "did not answer in time; is it busy?", error
            except httpx.HTTPError as error:
                problem = f"did not answer ({type(error).__name__}); is it running?"
                cause = error
            else:
                if response.is_success:
                    return response
                problem = _refusal(response.status_code)
                if response.status_code not in _BUSY:
                    raise BackendError(f"the reranker at {self._where} {problem}")
                pause = _asked_wait(response.headers.get("Retry-After", ""), pause)
            if attempt == _ATTEMPTS:
                raise BackendError(f"the reranker at {self._where} {problem}") from cause
            self._wait(pause)
        raise AssertionError("the last try returns or raises")

    def _read(self, told: Any, num: int) -> list[float]:
        """The scores in the order of the passages; each must have one."""
        try:
            rows = told[self._wire.results] if self._wire.results else told
            found = {int(row["index"]): float(row[self._wire.score]) for row in rows}
        except (KeyError, TypeError, ValueError) as error:
            raise BackendError(
                f"the reranker at {self._where} does not answer as {self.format} does; is "
                "retrieve.rerank_format right?"
            ) from error
        if set(found) != set(range(num)) or not all(map(math.isfinite, found.values())):
            raise BackendError(
                f"the reranker at {self._where} did not score each of {num} passages once"
            )
        return [found[place] for place in range(num)]


def format_of(address: httpx.URL) -> str:
    """The format that the path or host of an address stands for.

    Raises:
        UsageError: it stands for none.
    """
    path = address.path.rstrip("/")
    for name, wire in WIRES.items():  # in the order of the table: every path ends in TEI's
        if path.endswith(wire.path) or (wire.host and address.host == wire.host):
            return name
    raise UsageError(
        f"the address of host {address.host!r} does not say what it speaks: let it end in "
        f"{', '.join(wire.path for wire in WIRES.values())}, or set retrieve.rerank_format"
    )


def _address(url: str) -> httpx.URL:
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise UsageError("the address of the rerank service is none") from error
    if address.scheme not in ("http", "https") or not address.host:
        raise UsageError("the address of a rerank service starts with http:// or https://")
    return address


def _refusal(status: int) -> str:
    # The service's own message is left out: some quote what they were sent.
    hints = {
        400: "it does not take such requests; are format and model right?",
        401: "the API key is missing or wrong",
        403: "the API key may not use this model",
        404: "it knows no such model or address",
        413: "that was too much at once; lower retrieve.rerank_top",
        422: "it does not take such requests; are format and model right?",
        424: "its model is no reranker",
        429: "it has too much to do",
    }
    return f"answered {status}" + (f": {hints[status]}" if status in hints else "")


def _asked_wait(retry_after: str, otherwise: float) -> float:
    """The seconds that a service asks to wait; a date counts as none, an hour as the most."""
    seconds = float(retry_after) if retry_after.isdigit() else otherwise
    return min(seconds, _LONGEST_WAIT_S)
