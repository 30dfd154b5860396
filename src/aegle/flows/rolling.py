"""Rollouts of a tagger: begun, grown, stopped, shown; the models that take part, and evidence."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aegle.core import observe, plugins
from aegle.core.artifacts import sha256_tree
from aegle.core.errors import AegleError, NotFoundError, UsageError
from aegle.core.observe import Label
from aegle.core.records import Document, Facts
from aegle.evaluate.rollout import Plan, Trial
from aegle.flows import extracting
from aegle.flows.derive import Reader, facts_of_all
from aegle.flows.kit import Kit
from aegle.flows.rollout_state import Listed, Rollout, Side
from aegle.metrics.stats import percentile

if TYPE_CHECKING:
    from aegle.registry.store import Registry

_TRIED: Final = "Denies chest pain. Takes warfarin 5 mg daily."
_LEAST_PAIRS: Final = 100
"""Times that latency's evidence rests on, at least."""


class Models:
    """The readers of a rollout, opened beside the kit's own tagger.

    Attributes:
        live: the challenger, for requests. The champion's is the kit's own.
        champion, challenger: for the shadow, on one thread each, so that a core stays free.
    """

    def __init__(self, kit: Kit, rollout: Rollout) -> None:
        opens = plugins.load("aegle.lm.tagger:Tagger")
        champion, challenger = rollout.champion, rollout.challenger

        def opened(side: Side, threads: int) -> Reader:
            # Closed when the last who reads by it lets go, and not under his hands.
            return Reader(opens(Path(side.folder), threads=threads), side.version)

        self.champion, self.challenger = opened(champion, 1), opened(challenger, 1)
        self.live = opened(challenger, kit.settings.backends.threads)
        with kit.lock:  # what all of them need of the kit is opened here, once and locked
            asked = [(_TRIED, domain) for domain in kit.packs]
            documents = [
                one for one in extracting.prepared(kit, asked) if isinstance(one, Document)
            ]
            for reader in (self.champion, self.challenger, self.live):
                extracting.read(kit, documents, reader)


def current(kit: Kit) -> tuple[Rollout, Models | None] | None:
    """The rollout of an open kit, with its models while it runs; None where there is none.

    Raises:
        WorkspaceError: its file is damaged.
    """
    with kit.lock:
        if "rollout" not in kit.__dict__:
            rollout = Rollout.restored(kit.layout.journal, _telling(kit))
            kit.__dict__["rollout"] = None
            if rollout is not None:
                kit.__dict__["rollout"] = (rollout, _resumed(kit, rollout))
        found: tuple[Rollout, Models | None] | None = kit.__dict__["rollout"]
        return found


def _resumed(kit: Kit, rollout: Rollout) -> Models | None:
    """Models of a rollout that a former process began; it ends where they are others now."""
    if not rollout.running:
        return None
    try:
        if served(kit).digest != rollout.champion.digest:
            rollout.stop("the server reads by another champion")
        elif sha256_tree(Path(rollout.challenger.folder)) != rollout.challenger.digest:
            rollout.stop("the challenger's files are others")
        else:
            return Models(kit, rollout)
    except Exception as error:  # whatever is wrong with a challenger, the champion is served
        rollout.stop(f"a model can't be opened ({type(error).__name__})")
    return None


def _telling(kit: Kit) -> Callable[..., None]:
    def told(what: str, **about: Any) -> None:
        kit.ledger.audit(what, **about)
        level = "warning" if "rolled back" in what else "info"
        observe.event(what, level=level)

    return told


def served(kit: Kit) -> Side:
    """The tagger by which the kit reads.

    Raises:
        UsageError: there is none.
    """
    with kit.lock:
        folder = kit.tagger_folder
        if folder is None:
            raise UsageError("this workspace reads by no tagger: there is nothing to compare with")
        return Side(kit.tagger_version, sha256_tree(folder), str(folder))


def running(kit: Kit) -> bool:
    """Whether a rollout compares with the tagger that the kit reads by now."""
    found: tuple[Rollout, Models | None] | None = kit.__dict__.get("rollout")
    return found is not None and found[0].running


def start(
    kit: Kit, model: str, *, registry: str, key: str, which: str = "challenger", share: float = 0.0
) -> dict[str, Any]:
    """Let a version of the registry read beside the tagger that serves.

    Args:
        which: a number or an alias. share: of units that get its answers, below 1; 0: nobody
            does, it reads in the shadow.

    Raises:
        UsageError: a rollout runs, what serves isn't the registry's champion, or both are one.
        NotFoundError: no such version.
        InputError: its files are damaged.
    """
    if not 0 <= share < 1:
        raise UsageError(f"a share lies at or above 0 and below 1, not {share:g}")
    before = current(kit)
    if before is not None and before[0].running:
        raise UsageError("a rollout runs already; stop it first: aegle rollout stop")
    store = _registry(Listed(model, 0, registry, key))
    version, champion = store.open(model, which), served(kit)
    known = store.champion(model)
    if known and known != champion.digest:
        raise UsageError(
            f"the server reads by {champion.version}, which is not the champion of {model!r}; "
            "serve that (knowledge.tagger), so that the evidence is about it"
        )
    if version.digest == champion.digest:
        raise UsageError(f"{model}/{version.number} is what the server reads by already")
    named = plugins.load("aegle.flows.taggers:named")(version.folder)
    rollout = Rollout(
        kit.layout.journal,
        champion,
        Side(named, version.digest, str(version.folder)),
        Listed(model, version.number, registry, key),
        Trial(_plan(kit)),
        share=share,
        told=_telling(kit),
    )
    models = Models(kit, rollout)
    with kit.lock:
        rollout.begin()
        kit.__dict__["rollout"] = (rollout, models)
    return rollout.shown()


def _plan(kit: Kit) -> Plan:
    wanted = kit.settings.rollout
    return Plan(**{name: getattr(wanted, name) for name in asdict(Plan())})


def _registry(listed: Listed) -> Registry:
    found: Registry = plugins.load("aegle.flows.promoting:opened")(
        Path(listed.registry), Path(listed.key)
    )
    return found


def _known(kit: Kit) -> Rollout:
    found = current(kit)
    if found is None:
        # The server goes on where the state is damaged; here that is told.
        Rollout.restored(kit.layout.journal, _telling(kit))
        raise NotFoundError("there is no rollout; begin one: aegle rollout start")
    return found[0]


def grow(kit: Kit, share: float) -> dict[str, Any]:
    """Let more units get the challenger; see `Rollout.grow`."""
    rollout = _known(kit)
    rollout.grow(share)
    return rollout.shown()


def stop(kit: Kit, because: str = "") -> dict[str, Any]:
    """Let the champion answer everything; what was seen is kept."""
    rollout = _known(kit)
    rollout.stop(because or "by hand")
    return rollout.shown()


def status(kit: Kit) -> dict[str, Any]:
    """How a rollout stands: figures with intervals that hold at all times, and their course."""
    return _known(kit).shown()


def evidence(kit: Kit) -> dict[str, Any]:
    """Attach to the challenger's version what the rollout shows: of its gain, and of latency.

    Raises:
        UsageError: no gain is shown, or its time isn't within ``rollout.p95_ms``.
        InputError: the registry refuses it.
    """
    rollout = _known(kit)
    attached = attach(kit, rollout)
    return rollout.shown() | {"attached": attached}


def attach(kit: Kit, rollout: Rollout) -> list[str]:
    """As `evidence`; kinds that were attached. What one kind lacks doesn't keep the other."""
    store, listed = _registry(rollout.listed), rollout.listed
    if not rollout.gained and rollout.evidence.startswith("rollout"):
        withdraw(kit, rollout)
    made: list[tuple[str, Mapping[str, Any]]] = []
    lacks = []
    if rollout.gained:
        made.append(("rollout", of_gain(rollout)))
    else:
        lacks.append(f"no gain is shown ({rollout.status})")
    if len(rollout.times) >= _LEAST_PAIRS:
        made.append(("latency", of_latency(rollout, kit.settings.rollout.p95_ms)))
    else:
        lacks.append(f"latency: {len(rollout.times)} pairs of times, {_LEAST_PAIRS} are needed")
    attached = []
    for kind, found in made:
        try:
            store.attach(listed.name, listed.number, kind, found)
            attached.append(kind)
        except AegleError as error:
            lacks.append(str(error))
    told = ", ".join(attached) + (f"; {'; '.join(lacks)}" if lacks else "")
    if told != rollout.evidence:
        rollout.evidence = told
        rollout.save()
        kit.ledger.audit("rollout's evidence", attached=attached, lacks=lacks)
    if not attached:
        raise UsageError(f"nothing to attach: {'; '.join(lacks)}")
    return attached


def of_gain(rollout: Rollout) -> dict[str, Any]:
    """The evidence as `aegle.registry.rollout` judges it."""
    told = rollout.shown()
    return {
        "model": rollout.challenger.digest,
        "against": rollout.champion.digest,
        "figures": told["figures"],
        "arms": told["arms"],
        "plan": told["plan"],
        "unbalanced": told["unbalanced"],
        "share": rollout.share,
        "days": round((time.time() - rollout.started) / 86_400, 3),
    }


def of_latency(rollout: Rollout, limit_ms: float) -> dict[str, Any]:
    """Times to read a safe text in the shadow: one thread, alone; the latest are kept."""
    own = percentile([1000 * one for _, one in rollout.times], 95)
    other = percentile([1000 * one for one, _ in rollout.times], 95)
    return {
        "model": rollout.challenger.digest,
        "figures": {"read, p95, ms": asdict(own), "champion's read, p95, ms": asdict(other)},
        "limits": {"read, p95, ms": {"at_most": limit_ms}},
    }


def withdraw(kit: Kit, rollout: Rollout) -> None:
    """Take back evidence of a gain: harm was seen after it."""
    listed = rollout.listed
    _registry(listed).withdraw(listed.name, listed.number, "rollout")
    rollout.evidence = "withdrawn: harm was seen after the gain"
    rollout.save()
    kit.ledger.audit("rollout's evidence withdrawn", version=listed.number)


def settle(kit: Kit, rollout: Rollout) -> None:
    """Write or take back evidence as the status asks, and let go of models that read no more.

    What fails is told, and tried again at the next call.
    """
    with kit.lock:
        if not rollout.running and kit.__dict__["rollout"][0] is rollout:
            kit.__dict__["rollout"] = (rollout, None)
    try:
        if rollout.gained and not rollout.evidence.startswith("rollout"):
            attach(kit, rollout)
        elif not rollout.gained and rollout.evidence.startswith("rollout"):
            withdraw(kit, rollout)
    except (AegleError, OSError) as error:
        kind = type(error).__name__
        observe.event("a rollout's evidence isn't written", level="warning", error=Label(kind))


def compare(
    kit: Kit, models: Models, document: Document, *, first: bool
) -> tuple[float, float, float]:
    """Seconds of champion and challenger for a text, and the share of facts that both found.

    ``first``: the challenger reads first.

    Raises:
        Exception: whatever the challenger raised; `ChampionFailedError` where the champion did.
    """
    order = (models.challenger, models.champion) if first else (models.champion, models.challenger)
    found: dict[bool, tuple[float, Facts]] = {}
    for reader in order:
        own = reader is models.challenger
        began = time.perf_counter()
        try:
            (facts,) = facts_of_all(kit, [document], reader)
        except Exception as error:
            if own:
                raise
            raise ChampionFailedError from error
        found[own] = time.perf_counter() - began, facts
    (champion_s, known), (challenger_s, told) = found[False], found[True]
    return champion_s, challenger_s, _shared(known, told)


class ChampionFailedError(Exception):
    """The champion failed at a text in the shadow: that says nothing about the challenger."""


def _shared(known: Facts, told: Facts) -> float:
    one, other = _plain(known), _plain(told)
    return len(one & other) / len(one | other) if one | other else 1.0


def _plain(facts: Facts) -> set[tuple[Any, ...]]:
    at = {one.id: (one.start, one.end, one.type) for one in facts.entities}
    named = {(*at[one.id], one.assertion) for one in facts.entities}
    return named | {
        (at[one.head], at[one.tail], one.type)
        for one in facts.relations
        if one.head in at and one.tail in at
    }
