"""Two short runs that a process can be killed in; as a program, each of them is, by SIGKILL."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch
from transformers import BertConfig, BertForSequenceClassification

from aegle.lm.encoder import read_tokenizer
from aegle.train import checkpoint, contrast, cross, embedder, lowrank
from aegle.train.cross import Listed
from aegle.train.data.beir import read

AT = 3
"""The step that is not survived."""

HOW = contrast.How(steps=6, seeds=4, more=4, dimensions=(32, 8), rank=4, lr=1e-2, seed=3)


def quiet(name: str, value: float, step: int) -> None:
    """No log."""


def embedding(base: Path, source: Path, folder: Path, **how: Any) -> dict[str, Any]:
    """What an embedder learned."""
    net = embedder.network(base, HOW)
    embedder.fit(net, [read(source)], HOW, folder=folder, **how)
    return lowrank.changes(net.encoder)


def reranking(base: Path, source: Path, folder: Path, **how: Any) -> dict[str, Any]:
    """What a reranker learned."""
    torch.manual_seed(1)
    told = BertConfig.from_pretrained(base).to_dict() | {"num_labels": 1}
    net = BertForSequenceClassification(BertConfig(**told))
    lists = [
        Listed("made", one.text, ("is told here", "a b c", "d e f"), (0,), (2.0, 1.0, -1.0))
        for one in read(source).asked["train"]
    ]
    tokenizer = read_tokenizer(base / "tokenizer.json")
    net.train()
    cross.distil(net, tokenizer, lists, cross.How(steps=6, lists=3), folder=folder, **how)
    return {name: value.detach().numpy() for name, value in net.state_dict().items()}


def _die(name: str, value: float, step: int) -> None:
    if step == AT:
        os.kill(os.getpid(), signal.SIGKILL)


def _die_between(target: Path, value: Any, *, write: Any = checkpoint.write_json) -> None:
    """After a checkpoint's tensors are written, before it counts."""
    if value["step"] == AT:
        os.kill(os.getpid(), signal.SIGKILL)
    write(target, value)


def _main(base: Path, source: Path, folder: Path) -> None:
    """Fork before torch has threads: importing it twice takes as long as all the rest."""
    for run in (embedding, reranking):
        child = os.fork()
        if not child:
            if run is reranking:
                checkpoint.write_json = _die_between
            run(
                base,
                source,
                folder / run.__name__,
                save_s=0,
                log=_die if run is embedding else quiet,
            )
            os._exit(0)
        _, status = os.waitpid(child, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")


if __name__ == "__main__":
    _main(*map(Path, sys.argv[1:]))
