"""One stage of a model, in a process of its own: it answers requests one at a time."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from aegle.core.errors import BackendError, InputError, StoppedError
from aegle.core.plugins import load
from aegle.flows.parity_tasks import Ask

ADAPTER: Final = "adapter.json"
_SEED: Final = 0


class Answers(Protocol):
    """Whatever answers requests."""

    def ask(self, ask: Ask) -> Any:
        """The raw answer, see `aegle.flows.parity_tasks.scored`."""

    def close(self) -> None:
        """Let go of the model."""


def measure(
    kind: str,
    folder: Path,
    base: Path,
    asks: Sequence[Ask],
    threads: int,
    progress: Callable[..., None],
    figures: Callable[..., None],
    stop: Callable[[], bool],
) -> dict[str, Any]:
    """A stage's answers with what they took; called by `aegle.flows.apart.apart`.

    Args:
        kind: of `aegle.flows.parity_tasks.KINDS`.
        folder: the model. ``base``: what an adapter belongs on.
        asks: the requests.
        threads: 0 for all cores.

    Raises:
        StoppedError: ``stop`` said so.
    """
    opened = open_stage(kind, folder, base, threads)
    try:
        raw, times = answered(opened, asks, progress, stop)
        return {"answers": raw, "ms": times, "memory_bytes": resident(os.getpid())}
    finally:
        opened.close()


def answered(
    model: Answers,
    asks: Sequence[Ask],
    progress: Callable[[int, int], None],
    stop: Callable[[], bool],
) -> tuple[list[Any], list[float]]:
    """Answers and milliseconds of each request, one after the other.

    Raises:
        StoppedError: ``stop`` said so.
    """
    model.ask(asks[0])  # what is loaded at the first use is no part of a request
    raw, times = [], []
    for number, ask in enumerate(asks):
        if stop():
            raise StoppedError("stopped; no certificate is written", resumes=False)
        began = time.perf_counter()
        raw.append(model.ask(ask))
        times.append(1000 * (time.perf_counter() - began))
        progress(number + 1, len(asks))
    return raw, times


def resident(process: int) -> int:
    """Bytes of memory that a process holds now.

    Raises:
        BackendError: the system doesn't tell.
    """
    status = Path(f"/proc/{process}/status")
    try:
        if status.is_file():
            found = [one for one in status.read_text().splitlines() if one.startswith("VmRSS:")]
            return 1024 * int(found[0].split()[1])
        command = ["ps", "-o", "rss=", "-p", str(process)]
        told = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - a number of ours
        return 1024 * int(told.stdout)
    except (OSError, ValueError, IndexError, subprocess.CalledProcessError) as error:
        raise BackendError(f"the memory of process {process} can't be told") from error


def open_stage(kind: str, folder: Path, base: Path, threads: int) -> Answers:
    """A model's folder, ready to answer.

    Raises:
        NotFoundError, InputError: it holds no model of the kind.
    """
    if kind == "decoder":
        if in_torch(folder):
            return _Torch(folder, base, threads)
        return _LlamaCpp(folder, threads)
    made: Answers = _MAKES[kind](folder, threads)
    return made


def in_torch(folder: Path) -> bool:
    """Whether a generator's folder holds float weights or an adapter, and no GGUF."""
    return (folder / ADAPTER).is_file() or any(folder.glob("*.safetensors"))


class _Opened:
    """A model of Aegle's runtime, closed when done."""

    target = ""

    def __init__(self, folder: Path, threads: int) -> None:
        self._model: Any = load(self.target)(folder, threads=threads)

    def close(self) -> None:
        self._model.close()


class _Tagger(_Opened):
    target = "aegle.lm.tagger:Tagger"

    def ask(self, ask: Ask) -> Any:
        known = self._model.classifiers if ask.whole else self._model.heads
        if ask.head not in known:
            raise InputError(f"a stage has no head {ask.head!r}; it has: {', '.join(known)}")
        if not ask.whole:
            (told,) = self._model.tag([ask.text], tasks=[ask.head])
            return [(one.start, one.end, one.label, float(one.score)) for one in told[ask.head]]
        (reading,) = self._model.read([ask.text], tasks=list(self._model.heads)[:1])
        row = reading.classes(ask.head)
        best = int(row.argmax())
        return known[ask.head].labels[best], float(row[best])


class _Classifier(_Opened):
    target = "aegle.lm.classes:TextClassifier"

    def ask(self, ask: Ask) -> Any:
        return self._model.classify([ask.text])[0]


class _Encoder(_Opened):
    target = "aegle.lm.encoder:SentenceEncoder"

    def ask(self, ask: Ask) -> Any:
        return [float(one) for one in self._model.embed([ask.text])[0]]


class _Pairs(_Opened):
    target = "aegle.lm.pairs:CrossEncoder"

    def ask(self, ask: Ask) -> Any:
        return [float(one) for one in self._model.score(ask.text, ask.passages)]


class _LlamaCpp:
    """A GGUF file, in the engine that serves it."""

    def __init__(self, folder: Path, threads: int) -> None:
        make: Any = load("aegle.backends.generator_llamacpp:LlamaCppGenerator")
        self._model: Any = make(folder, threads=threads)

    def ask(self, ask: Ask) -> str:
        body: dict[str, Any] = {"max_tokens": ask.most, "temperature": 0.0, "seed": _SEED}
        body |= {"cache_prompt": False}
        body |= (
            {"messages": [{"role": "user", "content": ask.text}]}
            if ask.chat
            else {"prompt": ask.text}
        )
        reply = self._model.relay(body, chat=ask.chat)
        return text_of(reply, chat=ask.chat)

    def close(self) -> None:
        self._model.close()


def text_of(reply: Any, *, chat: bool) -> str:
    """What a completion says; raises BackendError for one that says nothing of the kind."""
    try:
        choice = reply["choices"][0]
        return str((choice["message"]["content"] if chat else choice["text"]) or "")
    except (KeyError, IndexError, TypeError) as error:
        raise BackendError("the generator refused a request") from error


class _Torch:
    """Float weights, with an adapter on them or without, by Transformers (extra ``train``)."""

    def __init__(self, folder: Path, base: Path, threads: int) -> None:
        self._torch: Any = load("torch:no_grad")
        if threads:
            load("torch:set_num_threads")(threads)
        causal: Any = load("aegle.train.causal.load:load_causal")
        adapter = (folder / ADAPTER).is_file()
        self._model, self._tokenizer = causal(base if adapter else folder)
        if adapter:
            self._model = load("aegle.train.causal.adapters:load")(self._model, folder)

    def ask(self, ask: Ask) -> str:
        tokenizer = self._tokenizer
        text, special = ask.text, True
        if ask.chat and tokenizer.chat_template:
            told = [{"role": "user", "content": ask.text}]
            text = tokenizer.apply_chat_template(told, tokenize=False, add_generation_prompt=True)
            special = False
        ids = tokenizer(text, add_special_tokens=special, return_tensors="pt")
        given = {name: ids[name] for name in ("input_ids", "attention_mask")}
        how = {"do_sample": False, "max_new_tokens": ask.most}
        how |= {"pad_token_id": tokenizer.pad_token_id}
        with self._torch():
            out = self._model.generate(**given, **how)[0, given["input_ids"].shape[1] :]
        return str(tokenizer.decode(out, skip_special_tokens=True))

    def close(self) -> None:
        self._model = None


_MAKES: Final[Mapping[str, Any]] = {
    "tagger": _Tagger,
    "classifier": _Classifier,
    "encoder": _Encoder,
    "pair": _Pairs,
}
