"""What people see beside the commands comes from the workspace itself."""

from __future__ import annotations

from pathlib import Path

from aegle.flows import commands, looking, workspace
from aegle.flows.kit import open_kit
from aegle.flows.workspace import Layout


def test_beginnings_names_and_ties_come_from_the_workspace(layout: Layout, notes: Path) -> None:
    settings = workspace.load_settings(layout)
    with open_kit(layout, settings) as kit:
        assert looking.beginnings(kit) == []
    commands.run(layout.root, "ingest", {"paths": [str(notes)]})
    with open_kit(layout, settings) as kit:
        asked = looking.beginnings(kit)
        assert any("take" in one for one in asked), asked
        found = commands.call(kit, "graph", {"entity": "PUMP-0042"})
        ties = looking.ties(kit, found["edges"])
        assert sum(tie["count"] for tie in ties) == len(found["edges"]) > 0
        assert all(one["text"] for tie in ties for one in tie["said"])
        names = looking.names(kit, [tie["head"] for tie in ties] + ["no:such key"])
        assert "no:such key" not in names
        assert set(names) == {tie["head"] for tie in ties}


def test_status_counts_what_was_replaced(layout: Layout, notes: Path) -> None:
    commands.run(layout.root, "ingest", {"paths": [str(notes)]})
    status = commands.run(layout.root, "status", {})
    assert status["redacted.mrn"] >= 3
    assert status["redacted.name"] >= 3
