"""From settings to the tagger that they name, opened when first used."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from aegle.core import plugins
from aegle.core.errors import NotFoundError
from aegle.core.settings import Settings

if TYPE_CHECKING:
    from aegle.lm.tagger import Tagger


class _Opens(Protocol):
    """The part of a kit that fetches models."""

    settings: Settings
    tagger_folder: Path | None
    _model: Callable[[str], Path]
    _stack: ExitStack


def folder(kit: _Opens) -> Path | None:
    """Where the tagger lies; None when the settings want none, or ``auto`` finds none."""
    name = kit.settings.knowledge.tagger
    if name == "none":
        return None
    try:
        return kit._model("tagger" if name == "auto" else name)
    except NotFoundError:
        if name == "auto":
            return None  # weights are not part of every installation; `status` says so
        raise


def version(kit: _Opens) -> str:
    """The tagger's version and what tells two trainings of it apart; empty for no tagger.

    Raises:
        NotFoundError: the folder holds no tagger.
    """
    return "" if kit.tagger_folder is None else named(kit.tagger_folder)


def named(folder: Path) -> str:
    """The version of a tagger in a folder, as `version`; raises as that."""
    try:
        card = (folder / "card.json").read_bytes()
        told = str(json.loads(card)["version"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise NotFoundError(f"{folder} is no tagger: its card.json is none") from error
    manifest = folder / "manifest.json"
    content = manifest.read_bytes() if manifest.is_file() else card
    return f"{told}+{hashlib.sha256(content).hexdigest()[:8]}"


def opened(kit: _Opens) -> Tagger | None:
    """Reads names, assertions and relations in texts; None when there is none."""
    if kit.tagger_folder is None:
        return None
    tagger: Tagger = plugins.load("aegle.lm.tagger:Tagger")(
        kit.tagger_folder, threads=kit.settings.backends.threads
    )
    kit._stack.callback(tagger.close)
    return tagger
