"""Adapters of every method by one key: attach, save, load, merge.

References:
    lora: Hu et al. (2021); rslora: Kalajdzievski (2023); dora: Liu et al. (2024); pissa: Meng et
    al. (2024); qlora: Dettmers et al. (2023); adalora: Zhang et al. (2023); ia3: Liu et al. (2022);
    prefix: Li & Liang (2021); prompt: Lester et al. (2021); ptuning: Liu et al. (2021); bottleneck:
    Houlsby et al. (2019); bitfit: Ben Zaken et al. (2022), here by PEFT's BEFT, which gives a bias
    to layers that have none, as Llama's.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Final

import peft
import torch
from peft.utils.constants import (
    TRANSFORMERS_MODELS_TO_IA3_FEEDFORWARD_MODULES_MAPPING as IA3_FORWARD,
)
from peft.utils.constants import TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING as IA3_TARGETS
from torch import Tensor, nn

from aegle.core.artifacts import read_json, write_json
from aegle.core.errors import InputError, UsageError
from aegle.train.causal import biases, bottleneck, nf4
from aegle.train.causal.recipe import LOW_RANK, PROMPTS, Adapter
from aegle.train.checkpoint import write_tensors

ABOUT: Final = "adapter.json"
"""In an adapter's folder: the method and its options, as the recipe said."""

_PISSA: Final = "pissa_niter_16"
"""Halko's fast decomposition: exact ones of a model's layers take minutes."""

_TASK: Final[dict[str, Any]] = {"task_type": "CAUSAL_LM"}


def in_floats(model: Any) -> Any:
    """The model, no longer said to be quantised: what was spread out of a GGUF file is in floats,
    but its configuration keeps the file's, and Trainer refuses it."""
    told = getattr(model.config, "quantization_config", None)
    method = (
        told.get("quant_method") if isinstance(told, dict) else getattr(told, "quant_method", "")
    )
    if told is not None and getattr(method, "value", method) == "gguf":
        del model.config.quantization_config
        model.hf_quantizer, model.is_quantized = None, False
    return model


def attach(model: Any, adapter: Adapter, *, steps: int, seed: int, task: str = "CAUSAL_LM") -> Any:
    """A model with what is trained in it, the rest frozen; often another object.

    Args:
        model: causal, of Transformers; it is changed.
        adapter: the method and its options.
        steps: of the training, which AdaLoRA's pruning follows.
        seed: of what is drawn; the same model and seed give the same weights.
        task: what PEFT calls the model's task; with SEQ_CLS its score is trained in full, too.

    Raises:
        InputError: the model has no layers for the method; the message names the key to change.
    """
    torch.manual_seed(seed)
    method, model = adapter.method, in_floats(model)
    if method == "full":
        return model.requires_grad_(True)
    if method == "bottleneck":
        how: dict[str, Any] = {"width": adapter.width, "dropout": adapter.dropout}
        bottleneck.attach(model, targets=adapter.targets, **how)
        return model
    if method == "qlora":
        nf4.quantise(model)
    try:
        config = _config(model, adapter, steps)
        config.task_type = task
        found: Any = peft.get_peft_model(model, config)
    except ValueError as error:
        raise InputError(
            f"{method} finds nothing to adapt in {type(model).__name__} "
            f"({', '.join(adapter.targets) or 'its usual layers'}); it has linear layers named "
            f"{', '.join(linear_names(model))}: name some in adapter.targets"
        ) from error
    if method == "pissa":
        found.pissa_start = {name: one.clone() for name, one in _state(found).items()}
    return found


def linear_names(model: Any) -> list[str]:
    """What the linear layers below the head are called."""
    head = model.get_output_embeddings()
    return sorted(
        {
            name.rpartition(".")[2]
            for name, layer in model.named_modules()
            if isinstance(layer, nn.Linear) and layer is not head
        }
    )


def _config(model: Any, adapter: Adapter, steps: int) -> peft.PeftConfig:
    method, targets = adapter.method, list(adapter.targets) or "all-linear"
    alpha: Any = adapter.alpha  # PEFT says int, and divides
    start: Any = _PISSA if method == "pissa" else True
    if method in LOW_RANK:
        return peft.LoraConfig(
            r=adapter.rank,
            lora_alpha=alpha,
            lora_dropout=adapter.dropout,
            target_modules=targets,
            use_rslora=method == "rslora",
            use_dora=method == "dora",
            init_lora_weights=start,
            **_TASK,
        )
    if method == "adalora":
        return peft.AdaLoraConfig(
            target_r=adapter.rank,
            init_r=adapter.start_rank,
            lora_alpha=alpha,
            lora_dropout=adapter.dropout,
            target_modules=targets,
            total_step=max(steps, 4),
            tinit=max(steps, 4) // 10,
            tfinal=max(steps, 4) // 4,
            deltaT=max(1, steps // 100),
            **_TASK,
        )
    if method in PROMPTS:
        many = {"num_virtual_tokens": adapter.tokens, **_TASK}
        if method == "ptuning":
            return peft.PromptEncoderConfig(encoder_hidden_size=adapter.width, **many)
        kind = peft.PrefixTuningConfig if method == "prefix" else peft.PromptTuningConfig
        return kind(**many)
    if method == "bitfit":
        return peft.BeftConfig(target_modules=list(adapter.targets) or linear_names(model), **_TASK)
    return _ia3(model, adapter)


def _ia3(model: Any, adapter: Adapter) -> peft.IA3Config:
    """Keys, values, and what enters the second layer of the feed-forward part."""
    there, kind = set(linear_names(model)), model.config.model_type
    usual = [*IA3_TARGETS.get(kind, ()), "k_proj", "v_proj", "down_proj"]
    forward = {*IA3_FORWARD.get(kind, ()), "down_proj", "fc2", "w2"}
    targets = list(adapter.targets) or sorted(there & set(usual))
    return peft.IA3Config(
        target_modules=targets, feedforward_modules=[n for n in targets if n in forward], **_TASK
    )


def trained(model: Any) -> dict[str, nn.Parameter]:
    """What is trained, by name."""
    return {name: one for name, one in model.named_parameters() if one.requires_grad}


def penalty(model: Any) -> Tensor | float:
    """What a method adds to the loss: AdaLoRA's that its factors stay orthogonal, else 0.

    PEFT adds it to a loss that the model itself computes, which here it doesn't.
    """
    if not isinstance(model, peft.PeftModel) or not isinstance(model.base_model, peft.AdaLoraModel):
        return 0.0
    weight = model.active_peft_config.orth_reg_weight
    norms = []
    for name, one in model.named_parameters():
        if "lora_A" in name or "lora_B" in name:
            square = one @ one.T if "lora_A" in name else one.T @ one
            norms.append(torch.linalg.matrix_norm(square - torch.eye(len(square)).to(square)))
    return torch.stack(norms).mean() * float(weight)


def after_step(model: Any, step: int) -> None:
    """Let AdaLoRA weigh its ranks and prune, while the step's gradients are there."""
    if isinstance(model, peft.PeftModel) and isinstance(model.base_model, peft.AdaLoraModel):
        model.base_model.update_and_allocate(step)  # type: ignore[no-untyped-call]


def memory(model: Any) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """(tensors, values) that the method remembers beside its weights, for a checkpoint."""
    if not isinstance(model, peft.PeftModel) or not isinstance(model.base_model, peft.AdaLoraModel):
        return {}, {}
    ranks = model.base_model.rankallocator
    tensors = {
        f"{kind}.{name}": one
        for kind in ("exp_avg_ipt", "exp_avg_unc")
        for name, one in getattr(ranks, kind).items()
    }
    return tensors, {"rank_pattern": model.active_peft_config.rank_pattern}


def remember(model: Any, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
    """Put back what `memory` said."""
    if not values:
        return
    model.active_peft_config.rank_pattern = values["rank_pattern"]
    ranks = model.base_model.rankallocator
    for key, one in tensors.items():
        kind, _, name = key.partition(".")
        getattr(ranks, kind)[name] = one
        ranks.ipt[name] = torch.zeros_like(one)  # of the last step alone


def save(model: Any, adapter: Adapter, folder: Path) -> None:
    """Write what was trained: PEFT's files (of PiSSA those of the LoRA that it comes to, which the
    untouched base takes), a bottleneck's own, or with ``full`` the whole model."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / ABOUT, adapter.model_dump(mode="json"))
    if adapter.method == "bottleneck":
        bottleneck.save(model, folder)
    elif adapter.method == "full":
        model.save_pretrained(folder)
    elif adapter.method == "pissa":
        _save_pissa(model, folder)
    else:
        model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)  # PEFT's, an empty form


def _save_pissa(model: Any, folder: Path) -> None:
    """The change to the base as a LoRA of twice the rank: A B - A0 B0."""
    state = {}
    for name, one in _state(model).items():
        start = model.pissa_start[name].to(one)
        low = "lora_A" in name
        state[name] = torch.cat([one, start if low else -start], 0 if low else 1)
    config = copy.deepcopy(model.active_peft_config)
    config.init_lora_weights, config.inference_mode = True, True
    config.r, config.lora_alpha = config.r * 2, config.lora_alpha * 2
    config.save_pretrained(str(folder))
    write_tensors(folder / "adapter_model.safetensors", state)


def _state(model: Any) -> dict[str, Tensor]:
    found: dict[str, Tensor] = peft.get_peft_model_state_dict(model, save_embedding_layers=False)
    return found


def read_about(folder: Path) -> Adapter:
    """The method and options of a saved adapter.

    Raises:
        InputError: the folder holds none.
    """
    if not (folder / ABOUT).is_file():
        raise InputError(f"{folder} holds no {ABOUT}, so no adapter of aegle train")
    return Adapter.model_validate(read_json(folder / ABOUT))


def load(base: Any, folder: Path) -> Any:
    """A saved adapter on its base, in evaluation mode.

    Args:
        base: the model that it was trained on, which is changed; with ``full`` it is only a form
            for the weights.
        folder: what `save` wrote.

    Raises:
        InputError: it can't be read, or doesn't fit the base.
    """
    adapter, base = read_about(folder), in_floats(base)
    if adapter.method == "full":
        return type(base).from_pretrained(folder, use_safetensors=True).eval()
    if adapter.method == "bottleneck":
        model = attach(base, adapter, steps=0, seed=0)
        bottleneck.load(model, folder)
        return model.eval()
    if adapter.method == "qlora":
        nf4.quantise(base)
    try:
        return peft.PeftModel.from_pretrained(base, str(folder)).eval()
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise InputError(
            f"{folder} can't be put on {type(base).__name__} ({type(error).__name__}); it goes on "
            "the base that it was trained on"
        ) from error


def merge(model: Any, adapter: Adapter) -> Any:
    """The plain model that says the same, its weights changed; the adapted one is used up.

    Of QLoRA the weights are spread out first: rounding the sum again would change what it says.

    Raises:
        UsageError: the method's change can't be one of weights; the message says why.
    """
    if adapter.method in PROMPTS:
        raise UsageError(
            f"an adapter of {adapter.method} is learned tokens in front of a text, which can't be "
            "merged into weights; serve the base with the adapter"
        )
    if adapter.method == "bottleneck":
        raise UsageError(
            "a bottleneck adapter isn't linear and can't be merged into weights; serve the base "
            "with the adapter"
        )
    if adapter.method == "full":
        return model
    if adapter.method == "qlora":
        return nf4.merged(model)
    if adapter.method == "bitfit":
        _make_room(model)
    return model.merge_and_unload()


def _make_room(model: Any) -> None:
    """Biases of 0 where the base has none, and a configuration that says so."""
    base = model.get_base_model()
    bare = [
        name
        for name, layer in base.named_modules()
        if isinstance(layer, peft.tuners.beft.BeftLayer) and layer.get_base_layer().bias is None
    ]
    biases.make_room(base, bare)


def check_merge(model: Any, adapter: Adapter) -> None:
    """Refuse an adapter that could be trained on a base but not merged into it.

    Args:
        model: the base, nothing attached to it.
        adapter: that is to be trained and merged.

    Raises:
        UsageError: as `merge` would; the message says what to change.
    """
    if adapter.method == "bitfit":
        biases.check(model, adapter.targets or linear_names(model))


def begun(model: Any, adapter: Adapter) -> AbstractContextManager[None]:
    """The model as it says before the first step what the base says. Learned tokens in front are
    drawn at random: with them it isn't the base that is measured, so they are left out."""
    return without(model) if adapter.method in PROMPTS else nullcontext()


@contextmanager
def without(model: Any) -> Iterator[None]:
    """The base alone inside the block, as a preference loss compares with (not of PiSSA's: its
    base was changed; nor of full's).

    Raises:
        UsageError: nothing of the base is left.
    """
    if isinstance(model, peft.PeftModel):
        if hasattr(model, "pissa_start"):
            raise UsageError("PiSSA changes the base: load the base once more to compare with it")
        with model.disable_adapter():
            yield
        return
    if not any(isinstance(one, bottleneck.Bottleneck) for one in model.modules()):
        raise UsageError("a model trained in full has no base: load it once more to compare with")
    bottleneck.enable(model, False)
    try:
        yield
    finally:
        bottleneck.enable(model, True)
