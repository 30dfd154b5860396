"""Out of the box, ingest and extract ask the tagger that ships."""

from __future__ import annotations

from pathlib import Path

from aegle.flows import commands, workspace

NOTE = (
    "Progress note\n\nThe patient developed acute tubular necrosis after gentamicin and was seen "
    "by Oluwaseun Adeyemi-Brandt, who stopped zolbetuximab.\n"
)


def _names(root: Path, note: Path, **settings: str) -> set[str]:
    workspace.create(root)
    told = commands.run(root, "extract", {"path": str(note)}, options=settings)
    return {entity["text"].casefold() for entity in told["entities"]}


def test_the_shipped_tagger_finds_what_no_list_has(tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text(NOTE)
    alone = _names(tmp_path / "alone", note, **{"knowledge.tagger": "none"})
    both = _names(tmp_path / "both", note)
    assert both > alone
