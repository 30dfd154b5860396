"""The ledger's names of patients: which keyed names are one patient's, and what must still move.

A name is the keyed hash of a raw group (``patient/4012372``), an assigner that of who gave the
number. `flows.patients` decides what is joined; here it is only kept.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any, Final

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS names (
  name TEXT, assigner TEXT, grp TEXT, PRIMARY KEY (name, assigner)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS names_of_group ON names (grp);
CREATE TABLE IF NOT EXISTS moves (former TEXT PRIMARY KEY, grp TEXT) WITHOUT ROWID;
"""

Name = tuple[str, str]
"""A keyed name and the keyed assigner of it, "" where the source names none."""


class Names:
    """The tables ``names`` and ``moves`` of a ledger, which lends its transactions and queries."""

    def __init__(
        self,
        writing: Callable[[], AbstractContextManager[sqlite3.Connection]],
        rows: Callable[..., list[tuple[Any, ...]]],
    ) -> None:
        self._writing, self._rows = writing, rows

    def of(self, name: str) -> dict[str, str]:
        """Assigner -> group of everyone who has a name."""
        return dict(self._rows("SELECT assigner, grp FROM names WHERE name = ?", (name,)))

    def numbers(self, group: str) -> set[Name]:
        """A group's names whose assigner is known."""
        sql = "SELECT name, assigner FROM names WHERE grp = ? AND assigner <> '' "
        sql += "AND assigner NOT LIKE 'told:%'"
        return set(self._rows(sql, (group,)))

    def told(self, group: str) -> set[str]:
        """Keyed digests of the name and the birth that documents of a group tell."""
        sql = "SELECT name FROM names WHERE grp = ? AND assigner LIKE 'told:%'"
        return {str(name) for (name,) in self._rows(sql, (group,))}

    def group(self, name: str) -> str:
        """The group of a name: its own, unless it was joined to another's."""
        groups = self.of(name)
        if "" in groups:
            return groups[""]
        return next(iter(groups.values())) if len(set(groups.values())) == 1 else name

    def give(self, names: Iterable[Name], group: str) -> None:
        """Give a group its names."""
        with self._writing() as db:
            rows = [(name, assigner, group) for name, assigner in names]
            db.executemany("INSERT OR REPLACE INTO names VALUES (?, ?, ?)", rows)

    def take_back(self, names: Iterable[Name]) -> None:
        """Forget names that were given to a document that is not stored."""
        with self._writing() as db:
            db.executemany("DELETE FROM names WHERE name = ? AND assigner = ?", list(names))

    def merge(self, former: str, group: str) -> None:
        """Note that a group is the same patient as another; its documents are still to be moved."""
        with self._writing() as db:
            db.execute("UPDATE names SET grp = ? WHERE grp = ?", (group, former))
            db.execute("UPDATE moves SET grp = ? WHERE grp = ?", (group, former))
            db.execute("INSERT OR REPLACE INTO names VALUES (?, '', ?)", (former, group))
            db.execute("INSERT OR REPLACE INTO moves VALUES (?, ?)", (former, group))

    def moves(self) -> dict[str, str]:
        """Groups whose documents are to be moved -> where to."""
        return dict(self._rows("SELECT former, grp FROM moves ORDER BY 1"))

    def renamed(self, former: str, group: str) -> dict[str, str]:
        """Surrogates of a group -> those that the same values have in another."""
        sql = (
            "SELECT a.surrogate, b.surrogate FROM aliases a JOIN aliases b USING (digest) "
            "WHERE a.grp = ? AND b.grp = ? AND a.surrogate <> b.surrogate"
        )
        return dict(self._rows(sql, (former, group)))

    def moved(self, former: str, group: str) -> None:
        """Note that a group's documents were moved; its aliases follow."""
        with self._writing() as db:
            db.execute(
                "INSERT OR IGNORE INTO aliases "
                "SELECT digest, ?, surrogate FROM aliases WHERE grp = ?",
                (group, former),
            )
            db.execute("DELETE FROM aliases WHERE grp = ?", (former,))
            db.execute("DELETE FROM moves WHERE former = ?", (former,))
