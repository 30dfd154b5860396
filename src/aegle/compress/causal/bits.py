"""NF4 and INT8 by bitsandbytes: folders of safetensors that Transformers loads as they are.

For training on (QLoRA) and for GPUs; llama.cpp does not read them.

References:
    Dettmers et al. (2022), LLM.int8(); (2023), QLoRA.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import BitsAndBytesConfig

from aegle.compress.causal import hear
from aegle.compress.causal.plan import known
from aegle.compress.method import Made
from aegle.core.ports import Progress

# It warns at import of a kernel of a hub's that it would like to load; none is.
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)


def nf4(
    source: Path,
    out: Path,
    *,
    texts: Sequence[str],
    settings: Mapping[str, Any],
    progress: Progress,
) -> Made:
    """Linear layers in 4-bit normal floats, their scales in 8 bits; no text is read.

    Args:
        source, out, texts, progress: as for a `Method`.
        settings: ``double`` (True), scales quantised, too.

    Raises:
        InputError: a folder that Transformers can't load.
        UsageError: an unknown setting.
    """
    known(settings, ("double",), "nf4")
    asked = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=bool(settings.get("double", True)),
        bnb_4bit_compute_dtype=torch.float32,
    )
    return _kept(source, out, asked)


def int8(
    source: Path,
    out: Path,
    *,
    texts: Sequence[str],
    settings: Mapping[str, Any],
    progress: Progress,
) -> Made:
    """Linear layers in 8 bits, columns with outliers of the input computed in halves (LLM.int8).

    Args:
        source, out, texts, progress: as for a `Method`.
        settings: ``threshold`` (6.0), from which an input is an outlier.

    Raises:
        InputError, UsageError: as `nf4`.
    """
    known(settings, ("threshold",), "int8")
    asked = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_8bit=True, llm_int8_threshold=float(settings.get("threshold", 6.0))
    )
    return _kept(source, out, asked)


def _kept(source: Path, out: Path, asked: BitsAndBytesConfig) -> Made:
    model, tokenizer = hear.floats(source, quantization_config=asked, device_map="cpu")
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)
    size = sum(path.stat().st_size for path in out.rglob("*.safetensors"))
    return Made(out, size, {"engine": "bitsandbytes"})
