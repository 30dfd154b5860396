"""Rollouts in the server: a unit's version, the challenger's answers, the champion's instead."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from fastapi import Request
from prometheus_client import Counter, Histogram
from starlette.concurrency import run_in_threadpool

from aegle.core import observe
from aegle.core.errors import AegleError, NotFoundError, UsageError
from aegle.core.observe import Label
from aegle.core.records import Document
from aegle.flows import extracting, rolling
from aegle.flows.derive import Reader
from aegle.flows.kit import Kit
from aegle.flows.rollout_state import Rollout
from aegle.serve import assign
from aegle.serve.assign import Assigned
from aegle.serve.batch import Batcher, tokens_of
from aegle.serve.measures import Measures
from aegle.serve.shadow import Shadow
from aegle.serve.waiting import result

if TYPE_CHECKING:
    from aegle.lm.tagger import Tagger

UNIT: Final = "x-aegle-unit"
_LONGEST: Final = 200
_END_S: Final = 5.0
_ARMS: Final = ("champion", "challenger")
Facts = dict[str, Any]


@dataclass(slots=True)
class _Job:
    """A text for the challenger; whether it failed is counted once, by who sees it first."""

    text: str
    domain: str
    counted: bool = False


class _Watched:
    """A tagger of which is known since when it reads; what follows its reading isn't its fault."""

    def __init__(self, tagger: Tagger) -> None:
        self._tagger = tagger
        self.heads, self.classifiers = tagger.heads, tagger.classifiers
        self.since: float | None = None

    def read(self, texts: Sequence[str], **how: Any) -> Any:
        """As the tagger."""
        self.since = time.monotonic()
        try:
            return self._tagger.read(texts, **how)
        finally:
            self.since = None


class Router:
    """The rollout of a kit, as requests meet it. Made before the app, closed after it.

    Args:
        idle: whether no request is being answered.
    """

    def __init__(self, kit: Kit, measures: Measures, *, idle: Callable[[], bool]) -> None:
        self._kit = kit
        wanted = kit.settings
        self._patience_s = wanted.rollout.patience_s
        try:
            rolling.current(kit)
        except AegleError as error:
            # The champion serves as before; `aegle rollout status` says what is wrong.
            kit.__dict__["rollout"] = None
            kind = Label(type(error).__name__)
            observe.event("the rollout's state can't be read: it is off", level="error", error=kind)
        self._shadow = Shadow(kit, idle)
        self._jobs: Batcher[_Job, tuple[str, Facts] | None] = Batcher(
            "challenger",
            self._read,
            budget=wanted.serve.batch_tokens,
            room=wanted.serve.queue_tokens,
        )
        self._reads: _Watched | None = None
        self._answered = Counter(
            "aegle_rollout_requests",
            "By the version that the unit was assigned to, and the one that answered",
            ["assigned", "answered"],
            registry=measures.registry,
        )
        self._seconds = Histogram(
            "aegle_rollout_seconds",
            "Time to answer a unit, by the version that answered",
            ["answered"],
            registry=measures.registry,
        )
        _watch(measures, self)

    def current(self) -> Rollout | None:
        """The rollout; None where there is none."""
        found = self._kit.__dict__.get("rollout")
        return None if found is None else found[0]

    def close(self) -> None:
        """End; a challenger that hangs is left behind."""
        ending = threading.Thread(target=self._jobs.close, daemon=True)
        ending.start()
        ending.join(_END_S)
        self._shadow.close()

    def offer(self, documents: Sequence[Document], *, counted: bool = False) -> None:
        """Let the shadow have safe documents, while there is a rollout; returns at once.

        ``counted``: whether the challenger fails at them was counted already.
        """
        rollout = self.current()
        if rollout is not None and rollout.running:
            self._shadow.offer(documents, counted=counted)

    def assign(self, request: Request) -> Assigned | None:
        """The version of a request's unit, with the id for its reply; None without a rollout.

        The unit is the caller's key with the header X-Aegle-Unit, either alone where the other
        is missing; a request with neither is a unit of its own.

        Raises:
            UsageError: the header is too long.
        """
        rollout = self.current()
        if rollout is None or not rollout.running or not rollout.share:
            return None
        unit = request.headers.get(UNIT, "")
        if len(unit) > _LONGEST:
            raise UsageError(f"{UNIT} has at most {_LONGEST} characters; a pseudonym will do")
        told = request.scope["aegle"]
        named = f"{told['caller']} {unit}" if told["caller"] or unit else secrets.token_hex(16)
        found = assign.assigned(rollout.secret, named, rollout.share)
        told["rollout"] = found.token(rollout.secret)
        return found

    def feedback(self, token: str, score: float) -> bool:
        """Count feedback for a reply's id; False where its unit was counted, or all has ended.

        Raises:
            NotFoundError: no reply of this rollout has the id.
        """
        rollout = self.current()
        found = assign.opened(rollout.secret, token) if rollout else None
        if rollout is None or found is None:
            raise NotFoundError("no reply of the rollout that runs has this id")
        return rollout.feedback(
            found.unit.hex(), score, challenger=found.challenger, share=found.share
        )

    async def challenged(
        self, request: Request, arm: Assigned, text: str, domain: str
    ) -> Facts | None:
        """The challenger's facts for a unit of its own; None where the champion is to answer."""
        told = request.scope["aegle"]
        told["assigned"], told["answered"] = _ARMS[arm.challenger], "champion"
        if not arm.challenger:
            return None
        found: tuple[str, Facts] | None = None
        job = _Job(text, domain)
        try:
            # A job that isn't begun when the patience ends is late, too: so let it wait longer.
            late_s = 2 * self._patience_s
            future = self._jobs.submit(job, cost=tokens_of(text), deadline_s=late_s)
            found = await result(request, future, within_s=self._patience_s)
        except TimeoutError:
            if self._slow():
                await run_in_threadpool(self._count, job, True)
        except Exception as error:
            if told.get("left"):
                raise
            # Whatever it was (too much waits, a text that can't be read): the champion answers,
            # or says what is wrong.
            kind = Label(type(error).__name__)
            observe.event("the challenger did not answer", level="debug", error=kind)
        if found is None:
            return None
        told["answered"] = "challenger"
        told["model"], facts = found
        return facts

    def replied(self, request: Request, seconds: float) -> str:
        """Count a reply by its versions; the id for its header, empty where there is none."""
        told = request.scope["aegle"]
        if "rollout" not in told:
            return ""
        self._answered.labels(told["assigned"], told["answered"]).inc()
        self._seconds.labels(told["answered"]).observe(seconds)
        return str(told["rollout"])

    def _slow(self) -> bool:
        """Whether it is the challenger that took the time, and not what came before or after it."""
        since = self._reads.since if self._reads is not None else None
        return since is not None and time.monotonic() - since >= self._patience_s / 2

    def _count(self, job: _Job, failed: bool) -> None:
        """Note how the challenger did; that it can't be noted must not fail a request."""
        rollout = self.current()
        if rollout is None or job.counted:
            return
        job.counted = True
        try:
            rollout.error(failed)
        except Exception as error:  # of whatever kind: the status changed before
            kind = Label(type(error).__name__)
            observe.event("a rollout can't be written", level="error", error=kind)

    def _read(self, asked: Sequence[_Job]) -> list[tuple[str, Facts] | AegleError | None]:
        """Facts by the challenger; None where it failed, or is no longer asked.

        The champion's tagger looks for identifiers, as ever: the challenger sees safe text only.
        """
        found = self._kit.__dict__.get("rollout")
        if found is None or found[1] is None or not found[0].running:
            return [None] * len(asked)
        safe = extracting.prepared(self._kit, [(one.text, one.domain) for one in asked])
        both = [
            (job, one) for job, one in zip(asked, safe, strict=True) if isinstance(one, Document)
        ]
        live = found[1].live
        self._reads = _Watched(live.tagger)
        told = iter(self._read_safe(Reader(cast("Tagger", self._reads), live.version), both))
        self.offer([one for _, one in both], counted=True)
        return [next(told) if isinstance(one, Document) else one for one in safe]

    def _read_safe(
        self, reader: Reader, asked: Sequence[tuple[_Job, Document]]
    ) -> list[tuple[str, Facts] | None]:
        try:
            read = extracting.read(self._kit, [document for _, document in asked], reader)
        except Exception as error:  # in whatever way it failed, the champion answers
            if len(asked) != 1:
                return [one for each in asked for one in self._read_safe(reader, [each])]
            kind = Label(type(error).__name__)
            observe.event("the challenger failed at a request", level="warning", error=kind)
            self._count(asked[0][0], True)
            return [None]
        for job, _ in asked:
            self._count(job, False)
        return [(reader.version, one) for one in read]


def _watch(measures: Measures, router: Router) -> None:
    shadow = router._shadow

    def share() -> float:
        rollout = router.current()
        return rollout.share if rollout is not None and rollout.running else 0.0

    measures.watch("aegle_rollout_share", "Of units that get the challenger", share)
    measures.watch("aegle_shadow_read", "Texts that were compared", lambda: shadow.read)
    measures.watch("aegle_shadow_failed", "The challenger failed", lambda: shadow.failed)
    measures.watch("aegle_shadow_dropped", "Not compared", lambda: shadow.dropped)
    measures.watch("aegle_shadow_waiting", "Texts that wait", lambda: shadow.waiting)
