"""Folders of weights as models that can be trained: causal, sequence to sequence, encoder.

Any architecture that Transformers has, and Aegle's own decoder. Only safetensors and GGUF are read:
a pickle can carry code, and no code that comes with weights is ever run. A folder that holds a GGUF
file only is turned into float weights once and kept in the cache.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import torch
from gguf import GGUFReader
from safetensors import SafetensorError
from tokenizers import Tokenizer
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging

from aegle.core.artifacts import sha256_file
from aegle.core.errors import InputError, NotFoundError, UsageError
from aegle.lm import fetch
from aegle.lm.catalog import cache_folder
from aegle.lm.decoder import AegleDecoder
from aegle.lm.gguf_tokenizer import CUTS

OWN: Final = AegleDecoder.config_class.model_type
"""Importing the research decoder registers it, so that folders of this type load like any other."""

Loaded = tuple[PreTrainedModel, PreTrainedTokenizerBase]

DTYPES: Final[Mapping[str, torch.dtype]] = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}
_WRITTEN: Final = 2
"""Counted up when a GGUF file is turned into something else than before."""
_PICKLES: Final = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".msgpack", ".h5")
_FAULTS: Final = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RuntimeError,
    ImportError,
    struct.error,
    SafetensorError,
)
"""What Transformers lets through when a file is not what its name says."""


def load_causal(folder: Path, *, dtype: str = "fp32", device: str | torch.device = "cpu") -> Loaded:
    """A decoder that predicts the next token, with its tokenizer.

    Args:
        folder: ``config.json``, safetensors and a tokenizer; or a GGUF file, or a folder with one.
            What `aegle.lm.catalog.resolve` returns.
        dtype: of the weights: fp32, bf16 or fp16.
        device: where the weights go.

    Returns:
        The model in evaluation mode, and its tokenizer, which has a pad token.

    Raises:
        NotFoundError: no such folder.
        InputError: pickled weights only, an unknown architecture, code of its own, or a damaged
            file.
        UsageError: no such dtype.
    """
    return _load(folder, AutoModelForCausalLM, "decoder", dtype, device)


def load_seq2seq(
    folder: Path, *, dtype: str = "fp32", device: str | torch.device = "cpu"
) -> Loaded:
    """An encoder with a decoder (T5 and its like), with its tokenizer; as `load_causal`."""
    return _load(folder, AutoModelForSeq2SeqLM, "encoder-decoder", dtype, device)


def load_encoder(
    folder: Path, *, dtype: str = "fp32", device: str | torch.device = "cpu"
) -> Loaded:
    """An encoder without a head (BERT, ModernBERT...), with its tokenizer; as `load_causal`."""
    return _load(folder, AutoModel, "encoder", dtype, device)


def load_scorer(folder: Path, *, dtype: str = "fp32", device: str | torch.device = "cpu") -> Loaded:
    """A decoder that gives a text one number, at its last token; as `load_causal`. Where the folder
    holds a model that predicts tokens, the layer that gives the number is drawn at random."""
    quiet = logging.get_verbosity()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # it reports a missing layer
    try:
        kind = AutoModelForSequenceClassification
        model, tokenizer = _load(folder, kind, "scorer", dtype, device, num_labels=1)
        # By it the last token of a padded text is found.
        model.config.get_text_config().pad_token_id = tokenizer.pad_token_id
        return model, tokenizer
    finally:
        logging.set_verbosity(quiet)


def _load(
    folder: Path, kind: Any, what: str, dtype: str, device: str | torch.device, **shape: Any
) -> Loaded:
    if dtype not in DTYPES:
        raise UsageError(f"no dtype {dtype!r}; there are: {', '.join(DTYPES)}")
    folder = _float_weights(folder)
    options = {"local_files_only": True, "trust_remote_code": False}
    try:
        config = AutoConfig.from_pretrained(str(folder), **shape, **options)
        model = kind.from_pretrained(
            str(folder), config=config, dtype=DTYPES[dtype], use_safetensors=True, **options
        )
        tokenizer = AutoTokenizer.from_pretrained(str(folder), **options)
    except _FAULTS as error:
        raise InputError(
            f"{folder} can't be loaded as {what} ({type(error).__name__}); it needs config.json of "
            "an architecture that Transformers has, safetensors and a tokenizer. Code that comes "
            "with weights is not run"
        ) from error
    _pad(tokenizer)
    return model.to(device).eval(), tokenizer


def _pad(tokenizer: PreTrainedTokenizerBase) -> None:
    """Batches need a pad token; masked as it is, the end-of-text token serves where none is."""
    if tokenizer.pad_token is None and tokenizer.eos_token is not None:
        tokenizer.pad_token = tokenizer.eos_token


def _float_weights(folder: Path) -> Path:
    """The folder itself where it holds safetensors; else its GGUF file's, from the cache."""
    if not folder.exists():
        raise NotFoundError(f"{folder}: there is no such file or folder")
    if folder.is_file():
        if folder.suffix == ".gguf":
            return trainable(folder, cache_folder())
        raise InputError(f"{folder} is no folder of weights and no GGUF file")
    if any(folder.glob("*.safetensors")):
        return folder
    files = sorted(folder.glob("*.gguf"))
    if len(files) == 1:
        return trainable(files[0], cache_folder())
    if files:
        raise InputError(f"{folder} holds {len(files)} GGUF files; name one of them")
    pickled = sorted(path.name for path in folder.iterdir() if path.suffix in _PICKLES)
    if pickled:
        raise InputError(
            f"{folder} holds pickled weights only ({pickled[0]}), and a pickle can run code; "
            "convert them to safetensors where you trust them"
        )
    raise InputError(f"{folder} holds neither safetensors nor a GGUF file")


def trainable(file: Path, cache: Path) -> Path:
    """A GGUF file as a folder of float weights, written once for each content of the file.

    The weights are what llama.cpp computes with: quantised ones are spread out, their rounding
    stays. They are kept in half precision, whose own rounding is a hundredth of that.

    Raises:
        InputError: no GGUF file, or one of an architecture that Transformers can't read.
        BackendError: another process has been at it for too long.
    """
    target = cache / "trainable" / f"{file.stem}-{sha256_file(file)[:16]}-{_WRITTEN}"
    if not (target / "config.json").is_file():
        with fetch.lock(cache / "trainable.lock"):
            # Another process may have written it while this one waited.
            if not (target / "config.json").is_file():
                with fetch.made_whole(target) as into:
                    _spread(file, into)
    return target


def _spread(file: Path, into: Path) -> None:
    options: dict[str, Any] = {"gguf_file": file.name, "local_files_only": True}
    auto: Any = AutoModelForCausalLM  # its functions have no types
    shown = logging.get_verbosity()
    logging.set_verbosity(40)  # errors only; the package gives the number no name
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(file.parent), **options)
        read, about = auto.from_pretrained(
            str(file.parent), dtype=torch.float16, output_loading_info=True, **options
        )
        reader = GGUFReader(file)
        lost = _lost(reader, read.config, about["missing_keys"]) or _cut(reader, tokenizer)
        # What came from GGUF refuses to be saved: its weights go into a model of the same shape.
        made = auto.from_config(read.config, dtype=torch.float16)
        made.load_state_dict(read.state_dict())
    except _FAULTS as error:
        raise InputError(
            f"{file} can't be turned into float weights ({type(error).__name__}): Transformers "
            "does not read its architecture or its quantisation, or it is damaged"
        ) from error
    finally:
        logging.set_verbosity(shown)
    if lost:
        raise InputError(
            f"{file} can't be turned into float weights: Transformers leaves out its {lost}, and "
            "what remains computes something else; train from the original safetensors"
        )
    made.save_pretrained(str(into))
    tokenizer.save_pretrained(str(into))


def _lost(reader: Any, config: Any, missing: Iterable[str]) -> str:
    """What of a GGUF file did not arrive; Transformers says nothing of it."""
    kind = str(reader.fields["general.architecture"].contents())
    rope = getattr(config, "rope_parameters", None) or {}
    scaling = reader.fields.get(f"{kind}.rope.scaling.type")
    scaled = scaling is not None and scaling.contents() != "none"
    scaled = scaled or any(one.name == "rope_freqs.weight" for one in reader.tensors)
    if scaled and rope.get("rope_type", "default") == "default":
        return "RoPE scaling"
    missing = [name for name in missing if not name.startswith("lm_head.")]
    experts = reader.fields.get(f"{kind}.expert_count")
    if experts is not None and not hasattr(config, "num_experts_per_tok"):
        return "experts"
    return f"weights ({len(missing)}, as {sorted(missing)[0]})" if missing else ""


def _cut(reader: Any, tokenizer: Any) -> str:
    """Let a tokenizer cut text as the file's does, which Transformers takes no notice of."""
    if reader.fields["tokenizer.ggml.model"].contents() != "gpt2":
        return ""
    field = reader.fields.get("tokenizer.ggml.pre")
    name = "gpt-2" if field is None else str(field.contents())
    if name not in CUTS:
        return f"way of cutting text ({name})"
    backend = tokenizer.backend_tokenizer
    whole = {**json.loads(backend.to_str()), "pre_tokenizer": CUTS[name]}
    backend.pre_tokenizer = Tokenizer.from_str(json.dumps(whole)).pre_tokenizer
    return ""
