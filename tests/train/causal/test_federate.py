"""Federated training: the mean, the pull, sites that fail, rounds gone on with, Flower itself."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("peft", reason="training needs the extra 'train'")

import torch
from hypothesis import given
from hypothesis import strategies as st
from test_causal_command import aegle
from tiny_causal import corpus, recipe, tiny

from aegle.core.errors import BackendError, InputError, StoppedError, UsageError
from aegle.flows import federated, flower
from aegle.train.causal import federate
from aegle.train.checkpoint import read_tensors

RECIPE = """
kind: sft
name: shared
base: path:{base}
max_tokens: 64
data: [{{train: train.jsonl, share: 0.3, licence: ours, safe_because: made here}}]
optimiser: {{lr: 0.02, epochs: 1}}
batches: {{tokens: 256}}
precision: fp32
"""

CANARY = "Zebedee"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    tiny(folder / "base")
    for number, name in enumerate(("north", "south")):
        (folder / name).mkdir()
        corpus(folder / name / "train.jsonl", count=30 + 9 * number, seed=number)
        with (folder / name / "train.jsonl").open("a") as file:
            file.write(f'\n{{"prompt": "{CANARY} {name}?", "completion": "ab", "group": "c"}}')
    (folder / "shared.yaml").write_text(RECIPE.format(base=folder / "base"))
    return folder


def sites(made: Path) -> dict[str, Path]:
    return {"site-1": made / "north", "site-2": made / "south"}


def go(made: Path, out: Path, transport: Any = None, rounds: int = 2, **how: Any) -> Any:
    told = {name: how.pop(name) for name in ("pull", "clip", "noise", "at_least") if name in how}
    return federated.federate(
        made / "shared.yaml",
        transport or federated.here(sites(made), out / "sites"),
        out=out,
        options=federated.Options(rounds, **told),
        device="cpu",
        **how,
    )


def adapter(result: Any) -> dict[str, Any]:
    return read_tensors(Path(result["artifact"]) / "adapter_model.safetensors")


arrays = st.lists(st.floats(-5, 5, width=32), min_size=4, max_size=4)


@given(arrays, st.lists(st.tuples(arrays, st.integers(1, 50)), min_size=1, max_size=5))
def test_the_mean_is_weighed_by_examples(start: Any, some: Any) -> None:
    updates = [({"w": torch.tensor(values)}, count) for values, count in some]
    found = federate.average({"w": torch.tensor(start)}, updates)["w"]
    total = sum(count for _, count in some)
    for at in range(4):
        wanted = sum(values[at] * count for values, count in some) / total
        assert float(found[at]) == pytest.approx(wanted, abs=1e-4)


@given(arrays, st.lists(arrays, min_size=1, max_size=5), st.floats(0.01, 3))
def test_no_site_counts_more_than_its_clip(start: Any, some: Any, clip: float) -> None:
    base = {"w": torch.tensor(start)}
    updates = [({"w": torch.tensor(values)}, 9) for values in some]
    whole = federate.average(base, updates, clip=clip)["w"] * len(some)
    if len(some) > 1:
        rest = federate.average(base, updates[1:], clip=clip)["w"] * (len(some) - 1)
        change = whole - rest - base["w"]
        assert float(change.norm()) <= clip * 1.01 + 1e-3


def test_noise_on_the_mean_is_counted() -> None:
    start = {"w": torch.zeros(40_000)}
    found = federate.average(start, [(start, 5)] * 4, clip=0.5, noise=2.0, seed=1)["w"]
    assert float(found.std()) == pytest.approx(2.0 * 0.5 / 4, rel=0.02)
    mu = math.sqrt(3) / 2.0  # three rounds of a Gaussian mechanism, exactly: Dong et al. (2019)
    epsilon = federate.cost(2.0, 3, 1e-5)

    def phi(x: float) -> float:
        return math.erfc(-x / math.sqrt(2)) / 2

    delta = phi(mu / 2 - epsilon / mu) - math.exp(epsilon) * phi(-mu / 2 - epsilon / mu)
    assert 0.5e-5 < delta <= 1e-5


def test_one_site_alone_is_an_ordinary_run(made: Path, tmp_path: Path) -> None:
    from aegle.train.causal import adapters
    from aegle.train.causal.recipe import read_recipe
    from aegle.train.causal.run import run

    alone = {"site-1": made / "north"}
    one = go(made, tmp_path, federated.here(alone, tmp_path / "s"), rounds=1)
    told = read_recipe(made / "shared.yaml")
    done = run(told, base=made / "base", data=made / "north", folder=tmp_path / "o", device="cpu")
    mine = {n.replace(".default", ""): w for n, w in adapters.trained(done.model).items()}
    for name, found in adapter(one).items():
        torch.testing.assert_close(found, mine[name], rtol=1e-5, atol=1e-6)


def test_rounds_are_gone_on_with_and_no_text_travels(made: Path, tmp_path: Path) -> None:
    seen: list[bytes] = []

    def listening(inner: Any) -> Any:
        def carry(ask: Any, weights: Path) -> Any:
            found = inner(ask, weights)
            seen.append(weights.read_bytes() + json.dumps(ask.recipe).encode())
            seen.extend(one.weights + json.dumps([one.about, one.error]).encode() for one in found)
            return found

        return carry

    whole = go(made, tmp_path / "a", listening(federated.here(sites(made), tmp_path / "a-s")))
    with pytest.raises(StoppedError, match="after round 1"):
        go(made, tmp_path / "b", stop=lambda: True)
    with pytest.raises(UsageError, match="go on with --resume"):
        go(made, tmp_path / "b")
    with pytest.raises(UsageError, match="other options"):
        go(made, tmp_path / "b", resume=True, pull=1.0)
    again = go(made, tmp_path / "b", resume=True)
    for name, one in adapter(whole).items():
        assert torch.equal(one, adapter(again)[name])
    assert seen and not any(CANARY.encode() in one for one in seen)
    card = json.loads((Path(whole["artifact"]) / "card.json").read_text())
    rounds = card["metrics"]["rounds"]
    assert [len(one["sites"]) for one in rounds] == [2, 2]
    assert all(site["examples"] and site["bytes_up"] > 1000 for site in rounds[0]["sites"])
    losses = [[site["dev_loss"]["value"] for site in one["sites"]] for one in rounds]
    assert sum(losses[1]) < sum(losses[0])


def test_a_site_that_fails_is_left_out_and_told(made: Path, tmp_path: Path) -> None:
    said: list[str] = []
    some = {**sites(made), "site-3": tmp_path}  # nothing to learn from there
    result = go(made, tmp_path, federated.here(some, tmp_path / "s"), rounds=1, say=said.append)
    (one,) = result["metrics"]["rounds"]
    assert [bool(site.get("left_out")) for site in one["sites"]] == [False, False, True]
    assert any("site-3 is left out" in line for line in said)
    with pytest.raises(BackendError, match="2 sites answered, and 3 are needed"):
        go(made, tmp_path / "x", federated.here(some, tmp_path / "t"), rounds=1, at_least=3)


@pytest.mark.parametrize("what", ["nan", "shape", "bytes"])
def test_weights_that_are_none_are_left_out(made: Path, tmp_path: Path, what: str) -> None:
    plain = federated.here(sites(made), tmp_path / "s")

    def carry(ask: Any, weights: Path) -> Any:
        one, two = plain(ask, weights)
        broken = read_tensors(weights)
        first = min(broken)
        broken[first] = broken[first][:1] if what == "shape" else broken[first] * float("nan")
        federate.write(tmp_path / "broken", broken)
        content = b"no weights" if what == "bytes" else (tmp_path / "broken").read_bytes()
        return [replace(one, weights=content), two]

    (one,) = go(made, tmp_path, carry, rounds=1)["metrics"]["rounds"]
    assert one["sites"][0]["left_out"] and not one["sites"][1].get("left_out")


def test_a_pull_keeps_sites_near_to_where_they_began(made: Path, tmp_path: Path) -> None:
    told = recipe(made / "base", optimiser={"lr": 0.02, "epochs": 3}, precision="fp32")
    start = federate.initial(told, made / "base")

    def far(pull: float) -> float:
        about = {"base": made / "base", "data": made / "north", "device": "cpu"}
        folder = tmp_path / str(pull)
        found = federate.site_round(told, **about, folder=folder, weights=start, pull=pull)
        return math.sqrt(sum(float(((found.weights[n] - w) ** 2).sum()) for n, w in start.items()))

    assert far(100.0) < 0.7 * far(0.0)


def test_a_budget_is_for_all_rounds(made: Path, tmp_path: Path) -> None:
    pytest.importorskip("opacus", reason="private training needs the extra 'private'")
    private = {"privacy.noise": 1.5, "privacy.epsilon": 9.0, "privacy.accountant": "rdp"}
    changes = {"privacy": {}, **private, "privacy.units_per_step": 3}
    result = go(made, tmp_path, changes=changes)
    first, second = result["metrics"]["rounds"]
    for one, two in zip(first["sites"], second["sites"], strict=True):
        assert one["privacy"]["epsilon"] < two["privacy"]["epsilon"] <= 9.0
        assert two["privacy"]["steps"] == 2 * one["privacy"]["steps"]
        assert "dev_loss" not in one
    spent = json.loads((tmp_path / "sites" / "site-1" / "spent.json").read_text())
    assert spent[0][2] == second["sites"][0]["privacy"]["steps"]


def test_what_has_no_mean_is_refused(made: Path, tmp_path: Path) -> None:
    for method in ("full", "pissa", "adalora"):
        with pytest.raises(InputError, match=method):
            go(made, tmp_path, changes={"adapter": method})
    with pytest.raises(UsageError, match="--clip too"):
        federated.Options(noise=1.0)


def test_the_command_says_what_came_of_each_site(made: Path, tmp_path: Path) -> None:
    some = ("--site", str(made / "north"), "--site", str(made / "south"))
    told = ("federate", str(made / "shared.yaml"), *some, "--out", str(tmp_path), "--rounds", "1")
    code, printed, said = aegle(*told, "--device", "cpu", "--json")
    assert code == 0, said
    result = json.loads(printed)
    assert result["rounds"] == 1 and Path(result["artifact"]).is_dir()
    assert "2 of 2 sites" in said
    code, _, said = aegle("federate", str(made / "shared.yaml"))
    assert code == 2 and "--site" in said


def test_over_flower_it_comes_to_the_same(made: Path, tmp_path: Path) -> None:
    """A SuperLink, two SuperNodes, and the processes that they start."""
    pytest.importorskip("flwr", reason="Flower needs the extra 'federated'")
    near = go(made, tmp_path / "near", rounds=1)
    with flower.loopback(sites(made), tmp_path / "work", timeout_s=120) as transport:
        far = go(made, tmp_path / "far", transport, rounds=1)
    for name, one in adapter(near).items():
        torch.testing.assert_close(one, adapter(far)[name], rtol=1e-4, atol=1e-5)
    for log in (tmp_path / "work" / "flower").glob("*.log"):
        assert CANARY not in log.read_text(errors="replace")
