"""The commands of a workspace by name, as the shell, the owner's socket and HTTP all call them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from aegle.core.errors import UsageError
from aegle.core.ports import Progress, quiet
from aegle.flows import ingest, knowledge, owner, upkeep, workspace
from aegle.flows.kit import Kit, open_kit
from aegle.flows.workspace import Layout

Command = Callable[..., Any]

COMMANDS: Final[dict[str, Command]] = {
    "ingest": ingest.ingest,
    "ask": knowledge.ask,
    "search": knowledge.search,
    "extract": knowledge.extract,
    "graph": knowledge.graph,
    "document": knowledge.document,
    "status": upkeep.status,
    "quarantine": upkeep.quarantine,
    "forget": upkeep.forget,
    "reindex": upkeep.reindex,
}
"""Name -> function of a kit and keywords. Those in `REPORTING` also take ``progress``."""

REPORTING: Final = frozenset({"ingest", "extract", "reindex"})
_UNREPAIRED: Final = frozenset({"status", "quarantine", "reindex"})
"""Commands that look at a workspace as it is, without finishing a crashed batch first."""


def call(kit: Kit, command: str, params: Mapping[str, Any], progress: Progress = quiet) -> Any:
    """Run a command on an open kit.

    Raises:
        UsageError: there is no such command.
    """
    function = COMMANDS.get(command)
    if function is None:
        raise UsageError(f"no command {command!r}; there are: {', '.join(sorted(COMMANDS))}")
    if command not in _UNREPAIRED:
        with kit.lock:
            ingest.repair(kit)
    if command in REPORTING:
        return function(kit, **params, progress=progress)
    return function(kit, **params)


def run(
    root: Path,
    command: str,
    params: Mapping[str, Any],
    *,
    options: Mapping[str, Any] | None = None,
    progress: Progress = quiet,
) -> Any:
    """Run a command on a workspace, here or in the process that owns it.

    Args:
        options: settings for this run, by dotted name; a running owner has settings of its own.

    Raises:
        UsageError: ``options`` are given while another process owns the workspace.
        WorkspaceBusyError: another process kept the workspace for longer than ``wait_s``.
    """
    layout = workspace.check(root)
    chosen = workspace.load_settings(layout, dict(options or {}))

    def here(report: Progress) -> Any:
        with open_kit(layout, chosen, report) as kit:
            return call(kit, command, params, report)

    with workspace.telling_full_disk(layout.root):
        return owner.run(
            layout,
            command,
            params,
            here,
            wait_s=chosen.wait_s,
            forward=not options,
            progress=progress,
        )


def serve_owner(kit: Kit, layout: Layout) -> owner.OwnerServer:
    """A server that runs other processes' commands on this process's kit; not yet started."""

    def handler(command: str, params: Mapping[str, Any], progress: Progress) -> Any:
        with workspace.telling_full_disk(layout.root):
            return call(kit, command, params, progress)

    return owner.OwnerServer(layout, handler)
