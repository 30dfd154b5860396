"""The methods for causal language models, by name; each is imported when it is called."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aegle.compress.method import Made, Method
from aegle.core import plugins
from aegle.core.ports import Progress


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
        "layers": "prune:layers",
        "ffn": "prune:ffn",
        "heads": "prune:heads",
        "magnitude": "masks:magnitude",
        "wanda": "masks:wanda",
    }.items()
}
"""Name -> method. The first three leave ``model.gguf``; the others a folder that Transformers
loads, whose pruned weights `gguf` and its like take on."""
