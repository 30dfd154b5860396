"""One encoder, many heads: states of word pieces, and what each head makes of them.

Letters: B windows, S pieces, C width, N chosen places, T tags of a head.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import AutoModel

from aegle.core.errors import InputError
from aegle.lm.pieces import CASES
from aegle.train.recipe import Task


class Network(nn.Module):
    """A pretrained encoder with heads.

    Args:
        folder: Hugging Face weights (BERT or MPNet).
        tasks: name -> task; every task gets a head.
        cases: add to each piece's embedding how its word is written (`aegle.lm.pieces.CASES`).
        dropout: of the heads' input.
        freeze_words: leave the word table as it is.

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
    ) -> None:
        super().__init__()
        try:
            self.encoder = AutoModel.from_pretrained(str(folder), add_pooling_layer=False)
        except (OSError, ValueError) as error:
            raise InputError(f"{folder} holds no encoder that can be trained") from error
        width = int(self.encoder.config.hidden_size)
        # It begins at zero: at first the network is the packaged encoder.
        self.cases = nn.Embedding(len(CASES), width) if cases else None
        if self.cases is not None:
            nn.init.zeros_(self.cases.weight)
        self.dropout = nn.Dropout(dropout)
        self.heads = nn.ModuleDict(
            {name: nn.Linear(width, outputs(task)) for name, task in tasks.items()}
        )
        self.scales = nn.ParameterDict({name: nn.Parameter(torch.zeros(())) for name in tasks})
        if freeze_words:
            self.encoder.get_input_embeddings().weight.requires_grad_(False)

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


def outputs(task: Task) -> int:
    """Classes of a head: O, then B and I of each label."""
    return 1 + 2 * len(task.labels)
