"""Texts as inputs of a graph, what it gives for them, and how far two graphs' outputs lie apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import onnx
import onnxruntime as ort  # type: ignore[import-untyped]  # it ships no types
from numpy.typing import NDArray

from aegle.compress.source import Source
from aegle.core.artifacts import read_json
from aegle.core.errors import InputError
from aegle.lm.classes import batch, cut
from aegle.lm.encoder import read_tokenizer
from aegle.lm.pairs import fit
from aegle.lm.pieces import pieces, windows
from aegle.lm.tagger import CARD, fill

Feed = dict[str, NDArray[np.int64]]
Out = NDArray[np.float32]
Rows = NDArray[np.float64]

MAX_TOKENS: Final = 256
_QUESTION_WORDS: Final = 12


def feeds(source: Source, texts: Sequence[str], *, most: int = 256) -> list[Feed]:
    """Inputs (1, S) of single texts, long ones cut (a tagger's: in its windows).

    A pair is written ``question<TAB>passage``; of a text without a tab the first twelve words ask.

    Args:
        source: the model.
        texts: de-identified.
        most: so many feeds are enough.

    Raises:
        InputError: no text.
    """
    found: list[Feed] = []
    for feed in _made(source, [one for one in texts if one.strip()]):
        found.append(feed)
        if len(found) == most:
            break
    if not found:
        raise InputError("calibration needs texts of the model's own domain; none was given")
    return found


def _made(source: Source, texts: Sequence[str]) -> Iterator[Feed]:
    tokenizer = read_tokenizer(source.folder / "tokenizer.json")
    most = min(MAX_TOKENS, source.shape.positions)
    if source.kind == "tagger":
        card = read_json(source.folder / CARD)
        ends = tuple(card["special_ids"])
        read = pieces(tokenizer, texts)
        for window in windows(read, size=card["max_pieces"], overlap=card["overlap"]):
            shape = (1, window.end - window.start + 2)
            feed = {n: np.zeros(shape, np.int64) for n in ("input_ids", "attention_mask", "cases")}
            ids, mask, cases = (one[0] for one in feed.values())
            fill(ids, mask, cases, read[window.text], window, ends)
            yield feed
    elif source.kind == "pair":
        for text in texts:
            question, tab, passage = text.partition("\t")
            if not tab:
                question, passage = " ".join(text.split()[:_QUESTION_WORDS]), text
            one = tokenizer.encode(question, passage)
            places = fit(one, most)
            feed = batch([[one.ids[place] for place in places]])
            feed["token_type_ids"][0] = [one.type_ids[place] for place in places]
            yield feed
    else:
        for text in texts:
            yield batch([cut(tokenizer.encode(text).ids, most)])


def run(model: onnx.ModelProto, given: Sequence[Feed], outputs: Sequence[str]) -> list[list[Out]]:
    """What a graph gives for each feed, output by output."""
    session = opened(model)
    return [session.run(list(outputs), one) for one in given]


def opened(model: onnx.ModelProto) -> Any:
    """A quiet session of a graph in memory."""
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def told(source: Source) -> str:
    """The output by which a model is judged."""
    return {"tagger": "tags", "encoder": "states" if source.pooling == "none" else "vectors"}.get(
        source.kind, "logits"
    )


def answers(source: Source, model: onnx.ModelProto, given: Sequence[Feed]) -> list[Out]:
    """The judged output of each feed."""
    return [one[0] for one in run(model, given, [told(source)])]


def distance(source: Source, wanted: Sequence[Out], found: Sequence[Out]) -> float:
    """How far outputs lie from those of the float model, 0 or above; the mean over rows.

    Of vectors 1 - cosine; of one logit the squared difference; of classes the Kullback-Leibler
    divergence in nats, for a tagger summed over its label sets.
    """
    rows = [_apart(source, a, b) for a, b in zip(wanted, found, strict=True)]
    return float(np.concatenate(rows).mean())


def _apart(source: Source, a: Out, b: Out) -> NDArray[np.float64]:
    was, now = (one.reshape(-1, one.shape[-1]).astype(np.float64) for one in (a, b))
    if source.kind == "encoder":
        norms = np.linalg.norm(was, axis=1) * np.linalg.norm(now, axis=1)
        cosine: Rows = 1 - (was * now).sum(1) / np.maximum(norms, 1e-12)
        return np.maximum(cosine, 0)
    if was.shape[1] == 1:
        square: Rows = ((was - now) ** 2)[:, 0]
        return square
    sizes = [size for _, size in source.tasks] or [was.shape[1]]
    total, at = np.zeros(len(was)), 0
    for size in sizes:
        total += kl(was[:, at : at + size], now[:, at : at + size])
        at += size
    return total


def kl(a_NL: NDArray[np.float64], b_NL: NDArray[np.float64]) -> NDArray[np.float64]:
    """KL(softmax(a) || softmax(b)) of each row, in nats."""
    log_a, log_b = (
        one
        - one.max(1, keepdims=True)
        - np.log(np.exp(one - one.max(1, keepdims=True)).sum(1))[:, None]
        for one in (a_NL, b_NL)
    )
    out: NDArray[np.float64] = np.maximum((np.exp(log_a) * (log_a - log_b)).sum(1), 0)
    return out


def even(given: Sequence[Feed]) -> list[Feed]:
    """Slices of one length: ONNX Runtime's histograms can't join outputs of several.

    The length is that of the shorter quarter of the feeds, so that little is thrown away.
    """
    lengths = sorted(one["input_ids"].shape[1] for one in given)
    size = max(1, lengths[len(lengths) // 4])
    return [
        {name: rows[:, at : at + size] for name, rows in one.items()}
        for one in given
        for at in range(0, one["input_ids"].shape[1] - size + 1, size)
    ]
