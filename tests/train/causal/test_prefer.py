"""Preferences are learned, their losses are the papers', and runs go on to the same bits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl", reason="training needs the extra 'train'")

import numpy as np
import torch
from tiny_causal import tiny
from tiny_preference import judged, lines, pairs, recipe

from aegle.core.errors import InputError, StoppedError
from aegle.train.causal import adapters, margin
from aegle.train.causal.chat import Encoder
from aegle.train.causal.compared import Item, items_of
from aegle.train.causal.examples import read_all, read_examples
from aegle.train.causal.load import load_causal, load_scorer
from aegle.train.causal.prefer import prepare, run
from aegle.train.causal.scoring import text_scores
from aegle.train.causal.steady import Watch

KINDS = ("dpo", "orpo", "kto", "reward")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("preferences")
    tiny(folder / "base")
    lines(folder / "train.jsonl", pairs())
    lines(folder / "judged.jsonl", judged())
    return folder


def told(kind: str, made: Path, **more: Any) -> Any:
    found = recipe(kind, made / "base", **more)
    if kind != "kto":
        return found
    source = found.data[0].model_copy(update={"train": "judged.jsonl"})
    return found.model_copy(update={"data": (source,)})


def go(one: Any, made: Path, folder: Path, **how: Any) -> Any:
    return run(one, base=made / "base", data=made, folder=folder, device="cpu", **how)


def ready(one: Any, made: Path, folder: Path) -> tuple[Any, dict[str, list[Item]]]:
    """A trainer that has done nothing yet, and its examples."""
    torch.manual_seed(one.seed)
    load = load_scorer if one.kind == "reward" else load_causal
    model, tokenizer = load(made / "base")
    encode = Encoder(tokenizer, template="auto", max_tokens=64, overlong="error")
    found = read_all(one, made)
    items = {
        part: items_of(getattr(found, part), encode, judged=one.kind == "kto")
        for part in ("train", "dev")
    }
    return prepare(one, model, tokenizer, items, Watch(folder), "cpu"), items


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_better_is_learned(made: Path, tmp_path: Path, kind: str) -> None:
    done = go(told(kind, made), made, tmp_path)
    metrics = done.metrics
    assert metrics["dev"]["loss"]["value"] < metrics["before"]["loss"]
    assert metrics["margin_gained"]["low"] > 0
    assert metrics["dev"]["accuracy"]["value"] == 1
    assert done.tokens > 0
    assert (tmp_path / "model" / "manifest.json").is_file()
    card = json.loads((tmp_path / "model" / "card.json").read_text())
    assert card["kind"] == kind
    assert card["data"][0]["licence"] == "ours"


def other(trainer: Any) -> None:
    """Another model than the base, so that ratios aren't 0."""
    torch.manual_seed(8)
    with torch.no_grad():
        for one in adapters.trained(trainer.model).values():
            one.add_(torch.randn_like(one) * 0.1)


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("dpo", {}),
        ("dpo", {"loss": "ipo", "beta": 0.3}),
        ("dpo", {"loss": "hinge"}),
        ("orpo", {"beta": 0.5}),
        ("kto", {"desirable": 2.0, "undesirable": 0.5}),
        ("reward", {"centre": 0.1}),
    ],
    ids=lambda one: one if isinstance(one, str) else "-".join(map(str, one.values())),
)
def test_the_loss_of_training_is_the_formula_s(
    made: Path, tmp_path: Path, kind: str, more: dict[str, Any]
) -> None:
    """TRL's on one batch, and ours from log-probabilities of the same model."""
    one = told(kind, made, batches={"tokens": 100_000}, **more)
    trainer, items = ready(one, made, tmp_path)
    other(trainer)
    trainer.dev = items["train"]
    rows = trainer.rows()
    (batch,) = [trainer.train_dataset[n] for n in range(len(trainer.train_dataset))]
    inputs = trainer.data_collator([batch])
    with torch.no_grad():
        found = float(trainer.compute_loss(trainer.model.eval(), inputs))
    wanted = float(rows[:, 0].mean())
    if kind == "orpo":  # TRL's first part is the mean over a batch's tokens, not its texts
        wanted = orpo_by_token(trainer, items["train"], one.beta)
    assert found == pytest.approx(wanted, rel=1e-4)


def orpo_by_token(trainer: Any, items: list[Item], beta: float) -> float:
    from aegle.train.causal.chat import Tokens

    texts = [one for item in items for one in item.answers]
    whole = [Tokens(one.ids, (False, *[True] * (len(one) - 1)), "") for one in texts]
    losses = trainer.losses(whole)
    means = [-loss[-sum(t.learned) :].mean() for loss, t in zip(losses, texts, strict=True)]
    pairs_N2 = np.array(means).reshape(-1, 2)
    odds = margin.orpo(pairs_N2, np.zeros(len(items)), beta=beta).mean()
    return float(np.concatenate(losses[::2]).mean() + odds)


def test_dpo_of_given_numbers_by_hand(made: Path, tmp_path: Path) -> None:
    """What the base says is taken from the batch: other numbers, another loss."""
    trainer, items = ready(told("dpo", made), made, tmp_path)
    some = items["train"][:2]
    rows = [trainer.train_dataset.row(one) for one in some]
    sums = np.array([[-one.sum() for one in trainer.losses(item.answers)] for item in some])
    base = sums - np.array([[2.0, -1.0], [0.5, 0.25]])  # so that ratios are these
    for row, (chosen, rejected) in zip(rows, base, strict=True):
        row |= {"ref_chosen_logps": chosen, "ref_rejected_logps": rejected}
    with torch.no_grad():
        found = trainer.compute_loss(trainer.model.eval(), trainer.data_collator([rows]))
    wanted = np.log1p(np.exp(-0.1 * np.array([3.0, 0.25]))).mean()
    assert float(found) == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("method", ["pissa", "full", "bottleneck", "prompt", "qlora", "adalora"])
def test_before_the_first_step_nothing_is_better(made: Path, tmp_path: Path, method: str) -> None:
    """The base is compared with whatever the adapter; learned tokens in front are a change."""
    trainer, _ = ready(told("dpo", made, adapter=method), made, tmp_path)
    rows = trainer.rows()
    if method == "prompt":
        assert np.isfinite(rows).all()
    else:
        np.testing.assert_allclose(rows[:, 1], 0, atol=1e-5)
    (batch,) = [trainer.train_dataset[0]]
    loss = trainer.compute_loss(trainer.model.train(), trainer.data_collator([batch]))
    loss.backward()
    grads = [one.grad for one in adapters.trained(trainer.model).values()]
    assert any(one is not None and bool(one.abs().sum() > 0) for one in grads)


def test_before_is_the_base_s_without_learned_tokens(made: Path, tmp_path: Path) -> None:
    few = {"lr": 0.01, "max_steps": 1, "accumulation": 1}
    done = go(told("dpo", made, adapter="prompt", optimiser=few), made, tmp_path)
    assert done.metrics["before"]["margin"] == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("kind", ["dpo", "kto"])
def test_stopped_and_resumed_it_ends_at_the_same_bits(
    made: Path, tmp_path: Path, kind: str
) -> None:
    few = {"lr": 0.01, "epochs": 2, "accumulation": 2}
    one = told(
        kind,
        made,
        adapter={"method": "lora", "dropout": 0.2},
        optimiser=few,
        batches={"tokens": 400},
    )
    whole = go(one, made, tmp_path / "whole")
    asked = iter(range(1, 100))
    with pytest.raises(StoppedError):
        go(one, made, tmp_path / "half", stop=lambda: next(asked) == whole.steps - 1)
    torch.manual_seed(99)
    again = go(one, made, tmp_path / "half", resume=True)
    assert (again.steps, again.tokens) == (whole.steps, whole.tokens)
    assert again.metrics["history"] == whole.metrics["history"]
    kept = adapters.trained(whole.model)
    for name, weights in adapters.trained(again.model).items():
        assert torch.equal(weights, kept[name]), name


def test_a_reward_model_is_read_again_with_what_gives_the_score(made: Path, tmp_path: Path) -> None:
    one = told("reward", made)
    done = go(one, made, tmp_path)
    trainer, items = ready(one, made, tmp_path)
    texts = [text for item in items["dev"] for text in item.answers]
    fresh, _ = load_scorer(made / "base")
    scores = []
    for model in (done.model, adapters.load(fresh, tmp_path / "model")):
        trainer.model = model
        scores.append(text_scores(trainer, texts, size=256))
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-5)


PAIR = {"prompt": "a?", "chosen": "yes", "rejected": "no"}


@pytest.mark.parametrize(
    ("kind", "rows", "says"),
    [
        ("dpo", [{"prompt": "a?", "chosen": "yes"}], "line 1 has no rejected; a record of dpo has"),
        ("dpo", [{"prompt": "a", "Jane": "b"}], "and this one prompt and 1 other key"),
        ("dpo", [{**PAIR, "rejected": "yes"}], "chosen and rejected are the same"),
        ("dpo", [{**PAIR, "rejected": " "}], "the text of the assistant is empty"),
        ("orpo", [{**PAIR, "chosen": 3}], "completion is a string"),
        ("reward", [PAIR, PAIR], "line 2 says the same as"),
        ("kto", [{"prompt": "a?", "completion": "yes", "label": 1}], "label is true"),
        ("kto", [{**one, "label": True} for one in judged()], "good answers and bad ones"),
        ("dpo", [PAIR, {**PAIR, "chosen": "ja"}], "nothing is left for"),
        ("dpo", [{**PAIR, "prompt": [{"role": "assistant", "content": "a"}]}], "last message of a"),
    ],
)
def test_wrong_data_is_told_by_line(
    made: Path, tmp_path: Path, kind: str, rows: Any, says: str
) -> None:
    lines(tmp_path / "train.jsonl", rows)
    with pytest.raises(InputError) as caught:
        run(recipe(kind, made / "base"), base=made / "base", data=tmp_path, folder=tmp_path)
    assert says in str(caught.value)


def test_a_prompt_of_dev_is_not_trained_on(tmp_path: Path, made: Path) -> None:
    rows = pairs()
    lines(tmp_path / "train.jsonl", rows)
    lines(tmp_path / "dev.jsonl", [{**one, "rejected": "never"} for one in rows[:5]])
    source = {"train": "train.jsonl", "dev": "dev.jsonl", "licence": "l", "safe_because": "s"}
    found = read_all(recipe("dpo", made / "base", data=[source]), tmp_path)
    assert (len(found.train), len(found.dev), found.dropped["held out"]) == (18, 5, 6)
    assert not {one.group for one in found.train} & {one.group for one in found.dev}
    again = [source, {**source, "train": "again.jsonl"}]
    lines(tmp_path / "again.jsonl", rows[20:21])
    with pytest.raises(InputError, match=r"again.jsonl, line 1 says the same as train.jsonl"):
        read_all(recipe("dpo", made / "base", data=again), tmp_path)


@pytest.mark.parametrize(
    ("prompt", "sides", "most", "says"),
    [
        ("abcd", ("yes" * 9, "yes" * 8), 24, r"line 1: chosen and rejected are the same in"),
        (
            [{"role": r, "content": "ab"} for r in ("user", "assistant", "user")],
            ("yes", "no"),
            5,
            r"line 1: the last answer begins at token \d+, beyond max_tokens",
        ),
    ],
)
@pytest.mark.parametrize("template", ["plain", "auto"])
def test_a_cut_leaves_two_answers_that_differ(
    tmp_path: Path, made: Path, template: str, prompt: Any, sides: Any, most: int, says: str
) -> None:
    row = {"prompt": prompt, "chosen": sides[0], "rejected": sides[1]}
    lines(tmp_path / "train.jsonl", [row])
    source = recipe("dpo", made / "base").data[0]
    found = list(read_examples(tmp_path / "train.jsonl", source, "dpo"))
    _, tokenizer = load_causal(made / "base")
    most = 40 if template == "auto" else most  # ChatML has words of its own
    encode = Encoder(tokenizer, template=template, max_tokens=most, overlong="cut")
    with pytest.raises(InputError, match=says):
        items_of(found, encode, judged=False)


def test_a_prompt_may_be_a_conversation(tmp_path: Path, made: Path) -> None:
    talk = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b"},
        {"role": "user", "content": "c"},
    ]
    rows = [{**PAIR, "prompt": talk}]
    lines(tmp_path / "train.jsonl", rows)
    lines(tmp_path / "dev.jsonl", [PAIR])
    source = {"train": "train.jsonl", "dev": "dev.jsonl", "licence": "l", "safe_because": "s"}
    found = read_all(recipe("dpo", made / "base", data=[source]), tmp_path)
    _, tokenizer = load_causal(made / "base")
    encode = Encoder(tokenizer, template="auto", max_tokens=64, overlong="error")
    (item,) = items_of(found.train, encode, judged=False)
    chosen, rejected = (
        tokenizer.decode([i for i, on in zip(one.ids, one.learned, strict=True) if on])
        for one in item.answers
    )
    assert (chosen.replace(" ", "")[:3], rejected.replace(" ", "")[:2]) == ("yes", "no")
    assert "b" not in chosen


@pytest.mark.parametrize("kind", ["dpo", "reward", "kto"])
def test_each_example_counts_the_same_in_batches_of_any_size(
    made: Path, tmp_path: Path, kind: str
) -> None:
    """The gradient of three batches, of which the last makes a step alone, is that of all examples
    in one batch; KTO's pull to the base, which is of a batch, is 0 at the base."""

    def gradient(name: str, tokens: int, steps: list[int]) -> list[torch.Tensor]:
        few = {"lr": 0.01, "epochs": 1, "accumulation": steps[0]}
        one = told(kind, made, batches={"tokens": tokens}, optimiser=few)
        trainer, items = ready(one, made, tmp_path / name)
        data = trainer.train_dataset
        if name == "parts":
            whole = list(range(len(items["train"])))
            data.plan = [whole[:8], whole[8:9], whole[9:]]
        at = iter(range(len(data)))
        for step in steps:
            trainer.current_gradient_accumulation_steps = step
            for number in (next(at) for _ in range(step)):
                loss = trainer.training_step(trainer.model, trainer.data_collator([data[number]]))
                assert torch.isfinite(loss)
        scale = len(data) / steps[0]  # a step of the usual number of batches counts as a step
        grads = [one.grad for one in adapters.trained(trainer.model).values()]
        return [one / scale for one in grads if one is not None]

    whole, parts = gradient("whole", 100_000, [1]), gradient("parts", 100_000, [2, 1])
    assert any(bool(one.abs().max() > 0) for one in whole)
    for mine, wanted in zip(parts, whole, strict=True):
        torch.testing.assert_close(mine, wanted, rtol=1e-3, atol=1e-6)


def test_kto_needs_both_kinds_of_answers_in_the_share_that_is_learned(tmp_path: Path) -> None:
    lines(tmp_path / "train.jsonl", judged())
    with pytest.raises(InputError, match="all are of one kind"):
        read_all(recipe("kto", tmp_path, learn=0.01), tmp_path)
