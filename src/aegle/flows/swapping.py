"""Another model for a port of an open kit: loaded and tried beside the old one, then switched."""

from __future__ import annotations

from collections.abc import Callable

from aegle.core import plugins
from aegle.core.errors import UsageError
from aegle.core.ports import Generator
from aegle.flows import rolling
from aegle.flows.kit import Kit

_TRIED = "Denies chest pain. Takes warfarin 5 mg daily."


def tagger(kit: Kit, model: str) -> str:
    """Read texts by another tagger from now on; its version.

    Raises:
        NotFoundError: no such model, or it is no tagger.
        InputError: its files are damaged.
        UsageError: a rollout compares with the tagger that would go.
    """
    if rolling.running(kit):
        raise UsageError("a rollout compares with this tagger; first: aegle rollout stop")
    folder = kit._model(model)
    fresh = plugins.load("aegle.lm.tagger:Tagger")(folder, threads=kit.settings.backends.threads)
    fresh.read([_TRIED])
    with kit.lock:  # everybody who reads holds it, so nobody is amid the old one
        before = {name: kit.__dict__.get(name) for name in ("tagger", "tagger_folder")}
        try:
            kit.__dict__["tagger_folder"] = folder
            kit.__dict__.pop("tagger_version", None)
            version = kit.tagger_version
        except Exception:
            kit.__dict__["tagger_folder"] = before["tagger_folder"]
            kit.__dict__.pop("tagger_version", None)
            raise
        kit.__dict__["tagger"] = fresh
        kit.__dict__.pop("sights", None)  # they hold the old one
        kit.closes(fresh)
        if before["tagger"] is not None:
            before["tagger"].close()
        return version


def generator(kit: Kit, model: str, *, retire: Callable[[Generator], None]) -> None:
    """Generate by another model from now on.

    Args:
        retire: gets the old one, if it was open, to be closed when its last reply is written.

    Raises:
        UsageError: the generator is a server's, which chooses its model itself.
        NotFoundError: no such model.
        InputError: its file is damaged.
    """
    backends = kit.settings.backends
    if backends.generator_url:
        raise UsageError("the generator is that of backends.generator_url; change its model there")
    fresh: Generator = plugins.find("generator", backends.generator)(
        kit._model(model), threads=backends.threads
    )
    with kit.lock:
        former = kit.__dict__.get("generator")
        kit.__dict__["generator"] = fresh
        kit.closes(fresh)
    if former is not None:
        retire(former)
