"""`aegle ablate` and `aegle compare` on a tiny generator: each run once, gone on with, compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("peft", reason="training needs the extra 'train'")

from test_causal_command import RECIPE, aegle
from tiny_causal import corpus, tiny

from aegle.core.errors import InputError, StoppedError, UsageError
from aegle.flows import ablating, comparing

VARY = {"adapter.rank": [2, 4]}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    tiny(folder / "base")
    corpus(folder / "train.jsonl", count=30)
    corpus(folder / "held.jsonl", count=24, seed=8)
    (folder / "tiny.yaml").write_text(RECIPE.format(base=folder / "base"))
    return folder


def go(made: Path, out: Path, **more: Any) -> dict[str, Any]:
    told: dict[str, Any] = {"vary": VARY, "seeds": 1, "device": "cpu", **more}
    return ablating.ablate(made / "tiny.yaml", data=made, out=out, **told)


@pytest.fixture(scope="module")
def ablated(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The folder of runs, and what the command printed and told, the first run stopped half-way."""
    out = tmp_path_factory.mktemp("runs")
    with pytest.raises(StoppedError, match="stopped at step"):
        go(made, out, stop=lambda: True)
    words = ("ablate", str(made / "tiny.yaml"), "--data", str(made), "--out", str(out), "--json")
    more = ("--vary", "adapter.rank=2,4", "--seeds", "1", "--device", "cpu")
    code, printed, told = aegle(*words, *more)
    assert code == 0, told
    return out, json.loads(printed), told


def test_every_combination_is_trained_and_told(ablated: Any) -> None:
    out, result, told = ablated
    assert [one["label"] for one in result["arms"]] == ["rank=2", "rank=4"]
    first, second = result["arms"]
    assert second["costs"]["trained_parameters"] == 2 * first["costs"]["trained_parameters"]
    assert second["costs"]["stored_bytes"] > first["costs"]["stored_bytes"]
    assert second["difference"]["n"] == first["quality"]["n"] > 1
    assert first["runs"][0]["resumed"], "it was stopped and gone on with"
    assert any("gone on with" in one for one in result["notes"])
    assert "run 2 of 2: rank=4, seed 17" in told
    home = out / "tiny-ablate"
    assert json.loads((home / "report.json").read_text()) == result
    assert "rank=4" in (home / "report.html").read_text()
    assert not list(home.rglob("checkpoint*"))
    for one in result["arms"]:
        kept = json.loads((Path(one["runs"][0]["folder"]) / "result.json").read_text())
        value = kept["metrics"]["dev"]["loss"]["value"]
        assert one["quality"]["value"] == pytest.approx(value)


def test_what_is_finished_is_not_trained_again(
    made: Path, ablated: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*given: Any, **told: Any) -> Any:
        raise AssertionError("a finished run was trained again")

    monkeypatch.setattr(ablating, "apart", never)
    lines: list[str] = []
    again = go(made, ablated[0], tell=lines.append)
    assert again["arms"] == ablated[1]["arms"]
    assert lines == ["2 of 2 runs were finished before"]
    with pytest.raises(AssertionError, match="trained again"):
        go(made, ablated[0], seeds=2)
    (made / "other").mkdir()
    for name in ("train", "held"):
        corpus(made / "other" / f"{name}.jsonl", count=30, seed=77)
    with pytest.raises(AssertionError, match="trained again"):
        ablating.ablate(made / "tiny.yaml", data=made / "other", out=ablated[0], vary=VARY, seeds=1)


def test_a_run_that_fails_is_told_and_the_others_go_on(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def here(target: str, given: Any, **told: Any) -> None:
        if given["changes"]["adapter.rank"] == 2:
            raise InputError("the loss of step 3 is nan: the run has diverged")
        ablating.train_one(**given)

    monkeypatch.setattr(ablating, "apart", here)
    found = go(made, tmp_path)
    assert [one["label"] for one in found["arms"]] == ["rank=4"]
    (failed,) = found["failed"]
    assert (failed["arm"], "diverged" in failed["why"]) == ("rank=2", True)
    with pytest.raises(InputError, match="diverged"):
        go(made, tmp_path, vary={"adapter.rank": [2], "optimiser.lr": [0.01]})


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"vary": {}}, "nothing to vary"),
        ({"vary": {"seed": [1, 2]}}, "can't be varied"),
        ({"vary": {"adapter.rank": [2, 2]}}, "says the same"),
        ({"against": "rank=3"}, "there are: rank=2; rank=4"),
        ({"vary": {"adapter.rang": [2]}}, "did you mean 'rank'"),
        ({"vary": {"adapter": ["lora", "prompt"], "merge": [True]}}, "can't be merged"),
    ],
)
def test_mistakes_are_told_before_anything_is_trained(
    made: Path, tmp_path: Path, more: Any, says: str
) -> None:
    with pytest.raises((UsageError, InputError), match=says):
        go(made, tmp_path, **more)
    assert not list(tmp_path.rglob("result.json"))


def test_runs_are_compared_by_what_they_left(made: Path, ablated: Any) -> None:
    runs = [one["runs"][0]["folder"] for one in ablated[1]["arms"]]
    code, printed, told = aegle("compare", *runs, "--json")
    assert code == 0, told
    found = json.loads(printed)
    gain = found["arms"][1]["difference"]
    assert gain == pytest.approx(ablated[1]["arms"][1]["difference"])
    about = Path(runs[1]) / "run.json"
    before = about.read_text()
    dev = Path(runs[1]) / "dev.json"
    kept = dev.read_text()
    other = json.loads(kept)
    for one in other.values():
        one["groups"] = {f"0{key}": sums for key, sums in one["groups"].items()}
    dev.write_text(json.dumps(other))
    with pytest.raises(InputError, match="of the same data they hold other texts out"):
        comparing.compare(runs)
    hashes = {"hashes": {"data.0.train": "another"}}
    about.write_text(json.dumps({**json.loads(before), **hashes}))
    with pytest.raises(InputError, match=r"since data\.0\.train differ"):
        comparing.compare(runs)
    dev.write_text(json.dumps({"drugs": {"higher": True, "groups": {"0": [1, 2]}}}))
    with pytest.raises(InputError, match=r"one has scores of bits_per_byte.*the other of drugs"):
        comparing.compare(runs)
    dev.write_text(kept)
    about.write_text(before)


def test_a_base_its_adapter_and_its_quantisation_read_the_same_texts(
    made: Path, ablated: Any, tmp_path: Path
) -> None:
    run = ablated[1]["arms"][1]["runs"][0]["folder"]
    page = tmp_path / "compare.html"
    names = (f"path:{made / 'base'}", run, f"path:{made / 'base'}@nf4")
    more = ("--data", str(made / "held.jsonl"), "--device", "cpu", "--out", str(page), "--json")
    code, printed, told = aegle("compare", *names, *more)
    assert code == 0, told
    base, adapted, small = json.loads(printed)["arms"]
    assert adapted["difference"]["high"] < 0, "it has learned"
    assert small["costs"]["stored_bytes"] < base["costs"]["stored_bytes"] / 2
    assert adapted["costs"]["stored_bytes"] > base["costs"]["stored_bytes"]
    assert base["quality"]["n"] == 8
    assert "held-out loss" in page.read_text()


def test_what_cannot_be_compared_is_said(made: Path, ablated: Any, tmp_path: Path) -> None:
    run = ablated[1]["arms"][0]["runs"][0]["folder"]
    with pytest.raises(UsageError, match="two or more"):
        comparing.compare([run])
    with pytest.raises(InputError, match="no finished run"):
        comparing.compare([run, str(made / "base")])
    (tmp_path / "result.json").write_text(json.dumps({"dev": {}, "model": "x"}))
    with pytest.raises(InputError, match="run of an encoder"):
        comparing.compare([run, str(tmp_path)], data=made / "held.jsonl")
