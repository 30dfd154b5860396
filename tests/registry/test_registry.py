"""The registry: lineage, signatures, refusals, aliases, writers at once, MLflow's aliases."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from aegle.cli.app import app
from aegle.core.errors import InputError, NotFoundError, UsageError
from aegle.flows import promoting
from aegle.registry import gate
from aegle.registry.sign import Keys
from aegle.registry.store import Registry

pytest.importorskip("cryptography")
HASH = {"notes": "0" * 64}


def figure(value: float) -> dict[str, float]:
    return {"value": value, "low": value, "high": value, "n": 40}


def certificate(digest: str, right: int = 4) -> dict[str, Any]:
    """40 drugs in 10 groups: all found by the original, ``right`` of 4 a group when served."""
    stages = [
        {
            "name": name,
            "digest": digest,
            "counts": {"drug": [[group, 4, 4, found] for group in range(10)]},
        }
        for name, found in (("original", 4), ("served", right))
    ]
    data = {"files": {"test.jsonl": "1" * 64}, "documents": "2" * 64}
    return {
        "model": digest,
        "documents": 20,
        "groups": 10,
        "labels": ["drug"],
        "keep": 0.95,
        "critical": ["drug"],
        "data": data,
        "scorer": {"sha256": "3" * 64},
        "stages": stages,
    }


def proof(kind: str, digest: str) -> dict[str, Any]:
    return {"model": digest, "figures": {"f1": figure(0.9)}, "limits": {"f1": {"at_least": 0.8}}}


def attach(registry: Registry, kind: str, digest: str, keys: Keys) -> None:
    found = proof(kind, digest) if kind != "parity" else keys.signed(kind, certificate(digest))
    registry.attach("triage", 1, kind, found)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "heads").mkdir(parents=True)
    (folder / "card.json").write_text("{}")
    (folder / "heads" / "model.safetensors").write_bytes(bytes(range(64)))
    return folder


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path / "key")


@pytest.fixture
def registry(tmp_path: Path, keys: Keys) -> Registry:
    return Registry(tmp_path / "registry", keys)


def added(registry: Registry, model: Path, **more: Any) -> Any:
    told: dict[str, Any] = {"data": HASH, "recipe": {"steps": 3}, "code": "aegle 1"}
    told |= {"critical": ["drug"], **more}
    return registry.add("triage", model, **told)


def test_versions_carry_their_lineage(registry: Registry, model: Path) -> None:
    first = added(registry, model)
    second = added(registry, model, parents=["triage/1"])
    assert (first.number, second.number) == (1, 2)
    assert second.lineage["parents"] == ["triage/1"]
    assert second.lineage["data"] == HASH
    assert (first.derived, second.derived) == (False, True)
    with pytest.raises(NotFoundError, match="no version '9'"):
        added(registry, model, parents=["triage/9"])
    with pytest.raises(UsageError, match="needs its data's hashes"):
        added(registry, model, data={})
    with pytest.raises(UsageError, match="a model's name"):
        registry.numbers("../elsewhere")


def test_any_changed_byte_is_refused(registry: Registry, model: Path) -> None:
    version = added(registry, model)
    registry.attach("triage", 1, "scores", proof("scores", version.digest))
    registry.alias("triage", "challenger", 1)
    root = version.folder.parent
    for path in [
        *root.rglob("*.json"),
        *root.rglob("*.safetensors"),
        root.parents[1] / "aliases.json",
    ]:
        kept = path.read_bytes()
        for at in range(len(kept)):
            path.write_bytes(kept[:at] + bytes([kept[at] ^ 1]) + kept[at + 1 :])
            try:
                opened = registry.open("triage", 1)
            except InputError:
                continue
            # Only what JSON ignores may differ.
            assert path.suffix == ".json"
            assert path.parent.name != "model"
            assert json.loads(path.read_bytes()) == json.loads(kept)
            assert opened.digest == version.digest
        path.write_bytes(kept)
    (version.folder / "more.json").write_text("{}")
    with pytest.raises(InputError, match=r"more\.json was added"):
        registry.open("triage", 1)


def test_evidence_can_not_change_places(registry: Registry, model: Path, tmp_path: Path) -> None:
    version = added(registry, model)
    (model / "card.json").write_text('{"other": 1}')
    other = added(registry, model)
    registry.attach("triage", 1, "scores", proof("scores", version.digest))
    folder = version.folder.parent / "evidence"
    (folder / "latency.json").write_bytes((folder / "scores.json").read_bytes())
    with pytest.raises(InputError, match="another kind"):
        registry.open("triage", 1)
    with pytest.raises(InputError, match="about model"):
        registry.attach("triage", 2, "scores", proof("scores", version.digest))
    stranger = Registry(tmp_path / "registry", Keys(tmp_path / "key2"))
    with pytest.raises(InputError, match="another key"):
        stranger.open("triage", other.number)


def test_a_champion_needs_all_evidence(registry: Registry, model: Path, keys: Keys) -> None:
    digest = added(registry, model).digest
    for kind in gate.KINDS:
        with pytest.raises(UsageError, match=f"missing: {kind} "):
            registry.alias("triage", "champion", 1)
        attach(registry, kind, digest, keys)
    registry.alias("triage", "champion", 1, because="first")
    assert registry.open("triage", "champion").number == 1
    assert registry.history("triage")[0]["because"] == "first"


def test_what_fails_is_refused(registry: Registry, model: Path, keys: Keys) -> None:
    digest = added(registry, model).digest
    lost = certificate(digest, 3)
    with pytest.raises(InputError, match=r"served: drug is lost: keeps 75\.0%"):
        registry.attach("triage", 1, "parity", keys.signed("parity", lost))
    with pytest.raises(InputError, match="signature"):
        registry.attach("triage", 1, "parity", certificate(digest))
    low = {"model": digest, "figures": {"f1": figure(0.5)}, "limits": {"f1": {"at_least": 0.8}}}
    assert gate.wrong("fairness", low, digest) == ["f1 is 0.5, the limit is at least 0.8"]
    assert gate.wrong("latency", {"model": digest, "figures": {"f1": figure(1)}}, digest)
    assert gate.wrong("scores", {"model": digest, "figures": {"f1": figure(float("nan"))}}, digest)
    assert gate.wrong("scores", [], digest)


def test_a_certificate_is_not_believed(registry: Registry, model: Path) -> None:
    """Its verdict, its list and its figures are its own; counts, hashes and the rule decide."""
    digest = added(registry, model).digest

    def why(**change: Any) -> str:
        told = {**certificate(digest), **change}
        return "; ".join(gate.wrong("parity", told, digest, critical=["drug"], trained={"9" * 64}))

    good, lost = certificate(digest), certificate(digest, 3)
    assert why() == ""
    assert "lost" in why(stages=lost["stages"], passes=True, reasons=[], keep=0.1)
    assert "lost" in why(stages=lost["stages"], critical=[])
    assert why(keep=float("nan")) == ""
    assert "lost" in why(stages=lost["stages"], keep=float("nan"))
    assert "end with served" in why(stages=good["stages"][:1])
    assert "end with served" in why(stages=[*good["stages"], good["stages"][1]])
    assert "dose is critical and was not measured" in why(critical=["dose"])
    assert gate.wrong("parity", good, digest) == ["no label is critical; name them: --critical"]
    other = [good["stages"][0], {**good["stages"][1], "digest": "4" * 64}]
    assert why(stages=other) == "what was served is another model"
    between = [good["stages"][0], {**other[1], "name": "compressed"}, good["stages"][1]]
    assert why(stages=between) == "what was served is not the stage compressed"
    itself = gate.wrong("parity", good, digest, critical=["drug"], derived=True)
    assert itself == ["its original is this version itself, which was made of another model"]
    learned = {"files": {"test.jsonl": "9" * 64}, "documents": "2" * 64}
    assert why(data=learned) == "test.jsonl was trained on, too"
    for change in (
        {"data": {"files": {}, "documents": "2" * 64}},
        {"scorer": {"sha256": ""}},
        {"labels": ["drug", "dose"]},
        {"groups": 0},
        {"groups": 9},
        {"stages": [good["stages"][0], {**good["stages"][1], "counts": {"drug": [[0, 4, 4]]}}]},
        {"stages": [good["stages"][0], {**good["stages"][1], "counts": {"drug": [[0, 4, 4, 5]]}}]},
        {"stages": [good["stages"][0], {**good["stages"][1], "counts": {"drug": [[0, 4, 4, 4]]}}]},
    ):
        assert "not in the form of parity" in why(**change), change


def test_code_and_links_are_refused(registry: Registry, model: Path) -> None:
    (model / "model.pkl").write_bytes(b"")
    with pytest.raises(InputError, match="can carry code"):
        added(registry, model)
    (model / "model.pkl").unlink()
    (model / "link.json").symlink_to(model / "card.json")
    with pytest.raises(InputError, match="is a link"):
        added(registry, model)
    assert registry.numbers("triage") == []


def test_writers_at_once_lose_nothing(registry: Registry, model: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from aegle.registry.sign import Keys;"
        "from aegle.registry.store import Registry; r = Path(sys.argv[1]);"
        "[Registry(r / 'registry', Keys(r / 'key')).add('triage', r / 'model', data={'a': 'b'},"
        " recipe=None, code='x') for _ in range(5)]"
    )
    line = [sys.executable, "-c", code, str(tmp_path)]
    running = [subprocess.Popen(line) for _ in range(2)]
    assert [one.wait(60) for one in running] == [0, 0]
    assert registry.numbers("triage") == list(range(1, 11))
    assert registry.open("triage", 10).digest == registry.open("triage", 1).digest


def test_the_shell_names_what_is_missing(model: Path, tmp_path: Path) -> None:
    run, data = CliRunner(), tmp_path / "data.jsonl"
    data.write_text("{}")
    where = ["--registry", str(tmp_path / "r"), "--key", str(tmp_path / "key")]
    line = ["registry", "add", "triage", str(model), "--data", str(data), *where, "--json"]
    line += ["--critical", "drug"]
    made = run.invoke(app, line)
    assert made.exit_code == 0, made.output
    digest = json.loads(made.output)["digest"]
    refused = run.invoke(app, ["promote", "triage", "--version", "1", *where])
    assert refused.exit_code != 0
    assert all(kind in str(refused.exception) for kind in gate.KINDS)
    for kind in gate.KINDS:
        file = tmp_path / f"{kind}.json"
        found = proof(kind, digest)
        if kind == "parity":
            found = Keys(tmp_path / "key").signed(kind, certificate(digest))
        file.write_text(json.dumps(found))
        told = ["registry", "evidence", "triage", kind, str(file), "--version", "1", *where]
        assert run.invoke(app, told).exit_code == 0
    done = run.invoke(app, ["promote", "triage", "--version", "1", *where])
    assert done.exit_code == 0, done.output
    assert "champion" in run.invoke(app, ["registry", "list", "triage", *where]).output
    with pytest.raises(UsageError, match="keep it elsewhere"):
        promoting.opened(tmp_path / "r", tmp_path / "r" / "key")


def test_mlflow_repeats_the_alias(registry: Registry, model: Path, tmp_path: Path) -> None:
    pytest.importorskip("mlflow")
    from aegle.backends.tracker_mlflow import MlflowTracker

    added(registry, model)
    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    promoting.promote(registry, "triage", "1", alias="challenger", tracker=uri)
    tracker = MlflowTracker(uri)
    assert tracker.source("triage", "challenger") == str(registry.open("triage", 1).folder)
    tracker.close()
