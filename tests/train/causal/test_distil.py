"""A student comes closer to its teacher; the loss is the formula's, and its gradient."""

from __future__ import annotations

import contextlib
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
from aegle.train.causal import attention, distil, steady
from aegle.train.causal.chat import Encoder
from aegle.train.causal.corpus import read_corpus
from aegle.train.causal.distil import PROJECTIONS, TAUGHT, distilled_cross_entropy, lesson
from aegle.train.causal.generate import endings
from aegle.train.causal.load import load_causal
from aegle.train.causal.loss import Head
from aegle.train.causal.run import run

FULL: dict[str, Any] = {
    "adapter": "full",
    "optimiser": {"lr": 0.02, "epochs": 6, "accumulation": 1, "schedule": "constant"},
    "stopping": {"patience": 99},
}
SOURCE = {"share": 0.3, "licence": "ours", "safe_because": "made here"}


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


@pytest.fixture(scope="module")
def knows(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A teacher that has learned to say ``ok``, and to end an answer."""
    folder = tmp_path_factory.mktemp("knows")
    rows = [json.loads(one) for one in (made / "train.jsonl").read_text().splitlines()]
    lines = [json.dumps({**one, "completion": "ok"}) for one in rows]
    (folder / "train.jsonl").write_text("\n".join(lines))
    told = recipe(made / "base", **{**FULL, "optimiser": {"lr": 0.01, "epochs": 12}})
    return run(told, base=made / "base", data=folder, folder=folder, device="cpu").artifact


def sequence(made: Path, folder: Path, teacher: Path, **more: Any) -> Any:
    """A run of one epoch by a teacher's answers."""
    few = {"lr": 0.02, "epochs": 1}
    learns = {"teacher": "path:x", "kind": "sequence", "max_new_tokens": 8}
    base = made / "base"
    told = recipe(base, **{**FULL, "distillation": learns, "optimiser": few, **more})
    return run(told, base=base, data=made, folder=folder, device="cpu", teacher=teacher)


def answers(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(one) for one in (folder / TAUGHT).read_text().splitlines()]


def test_answers_are_written_once_and_learned(
    made: Path, knows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = sequence(made, tmp_path / "a", knows)
    data, rows = first.metrics["data"], answers(tmp_path / "a")
    assert data["train"] > 0
    lost = data["dropped"]["unanswered"] + data["dropped"]["unfinished"]
    assert len(rows) == data["train"] + lost
    (tmp_path / "b").mkdir()
    # As a run leaves it that was stopped in the middle of a line.
    lines = [json.dumps(one) for one in rows]
    (tmp_path / "b" / TAUGHT).write_text("\n".join(lines[:5]) + "\n" + lines[5][:20])
    second = sequence(made, tmp_path / "b", knows)
    assert answers(tmp_path / "b") == rows
    assert second.metrics["history"] == first.metrics["history"]
    shutil.copytree(tmp_path / "a", tmp_path / "c", ignore=shutil.ignore_patterns("model", "best*"))
    monkeypatch.setattr(distil, "load_causal", lambda folder: pytest.fail("it was asked again"))
    sequence(made, tmp_path / "c", knows)  # all is there


def test_an_answer_that_was_cut_off_is_not_learned(made: Path, knows: Path, tmp_path: Path) -> None:
    whole = sequence(made, tmp_path / "a", knows).metrics["data"]
    lengths = [len(one["messages"][-1]["content"]) for one in answers(tmp_path / "a")]
    cut = max(lengths[n] for n, one in enumerate(answers(tmp_path / "a")) if one["ended"])
    told = {"teacher": "path:x", "kind": "sequence", "max_new_tokens": cut}
    with pytest.raises(InputError, match=rf"were cut off at {cut} tokens.*max_new_tokens"):
        sequence(made, tmp_path / "b", knows, distillation=told)
    assert all(not one["ended"] for one in answers(tmp_path / "b"))
    assert whole["dropped"]["unfinished"] == sum(
        not one["ended"] for one in answers(tmp_path / "a")
    )


@pytest.mark.parametrize("change", ["weights", "template", "recipe"])
def test_other_weights_or_another_template_are_asked_anew(
    made: Path, knows: Path, tmp_path: Path, change: str
) -> None:
    sequence(made, tmp_path / "run", knows)
    before = {one["key"] for one in answers(tmp_path / "run")}
    shutil.copytree(knows, tmp_path / "other")
    more = {}
    if change == "weights":
        model, _ = load_causal(knows)
        with torch.no_grad():
            model.model.norm.weight.mul_(1.01)
        model.save_pretrained(tmp_path / "other")
    elif change == "template":
        told = "{% for one in messages %}{{ one['content'] + '<|im_end|>' }}{% endfor %}"
        (tmp_path / "other" / "chat_template.jinja").write_text(told)
    else:
        more = {"template": "plain"}
    shutil.rmtree(tmp_path / "run" / "model")
    with contextlib.suppress(InputError):  # of another it may be that no answer ends
        sequence(made, tmp_path / "run", tmp_path / "other", **more)
    after = {one["key"] for one in answers(tmp_path / "run")}
    assert before < after
    assert len(after) == 2 * len(before)


def test_a_conversation_that_ends_with_a_question_is_gone_on_with(
    made: Path, knows: Path, tmp_path: Path
) -> None:
    rows = [json.loads(one) for one in (made / "train.jsonl").read_text().splitlines()]
    for one in rows[::2]:
        question = {"role": "user", "content": one["prompt"]}
        hello = {"role": "assistant", "content": one.pop("completion")}
        one["messages"] = [{"role": "user", "content": one.pop("prompt")}, hello, question]
    (tmp_path / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
    corpus_ = read_corpus(recipe(made / "base"), tmp_path)
    learns = {"teacher": "x", "kind": "sequence", "max_new_tokens": 8}
    told = recipe(made / "base", distillation=learns, max_tokens=120)
    with contextlib.suppress(InputError):  # it may be that no answer ends
        distil.taught(told, corpus_, tmp_path / "run", knows)
    rows = answers(tmp_path / "run")
    asked = {tuple(turn["content"] for turn in one["messages"][:-1]) for one in rows}
    for one in corpus_.train:
        turns = [str(turn.text) for turn in one.turns]
        assert tuple(turns if one.turns[-1].role == "user" else turns[:-1]) in asked
    assert {len(one) for one in asked} == {1, 3}


def test_a_text_has_no_prompt_to_be_answered(made: Path, knows: Path, tmp_path: Path) -> None:
    rows = [json.dumps({"text": f"abc {n}"}) for n in range(12)]
    (tmp_path / "train.jsonl").write_text("\n".join(rows))
    texts = [{**SOURCE, "train": str(tmp_path / "train.jsonl")}]
    with pytest.raises(InputError, match=r"line \d+: a text has no prompt"):
        sequence(made, tmp_path / "run", knows, data=texts)


def test_an_answer_ends_as_its_template_ends_it(made: Path) -> None:
    """Whatever the end of a turn is called; Gemma's isn't its end of a text."""
    _, tokenizer = load_causal(made / "base")
    tokenizer.add_special_tokens({"additional_special_tokens": ["<end_of_turn>"]})
    tokenizer.chat_template = (
        "{% for one in messages %}{{ one['role'] + ' ' + one['content'] + '<end_of_turn>\n' }}"
        "{% endfor %}{% if add_generation_prompt %}{{ 'assistant ' }}{% endif %}"
    )
    encode = Encoder(tokenizer, template="auto", max_tokens=64, overlong="error")
    end = tokenizer.convert_tokens_to_ids("<end_of_turn>")
    assert endings(encode) == (tokenizer.eos_token_id, end)


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
