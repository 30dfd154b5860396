"""What a workspace holds, and what it could not read; apart, since it needs no model."""

from __future__ import annotations

from typing import Any

from aegle.flows import versions
from aegle.flows.kit import Kit


def status(kit: Kit) -> dict[str, Any]:
    """Counts of what the workspace holds, its size on disk, and whether it is whole.

    ``former_facts``: other versions made some of its facts; `aegle reindex` makes them anew.
    """
    with kit.lock:
        ledger = kit.ledger.counts()
        corpus = kit.corpus.counts()
        pending = len({*kit.ledger.pending(), *kit.ledger.retired()})
        redacted = kit.ledger.redacted()
        former = bool(versions.former(kit))
    files = [path.stat() for path in kit.layout.root.rglob("*") if path.is_file()]
    size = sum(one.st_blocks * 512 for one in files)  # the stores' files have holes
    return {
        "workspace": str(kit.layout.root),
        **corpus,
        "files": ledger["files"],
        "bytes": ledger["bytes"],
        "quarantined": ledger["quarantined"],
        "forgotten": ledger["forgotten"],
        "unfinished": pending,
        "tagger": kit.tagger_version or "none",
        "former_facts": former,
        "size_bytes": size,
        **{f"redacted.{name}": count for name, count in redacted.items()},
    }


def quarantine(kit: Kit) -> list[dict[str, str]]:
    """What could not be read: ``path`` and ``reason``, by path."""
    rows = kit.ledger.quarantine()
    # Some readers name the file in their reason; beside its path that says it twice.
    return [{**row, "reason": row["reason"].removeprefix(f"{row['path']}: ")} for row in rows]
