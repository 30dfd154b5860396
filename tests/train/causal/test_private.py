"""DP-SGD: what it comes to without noise, what it costs, what it refuses, how it goes on."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("peft", reason="training needs the extra 'train'")
pytest.importorskip("opacus", reason="private training needs the extra 'private'")

import torch
from pydantic import ValidationError
from scipy import integrate
from tiny_causal import corpus, recipe, tiny

from aegle.core.errors import InputError, StoppedError, UsageError
from aegle.train import checkpoint
from aegle.train.causal import adapters, private
from aegle.train.causal.preference import Preference
from aegle.train.causal.private_keys import Privacy
from aegle.train.causal.run import run
from aegle.train.causal.search import search


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    tiny(folder / "base")
    corpus(folder / "train.jsonl", count=36)
    lines = [
        {"prompt": f"{n:02} {'abcdefgh'[n % 8] * 3}?", "completion": "ab", "group": f"g{n}"}
        for n in range(24)
    ]
    (folder / "even.jsonl").write_text("\n".join(json.dumps(one) for one in lines))
    return folder


def go(told: Any, made: Path, folder: Path, **how: Any) -> Any:
    return run(told, base=made / "base", data=made, folder=folder, device="cpu", **how)


def weights(done: Any) -> dict[str, Any]:
    return {name: one.detach().clone() for name, one in adapters.trained(done.model).items()}


def stop_at(step: int) -> Any:
    asked = iter(range(1, 1000))
    return lambda: next(asked) == step


EVEN: dict[str, Any] = {
    "data": [{"train": "even.jsonl", "share": 0.3, "licence": "ours", "safe_because": "made"}],
    "optimiser": {"lr": 0.01, "max_steps": 3, "schedule": "constant", "warmup": 0, "clip": 1e9},
    "precision": "fp32",
    "stopping": {"patience": 99},
}


@pytest.mark.parametrize("chunk", [0, 64])
def test_without_noise_or_clipping_it_is_ordinary_training(
    made: Path, tmp_path: Path, chunk: int
) -> None:
    """All units drawn, all of as many tokens: the mean of their means is the mean of all."""
    plain = recipe(made / "base", **EVEN, batches={"tokens": 4096}, loss_chunk=chunk)
    told = {"noise": 0, "clip": 1e9, "unit": "record", "units_per_step": 1000}
    secret = recipe(made / "base", **EVEN, loss_chunk=chunk, privacy=told)
    one, two = go(plain, made, tmp_path / "plain"), go(secret, made, tmp_path / "secret")
    assert one.metrics["best_step"] == one.steps == two.steps  # so that both are the last weights
    assert two.metrics["privacy"]["sampling_rate"] == 1.0
    assert two.metrics["privacy"]["epsilon"] is None
    assert not two.metrics["privacy"]["guarantee"]
    for name, mine in weights(two).items():
        torch.testing.assert_close(mine, weights(one)[name], rtol=1e-3, atol=2e-4)


def test_a_unit_counts_once_and_no_more_than_its_clip(made: Path, tmp_path: Path) -> None:
    """Against gradients by autograd alone, clipped and summed here."""
    told = recipe(
        made / "base",
        optimiser={"max_steps": 1},
        precision="fp32",
        privacy={"noise": 0, "clip": 0.05, "units_per_step": 1000},
    )
    seen: dict[str, Any] = {}
    plain = private.Keeper.step

    def step(self: Any, inputs: Any) -> Any:
        found = plain(self, inputs)
        model, total = self.trainer.model, {}
        named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
        for texts in self.draws.units:
            losses = []
            for text in texts.texts:
                ids = torch.tensor([text.ids])
                logits = model(input_ids=ids, use_cache=False).logits[0, :-1]
                each = torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="none")
                losses.append(each[torch.tensor(text.learned[1:])])
            grads = torch.autograd.grad(torch.cat(losses).mean(), [p for _, p in named])
            norm = math.sqrt(sum(float((g**2).sum()) for g in grads))
            for (name, _), grad in zip(named, grads, strict=True):
                total[name] = total.get(name, 0) + grad * min(1.0, 0.05 / (norm + 1e-6))
        seen["wanted"] = {n: one / len(self.draws.units) for n, one in total.items()}
        seen["found"] = {n: p.grad.clone() for n, p in named}
        seen["norm"] = math.sqrt(sum(float((g**2).sum()) for g in seen["found"].values()))
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(private.Keeper, "step", step)
        go(told, made, tmp_path)
    assert seen["norm"] <= 0.05
    for name, one in seen["found"].items():
        torch.testing.assert_close(one, seen["wanted"][name], rtol=2e-3, atol=1e-6)


def test_noise_is_as_large_as_it_is_said_to_be(made: Path, tmp_path: Path) -> None:
    found: list[Any] = []
    plain = private.Keeper.step

    def step(self: Any, inputs: Any) -> Any:
        done = plain(self, {"units": []})  # nobody was drawn: noise alone
        found.append(torch.cat([p.grad.flatten() for p in self.trainer.model.parameters()
                                if p.requires_grad]))  # fmt: skip
        return done

    told = recipe(
        made / "base",
        optimiser={"max_steps": 2},
        privacy={"noise": 3.0, "clip": 0.5, "units_per_step": 4},
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(private.Keeper, "step", step)
        done = go(told, made, tmp_path)
    expected = done.metrics["privacy"]["sampling_rate"] * done.metrics["privacy"]["units"]
    for one in found:
        assert float(one.std()) == pytest.approx(3.0 * 0.5 / expected, rel=0.05)
    assert abs(float(np.corrcoef(found[0], found[1])[0, 1])) < 0.05


def renyi(rate: float, noise: float, steps: int, delta: float) -> float:
    """Epsilon by integrating the Renyi divergence of one step, in both directions, and the
    conversion of Canonne, Kamath & Steinke (2020)."""

    def log_normal(x: float, mean: float) -> float:
        return -((x - mean) ** 2) / (2 * noise**2) - math.log(noise * math.sqrt(2 * math.pi))

    def log_mixed(x: float) -> float:
        zero = math.log1p(-rate) + log_normal(x, 0.0)
        return float(np.logaddexp(zero, math.log(rate) + log_normal(x, 1.0)))

    best = math.inf
    for order in (2, 3, 4, 5, 6, 7, 8, 10, 12, 16, 20, 24):

        def power(x: float, order: int = order) -> float:
            return math.exp(order * log_mixed(x) + (1 - order) * log_normal(x, 0.0))

        try:
            moment, _ = integrate.quad(power, -20 * noise, 20 * noise + order, limit=400)
        except OverflowError:  # far above the best order
            break
        cost = steps * math.log(moment) / (order - 1)
        best = min(best, cost + math.log1p(-1 / order) - math.log(delta * order) / (order - 1))
    return best


@pytest.mark.parametrize(
    ("rate", "noise", "steps"), [(0.05, 1.0, 200), (0.2, 2.0, 50), (0.01, 0.8, 1000)]
)
def test_epsilon_is_that_of_an_integral(rate: float, noise: float, steps: int) -> None:
    found = private.spent(Privacy(noise=noise, accountant="rdp"), [[noise, rate, steps]])
    assert found == pytest.approx(renyi(rate, noise, steps, 1e-5), rel=0.03)
    tighter = private.spent(Privacy(noise=noise), [[noise, rate, steps]])
    assert tighter < found


def test_all_drawn_it_is_the_gaussian_mechanism() -> None:
    """Balle & Wang (2018): delta of a Gaussian mechanism, exactly; steps add up in the variance."""
    noise, steps = 4.0, 9
    epsilon = private.spent(Privacy(noise=noise), [[noise, 1.0, steps]])
    mu = math.sqrt(steps) / noise

    def phi(x: float) -> float:
        return math.erfc(-x / math.sqrt(2)) / 2

    delta = phi(mu / 2 - epsilon / mu) - math.exp(epsilon) * phi(-mu / 2 - epsilon / mu)
    assert delta <= 1e-5
    low = epsilon - 0.05
    assert phi(mu / 2 - low / mu) - math.exp(low) * phi(-mu / 2 - low / mu) > 1e-5


def test_noise_is_found_for_a_budget_and_steps_end_within_one() -> None:
    for epsilon in (0.5, 8.0):
        plan = private.Plan.of(Privacy(epsilon=epsilon, accountant="rdp"), 500, 100)
        cost = private.spent(plan.told, [[plan.noise, plan.rate, plan.steps]])
        assert 0.97 * epsilon <= cost <= epsilon
    plan = private.Plan.of(Privacy(epsilon=2.0, noise=1.0, accountant="rdp"), 500, 10_000)
    assert private.spent(plan.told, [[1.0, plan.rate, plan.steps]]) <= 2.0
    assert private.spent(plan.told, [[1.0, plan.rate, plan.steps + 1]]) > 2.0
    with pytest.raises(InputError, match="one step with noise"):
        private.Plan.of(Privacy(epsilon=0.1, noise=0.3, accountant="rdp"), 500, 10)
    with pytest.raises(InputError, match="giving a unit away whole"):
        private.Plan.of(Privacy(epsilon=1.0, delta=0.01), 500, 10)


def test_stopped_and_resumed_it_counts_on(made: Path, tmp_path: Path) -> None:
    told = recipe(
        made / "base",
        optimiser={"lr": 0.02, "max_steps": 6},
        privacy={"noise": 1.2, "units_per_step": 4, "insecure_seed": 5, "accountant": "rdp"},
    )
    logged: list[str] = []
    log = lambda name, value, step: logged.append(name)  # noqa: E731
    whole = go(told, made, tmp_path / "whole", log=log)
    assert "loss/train" not in logged  # it isn't noised
    with pytest.raises(StoppedError):
        go(told, made, tmp_path / "half", stop=stop_at(3))
    state, _ = checkpoint.read(tmp_path / "half")
    assert state["watch"]["spent"][0][2] == 3
    again = go(told, made, tmp_path / "half", resume=True)
    assert again.metrics["privacy"] == whole.metrics["privacy"]
    for name, one in weights(again).items():
        assert torch.equal(one, weights(whole)[name]), name
    said = whole.metrics["privacy"]
    cost = private.spent(told.privacy, [[1.2, said["sampling_rate"], 6]])
    assert said["steps"] == 6 and said["epsilon"] == round(cost, 4) > 0
    assert said["unit"] == "group" and not said["guarantee"]  # its draws can be repeated
    card = json.loads((whole.artifact / "card.json").read_text())
    assert card["how"]["privacy"] == card["metrics"]["privacy"] == said


def test_draws_differ_from_run_to_run(made: Path, tmp_path: Path) -> None:
    told = recipe(
        made / "base",
        optimiser={"lr": 0.02, "max_steps": 1, "warmup": 0},
        privacy={"noise": 1.0, "units_per_step": 4, "accountant": "rdp"},
    )
    one, two = (go(told, made, tmp_path / name) for name in ("one", "two"))
    assert one.metrics["privacy"]["guarantee"]
    assert any(not torch.equal(o, weights(two)[n]) for n, o in weights(one).items())


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"adapter": "adalora"}, "AdaLoRA"),
        ({"duplicates": "drop"}, "duplicates"),
        ({"optimiser": {"accumulation": 2}}, "accumulation"),
        ({"mixing": {}}, "mixing: not with privacy"),
        ({"fold": [0, 3]}, "budgets would add up"),
        ({"learn": 0.5}, "budgets would add up"),
        ({"distillation": {"teacher": "path:x"}}, "distillation: not with privacy"),
        ({"privacy": {}}, "say epsilon"),
        ({"privacy": {"epsilon": 1.0, "noise": 0}}, "0 spends"),
    ],
)
def test_what_undoes_it_is_refused(made: Path, more: Any, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        recipe(made / "base", **{"privacy": {"epsilon": 3.0}, **more})


def test_no_search_spends_a_budget_uncounted(made: Path, tmp_path: Path) -> None:
    told = recipe(made / "base", privacy={"epsilon": 3.0})
    with pytest.raises(UsageError, match="add up uncounted"):
        search(lambda changes: told, folder=tmp_path, trials=2)


def test_other_kinds_have_no_privacy() -> None:
    with pytest.raises(ValidationError, match="compares answers across a batch"):
        Preference.model_validate({"kind": "dpo", "name": "x", "privacy": {"epsilon": 1.0}})


def test_units_are_what_they_seem(made: Path, tmp_path: Path) -> None:
    lines = [f'{{"prompt": "{n}?", "completion": "a{n}"}}' for n in range(30)]
    (made / "bare.jsonl").write_text("\n".join(lines))
    data = [{"train": "bare.jsonl", "share": 0.3, "licence": "l", "safe_because": "s"}]
    told = recipe(made / "base", data=data, privacy={"epsilon": 3.0})
    with pytest.raises(InputError, match=r"bare\.jsonl, line \d+ names no group"):
        go(told, made, tmp_path)
    data[0] |= {"repeat": 2}
    told = recipe(made / "base", data=data, privacy={"epsilon": 3.0, "unit": "record"})
    with pytest.raises(InputError, match="count several times"):
        go(told, made, tmp_path)
