"""A student comes closer to its teacher; the loss is the formula's, and its gradient."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("peft", reason="training needs the extra 'train'")

import torch
from pydantic import ValidationError
from tiny_causal import corpus, recipe, tiny
from torch import nn

from aegle.core.errors import InputError, StoppedError
from aegle.train.causal import attention, steady
from aegle.train.causal.distil import PROJECTIONS, TAUGHT, distilled_cross_entropy, lesson
from aegle.train.causal.load import load_causal
from aegle.train.causal.loss import Head
from aegle.train.causal.run import run

FULL: dict[str, Any] = {
    "adapter": "full",
    "optimiser": {"lr": 0.02, "epochs": 6, "accumulation": 1, "schedule": "constant"},
    "stopping": {"patience": 99},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student, a teacher twice as wide that knows the task, and a corpus of other answers."""
    folder = tmp_path_factory.mktemp("distillation")
    tiny(folder / "base")
    tiny(folder / "wide", hidden_size=64, intermediate_size=96, num_hidden_layers=3)
    corpus(folder / "train.jsonl")
    return folder


def taught(made: Path, teacher: str = "wide", **more: Any) -> Any:
    told = {"teacher": f"path:{made / teacher}", **more}
    return recipe(made / "base", distillation=told, **FULL)


def go(told: Any, made: Path, folder: Path, teacher: str = "wide", **how: Any) -> Any:
    given = {"base": made / "base", "data": made, "teacher": made / teacher}
    return run(told, **given, folder=folder, device="cpu", **how)


def apart(student: Any, made: Path) -> float:
    """KL(teacher || student) of the next token, over texts of the corpus."""
    teacher, tokenizer = load_causal(made / "wide")
    total = []
    for line in (made / "train.jsonl").read_text().splitlines()[:8]:
        one = json.loads(line)
        text = f"<|im_start|>user\n{one['prompt']}<|im_end|>\n<|im_start|>assistant\n"
        ids = tokenizer(text + one["completion"], return_tensors="pt", add_special_tokens=False)
        with torch.no_grad():
            p, q = (m.eval()(ids["input_ids"]).logits.log_softmax(-1) for m in (teacher, student))
        total.append(float((p.exp() * (p - q)).sum(-1)[:, -6:].mean()))
    return sum(total) / len(total)


@pytest.mark.parametrize("chunk", [3, 100])
@pytest.mark.parametrize("cap", [0.0, 2.0])
def test_loss_and_gradient_are_the_formula_s(chunk: int, cap: float) -> None:
    """Against autograd through plain softmaxes, head trained too."""
    torch.manual_seed(1)
    N, D, E, V, temperature, share = 8, 5, 7, 11, 3.0, 0.7
    layers = nn.Linear(D, V), nn.Linear(E, V, bias=False)
    student, teacher = Head(layers[0], 0.5, cap, chunk), Head(layers[1], 2.0, 0.0, chunk)
    hidden, states, labels = torch.randn(N, D), torch.randn(N, E), torch.randint(V, (N,))

    def plain(given: torch.Tensor) -> torch.Tensor:
        logits = layers[0](given) * 0.5
        logits = cap * torch.tanh(logits / cap) if cap else logits
        p = (layers[1](states) * 2 / temperature).softmax(1).detach()
        q = (logits / temperature).softmax(1)
        kl = (p * (p.log() - q.log())).sum()
        own = nn.functional.cross_entropy(logits, labels, reduction="sum")
        return (1 - share) * own + share * temperature**2 * kl

    def ours(given: torch.Tensor) -> torch.Tensor:
        return distilled_cross_entropy(
            given, student, states, teacher, labels, temperature=temperature, share=share
        )

    found = []
    for loss in (plain, ours):
        given = hidden.clone().requires_grad_()
        layers[0].zero_grad()
        value = loss(given)
        value.backward()
        grads = (given.grad, layers[0].weight.grad, layers[0].bias.grad)
        found.append((value.detach(), *(one.clone() for one in grads if one is not None)))
    assert len(found[0]) == 4
    for mine, wanted in zip(found[1], found[0], strict=True):
        torch.testing.assert_close(mine, wanted, rtol=1e-4, atol=1e-5)


def test_a_student_like_its_teacher_has_nothing_to_learn() -> None:
    torch.manual_seed(1)
    layer = nn.Linear(4, 9)
    head, hidden = Head(layer, 1.0, 0.0, 8), torch.randn(5, 4, requires_grad=True)
    labels = torch.randint(9, (5,))
    loss = distilled_cross_entropy(
        hidden, head, hidden.detach(), head, labels, temperature=2.0, share=1.0
    )
    loss.backward()
    assert float(loss.detach()) == pytest.approx(0, abs=1e-5)
    assert hidden.grad is not None
    assert float(hidden.grad.abs().max()) < 1e-5


def test_logits_bring_a_student_closer_to_its_teacher(made: Path, tmp_path: Path) -> None:
    before = apart(load_causal(made / "base")[0], made)
    with_teacher = go(taught(made, weight=1.0), made, tmp_path / "a").model
    alone = go(recipe(made / "base", **FULL), made, tmp_path / "b").model
    assert apart(with_teacher, made) < 0.5 * before
    assert apart(with_teacher, made) < apart(alone, made)


def test_hidden_states_are_learned_through_a_projection(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steady, "TELL_S", 0.0)  # each step's loss, not one in so many seconds
    losses: list[float] = []
    told = taught(made, kind="hidden", weight=1.0, layers=[(1, 2), (2, 3)])
    done = go(told, made, tmp_path, log=lambda n, v, s: n == "loss/train" and losses.append(v))
    assert len(losses) == done.steps
    assert sum(losses[-3:]) / 3 < 0.6 * losses[0]
    assert not hasattr(done.model, PROJECTIONS)
    load_causal(tmp_path / "model")  # nothing of the projection is left in its files


def test_a_projection_goes_on_after_a_stop(made: Path, tmp_path: Path) -> None:
    told = taught(made, kind="hidden")
    told = told.model_copy(update={"optimiser": told.optimiser.model_copy(update={"epochs": 2})})
    whole = go(told, made, tmp_path / "whole")
    asked = iter(range(1, 100))
    with pytest.raises(StoppedError):
        go(told, made, tmp_path / "half", stop=lambda: next(asked) == 3)
    again = go(told, made, tmp_path / "half", resume=True)
    for name, one in again.model.state_dict().items():
        assert torch.equal(one, whole.model.state_dict()[name]), name


def test_answers_are_written_once_and_learned(made: Path, tmp_path: Path) -> None:
    told = taught(made, kind="sequence", max_new_tokens=8)
    told = told.model_copy(update={"optimiser": told.optimiser.model_copy(update={"epochs": 1})})
    first = go(told, made, tmp_path / "a")
    rows = (tmp_path / "a" / TAUGHT).read_text().splitlines()
    assert len(rows) == first.metrics["data"]["train"] + first.metrics["data"]["dropped"].get(
        "unanswered", 0
    )
    (tmp_path / "b").mkdir()
    # As a run leaves it that was stopped in the middle of a line.
    (tmp_path / "b" / TAUGHT).write_text("\n".join(rows[:5]) + "\n" + rows[5][:20])
    second = go(told, made, tmp_path / "b")
    again = (tmp_path / "b" / TAUGHT).read_text().splitlines()
    assert [json.loads(one)["messages"] for one in again] == [
        json.loads(one)["messages"] for one in rows
    ]
    assert second.metrics["history"] == first.metrics["history"]
    shutil.copytree(tmp_path / "a", tmp_path / "c", ignore=shutil.ignore_patterns("model", "best*"))
    go(told, made, tmp_path / "c", teacher="nowhere")  # not asked again: all is there


def test_another_vocabulary_is_refused(made: Path, tmp_path: Path) -> None:
    tiny(tmp_path / "other", vocab_size=90)
    with pytest.raises(InputError, match=r"another vocabulary.*kind: sequence"):
        told = taught(made).model_copy()
        given = {"base": made / "base", "data": made, "teacher": tmp_path / "other"}
        run(told, **given, folder=tmp_path / "run", device="cpu")


def test_a_layer_that_is_not_there_is_refused(made: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the student has 2, the teacher 3"):
        go(taught(made, kind="hidden", layers=[(2, 4)]), made, tmp_path)


@pytest.mark.parametrize(
    ("told", "more", "says"),
    [
        ({"teacher": "x", "kind": "sequence"}, {"kind": "pretrain"}, "needs prompts"),
        ({"teacher": "x"}, {"loss_chunk": 0}, "computes in chunks"),
        ({"teacher": "x", "layers": [(-1, 2)]}, {}, "numbered from 0"),
        ({}, {}, "Field required"),
    ],
)
def test_wrong_keys_are_named(told: Any, more: Any, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        recipe(Path("x"), distillation=told, **more)


def test_a_teacher_attends_as_it_can_where_it_will_stand(made: Path) -> None:
    """Attention of a processor isn't chosen for a teacher that goes to another device."""
    found = []
    for device in ("cpu", "meta"):
        student, tokenizer = load_causal(made / "base")
        teacher, theirs = load_causal(made / "wide")
        lesson(taught(made), student, tokenizer, teacher, theirs, device)
        found.append(teacher.config._attn_implementation)
    assert found[0] == attention.NAME
    assert found[1] != attention.NAME
