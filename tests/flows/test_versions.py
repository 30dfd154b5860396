"""Facts are old when anything that makes them changes: what is read, believed or linked by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aegle.core.errors import InputError, SettingsError
from aegle.corpus.meaning import meaning
from aegle.flows import commands, versions, workspace
from aegle.flows.kit import open_kit
from aegle.flows.workspace import Layout
from taught import teach

KNOWN = {"biomedical": {"zorblax": "chemical"}, "biology": {"zorblax": "gene"}}
ROW = "{0}|ENG|P|L|PF|S|Y|A||||RXNORM|IN|{0}|{1}|0|N||\n"


def now(layout: Layout, **knowledge: Any) -> str:
    options = {
        f"knowledge.{name}": value for name, value in {"tagger": "none", **knowledge}.items()
    }
    with open_kit(layout, workspace.load_settings(layout, options)) as kit:
        return versions.current(kit)


def test_an_added_terminology_makes_facts_old_until_reindexed(
    layout: Layout, tmp_path: Path
) -> None:
    (tmp_path / "one.txt").write_text("Assessment: given Zopoclane at night for asthma.\n")
    file = tmp_path / "RXNCONSO.RRF"
    file.write_text(ROW.format(7, "zopoclane"))

    def run(command: str, *files: Path, **params: Any) -> Any:
        options = {"knowledge.tagger": "none", "knowledge.terminologies": [str(f) for f in files]}
        return commands.run(layout.root, command, params, options=options)

    run("ingest", paths=[str(tmp_path / "one.txt")])
    assert not run("status")["former_facts"]
    assert run("status", file)["former_facts"]
    assert run("reindex", file)["changed"] == 1
    assert not run("status", file)["former_facts"]
    file.write_text(ROW.format(7, "zopoclane") + ROW.format(8, "other"))
    assert run("status", file)["former_facts"]


def test_a_file_is_known_by_its_content_and_not_its_place(layout: Layout, tmp_path: Path) -> None:
    told = []
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "RXNCONSO.RRF").write_text(ROW.format(7, "zopiclone"))
        told.append(now(layout, terminologies=[str(tmp_path / folder / "RXNCONSO.RRF")]))
    assert told[0] == told[1] != now(layout)
    assert now(layout, terminologies=[str(tmp_path / "RXNCONSO.RRF")]) not in {*told, now(layout)}


def test_thresholds_linking_and_weights_count_with_a_tagger(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tagger = f"path:{teach(tmp_path / 't', KNOWN)}"
    first = now(layout, tagger=tagger)
    told = json.loads(first)
    assert {"source", "subject", "link"} <= told.keys()
    assert told["tags"]["healthcare"][0]["gene"] == 0.7
    assert now(layout, tagger=tagger, thresholds={"gene": 0.9}) != first
    assert now(layout, thresholds={"gene": 0.9}) == now(layout)
    with monkeypatch.context() as patch:
        patch.setattr(versions, "LEAST", 0.5)
        assert now(layout, tagger=tagger) != first
    assert now(layout, tagger=tagger) == first


def test_abbreviations_and_what_links_count_with_a_tagger(layout: Layout, tmp_path: Path) -> None:
    tagger = f"path:{teach(tmp_path / 't', KNOWN)}"
    table = tmp_path / "short.csv"
    table.write_text("ZQX,asthma\n")
    plain = now(layout, tagger=tagger)
    named = now(layout, tagger=tagger, abbreviations=[str(table)])
    assert now(layout, tagger=tagger, link_by="meaning") not in {plain, named}
    assert named != plain == now(layout, tagger=tagger, link_by="spelling")
    table.write_text("ZQX,gout\n")
    assert now(layout, tagger=tagger, abbreviations=[str(table)]) not in {plain, named}
    assert now(layout, abbreviations=[str(table)], link_by="meaning") == now(layout)


def test_short_forms_of_a_table_are_linked_by_context_and_reindex_notices_it(
    layout: Layout, tmp_path: Path
) -> None:
    known = dict.fromkeys(("zqx", "yyq"), "disease")
    tagger = f"path:{teach(tmp_path / 't', {'biomedical': known})}"
    table = tmp_path / "short.tsv"
    table.write_text("zqx\tasthma\t0.5\nzqx\tfracture of the foot\t0.5\n")
    note = tmp_path / "note.txt"
    note.write_text("Wheezing and dyspnea, takes albuterol for ZQX. Also YYQ.\n")

    def run(command: str, *tables: Path, by: str = "spelling", **params: Any) -> Any:
        options = {
            "knowledge.tagger": tagger,
            "knowledge.abbreviations": [str(t) for t in tables],
            "knowledge.link_by": by,
        }
        return commands.run(layout.root, command, params, options=options)

    run("ingest", paths=[str(note)])
    assert not run("status")["former_facts"]
    assert run("status", table)["former_facts"]
    assert run("reindex", table)["changed"] == 1
    assert not run("status", table)["former_facts"]
    for by in ("spelling", "meaning"):
        found = run("extract", table, by=by, path=str(note))["entities"]
        keys = {one["text"]: one["key"] for one in found}
        assert keys["ZQX"].startswith("ICD10CM:J45")
        assert keys["YYQ"] == "condition:yyq"
    assert run("status", table, by="meaning")["former_facts"]
    table.write_text("zqx\n")
    with pytest.raises(InputError, match=r"short\.tsv"):
        run("extract", table, path=str(note))


def test_a_threshold_of_no_type_is_named(layout: Layout, tmp_path: Path) -> None:
    tagger = f"path:{teach(tmp_path / 't', KNOWN)}"
    with pytest.raises(
        SettingsError, match="no entity type 'medicaton'; did you mean 'medication'"
    ):
        now(layout, tagger=tagger, thresholds={"medicaton": 0.9})
    assert now(layout, tagger=tagger, thresholds={"": 0.9})


def test_another_encoder_makes_vectors_anew(layout: Layout, tmp_path: Path) -> None:
    """The index of the former one would answer with vectors of another meaning."""
    (tmp_path / "one.txt").write_text("The pump of ward three was replaced after an alarm.\n")
    off = {"knowledge.tagger": "none"}
    commands.run(layout.root, "ingest", {"paths": [str(tmp_path / "one.txt")]}, options=off)
    options = off | {"backends.encoder_model": "aegle-embed"}
    assert commands.run(layout.root, "status", {}, options=options)["former_facts"]
    commands.run(layout.root, "reindex", {}, options=options)
    assert not commands.run(layout.root, "status", {}, options=options)["former_facts"]
    with open_kit(layout, workspace.load_settings(layout, options)) as kit:
        chunks = [chunk for batch in kit.corpus.scan() for chunk in batch.chunks]
        vectors = kit.encoder.embed([meaning(chunk) for chunk in chunks])
        ((_, score), *_) = kit.index.search_dense(vectors[0], k=1)
        assert score == pytest.approx(1.0, abs=1e-3)
