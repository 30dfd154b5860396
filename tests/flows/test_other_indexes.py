"""A workspace on another index: found, forgotten, built anew when the settings change."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from aegle.core.errors import SettingsError, WorkspaceError
from aegle.flows import commands
from aegle.flows.workspace import Layout

PUMP = {"question": "infusion pump PUMP-0043", "k": 5}


def use(layout: Layout, name: str, url: str = "") -> None:
    layout.settings.write_text(f'[backends]\nindex = "{name}"\nindex_url = "{url}"\n')


@pytest.mark.parametrize("name", ["lancedb", "faiss"])
def test_a_workspace_moves_to_another_index(name: str, layout: Layout, notes: Path) -> None:
    if find_spec(name) is None:
        pytest.skip(f"this index needs the extra {name!r}")
    commands.run(layout.root, "ingest", {"paths": [str(notes)]})
    before = [hit["chunk_id"] for hit in commands.run(layout.root, "search", PUMP)["hits"]]
    use(layout, name)
    with pytest.raises(WorkspaceError, match=r"made by qdrant-edge.*aegle reindex"):
        commands.run(layout.root, "search", PUMP)
    commands.run(layout.root, "reindex", {})
    hits = commands.run(layout.root, "search", PUMP)["hits"]
    assert hits[0]["chunk_id"] == before[0]
    assert {hit["chunk_id"] for hit in hits} == set(before)
    gone = commands.run(layout.root, "forget", {"what": "MRN 88123402"})
    index = b"".join(one.read_bytes() for one in layout.index.rglob("*") if one.is_file())
    assert gone["document_ids"][0].encode() not in index
    assert gone["groups"][0].encode() not in index
    left = commands.run(layout.root, "search", PUMP)["hits"]
    assert left
    assert gone["document_ids"][0] not in {hit["document_id"] for hit in left}


def test_a_url_where_none_belongs_is_told(layout: Layout) -> None:
    use(layout, "qdrant-edge", "http://localhost:6333")
    with pytest.raises(SettingsError, match=r"index_url.*qdrant-edge"):
        commands.run(layout.root, "search", PUMP)
