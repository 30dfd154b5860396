"""What instruction examples must not touch, as the workspace says it: surrogates, groups and ids.

Files that something is measured by hold real names, record numbers and paths; the workspace holds
surrogates. Nothing of the files is kept, but counts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from aegle.core.artifacts import sha256_file
from aegle.core.errors import UsageError
from aegle.corpus import asked
from aegle.flows.assess import files_of
from aegle.flows.kit import Kit
from aegle.train.data.instructions import against

_KINDS: Final = ("patient", "host", "incident")
_PATH: Final = re.compile(r"[/\\]|\.[A-Za-z]\w{0,5}$")

Counts = dict[str, dict[str, Any]]


def withheld(
    kit: Kit, paths: Sequence[str], groups: Mapping[str, str]
) -> tuple[against.Held, Counts]:
    """What files hold in all, and what of it the workspace has by file.

    Args:
        paths: of the files.
        groups: id of each document of the workspace -> its group.

    Returns:
        What they hold, with surrogates beside what they say; and by name and hash of each file its
        SHA-256 and how many groups and documents of the workspace it names.

    Raises:
        NotFoundError, InputError: a file can't be read.
        UsageError: a file names documents by path, and the workspace has none of them.
    """
    every, counts = against.Held(), Counts()
    for one in paths:
        path = Path(one)
        told = against.read([path])
        named = [name for name in sorted(told.documents) if _PATH.search(name)]
        _resolve(kit, files_of(path), told, groups)
        documents = told.documents & groups.keys()
        if named and not documents:
            raise UsageError(
                f"{path.name} names {len(named)} documents by path, and the workspace has none of "
                "them: ingest them from where they are, or leave the file out of --against"
            )
        own = told.groups & set(groups.values())
        told.groups |= {groups[name] for name in documents}
        digest = sha256_file(path)
        counts[f"{path.name} {digest[:12]}"] = {
            "sha256": digest,
            "groups": len(own),
            "documents": len(documents),
        }
        every.texts |= told.texts
        every.groups |= told.groups
        every.documents |= told.documents
    return every, counts


def _resolve(kit: Kit, files: Path, told: against.Held, groups: Mapping[str, str]) -> None:
    """Add ids of documents, groups and surrogates to what a file says."""
    for name in sorted(told.documents - groups.keys()):
        told.documents.update(kit.ledger.documents_of(str((files / name).absolute())))
    for value in sorted(told.groups):
        told.groups.update(_groups(kit, value))
    for text in sorted(told.texts):
        safe, named = _safe(kit, text)
        told.texts.add(safe)
        told.groups.update(named)


def _groups(kit: Kit, value: str) -> Iterator[str]:
    """Groups that a value may mean: as sources write them, a number or name alone, a surrogate."""
    yield kit.vault.group(value)
    for kind in _KINDS:
        yield kit.vault.group(f"{kind}/{value}")
    yield from asked.patients_named(value, vault=kit.vault, lookup=kit.ledger.lookup)
    yield from _safe(kit, value)[1]


def _safe(kit: Kit, text: str) -> tuple[str, Sequence[str]]:
    try:
        return asked.resolve(" ".join(text.split()), vault=kit.vault, lookup=kit.ledger.lookup)
    except asked.SharedNameError as error:  # nobody in particular: which chart can't be told
        return error.question, ()
