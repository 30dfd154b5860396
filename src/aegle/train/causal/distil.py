"""A student learns what a teacher says: its distribution, its hidden states, or its answers.

References:
    logits: Hinton, Vinyals & Dean (2015); hidden: Romero et al. (2015), Jiao et al. (2020);
    sequence: Kim & Rush (2016).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from aegle.core.artifacts import sha256_tree
from aegle.core.errors import InputError
from aegle.train.causal import attention
from aegle.train.causal.chat import CHATML, Encoder
from aegle.train.causal.corpus import ANY, Corpus, Record, lines, turns_of
from aegle.train.causal.examples import record_prompt
from aegle.train.causal.generate import endings, replies
from aegle.train.causal.load import load_causal
from aegle.train.causal.loss import Gradients, Head, heard, listening, logits_of, shifted
from aegle.train.causal.recipe import Distillation, Recipe

TAUGHT: Final = "taught.jsonl"
"""In a run's folder: what the teacher answered, for sequence level."""

PROJECTIONS: Final = "taught_projections"
"""What a student has beside its own layers while it learns hidden states."""

_AT_ONCE: Final = 64
"""Answers between two writes: what a stopped run has to draw again."""


class _Distilled(torch.autograd.Function):
    """The sum over N positions of (1 - w) times the cross-entropy and w T^2 times the divergence
    KL(teacher || student) at temperature T, a chunk at a time, and its gradient at once."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden_ND: Tensor,
        weight_VD: Tensor,
        bias_V: Tensor | None,
        labels_N: Tensor,
        student: Head,
        teacher: Callable[[int, int], Tensor],
        temperature: float,
        share: float,
    ) -> Tensor:
        total = torch.zeros((), dtype=torch.float32, device=hidden_ND.device)
        gradients = Gradients(ctx, hidden_ND, weight_VD, bias_V)
        for at in range(0, len(hidden_ND), student.chunk):
            end = at + student.chunk
            part, labels = hidden_ND[at:end], labels_N[at:end]
            scale, cap = student.scale, student.cap
            logits, slope = logits_of(part, weight_VD, bias_V, scale, cap)
            told, says = _softened(teacher(at, end), temperature), _softened(logits, temperature)
            log_p = logits.log_softmax(1)
            rows = torch.arange(len(labels), device=labels.device)
            apart = (told.exp() * (told - says)).sum() * temperature**2
            total += share * apart - (1 - share) * log_p[rows, labels].sum()
            if not gradients.wanted:
                continue
            grad = log_p.exp_() * (1 - share)
            grad[rows, labels] -= 1 - share
            grad += (says.exp_() - told.exp_()) * (share * temperature)
            grad = (grad * slope if cap else grad).mul_(scale).to(part.dtype)
            gradients.add(at, part, grad)
        gradients.keep()
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        return (*Gradients.kept(ctx, grads[0]), None, None, None, None, None)


def _softened(logits: Tensor, temperature: float) -> Tensor:
    return (logits / temperature).log_softmax(1)


def distilled_cross_entropy(
    hidden_ND: Tensor,
    student: Head,
    teacher_NE: Tensor,
    teacher: Head,
    labels_N: Tensor,
    *,
    temperature: float,
    share: float,
) -> Tensor:
    """The sum over positions of a student's loss by its teacher's distribution and by the data.

    Args:
        hidden_ND, teacher_NE: what both heads read; N positions.
        student, teacher: the heads, over one vocabulary.
        labels_N: the word that comes next.
        temperature: > 0, of both distributions; the divergence counts its square times.
        share: of the loss that is the teacher's, in [0, 1]; the rest is cross-entropy.
    """

    def taught(start: int, end: int) -> Tensor:
        layer, how = teacher.layer, (teacher.scale, teacher.cap)
        return logits_of(teacher_NE[start:end], layer.weight, layer.bias, *how)[0]

    layer = student.layer
    given = (hidden_ND, layer.weight, layer.bias, labels_N, student, taught, temperature, share)
    found: Tensor = _Distilled.apply(*given)  # type: ignore[no-untyped-call]
    return found


@dataclass(slots=True)
class Lesson:
    """What a trainer asks for the loss of a batch instead of its own: a frozen teacher beside it.

    Attributes:
        told: the recipe's key.
        teacher: the model.
        head: its output layer.
        pairs: (student's layer, teacher's), of hidden states; 0 is what goes into the first.
    """

    told: Distillation
    teacher: Any
    head: Head
    pairs: tuple[tuple[int, int], ...] = ()

    def join(self, model: Any, core: Any) -> None:
        """Give a student what makes its states as wide as the teacher's, until `leave`."""
        mine, theirs = (one.config.get_text_config().hidden_size for one in (core, self.teacher))
        if self.pairs and mine != theirs:
            made = [nn.Linear(mine, theirs, bias=False) for _ in self.pairs]
            model.add_module(PROJECTIONS, nn.ModuleList(made))

    def loss(
        self, trainer: Any, model: Any, told: dict[str, Any], labels: Tensor
    ) -> tuple[Any, Tensor]:
        """(the student's outputs, the sum of the losses of what is learned).

        Args:
            trainer: with ``core`` and ``head``.
            model: the student, in what wraps it.
            told: a batch without its labels.
            labels: of the batch.
        """
        asked = {**told, "use_cache": False, "output_hidden_states": bool(self.pairs)}
        with torch.no_grad(), listening(self.teacher) as above:
            taught = self.teacher(**asked)
        with listening(trainer.core) as ear:
            outputs = model(**asked)
        hidden_ND, labels_N = shifted(heard(ear), labels)
        if not self.pairs:
            teacher_NE, _ = shifted(heard(above), labels)
            how = {"temperature": self.told.temperature, "share": self.told.weight}
            return outputs, distilled_cross_entropy(
                hidden_ND, trainer.head, teacher_NE, self.head, labels_N, **how
            )
        own = trainer.head.loss(heard(ear), labels)
        apart = self._apart(model, outputs.hidden_states, taught.hidden_states, labels)
        return outputs, (1 - self.told.weight) * own + self.told.weight * apart

    def _apart(
        self, model: Any, mine: Sequence[Tensor], theirs: Sequence[Tensor], labels: Tensor
    ) -> Tensor:
        """The square of the distance of states, by that of the teacher's own: summed over
        positions, the mean over layers."""
        found = []
        projections = getattr(model, PROJECTIONS, None)
        for number, (low, high) in enumerate(self.pairs):
            state, _ = shifted(mine[low], labels)
            goal, _ = shifted(theirs[high], labels)
            state = projections[number](state) if projections is not None else state
            far = (state.float() - goal.float()).pow(2).mean(1)
            found.append((far / goal.float().pow(2).mean()).sum())
        return torch.stack(found).mean()


def leave(model: Any) -> None:
    """Take from a student what `Lesson.join` gave it."""
    if hasattr(model, PROJECTIONS):
        delattr(model, PROJECTIONS)


def lesson(
    recipe: Recipe, core: Any, tokenizer: Any, teacher: Any, teacher_tokenizer: Any, device: Any
) -> Lesson:
    """A teacher made ready for a student.

    Raises:
        InputError: another vocabulary, a layer that isn't there, or no linear output layer.
    """
    told = recipe.distillation
    assert told is not None
    mine, theirs = tokenizer.get_vocab(), teacher_tokenizer.get_vocab()
    rows = [one.get_output_embeddings().weight.shape[0] for one in (core, teacher)]
    if mine != theirs or (told.kind == "logits" and rows[0] != rows[1]):
        raise InputError(
            f"distillation.teacher: {told.teacher} has another vocabulary ({len(theirs)} words in "
            f"{rows[1]} rows) than {recipe.base} ({len(mine)} in {rows[0]}), so their tokens can't "
            "be compared; take a teacher of its family, or say kind: sequence"
        )
    pairs: tuple[tuple[int, int], ...] = ()
    if told.kind == "hidden":
        depths = [one.config.get_text_config().num_hidden_layers for one in (core, teacher)]
        pairs = told.layers or ((depths[0], depths[1]),)
        for pair in pairs:
            if pair[0] > depths[0] or pair[1] > depths[1]:
                raise InputError(
                    f"distillation.layers: {list(pair)} names a layer that isn't there; the "
                    f"student has {depths[0]}, the teacher {depths[1]}"
                )
    teacher = teacher.requires_grad_(False).eval().to(device)
    if recipe.packed:
        attention.use(teacher, str(device))
    return Lesson(told, teacher, Head.of(teacher, recipe.loss_chunk), pairs)


def taught(recipe: Recipe, corpus: Corpus, folder: Path, teacher: Path) -> Corpus:
    """The corpus with the teacher's answers instead of its own, dev as it is.

    They are written as they come, so that a run that was stopped draws only what is missing. A
    conversation's last answer is the teacher's; one that ends otherwise is gone on with. What was
    cut off at the most tokens is no answer: it would be learned as one that ends there.

    Args:
        recipe: with ``distillation``.
        corpus: what is asked.
        folder: where `TAUGHT` lies.
        teacher: folder or GGUF file; it is loaded where an answer is missing.

    Raises:
        InputError: a record is a text without a prompt, a prompt is too long for the teacher, or
            it finishes no answer at all.
    """
    told = recipe.distillation
    assert told is not None
    path = folder / TAUGHT
    path.parent.mkdir(parents=True, exist_ok=True)
    asked = [_asked(one) for one in corpus.train]
    by = _how(recipe, teacher)
    keys = [_key(by, one) for one in asked]
    known = _known(path)
    missing = {key: one for key, one in zip(keys, asked, strict=True) if key not in known}
    if missing:
        for some in _answered(recipe, missing, *load_causal(teacher)):
            with path.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(one) + "\n" for one in some)
            known |= {one["key"]: one for one in some}
    kept, lost = [], {"unanswered": 0, "unfinished": 0}
    for key, record in zip(keys, asked, strict=True):
        answer = known[key]["messages"][-1:]
        if not known[key]["ended"]:
            lost["unfinished"] += 1
        elif not answer[0]["content"].strip():
            lost["unanswered"] += 1
        else:
            last = turns_of({"messages": answer}, record.place, recipe.data[0])[-1:]
            kept.append(replace(record, turns=(*record.turns[:-1], *last)))
    if not kept:
        raise InputError(
            f"distillation.teacher: {told.teacher} finishes no answer: {lost['unanswered']} are "
            f"empty, {lost['unfinished']} were cut off at {told.max_new_tokens} tokens; raise "
            "distillation.max_new_tokens, or take another teacher"
        )
    return Corpus(tuple(kept), corpus.dev, {**corpus.dropped, **lost})


def _asked(record: Record) -> Record:
    """A record whose last turn stands for the teacher's answer.

    Raises:
        InputError: it is a text.
    """
    if record.turns[0].role == "text":
        raise InputError(
            f"{record.place}: a text has no prompt that a teacher could answer; take it out, or "
            "say distillation.kind: logits"
        )
    last = record.turns[-1].role == "assistant"
    turns = record.turns[:-1] if last else record.turns
    return replace(record, turns=(*turns, ANY))


def _known(path: Path) -> dict[str, dict[str, Any]]:
    """What was answered already; a last line that was cut off is taken away."""
    if not path.is_file():
        return {}
    whole = path.read_text("utf-8")
    if not whole.endswith("\n"):
        path.write_text(whole[: whole.rfind("\n") + 1], "utf-8")
    if not path.stat().st_size:
        return {}
    return {one["key"]: one for _, one in lines(path)}


def _how(recipe: Recipe, teacher: Path) -> list[Any]:
    """What an answer follows from beside its prompt: the teacher's weights and tokenizer with its
    template, the one in its place where it has none, and where answers are cut off."""
    told = recipe.distillation
    assert told is not None
    return [sha256_tree(teacher), recipe.template, CHATML, told.max_new_tokens]


def _key(by: list[Any], record: Record) -> str:
    """A prompt, and how it is answered, as a hash."""
    said = [(turn.role, str(turn.text)) for turn in record.turns[:-1]]
    about = json.dumps([by, said])
    return hashlib.sha256(about.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _answered(
    recipe: Recipe, missing: dict[str, Record], teacher: Any, tokenizer: Any
) -> Iterator[list[dict[str, Any]]]:
    """Conversations as JSON, some at a time."""
    told = recipe.distillation
    assert told is not None
    encode = Encoder(
        tokenizer, template=recipe.template, max_tokens=recipe.max_tokens, overlong="error"
    )
    pad, todo = int(tokenizer.pad_token_id or 0), list(missing.items())
    how: dict[str, Any] = {"ends": endings(encode), "pad": pad, "most": told.max_new_tokens}
    for start in range(0, len(todo), _AT_ONCE):
        some = todo[start : start + _AT_ONCE]
        prompts = [record_prompt(encode, record) for _, record in some]
        found = replies(teacher, prompts, size=recipe.batches.tokens, **how)
        texts = tokenizer.batch_decode([one.ids for one in found], skip_special_tokens=True)
        yield [
            {
                "key": key,
                "group": record.group,
                "ended": reply.ended,
                "messages": [
                    *({"role": one.role, "content": str(one.text)} for one in record.turns[:-1]),
                    {"role": "assistant", "content": text.strip()},
                ],
            }
            for (key, record), reply, text in zip(some, found, texts, strict=True)
        ]
