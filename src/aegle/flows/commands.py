"""The commands of a workspace by name, as the shell, the owner's socket and HTTP all call them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aegle.core import plugins
from aegle.core.errors import UsageError
from aegle.core.ports import Progress, quiet
from aegle.flows import owner, workspace
from aegle.flows.workspace import Layout

if TYPE_CHECKING:
    from aegle.flows.kit import Kit

COMMANDS: Final[dict[str, str]] = {
    "ingest": "aegle.flows.ingest:ingest",
    "ask": "aegle.flows.knowledge:ask",
    "search": "aegle.flows.knowledge:search",
    "extract": "aegle.flows.extracting:extract",
    "evaluate": "aegle.flows.assess:evaluate",
    "graph": "aegle.flows.knowledge:graph",
    "document": "aegle.flows.knowledge:document",
    "status": "aegle.flows.state:status",
    "quarantine": "aegle.flows.state:quarantine",
    "forget": "aegle.flows.upkeep:forget",
    "reindex": "aegle.flows.upkeep:reindex",
    "tune": "aegle.flows.tuning:tune",
    "instruct": "aegle.flows.instructing:instruct",
    "review_next": "aegle.flows.reviewing:review_next",
    "review_label": "aegle.flows.reviewing:review_label",
    "review_export": "aegle.flows.reviewing:review_export",
    "rollout_start": "aegle.flows.rolling:start",
    "rollout_grow": "aegle.flows.rolling:grow",
    "rollout_stop": "aegle.flows.rolling:stop",
    "rollout_status": "aegle.flows.rolling:status",
    "rollout_evidence": "aegle.flows.rolling:evidence",
}
"""Name -> function of a kit and keywords, imported when called: a command that another process
runs needs no model here. Those in `REPORTING` also take ``progress``."""

REPORTING: Final = frozenset({"ingest", "extract", "reindex", "evaluate", "tune", "instruct"})
_READ_AHEAD: Final = frozenset({"ask", "search", "evaluate"})
_BY_FACTS: Final = frozenset({"ask", "search", "evaluate", "graph", "document", "ingest"})
"""Commands that rest on facts or add some: they say when other versions made what is there."""
_UNREPAIRED: Final = frozenset({"status", "quarantine", "reindex"})
"""Commands that look at a workspace as it is, without finishing a crashed batch first."""


def call(kit: Kit, command: str, params: Mapping[str, Any], progress: Progress = quiet) -> Any:
    """Run a command on an open kit.

    Raises:
        UsageError: there is no such command.
    """
    target = COMMANDS.get(command)
    if target is None:
        raise UsageError(f"no command {command!r}; there are: {', '.join(sorted(COMMANDS))}")
    function: Callable[..., Any] = plugins.load(target)
    if command not in _UNREPAIRED:
        with kit.lock:
            plugins.load("aegle.flows.settle:repair")(kit)
    if command in _READ_AHEAD:
        kit.read_ahead()
    if command in _BY_FACTS:
        with kit.lock:
            plugins.load("aegle.flows.versions:tell")(kit)
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
        # Read again: who owned the workspace until now may have changed them (aegle tune --apply).
        now = workspace.load_settings(layout, dict(options or {}))
        with plugins.load("aegle.flows.kit:open_kit")(layout, now, report) as kit:
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


def serve_owner(
    kit: Kit, layout: Layout, *, after: Callable[[str], None] = lambda command: None
) -> owner.OwnerServer:
    """A server that runs other processes' commands on this process's kit; not yet started.

    ``after`` hears of each command that ended, also of one that failed half-way.
    """

    def handler(command: str, params: Mapping[str, Any], progress: Progress) -> Any:
        with workspace.telling_full_disk(layout.root):
            try:
                return call(kit, command, params, progress)
            finally:
                after(command)

    return owner.OwnerServer(layout, handler)


def absolute(paths: Sequence[str]) -> list[str]:
    """Paths as the owner process must see them; ``-`` stays."""
    return [path if path == "-" else str(Path(path).absolute()) for path in paths]
