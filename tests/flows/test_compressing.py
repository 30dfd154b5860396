"""The search for a smaller model from end to end, on tiny models: choice, files, resume, errors."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aegle.compress.search import Target
from aegle.core.artifacts import check_manifest, read_json
from aegle.core.errors import InputError, StoppedError, UsageError, WorkspaceBusyError
from aegle.core.ports import quiet
from aegle.flows import compress_readers
from aegle.flows.compress_parts import Data
from aegle.flows.compressing import compress
from aegle.flows.runs import locked
from aegle.lm.classes import TextClassifier
from aegle.lm.encoder import SentenceEncoder
from aegle.lm.pairs import CrossEncoder
from aegle.lm.tagger import Tagger
from small_encoders import texts, write_all


@pytest.fixture(scope="module")
def small_models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_all(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def documents(
    small_models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Kind -> documents; their labels are what the models themselves say."""
    folder = tmp_path_factory.mktemp("documents")
    some = texts(32, seed=6)
    rows: dict[str, list[dict[str, Any]]] = {
        "encoder": [{"text": one} for one in texts(64, seed=6)]
    }
    tagged = Tagger(small_models["tagger"], threads=1).tag(some)
    rows["tagger"] = [
        {"text": text, "labels": [[m.start, m.end, m.label] for m in told["clinical"]]}
        for text, told in zip(some, tagged, strict=True)
    ]
    classes = TextClassifier(small_models["classifier"], threads=1).classify(some)
    rows["classifier"] = [
        {"text": text, "classes": [name]} for text, (name, _) in zip(some, classes, strict=True)
    ]
    others = texts(20, seed=7)
    told = TextClassifier(small_models["classifier"], threads=1).classify(others)
    rows["more"] = [
        {"text": text, "classes": [name]} for text, (name, _) in zip(others, told, strict=True)
    ]
    rows["pair"] = [
        {"question": " ".join(one.split()[:3]), "passages": some[n : n + 6], "relevant": [n % 6]}
        for n, one in enumerate(some[:16])
    ]
    for kind, lines in rows.items():
        (folder / f"{kind}.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return {kind: folder / f"{kind}.jsonl" for kind in rows}


@pytest.fixture
def shrink(small_models: dict[str, Path], documents: dict[str, Path], tmp_path: Path) -> Any:
    def run(kind: str, **more: Any) -> dict[str, Any]:
        told = {"path": documents[kind], "format": "json", "because": "made for a test"}
        data = Data(**{**told, **more.pop("data", {})})
        about: dict[str, Any] = {"target": Target(0.9, None, 0.5), "out": tmp_path / "out"}
        about |= {"methods_wanted": ["int8"], "threads": 1, "progress": quiet, **more}
        return compress(str(small_models[kind]), data=data, **about)

    return run


OPENED: dict[str, Callable[[Path], Any]] = {
    "tagger": lambda folder: Tagger(folder, threads=1),
    "encoder": lambda folder: SentenceEncoder(folder, threads=1),
    "pair": lambda folder: CrossEncoder(folder, threads=1),
    "classifier": lambda folder: TextClassifier(folder, threads=1),
}


@pytest.mark.parametrize("kind", OPENED)
def test_the_choice_is_written_with_its_scores(shrink: Any, tmp_path: Path, kind: str) -> None:
    result = shrink(kind, methods_wanted=["int8", "fp16"])
    assert result["meets"]
    assert result["kind"] == kind
    model = tmp_path / "out" / "model"
    OPENED[kind](model).close()
    check_manifest(model / "manifest.json")
    card = read_json(model / "card.json")["compressed"]
    assert card["parent"] == result["parent"]
    assert card["scored"]["retention"] == result["held_out"]["retention"]
    assert card["scored"]["retention"]["value"] >= 0.5
    assert card["scored"]["score"] == result["score"]
    (chosen,) = [one for one in result["trials"] if one["chosen"]]
    assert chosen["name"] == result["choice"]
    assert chosen["size"] < 0.9
    if kind == "encoder":
        assert result["float"]["quality"]["value"] == 1  # it agrees with itself
    if kind in ("tagger", "classifier"):
        assert chosen["retention"]["value"] > 0.7
    saved = read_json(tmp_path / "out" / "result.json")
    assert saved == json.loads(json.dumps(result))
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<svg" in page
    assert "http" not in page.replace("http://www.w3.org", "")
    assert not any(word in page for word in ("aspirin", "attacker"))


def test_a_stopped_search_goes_on(shrink: Any, tmp_path: Path) -> None:
    some = ["int8", "int8-dynamic", "fp16"]
    asked: list[int] = []

    def soon() -> bool:
        asked.append(1)
        return len(asked) > 2

    with pytest.raises(StoppedError, match="after 2 trials"):
        shrink("classifier", methods_wanted=some, stop=soon)
    found = sorted((tmp_path / "out").rglob("trial.json"))
    assert len(found) == 2
    assert not (tmp_path / "out" / "model").exists()
    before = {path: path.stat().st_mtime_ns for path in found}
    result = shrink("classifier", methods_wanted=some)
    assert [one["method"] for one in result["trials"]] == some
    assert {path: path.stat().st_mtime_ns for path in found} == before
    again = shrink("classifier", methods_wanted=some)
    assert again == result


def test_a_kill_in_a_trial_leaves_nothing_half(shrink: Any, tmp_path: Path) -> None:
    def dies(step: str, done: int, total: int | None = None) -> None:
        if step.startswith("layers") and done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shrink("encoder", methods_wanted=["int8", "prune"], progress=dies)
    for path in (tmp_path / "out" / "trials").iterdir():
        assert (path / "model" / "manifest.json").is_file()
    result = shrink("encoder", methods_wanted=["int8", "prune"])
    assert {one["method"] for one in result["trials"]} == {"int8", "prune"}


def test_layers_are_kept_until_enough_is(shrink: Any, tmp_path: Path) -> None:
    result = shrink("encoder", target=Target(None, None, 0.999), methods_wanted=["int4"])
    counts = [len(one["settings"].get("keep", ())) for one in result["trials"]]
    assert counts[0] == 0
    assert max(counts) >= 2
    kept = [set(one["settings"]["keep"]) for one in result["trials"] if "keep" in one["settings"]]
    assert all(a < b for a, b in pairwise(kept))
    assert list((tmp_path / "out" / "trials").glob("sensitivity-*.json"))


def test_where_none_meets_no_model_is_written(shrink: Any, tmp_path: Path) -> None:
    shrink("classifier")
    assert (tmp_path / "out" / "model").is_dir()
    result = shrink("classifier", target=Target(0.01))
    assert not result["meets"]
    assert result["artifact"] is None
    assert not (tmp_path / "out" / "model").exists()
    assert "none meets" in (tmp_path / "out" / "report.html").read_text()


def test_a_beaten_model_is_let_go_and_made_again(shrink: Any, tmp_path: Path) -> None:
    shrink("classifier", methods_wanted=["int8"])
    (folder,) = {path.parent for path in (tmp_path / "out").rglob("trial.json")}
    kept = (folder / "model" / "model.onnx").read_bytes()
    shutil.rmtree(folder / "model")
    shrink("classifier", methods_wanted=["int8"])
    assert (folder / "model" / "model.onnx").read_bytes() == kept


def test_calibration_texts_are_not_scored(
    documents: dict[str, Path], shrink: Any, tmp_path: Path
) -> None:
    result = shrink("classifier")
    held = result["held_out"]
    assert result["documents"] + held["documents"] + result["calibration_texts"] == 32
    given = {"calibrate": documents["encoder"], "test": documents["more"], "limit": 9}
    more = shrink("classifier", out=tmp_path / "more", data=given)
    assert (more["documents"], more["held_out"]["documents"]) == (9, 9)
    assert more["calibration_texts"] == 64
    with pytest.raises(InputError, match=r"documents of .* calibrate or choose, too"):
        shrink("classifier", data={"test": documents["classifier"]})
    by = shrink("classifier", out=tmp_path / "by", data={"score": "accuracy"})
    assert by["float"]["quality"]["value"] == pytest.approx(1, abs=0.1)


def test_what_makes_no_sense_is_refused(
    documents: dict[str, Path], shrink: Any, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="scored by macro-f1 or accuracy, not 'ndcg'"):
        shrink("classifier", data={"score": "ndcg"})
    with pytest.raises(UsageError, match="no label set 'cardiac'; there are: clinical, security"):
        shrink("tagger", data={"head": "cardiac"})
    with pytest.raises(InputError, match=r"none of the documents' labels .* 'security': host"):
        shrink("tagger", data={"head": "security"})
    with pytest.raises(UsageError, match="needs a budget"):
        shrink("encoder", trials=0)
    few = tmp_path / "few.jsonl"
    few.write_text("\n".join(json.dumps({"text": one}) for one in texts(3)))
    with pytest.raises(InputError, match="texts are left to calibrate"):
        shrink("encoder", data={"calibrate": few})
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"question": "who", "passages": ["one"]}')
    with pytest.raises(InputError, match=r"bad\.jsonl, line 1"):
        shrink("pair", data={"calibrate": bad})


def test_what_was_chosen_by_luck_is_not_written(
    shrink: Any, documents: dict[str, Path], tmp_path: Path
) -> None:
    """Held-out documents whose classes are others: the float model's errors, kept by chance."""
    known = [json.loads(line) for line in documents["more"].read_text().splitlines()]
    names = sorted({row["classes"][0] for row in known})
    for number, row in enumerate(known):  # the float model is right of the first two only
        if number > 1:
            row["classes"] = [names[(names.index(row["classes"][0]) + 1) % len(names)]]
    other = tmp_path / "other.jsonl"
    other.write_text("\n".join(map(json.dumps, known)))
    given = {"test": other, "score": "accuracy"}
    result = shrink(
        "classifier", data=given, target=Target(0.9, None, 0.9), methods_wanted=["int8"]
    )
    held = result["held_out"]["retention"]["value"]
    assert result["meets"] is (held >= 0.9)
    assert (tmp_path / "out" / "model").exists() is result["meets"]


def test_two_searches_do_not_share_a_folder(shrink: Any, tmp_path: Path) -> None:
    with locked(tmp_path / "out"), pytest.raises(WorkspaceBusyError, match="another process"):
        shrink("encoder")
    assert not (tmp_path / "out" / "trials").exists()


def test_healed_cuts_are_a_method_too(small_models: dict[str, Path], tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from aegle.flows.compress_heal import healed

    made = healed(
        small_models["tagger"],
        tmp_path / "healed",
        texts=texts(12),
        settings={"layers": 1, "steps": 3},
        progress=quiet,
    )
    assert made.about["steps"] == 3
    assert Tagger(made.folder, threads=1).tag(texts(2))
    with pytest.raises(InputError, match="prune-heal has no setting epochs"):
        healed(made.folder, tmp_path / "x", texts=[], settings={"epochs": 3}, progress=quiet)


def test_nothing_else_is_written_over(
    shrink: Any, small_models: dict[str, Path], tmp_path: Path
) -> None:
    mine = tmp_path / "mine" / "model"
    shutil.copytree(small_models["encoder"], mine)
    with pytest.raises(UsageError, match="is no compressed model, which would take its place"):
        shrink("encoder", out=tmp_path / "mine")
    assert (mine / "model.safetensors").is_file()
    with pytest.raises(UsageError, match="lies in the model's own folder"):
        shrink("encoder", out=small_models["encoder"] / "small")


def test_a_score_of_nothing_is_refused(shrink: Any, tmp_path: Path) -> None:
    none = tmp_path / "none.jsonl"
    rows = [{"text": f"zzz qqq {n}", "labels": [[0, 3, "drug"]]} for n in range(20)]
    none.write_text("\n".join(map(json.dumps, rows)))
    with pytest.raises(InputError, match="the float model's f1 on these documents is 0"):
        shrink("tagger", data={"path": none})


def test_neighbours_and_orders_are_compared() -> None:
    rng = np.random.default_rng(3)
    vectors = rng.normal(0, 1, (9, 4))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    found = compress_readers.nearest(vectors.copy(), 3)
    for row in range(9):
        others = sorted((n for n in range(9) if n != row), key=lambda n: -vectors[row] @ vectors[n])
        assert found[row].tolist() == others[:3]
    a, b = np.array([3.0, 1, 2]), np.array([1.0, 2, 3])
    assert compress_readers.alike(a, a) == 1
    assert compress_readers.alike(a, b) == pytest.approx(1 / 3)
