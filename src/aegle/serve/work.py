"""What the server does with models: jobs in batches, results kept, replies in slots."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, Final

import numpy as np
from fastapi import Request
from numpy.typing import NDArray
from starlette.concurrency import run_in_threadpool

from aegle.core.errors import AegleError
from aegle.core.ports import Encoder
from aegle.flows import extracting
from aegle.flows.kit import Kit
from aegle.lm.encoder import first
from aegle.serve.batch import Batcher, tokens_of
from aegle.serve.cache import Cache
from aegle.serve.measures import Measures
from aegle.serve.route import Router
from aegle.serve.waiting import result

Vector = NDArray[np.float32]
_OVERHEAD: Final = 200
"""Bytes of a kept result's key and places, about."""
_READ_TOKENS: Final = 256
"""An encoder reads about so much of a text, however long; else a few long texts never had room."""


class Work:
    """The encoders of a kit behind batches and caches. Made before the app, closed after it."""

    def __init__(self, kit: Kit, measures: Measures, router: Router) -> None:
        self._kit, self._router = kit, router
        wanted = kit.settings.serve
        half = int(wanted.cache_mb * 500_000)
        self._facts: Cache[str] = Cache(half)
        self._vectors: Cache[Vector] = Cache(half)
        how = {"budget": wanted.batch_tokens, "room": wanted.queue_tokens}
        self._extracts: Batcher[tuple[str, str], tuple[str, dict[str, Any]]] = Batcher(
            "extract", self._read, aside=wanted.batch_tokens // 2, **how
        )
        self._embeds: Batcher[str, Vector] = Batcher("embed", self._embed, **how)
        measures.watch(
            "aegle_waiting_tokens_extract", "About what waits", lambda: self._extracts.waiting
        )
        measures.watch(
            "aegle_waiting_tokens_embed", "About what waits", lambda: self._embeds.waiting
        )
        _watch(measures, "results", self._facts)
        _watch(measures, "vectors", self._vectors)

    def _read(
        self, asked: Sequence[tuple[str, str]]
    ) -> list[tuple[str, dict[str, Any]] | AegleError]:
        # One lock around both: a result belongs to the tagger that is named beside it.
        with self._kit.lock:
            version = self._kit.tagger_version
            found = extracting.extract_texts(self._kit, asked, seen=self._router.offer)
        return [one if isinstance(one, AegleError) else (version, one) for one in found]

    def _embed(self, texts: Sequence[str]) -> list[Vector]:
        opened: Encoder | None = self._kit.__dict__.get("encoder")
        # Once it is open no lock is needed, which a long text may hold for seconds.
        return list((opened or self._opened()).embed(texts))

    def forget(self) -> None:
        """Empty the caches: what they rest on changed, or must be gone."""
        self._facts.clear()
        self._vectors.clear()

    def close(self) -> None:
        """Do what waits, and end."""
        self._extracts.close()
        self._embeds.close()

    async def encoder(self) -> Encoder:
        """The encoder; opened in a thread, since others may hold the kit's lock for long."""
        opened: Encoder | None = self._kit.__dict__.get("encoder")
        return await run_in_threadpool(self._opened) if opened is None else opened

    def _opened(self) -> Encoder:
        with self._kit.lock:
            return self._kit.encoder

    async def _version(self) -> str:
        """The tagger's; worked out in a thread the first time: it may read the model's files."""
        known: str | None = self._kit.__dict__.get("tagger_version")
        return await run_in_threadpool(self._worked_out) if known is None else known

    def _worked_out(self) -> str:
        with self._kit.lock:
            return self._kit.tagger_version

    async def extract(self, request: Request, text: str, domain: str) -> dict[str, Any]:
        """The facts of a text, see `aegle.flows.extracting.extract_text`."""
        told = request.scope["aegle"]
        told["items"] = 1
        arm = self._router.assign(request)
        if arm is not None and (other := await self._router.challenged(request, arm, text, domain)):
            return other
        told["model"] = version = await self._version()
        key, epoch = self._facts.key(version, domain, text), self._facts.epoch
        kept = self._facts.get(key)
        if kept is not None:
            told["cached"] = 1
            known: dict[str, Any] = json.loads(kept)
            return known
        future = self._extracts.submit(
            (text, domain),
            cost=tokens_of(text),
            deadline_s=self._kit.settings.serve.deadline_s,
        )
        made: tuple[str, dict[str, Any]] = await result(request, future)
        made_by, found = made
        told["model"] = made_by
        if made_by == version:
            shown = json.dumps(found)
            self._facts.put(key, shown, len(shown) + _OVERHEAD, epoch=epoch)
        return found

    async def embed(self, request: Request, texts: Sequence[str], dimensions: int) -> list[Vector]:
        """Unit vectors of texts, cut to ``dimensions`` numbers unless that is 0."""
        told = request.scope["aegle"]
        encoder = await self.encoder()
        told["items"], told["model"] = len(texts), encoder.name
        keys = [self._vectors.key(encoder.name, text) for text in texts]
        epoch = self._vectors.epoch
        found = [self._vectors.get(key) for key in keys]
        told["cached"] = sum(one is not None for one in found)
        missing = [place for place, one in enumerate(found) if one is None]
        waiting: list[Future[Vector]] = []
        try:
            for place in missing:
                future = self._embeds.submit(
                    texts[place],
                    cost=min(tokens_of(texts[place]), _READ_TOKENS),
                    deadline_s=self._kit.settings.serve.deadline_s,
                )
                waiting.append(future)
            for place, future in zip(missing, waiting, strict=True):
                vector = await result(request, future)
                found[place] = vector
                self._vectors.put(keys[place], vector, vector.nbytes + _OVERHEAD, epoch=epoch)
        except BaseException:
            for future in waiting:
                future.cancel()  # no half of a request is done for nobody
            raise
        whole = [one for one in found if one is not None]
        return list(first(np.stack(whole), dimensions)) if dimensions else whole


def _watch(measures: Measures, name: str, cache: Cache[Any]) -> None:
    measures.watch(f"aegle_cache_{name}_hits", "Found in the cache", lambda: cache.hits)
    measures.watch(f"aegle_cache_{name}_misses", "Made anew", lambda: cache.misses)
    measures.watch(f"aegle_cache_{name}_bytes", "Held by the cache", lambda: cache.used_bytes)
