"""One encoder, many heads: states of word pieces, and what each head makes of them.

Letters: B windows, S pieces, C width, N chosen places, T tags of a head; those of
`aegle.train.mentions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor, nn
from transformers import AutoModel

from aegle.core.errors import InputError
from aegle.lm.heads import DISTANCES
from aegle.lm.pieces import CASES
from aegle.train.recipe import Recipe, Task

HIDDEN = 256
"""Width of the hidden layer of a head that is no tag head."""


class Network(nn.Module):
    """A pretrained encoder with heads.

    Args:
        folder: Hugging Face weights (BERT or MPNet).
        tasks: name -> task; every task gets a head.
        cases: add to each piece's embedding how its word is written (`aegle.lm.pieces.CASES`).
        dropout: of the heads' input.
        freeze_words: leave the word table as it is.
        things: labels that the things of a pair head can have.

    Raises:
        InputError: the folder holds no such weights.
    """

    def __init__(
        self,
        folder: Path,
        tasks: Mapping[str, Task],
        *,
        cases: bool,
        dropout: float,
        freeze_words: bool = False,
        things: int = 0,
    ) -> None:
        super().__init__()
        try:
            # Dropout inside attention keeps a processor from its fused kernel: twice the time.
            self.encoder = AutoModel.from_pretrained(
                str(folder), add_pooling_layer=False, attention_probs_dropout_prob=0.0
            )
        except (OSError, ValueError) as error:
            raise InputError(f"{folder} holds no encoder that can be trained") from error
        width = int(self.encoder.config.hidden_size)
        self.cases = nn.Embedding(len(CASES), width) if cases else None
        if self.cases is not None:
            # It begins at zero, so that the network begins as the packaged encoder; a base that
            # was a tagger has one.
            nn.init.zeros_(self.cases.weight)
            if (folder / "model.safetensors").is_file():
                with safe_open(folder / "model.safetensors", "pt") as file:
                    if "cases.weight" in file.keys():  # noqa: SIM118
                        self.cases.weight.data.copy_(file.get_tensor("cases.weight"))
        self.dropout = nn.Dropout(dropout)
        self.heads = nn.ModuleDict(
            {
                name: nn.Linear(width, outputs(task))
                for name, task in tasks.items()
                if task.kind == "tags"
            }
        )
        self.classifiers = nn.ModuleDict(
            {
                name: PairHead(width, outputs(task), kinds=things)
                if task.kind == "pair"
                else SpanHead(width, outputs(task))
                for name, task in tasks.items()
                if task.kind != "tags"
            }
        )
        self.scales = nn.ParameterDict({name: nn.Parameter(torch.zeros(())) for name in tasks})
        if freeze_words:
            self.encoder.get_input_embeddings().weight.requires_grad_(False)

    @classmethod
    def of(cls, recipe: Recipe, base: Path) -> Network:
        """The network that a recipe speaks of, its heads as they begin."""
        related = [one.task for one in recipe.corpora if one.pairs]
        return cls(
            base,
            recipe.tasks,
            cases=recipe.cases,
            dropout=recipe.dropout,
            freeze_words=recipe.freeze_words,
            things=max((len(recipe.tasks[task].labels) for task in related), default=0),
        )

    def states(self, ids_BS: Tensor, mask_BS: Tensor, cases_BS: Tensor) -> Tensor:
        """(B, S, C): the encoder's last layer."""
        words_BSC = self.encoder.get_input_embeddings()(ids_BS)
        if self.cases is not None:
            words_BSC = words_BSC + self.cases(cases_BS)
        told = self.encoder(inputs_embeds=words_BSC, attention_mask=mask_BS)
        states: Tensor = told.last_hidden_state
        return states

    def tag(self, task: str, states_NC: Tensor) -> Tensor:
        """(N, T) logits of a tag head at some places."""
        logits: Tensor = self.heads[task](self.dropout(states_NC))
        return logits

    def mentions(self, states_BSC: Tensor, words_J3: Tensor, count: int) -> Tensor:
        """(M, C): the mean state of each mention's words."""
        which_J, rows_J, places_J = words_J3.unbind(1)
        return _means(states_BSC[rows_J, places_J], which_J, count)

    def classify(self, task: str, pooled_MC: Tensor) -> Tensor:
        """(M, L) logits of a span or text head."""
        logits: Tensor = self.classifiers[task](self.dropout(pooled_MC))
        return logits

    def relate(
        self,
        task: str,
        states_BSC: Tensor,
        words_BS: Tensor,
        pooled_MC: Tensor,
        told: tuple[Tensor, ...],
    ) -> Tensor:
        """(P, 1 + L) logits of a pair head.

        Args:
            task: its name.
            states_BSC: of the encoder.
            words_BS: true at the first pieces of words, to which pairs attend.
            pooled_MC: `mentions`.
            told: things_I2, rows_K, kinds_K, pairs_P2, near_P of `Mentions`.
        """
        things_I2, rows_K, kinds_K, pairs_P2, near_P = told
        things_KC = _means(pooled_MC[things_I2[:, 1]], things_I2[:, 0], len(rows_K))
        head = self.classifiers[task]
        if not isinstance(head, PairHead):
            raise TypeError(f"the head {task!r} relates no pairs")
        parts = []
        rows_P = rows_K[pairs_P2[:, 0]]
        for row in sorted(set(rows_P.tolist())):
            mine = rows_P == row
            parts.append(
                head(
                    self.dropout(things_KC),
                    kinds_K,
                    states_BSC[row][words_BS[row]],
                    pairs_P2[mine],
                    near_P[mine],
                )
            )
        # Pairs stand in the order of their windows, so that the parts follow one another.
        return torch.cat(parts) if parts else states_BSC.new_zeros(0, head.labels)


class SpanHead(nn.Module):
    """Classes of a pooled state; `aegle.lm.heads.span_logits` is the same in numpy."""

    def __init__(self, width: int, labels: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(width, HIDDEN)
        self.out = nn.Linear(HIDDEN, labels)

    def forward(self, pooled_MC: Tensor) -> Tensor:
        """(M, L)."""
        logits: Tensor = self.out(torch.relu(self.hidden(pooled_MC)))
        return logits


class PairHead(nn.Module):
    """What relates two things; `aegle.lm.heads.pair_logits` is the same in numpy.

    A pair is its two things' states, combined symmetrically, and what it attends to among the
    words of the text, after Zhou et al. (2021), ATLOP: localized context pooling.
    """

    def __init__(self, width: int, labels: int, *, kinds: int) -> None:
        super().__init__()
        self.count, self.labels = kinds, labels
        # There are few documents with relations: without it the head learns them by heart.
        self.dropout = nn.Dropout(0.3)
        self.ask = nn.Linear(width, width)
        self.hidden = nn.Linear(4 * width, HIDDEN)
        self.kinds = nn.Embedding(kinds * kinds, HIDDEN)
        self.near = nn.Embedding(DISTANCES, HIDDEN)
        self.out = nn.Linear(HIDDEN, labels)
        nn.init.normal_(self.kinds.weight, std=0.02)
        nn.init.normal_(self.near.weight, std=0.02)

    def forward(
        self,
        things_KC: Tensor,
        kinds_K: Tensor,
        states_SC: Tensor,
        pairs_P2: Tensor,
        near_P: Tensor,
    ) -> Tensor:
        """(P, 1 + L)."""
        left_PC, right_PC = things_KC[pairs_P2[:, 0]], things_KC[pairs_P2[:, 1]]
        both_PC = left_PC + right_PC
        scores_PS = self.ask(both_PC) @ states_SC.T / states_SC.shape[1] ** 0.5
        told_PC = scores_PS.softmax(1) @ states_SC
        parts = (both_PC, left_PC * right_PC, (left_PC - right_PC).abs(), told_PC)
        hidden_PF = self.hidden(self.dropout(torch.cat(parts, 1)))
        low, high = kinds_K[pairs_P2].sort(1).values.unbind(1)
        hidden_PF = hidden_PF + self.kinds(low * self.count + high) + self.near(near_P)
        logits: Tensor = self.out(torch.relu(hidden_PF))
        return logits


def _means(rows_JC: Tensor, which_J: Tensor, count: int) -> Tensor:
    """(count, C): the mean of the rows of each number."""
    zeros = rows_JC.new_zeros(count, rows_JC.shape[1])
    sums = zeros.index_add(0, which_J, rows_JC)
    sizes = rows_JC.new_zeros(count).index_add(0, which_J, torch.ones_like(rows_JC[:, 0]))
    return sums / sizes.clamp(min=1).unsqueeze(1)


def outputs(task: Task) -> int:
    """Classes of a head: O, then B and I of each label; none, then labels; labels."""
    if task.kind == "tags":
        return 1 + 2 * len(task.labels)
    return len(task.labels) + (task.kind == "pair")
