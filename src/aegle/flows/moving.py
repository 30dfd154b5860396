"""A new index takes the old one's place together with the settings that it needs, or not at all.

It is built beside the old one. Then one note is written, whole or not at all, that says which
settings are to be: from there on it is decided, and whoever owns the workspace next finishes it.
Before, the old index and the old settings are all there is.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aegle.core import artifacts
from aegle.flows import settings_file
from aegle.flows.workspace import Layout


def building(layout: Layout) -> Path:
    """Where the new index is built."""
    return layout.journal / "index.next"


def scratch(layout: Layout) -> Path:
    """Where indexes are measured. They hold vectors, so they don't lie outside the workspace."""
    return layout.journal / "tuning"


def _former(layout: Layout) -> Path:
    return layout.journal / "index.former"


def clear(layout: Layout) -> None:
    """Remove what was built or measured and not wanted; no vector of it stays."""
    for folder in (building(layout), scratch(layout), _former(layout)):
        if folder.exists():
            shutil.rmtree(folder)


def rewritten(layout: Layout, backends: Mapping[str, Any]) -> str:
    """The settings file with these settings of the table ``backends``.

    Raises:
        SettingsError: it can't be changed by machine.
    """
    text = layout.settings.read_text("utf-8") if layout.settings.exists() else ""
    return settings_file.changed(text, "backends", backends)


def decide(layout: Layout, backends: Mapping[str, Any]) -> None:
    """Let what was built be the index, and these the settings; nobody has either index open."""
    artifacts.write_json(layout.moving, {"backends": dict(backends)})
    _sync(layout.journal)
    finish(layout)


def finish(layout: Layout) -> None:
    """Do what is decided and not done, and clear away what is not decided.

    The caller owns the workspace. Every step can be repeated, wherever the last one broke off.
    """
    if layout.moving.exists():
        backends = artifacts.read_json(layout.moving)["backends"]
        new, former = building(layout), _former(layout)
        if new.exists():
            if layout.index.exists():
                if former.exists():
                    shutil.rmtree(former)
                layout.index.rename(former)
            new.rename(layout.index)
            _sync(layout.root)
        artifacts.write_bytes(layout.settings, rewritten(layout, backends).encode())
        _sync(layout.root)
        layout.moving.unlink()
    clear(layout)


def _sync(folder: Path) -> None:
    """Let a folder's names reach the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
