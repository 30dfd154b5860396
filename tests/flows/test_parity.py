"""Parity the whole way: a model, its smaller form, a real server, the registry, promotion."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from aegle.cli.app import app
from aegle.compress import finish
from aegle.compress.encoders import int8
from aegle.compress.source import open_source
from aegle.core.artifacts import read_json, sha256_tree, write_json
from aegle.core.errors import InputError, StoppedError, UsageError
from aegle.core.ports import quiet
from aegle.flows import critical, parity, parity_tasks
from aegle.flows.parity import Wanted
from aegle.flows.parity_tasks import Given
from aegle.registry.sign import Keys
from small_encoders import hugging_face, texts
from taught import teach

pytest.importorskip("cryptography")
KNOWN = {
    "clinical": {"aspirin": "medication", "heparin": "medication", "fever": "problem"},
    "security": {"emotet": "malware"},
}
RUN = CliRunner()


def documents(path: Path, count: int = 60) -> Path:
    """Each names a drug and a problem, two of a group."""
    rows = []
    for number in range(count):
        drug = ("aspirin", "heparin")[number % 2]
        text = f"takes {drug} for fever now"
        at = text.index("fever")
        labels = [[6, 6 + len(drug), "medication"], [at, at + 5, "problem"]]
        rows.append({"text": text, "labels": labels, "group": f"p{number // 2}"})
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def dead(folder: Path, out: Path, label: str) -> Path:
    """The model without a label: its rows of the head are pruned, so that it is never said."""
    source = open_source(folder)
    place = read_json(folder / "card.json")["heads"]["clinical"]["labels"].index(label)
    name = "heads.clinical.weight"
    weights = dict(source.weights)
    weights[name] = weights[name].copy()
    weights[name][1 + 2 * place : 3 + 2 * place] = 0
    broken = replace(source, weights=weights)
    made = finish.write(
        broken, broken.graph(int8=True), out, method="pruned head", about={}, texts=()
    )
    return made.folder


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("parity")
    teach(root / "original", KNOWN)
    int8(root / "original", root / "small", texts=(), settings={}, progress=quiet)
    dead(root / "original", root / "broken", "problem")
    documents(root / "test.jsonl")
    (root / "train.jsonl").write_text("other documents")
    return root


@pytest.fixture(scope="module")
def certified(root: Path) -> Callable[[str], Any]:
    """The certificate of a model, by the command; measured once."""
    done: dict[str, Any] = {}

    def get(model: str) -> Any:
        if model not in done:
            line = ["parity", str(root / "original"), "--compressed", str(root / model)]
            line += ["--data", f"clinical={root / 'test.jsonl'}", "--because", "made"]
            line += ["--key", str(root / "key"), "--p95", "5000", "--threads", "1", "--json"]
            done[model] = RUN.invoke(app, [*line, "--out", str(root / f"of-{model}")])
        return done[model]

    return get


def registry(root: Path, tmp_path: Path, model: str, *more: str) -> tuple[list[str], Any]:
    where = ["--registry", str(tmp_path / "r"), "--key", str(root / "key")]
    line = ["registry", "add", "triage", str(root / model), *more]
    return where, RUN.invoke(app, [*line, "--data", str(root / "train.jsonl"), *where])


def test_what_is_kept_is_promoted(certified: Any, root: Path, tmp_path: Path) -> None:
    done = certified("small")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert [one["name"] for one in told["stages"]] == ["original", "compressed", "served"]
    assert told["model"] == sha256_tree(root / "small")
    assert set(told["critical"]) == {"clinical.medication", "clinical.problem"}
    served = told["stages"][-1]
    assert served["kept"]["value"] == 1
    assert served["churn"]["items"]["value"] == 0
    assert served["memory_bytes"] > 10 * 2**20
    assert served["latency_ms"]["p50"]["value"] <= served["latency_ms"]["p95"]["value"]
    assert served["calibration"]["predictions"] == 120
    page = (root / "of-small" / "parity.html").read_text()
    assert "<strong>passes</strong>" in page
    assert "aspirin" not in page + (root / "of-small" / "parity.json").read_text()
    where, added = registry(root, tmp_path, "small", "--critical", "clinical.problem")
    assert added.exit_code == 0, added.output
    for kind in ("scores", "latency"):
        file = str(root / "of-small" / f"{kind}.json")
        told = ["registry", "evidence", "triage", kind, file, "--version", "1", *where]
        assert RUN.invoke(app, told).exit_code == 0
    digest = sha256_tree(root / "small")
    for kind in ("robustness", "fairness"):
        figure = {"value": 0.9, "low": 0.8, "high": 1, "n": 9}
        body = {"model": digest, "figures": {"f": figure}, "limits": {"f": {"at_least": 0.5}}}
        write_json(tmp_path / "e.json", body)
        told = ["registry", "evidence", "triage", kind, str(tmp_path / "e.json")]
        assert RUN.invoke(app, [*told, "--version", "1", *where]).exit_code == 0
    line = ["promote", "triage", "--version", "1", *where]
    assert "parity (none attached)" in str(RUN.invoke(app, line).exception)
    line += ["--parity", str(root / "of-small" / "parity.json")]
    stricter = RUN.invoke(app, [*line, "--critical", "malware"])
    assert "malware is critical and was not measured" in str(stricter.exception)
    promoted = RUN.invoke(app, line)
    assert promoted.exit_code == 0, promoted.output


def test_a_dead_label_is_refused(certified: Any, root: Path, tmp_path: Path) -> None:
    done = certified("broken")
    assert done.exit_code == 1, done.output
    told = json.loads(done.stdout)
    assert not told["passes"]
    assert [one.split(":")[0] for one in told["reasons"]] == ["compressed", "served"]
    assert "clinical.problem is lost: keeps 0.0%" in told["reasons"][1]
    assert told["stages"][-1]["labels"]["clinical.medication"]["verdict"] == "passes"
    file = str(root / "of-broken" / "parity.json")
    where, added = registry(root, tmp_path, "broken", "--parity", file)
    assert isinstance(added.exception, InputError)
    refused = RUN.invoke(app, ["promote", "triage", "--version", "1", "--parity", file, *where])
    assert "clinical.problem is lost" in str(refused.exception)
    # The user may say what is critical, the certificate can't take that back.
    where, added = registry(root, tmp_path, "broken", "--critical", "medication", "--parity", file)
    assert "problem is lost" in str(added.exception)


def test_all_label_sets_of_a_tagger_count(certified: Any, root: Path, tmp_path: Path) -> None:
    """Unless the user says otherwise: what packs call critical must be measured, all of it."""
    assert critical.of_model(root / "small") == (
        *("clinical.medication", "clinical.problem"),
        *("security.malware", "security.vulnerability"),
    )
    certified("small")
    file = str(root / "of-small" / "parity.json")
    _, added = registry(root, tmp_path, "small", "--parity", file)
    assert "its original" not in str(added.exception)
    assert "security.malware is critical and was not measured" in str(added.exception)


def test_a_certificate_by_hand_is_refused(certified: Any, root: Path, tmp_path: Path) -> None:
    certified("small")
    where, _ = registry(root, tmp_path, "small", "--critical", "clinical.problem")
    record = read_json(root / "of-small" / "parity.json")
    for change in (
        {**record, "signature": ""},
        {**record, "body": {**record["body"], "documents": 61}},
        record["body"],
        Keys(tmp_path / "other").signed("parity", record["body"]),
        Keys(root / "key").signed("evidence", record["body"]),
    ):
        write_json(tmp_path / "c.json", change)
        line = ["registry", "evidence", "triage", "parity", str(tmp_path / "c.json")]
        found = RUN.invoke(app, [*line, "--version", "1", *where])
        assert "signature" in str(found.exception)


def test_what_can_not_be_measured_is_said(root: Path, tmp_path: Path) -> None:
    given = Given((("clinical", root / "test.jsonl"),), "made")
    small = {"compressed": root / "small"}

    def refused(why: str, stages: Any = small, given: Given = given, **wanted: Any) -> None:
        with pytest.raises((UsageError, InputError), match=why):
            parity.certify(
                str(root / "original"), stages, given=given, wanted=Wanted(**wanted), out=tmp_path
            )

    refused("name a stage", {}, serve=False)
    refused("no stage 'smaller'", {"smaller": root / "small"})
    refused("keep is 0.95 to 1", keep=0.5)
    refused("no document has the label 'dose'", critical=("dose",))
    refused("say why", given=replace(given, because=" "))
    refused(
        "no label set 'imaging'", given=replace(given, files=(("imaging", root / "test.jsonl"),))
    )
    refused("can't be served", {"compressed": root / "test.jsonl"})
    with pytest.raises(UsageError, match="no such file"):
        parity.paths(["clinical=nowhere.jsonl"])


def test_what_changes_or_is_stopped_leaves_no_certificate(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "small", tmp_path / "small")

    def change(step: str, done: int, total: int | None = None) -> None:
        if "compressed" in step:
            (tmp_path / "small" / "more.json").write_text("{}")

    with pytest.raises(InputError, match="changed while it was measured"):
        parity.certify(
            str(root / "original"),
            {"compressed": tmp_path / "small"},
            given=Given((("clinical", root / "test.jsonl"),), "made", limit=6),
            wanted=Wanted(serve=False),
            out=tmp_path / "out",
            progress=change,
        )
    with pytest.raises(StoppedError, match="no certificate"):
        parity.certify(
            str(root / "original"),
            {"compressed": root / "small"},
            given=Given((("clinical", root / "test.jsonl"),), "made"),
            out=tmp_path / "out",
            stop=lambda: True,
        )
    assert not (tmp_path / "out" / "parity.json").exists()


def test_classifiers_and_embedders(tmp_path: Path) -> None:
    """A classifier has no endpoint; an embedder's neighbours are the original's."""
    labels = ["care", "attack"]
    model = hugging_face(tmp_path / "c", labels=labels, problem_type="single_label_classification")
    int8(model, tmp_path / "c8", texts=(), settings={}, progress=quiet)
    rows = [{"text": one, "classes": [labels[n % 2]]} for n, one in enumerate(texts(12))]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    given = Given((("", tmp_path / "t.jsonl"),), "made")
    how: dict[str, Any] = {"given": given, "out": tmp_path / "o"}
    stages = {"compressed": tmp_path / "c8"}
    with pytest.raises(UsageError, match="no endpoint for a classifier"):
        parity.certify(str(model), stages, wanted=Wanted(critical=("care",)), **how)
    wanted = Wanted(critical=("care",), serve=False, threads=1)
    told = parity.certify(str(model), stages, wanted=wanted, **how)
    assert told["score"] == "class-f1"
    assert told["stages"][1]["calibration"]["predictions"] == 12
    assert "12 items" in told["reasons"][0] or "items in" in told["reasons"][0]
    assert not told["signed"]
    embedder = hugging_face(tmp_path / "e")
    int8(embedder, tmp_path / "e8", texts=(), settings={}, progress=quiet)
    wanted = Wanted(critical=("attack",), threads=1)
    told = parity.certify(str(embedder), {"compressed": tmp_path / "e8"}, wanted=wanted, **how)
    served = told["stages"][-1]
    assert told["stages"][0]["score"]["value"] == 1
    assert 0.3 < served["kept"]["value"] <= 1
    assert served["counts"] == told["stages"][1]["counts"]
    assert served["calibration"] is None


def test_rerankers_are_scored_by_gain(tmp_path: Path) -> None:
    model = hugging_face(tmp_path / "p", labels=["relevance"])
    int8(model, tmp_path / "p8", texts=(), settings={}, progress=quiet)
    asked, rows = texts(5, seed=4), []
    for number in range(12):
        question, *passages = asked[number % 3 :][:3]
        rows.append({"question": question, "passages": passages, "relevant": [number % 2]})
    (tmp_path / "q.jsonl").write_text("\n".join(map(json.dumps, rows)))
    told = parity.certify(
        str(model),
        {"compressed": tmp_path / "p8"},
        given=Given((("", tmp_path / "q.jsonl"),), "made"),
        wanted=Wanted(critical=("all",), serve=False, threads=1),
        out=tmp_path / "o",
    )
    # Of two passages the right one is first, or second: 1 / log2(3).
    gains = [row[3] for row in told["stages"][0]["counts"]["all"]]
    assert all(min(abs(one - 1), abs(one - 0.63093)) < 1e-4 for one in gains)
    assert told["stages"][0]["score"]["value"] == pytest.approx(sum(gains) / 12)


def test_classes_of_whole_texts_and_spans_become_items() -> None:
    asks = (parity_tasks.Ask("x", "technique", whole=True), parity_tasks.Ask("x", "clinical"))
    task = parity_tasks.Task("tagger", "f1", asks, ("a", "b"), (), (), ("", ""))
    told = parity_tasks.scored(task, [("T1057", 0.8), [(0, 1, "problem", 0.5)]])
    assert told.answers == [{("technique.T1057",): 0.8}, {("clinical.problem", 0, 1): 0.5}]
    with pytest.raises(InputError, match="1 answers to 2 requests"):
        parity_tasks.scored(task, [("T1057", 0.8)])


def test_the_shell_shows_stages_and_reasons(root: Path, tmp_path: Path) -> None:
    line = ["parity", str(root / "original"), "--compressed", str(root / "broken"), "--no-serve"]
    line += ["--data", f"clinical={root / 'test.jsonl'}", "--because", "made", "--limit", "40"]
    done = RUN.invoke(app, [*line, "--key", str(tmp_path / "key"), "--out", str(tmp_path / "o")])
    assert done.exit_code == 1
    assert "Labels that lost over 5%: compressed: clinical.problem" in done.output
    assert "compressed: clinical.problem is lost: keeps 0.0%" in done.output
    assert "does not pass" in done.output
    assert not (tmp_path / "o" / "latency.json").exists()
