"""Aegle: small language models for healthcare and cybersecurity, run where the data is.

import aegle

ws = aegle.open("hospital")
ws.ingest("notes/")
ws.ask("What is PUMP-0042 connected to?")
"""

from __future__ import annotations

from pathlib import Path
from typing import Any


class Workspace:
    """A workspace folder, with the command line's verbs as methods; results are plain JSON values.

    Each call owns the workspace while it runs, or goes through the process that owns it, exactly as
    the commands do. Every error is an `aegle.core.errors.AegleError`.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def _run(self, command: str, **params: Any) -> Any:
        from aegle.flows import commands  # here, so that importing aegle stays light

        return commands.run(self.root, command, params)

    def ingest(self, *paths: str | Path, again: bool = False) -> dict[str, Any]:
        """Read files, folders and globs; returns the counts of this run."""
        from aegle.flows import commands

        named = commands.absolute([str(path) for path in paths])
        counts: dict[str, Any] = self._run("ingest", paths=named, again=again)
        return counts

    def ask(self, question: str, *, generate: bool | None = None) -> dict[str, Any]:
        """An answer whose every claim cites its evidence, or a refusal."""
        answer: dict[str, Any] = self._run("ask", question=question, generate=generate)
        return answer

    def search(self, question: str, *, k: int = 0, mode: str = "graph") -> dict[str, Any]:
        """Chunks that speak of a question, with why each was found."""
        hits: dict[str, Any] = self._run("search", question=question, k=k, mode=mode)
        return hits

    def extract(self, path: str | Path) -> dict[str, Any]:
        """Entities and relations of a file; nothing is stored."""
        facts: dict[str, Any] = self._run("extract", path=str(Path(path).absolute()))
        return facts

    def graph(self, entity: str, *, hops: int = 1, to: str = "") -> dict[str, Any]:
        """What an entity is tied to, or how two are tied."""
        graph: dict[str, Any] = self._run("graph", entity=entity, hops=hops, to=to)
        return graph

    def evaluate(
        self,
        questions: str | Path,
        *,
        files: str | Path | None = None,
        mode: str = "graph",
        against: str = "",
        k: int = 5,
    ) -> dict[str, Any]:
        """Figures of retrieval, answers, citations and refusals on a file of questions."""
        path = str(Path(questions).absolute())
        begin = str(Path(files).absolute()) if files else ""
        figures: dict[str, Any] = self._run(
            "evaluate", questions=path, files=begin, mode=mode, against=against, k=k
        )
        return figures

    def forget(self, what: str) -> dict[str, Any]:
        """Remove documents, leaving nothing of them in any file."""
        gone: dict[str, Any] = self._run("forget", what=what)
        return gone

    def status(self) -> dict[str, Any]:
        """Counts of what the workspace holds."""
        counts: dict[str, Any] = self._run("status")
        return counts


def open(root: str | Path) -> Workspace:
    """The workspace in a folder, made if the folder is new or empty."""
    from aegle.flows import workspace

    return Workspace(workspace.create(Path(root)).root)


__all__ = ["Workspace", "open"]
