"""A reranker from some folders of questions: ask the teacher, distil, and what it ships."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from aegle.core.artifacts import read_json, sha256_tree, write_bytes, write_json
from aegle.core.errors import InputError
from aegle.lm.delta import base_weights
from aegle.lm.encoder import read_tokenizer
from aegle.train import cross, lowrank
from aegle.train.cross import MINILM, Listed, Teacher
from aegle.train.data.beir import read

Log = Callable[[str, float, int], None]
LISTS: Final = "lists.jsonl"
MODEL: Final = "model"


@dataclass(frozen=True, slots=True)
class Candidates:
    """How many questions of a source, and how many candidates each, are read by the teacher.

    Attributes:
        train, dev: most questions of a source.
        by_words, by_graph: candidates that look like an answer, beside one that is.
        seed: of what is drawn.
    """

    train: int = 300
    dev: int = 16
    by_words: int = 4
    by_graph: int = 1
    seed: int = 17


def teach(
    folders: Sequence[Path],
    teacher: Teacher,
    folder: Path,
    some: Candidates,
    *,
    stop: Callable[[], bool] = lambda: False,
) -> int:
    """Ask the teacher about candidates; how many questions are still open. It goes on where it was.

    What it said lies in ``folder/lists.jsonl``, a question a line.

    Args:
        folders: read by `aegle.train.data.beir.read`.
        teacher: `aegle.lm.pairs.CrossEncoder.score`, say.
        stop: asked after each question.

    Raises:
        InputError: a folder can't be read, or the lists there were made of others.
    """
    about = {"candidates": asdict(some), "folders": [one.name for one in sorted(folders)]}
    path, told = folder / LISTS, folder / "lists.json"
    folder.mkdir(parents=True, exist_ok=True)
    if told.is_file() and read_json(told) != about:
        raise InputError(f"{path} was made of other folders or numbers; name another run")
    write_json(told, about)
    _mend(path)
    done = len(list(_lines(path)))
    wanted = list(_wanted(folders, some))
    # So that a run that is cut short has read of all sources.
    np.random.default_rng(some.seed).shuffle(wanted)  # type: ignore[arg-type]
    with path.open("a", encoding="utf-8") as file:
        for part, one in wanted[done:]:
            scores = teacher(one.question, one.passages)
            known = replace(one, scores=tuple(round(float(s), 4) for s in scores))
            file.write(json.dumps({"part": part, **asdict(known)}) + "\n")
            file.flush()
            done += 1
            if stop():
                break
    return len(wanted) - done


def _wanted(folders: Sequence[Path], some: Candidates) -> Iterator[tuple[str, Listed]]:
    how = {"by_words": some.by_words, "by_graph": some.by_graph, "seed": some.seed}
    for one in sorted(folders):
        data = read(one)
        for part, most in (("train", some.train), ("dev", some.dev)):
            for each in cross.listed(data, part=part, most=most, **how):
                yield part, each


def _mend(path: Path) -> None:
    """Cut off a last line that a crash left half written."""
    if path.is_file() and (content := path.read_bytes()) and not content.endswith(b"\n"):
        write_bytes(path, content[: content.rfind(b"\n") + 1])


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if path.is_file():
        with path.open(encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def read_lists(folder: Path) -> dict[str, list[Listed]]:
    """Part -> what the teacher said, of lists of the commonest length."""
    found: dict[str, list[Listed]] = {"train": [], "dev": []}
    rows = list(_lines(folder / LISTS))
    if not rows:
        raise InputError(f"{folder / LISTS} is missing: the teacher was not asked yet")
    lengths = [len(row["passages"]) for row in rows]
    usual = max(set(lengths), key=lengths.count)
    for row in rows:
        if len(row["passages"]) == usual:
            passages, right, scores = (tuple(row[n]) for n in ("passages", "right", "scores"))
            one = Listed(row["source"], row["question"], passages, right, scores)
            found[row["part"]].append(one)
    return found


def run(
    *,
    base: str,
    base_folder: Path,
    layers: Sequence[int],
    folder: Path,
    how: cross.How,
    resume: bool = False,
    stop: Callable[[], bool] = lambda: False,
    log: Log = lambda name, value, step: None,
    folders: Sequence[Path],
    about: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Distil the lists of a run's folder; what serves ends in ``folder/model``, as a delta.

    Args:
        base: the reference of the cross-encoder whose layers are kept.
        base_folder: where that lies.
        layers: which are kept, in order.
        folder: of the run; `teach` was there.
        how, resume, stop, log: as for `aegle.train.cross.distil`.
        folders: that the lists were made of.
        about: what else the card says.

    Raises:
        InputError: the lists, the base or the checkpoint can't be read.
        StoppedError: ``stop`` said so; ``resume`` goes on.
    """
    lists = read_lists(folder)
    torch.manual_seed(how.seed)
    net = cross.student(base_weights(base_folder), layers)
    tokenizer = read_tokenizer(base_folder / "tokenizer.json")
    told = {"folder": folder, "resume": resume, "stop": stop, "log": log}
    net.train()
    cross.distil(net, tokenizer, lists["train"], how, **told)  # type: ignore[arg-type]
    net.eval()  # type: ignore[no-untyped-call]
    dev = dev_scores(net, tokenizer, lists["dev"], how)
    lowrank.save_delta(
        folder / MODEL,
        base=base,
        base_folder=base_folder,
        tensors=lowrank.compact(cross.changes(net)),
        card=_card(folder.name, how, lists, folders) | {"dev": dev} | dict(about or {}),
        layers=layers,
        made_from=tuple(sha256_tree(one) for one in sorted(folders)),
    )
    return {"model": str(folder / MODEL), "dev": dev}


def _card(
    name: str, how: cross.How, lists: Mapping[str, Sequence[Listed]], folders: Sequence[Path]
) -> dict[str, Any]:
    licences = {one.name: read_json(one / "card.json")["licence"] for one in folders}
    counts = {
        source: {
            "licence": licence,
            **{part: sum(o.source == source for o in some) for part, some in lists.items()},
        }
        for source, licence in licences.items()
    }
    about = {"name": name, "kind": "reranker", "version": 1, "config": MINILM}
    return about | {"how": how.told(), "data": counts}


def dev_scores(
    net: Any, tokenizer: Any, lists: Sequence[Listed], how: cross.How
) -> dict[str, dict[str, float]]:
    """Source -> how often what is first is right, by student and teacher, and how they agree."""
    found = {}
    for source in sorted({one.source for one in lists}):
        some = [one for one in lists if one.source == source]
        with torch.inference_mode():
            rows = [cross.logits(net, tokenizer, [one], how.pieces) for one in some]
        found[source] = cross.agreement(torch.cat(rows), some)
    return found
