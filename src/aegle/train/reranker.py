"""A reranker from some folders of questions: ask the teacher, distil, and what it ships."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from aegle.core.artifacts import read_json, write_bytes, write_json
from aegle.core.errors import InputError
from aegle.lm.delta import base_weights
from aegle.lm.encoder import read_tokenizer
from aegle.train import cross, lowrank
from aegle.train.cross import MINILM, Listed, Teacher
from aegle.train.data.beir import read, rights
from aegle.train.resume import check, data_hashes, identity

Log = Callable[[str, float, int], None]
LISTS: Final = "lists.jsonl"
MADE_OF: Final = "lists.json"
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


def made_of(
    folders: Sequence[Path], some: Candidates, *, base: str, base_folder: Path, pieces: int
) -> dict[str, Any]:
    """All that decides what a teacher says: data, candidates, the teacher, and how much it reads.

    Args:
        folders: of the data; their files are hashed.
        some: what is drawn of them.
        base, base_folder: the teacher's reference, and where it lies.
        pieces: to so many word pieces it cuts a pair.
    """
    return {
        "candidates": asdict(some),
        "data": data_hashes(folders),
        "pieces": pieces,
        "teacher": identity(base, base_folder),
    }


def check_student(base_folder: Path, layers: Sequence[int]) -> None:
    """Whether a student can be made: asked before a teacher reads for an hour.

    Raises:
        InputError: the base is of another shape, or doesn't have these layers in this order.
    """
    cross.student(base_weights(base_folder), layers)


def teach(
    folders: Sequence[Path],
    teacher: Teacher,
    folder: Path,
    some: Candidates,
    *,
    about: Mapping[str, Any],
    stop: Callable[[], bool] = lambda: False,
) -> int:
    """Ask the teacher about candidates; how many questions are still open. It goes on where it was.

    What it said lies in ``folder/lists.jsonl``, a question a line; ``folder/lists.json`` says what
    they are made of, and how many questions of a source are left out, because they have fewer
    candidates than most.

    Args:
        folders: read by `aegle.train.data.beir.read`.
        teacher: `aegle.lm.pairs.CrossEncoder.score`, say.
        about: `made_of` gives it.
        stop: asked after each question.

    Raises:
        InputError: a folder can't be read, the lists there were made of others, or there is
            nothing to learn from.
    """
    path = folder / LISTS
    if path.is_file():
        check_lists(folder, about)
    wanted, dropped = _of_one_length(list(_wanted(folders, some)))
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / MADE_OF, {"about": dict(about), "dropped": dropped})
    _mend(path)
    done = len(list(_lines(path)))
    # So that a run that is cut short has read of all sources.
    np.random.default_rng(some.seed).shuffle(wanted)
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


def _of_one_length(
    found: Sequence[tuple[str, Listed]],
) -> tuple[list[tuple[str, Listed]], dict[str, int]]:
    """(lists as long as most that train, source -> how many others); a batch is of one length."""
    lengths = Counter(len(one.passages) for part, one in found if part == "train")
    if not lengths:
        raise InputError(
            "no folder has training questions (qrels/train.tsv) whose passage may be learned from; "
            "dev questions alone only measure"
        )
    lengths.pop(1, None)
    if not lengths:
        raise InputError(
            "no training question has two passages to tell apart; a folder needs more passages"
        )
    usual = max(lengths, key=lambda length: (lengths[length], length))
    kept = [pair for pair in found if len(pair[1].passages) == usual]
    others = Counter(one.source for _, one in found if len(one.passages) != usual)
    return kept, dict(sorted(others.items()))


def check_lists(folder: Path, about: Mapping[str, Any]) -> dict[str, int]:
    """Source -> questions left out; the lists of a run must be made of what `made_of` gives.

    Raises:
        InputError: they were made of something else.
    """
    path = folder / MADE_OF
    told = read_json(path) if path.is_file() else {}
    check(folder / LISTS, told.get("about", {}), about)
    dropped: dict[str, int] = told["dropped"]
    return dropped


def _mend(path: Path) -> None:
    """Cut off a last line that a crash left half written."""
    if path.is_file() and (content := path.read_bytes()) and not content.endswith(b"\n"):
        write_bytes(path, content[: content.rfind(b"\n") + 1])


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    if path.is_file():
        with path.open(encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def read_lists(folder: Path) -> dict[str, list[Listed]]:
    """Part -> what the teacher said.

    Raises:
        InputError: it was not asked yet.
    """
    found: dict[str, list[Listed]] = {"train": [], "dev": []}
    rows = list(_lines(folder / LISTS))
    if not rows:
        raise InputError(f"{folder / LISTS} is missing: the teacher was not asked yet")
    for row in rows:
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
    made_of: Mapping[str, Any],
    about: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Distil the lists of a run's folder; what serves ends in ``folder/model``, as a delta.

    Args:
        base: the reference of the cross-encoder whose layers are kept.
        base_folder: where that lies.
        layers: which are kept, ascending.
        folder: of the run; `teach` was there.
        how, resume, stop, log: as for `aegle.train.cross.distil`.
        folders: that the lists were made of.
        made_of: of them and the rest, the function of this name; what was begun with something
            else is refused.
        about: what else the card says.

    Raises:
        InputError: the lists, the base or the checkpoint can't be read, or are of other ones.
        StoppedError: ``stop`` said so; ``resume`` goes on.
    """
    dropped = check_lists(folder, made_of)
    lists = read_lists(folder)
    decides = {**made_of, "layers": list(layers)}
    told = {"folder": folder, "resume": resume, "stop": stop, "log": log, "about": decides}
    net, dev = _distilled(base_folder, layers, lists, how, told)
    found = {"dev": dev, "dropped": dropped}
    said = {one.name: rights(one) for one in sorted(folders)}
    lowrank.save_delta(
        folder / MODEL,
        base=base,
        base_folder=base_folder,
        tensors=lowrank.compact(cross.changes(net)),
        card=_card(folder.name, how, lists, said) | found | dict(about or {}),
        layers=layers,
        made_from=tuple(made_of["data"].values()),
        sources={o: told | {"sha256": made_of["data"][o]} for o, told in said.items()},
    )
    return {"model": str(folder / MODEL), **found}


def _distilled(
    base_folder: Path,
    layers: Sequence[int],
    lists: Mapping[str, Sequence[Listed]],
    how: cross.How,
    told: Mapping[str, Any],
) -> tuple[Any, dict[str, dict[str, float]]]:
    """(the student, its dev scores); ``told`` goes to `aegle.train.cross.distil`."""
    torch.manual_seed(how.seed)
    net: Any = cross.student(base_weights(base_folder), layers)
    tokenizer = read_tokenizer(base_folder / "tokenizer.json")
    net.train()
    cross.distil(net, tokenizer, lists["train"], how, **told)
    net.eval()
    return net, dev_scores(net, tokenizer, lists["dev"], how)


def _card(
    name: str,
    how: cross.How,
    lists: Mapping[str, Sequence[Listed]],
    said: Mapping[str, Mapping[str, str]],
) -> dict[str, Any]:
    counts = {
        source: {
            **told,
            **{part: sum(o.source == source for o in some) for part, some in lists.items()},
        }
        for source, told in said.items()
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
