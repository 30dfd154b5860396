"""Which index the settings choose, and how it is opened."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from aegle.core import plugins
from aegle.core.errors import SettingsError
from aegle.flows import workspace
from aegle.flows.workspace import Layout

if TYPE_CHECKING:
    from aegle.core.settings import Backends


def chosen(backends: Backends, layout: Layout, width: int) -> tuple[str, dict[str, Any]]:
    """The index's name, and the options of its constructor beside the folder.

    Raises:
        SettingsError: a setting says something of the index that this backend has not.
    """
    options = {
        "width": width,
        "url": backends.index_url,
        "key": backends.index_key,
        # Of this workspace alone, and the same wherever its folder is moved to.
        "name": f"aegle_{hashlib.sha256(b'index' + workspace.secret(layout)).hexdigest()[:16]}",
        "kind": backends.index_kind,
        "options": backends.index_options,
    }
    given = taken(plugins.find("index", backends.index), options)
    if backends.index_url and "url" not in given:
        raise SettingsError(
            f"backends.index_url is set, but {backends.index} keeps its index in the workspace"
        )
    if (backends.index_kind != "auto" or backends.index_options) and "kind" not in given:
        raise SettingsError(
            f"backends.index_kind is {backends.index_kind!r}, but {backends.index} keeps vectors "
            'in its own way (auto, without index_options); backends.index = "faiss" takes each'
        )
    if backends.index_kind == "auto" and backends.index_options:
        raise SettingsError("backends.index_options belong to a backends.index_kind; name it")
    return backends.index, given


def taken(make: Callable[..., Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Those of some options that a constructor takes."""
    known = inspect.signature(make).parameters
    return {name: value for name, value in options.items() if name in known}
