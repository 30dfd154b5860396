"""The methods for causal language models, by name; each is imported when it is called.

`DECODERS` leave bare files. What ``aegle compress`` tries stands below: folders with a card and a
manifest, whole or not at all, that llama.cpp serves.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aegle.compress import finish
from aegle.compress.method import Made, Method
from aegle.core import plugins
from aegle.core.ports import Progress
from aegle.lm.fetch import made_whole


@dataclass(frozen=True)
class Named:
    """A method by where it stands, ``module:function``: torch is loaded when it is called."""

    target: str

    def __call__(
        self,
        source: Path,
        out: Path,
        *,
        texts: Sequence[str],
        settings: Mapping[str, Any],
        progress: Progress,
    ) -> Made:
        """As `aegle.compress.method.Method`."""
        method: Method = plugins.load(self.target)
        return method(source, out, texts=texts, settings=settings, progress=progress)


DECODERS: Final[dict[str, Method]] = {
    name: Named(f"aegle.compress.causal.{target}")
    for name, target in {
        "gguf": "quantise:to_gguf",
        "gptq": "quantise:by_gptq",
        "awq": "quantise:by_awq",
        "nf4": "bits:nf4",
        "int8": "bits:int8",
        "onnx": "graph:onnx",
        "layers": "prune:layers",
        "ffn": "prune:ffn",
        "heads": "prune:heads",
        "magnitude": "masks:magnitude",
        "wanda": "masks:wanda",
    }.items()
}
"""Name -> method. The first three leave ``model.gguf``; the others a folder that Transformers
loads, whose pruned weights `gguf` and its like take on."""

MOST_TEXTS: Final = 128
"""That calibrate in a search: an importance matrix wants no more."""


@dataclass(frozen=True)
class Served:
    """A method as a search takes it: what it leaves is one GGUF file with a card and a manifest.

    Attributes:
        name: of `DECODERS`. One that leaves safetensors takes the setting ``then``, the type in
            which llama.cpp gets them (f16).
    """

    name: str

    def __call__(
        self,
        source: Path,
        out: Path,
        *,
        texts: Sequence[str],
        settings: Mapping[str, Any],
        progress: Progress,
    ) -> Made:
        """As `aegle.compress.method.Method`; what was in ``out`` is replaced."""
        texts = texts[:MOST_TEXTS]
        with made_whole(out) as into:
            if self.name in _FILES:
                told: dict[str, Any] = {"texts": texts, "settings": settings, "progress": progress}
                about = DECODERS[self.name](source, into, **told).about
            else:
                about = self._cut(source, into, texts, settings, progress)
            finish.seal(source, into, method=self.name, about=about, texts=texts)
        return Made(out, finish.size_of(out), about)

    def _cut(
        self,
        source: Path,
        into: Path,
        texts: Sequence[str],
        settings: Mapping[str, Any],
        progress: Progress,
    ) -> dict[str, Any]:
        own = {name: value for name, value in settings.items() if name != "then"}
        with tempfile.TemporaryDirectory(dir=into.parent) as scratch:
            small = DECODERS[self.name](
                source, Path(scratch) / "cut", texts=texts, settings=own, progress=progress
            )
            then = {"type": settings.get("then", "f16")}
            made = DECODERS["gguf"](
                small.folder, into, texts=texts, settings=then, progress=progress
            )
        return {**small.about, **made.about}


_FILES: Final = ("gguf", "gptq", "awq")
gguf: Final = Served("gguf")
gptq: Final = Served("gptq")
awq: Final = Served("awq")
layers: Final = Served("layers")
ffn: Final = Served("ffn")
heads: Final = Served("heads")
magnitude: Final = Served("magnitude")
wanda: Final = Served("wanda")


def original(
    source: Path,
    out: Path,
    *,
    texts: Sequence[str],
    settings: Mapping[str, Any],
    progress: Progress,
) -> Made:
    """The model in halves: what all others are compared with. It takes neither texts nor settings.

    Raises:
        InputError: a model that llama.cpp has no layout for.
    """
    with made_whole(out) as into:
        made = DECODERS["gguf"](source, into, texts=(), settings={"type": "f16"}, progress=progress)
        finish.seal(source, into, method="float", about=made.about, texts=())
    return Made(out, finish.size_of(out), made.about)
