"""The chunked cross-entropy is torch's, and so is its gradient."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("torch", reason="training needs the extra 'train'")

import torch

from aegle.train.causal.loss import Head, chunked_cross_entropy, listening, shifted


@pytest.mark.parametrize("chunk", [1, 7, 64])
@pytest.mark.parametrize(("scale", "cap"), [(1.0, 0.0), (0.25, 0.0), (2.0, 3.0)])
@pytest.mark.parametrize("biased", [False, True])
def test_value_and_gradients_are_torchs(chunk: int, scale: float, cap: float, biased: bool) -> None:
    torch.manual_seed(0)
    given: list[Any] = [torch.randn(33, 16), torch.randn(50, 16), torch.randn(50)]
    given = [one.double().requires_grad_() for one in given]
    hidden, weight, bias = given
    labels = torch.randint(0, 50, (33,))
    logits = hidden @ weight.T + (bias if biased else 0)
    logits = logits * scale
    logits = cap * torch.tanh(logits / cap) if cap else logits
    wanted = torch.nn.functional.cross_entropy(logits, labels, reduction="sum")
    parts = given if biased else given[:2]
    wanted_grads = torch.autograd.grad(wanted * 0.3, parts)
    found = chunked_cross_entropy(
        *(hidden, weight, labels),
        bias_V=bias if biased else None,
        chunk=chunk,
        scale=scale,
        cap=cap,
    )
    torch.testing.assert_close(found.double(), wanted, rtol=1e-5, atol=1e-5)
    for one, other in zip(torch.autograd.grad(found * 0.3, parts), wanted_grads, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


def test_frozen_weights_get_no_gradient_and_half_precision_holds() -> None:
    torch.manual_seed(0)
    hidden = torch.randn(20, 16).bfloat16().requires_grad_()
    weight, labels = torch.randn(50, 16).bfloat16(), torch.randint(0, 50, (20,))
    found = chunked_cross_entropy(hidden, weight, labels, chunk=6)
    found.backward()
    assert found.dtype == torch.float32
    assert weight.grad is None
    plain = hidden.detach().float().requires_grad_()
    torch.nn.functional.cross_entropy(plain @ weight.float().T, labels, reduction="sum").backward()
    assert hidden.grad is not None
    torch.testing.assert_close(hidden.grad.float(), plain.grad, rtol=0.1, atol=0.1)


@pytest.mark.parametrize("kind", ["Llama", "Gemma2", "Cohere", "Granite"])
def test_a_models_loss_is_its_own(kind: str) -> None:
    """Soft caps and scales of the logits are those of each architecture."""
    import transformers

    told: dict[str, Any] = {
        "vocab_size": 60,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
    }
    told |= {"Gemma2": {"final_logit_softcapping": 3.0}, "Cohere": {"logit_scale": 0.3}}.get(
        kind, {}
    )
    told |= {"logits_scaling": 2.0} if kind == "Granite" else {}
    told |= {"head_dim": 8} if kind not in ("Cohere", "Granite") else {}
    if kind in ("Cohere", "Granite"):
        told.pop("head_dim")
    torch.manual_seed(0)
    config = getattr(transformers, f"{kind}Config")(**told)
    net = getattr(transformers, f"{kind}ForCausalLM")(config).eval()
    net.set_attn_implementation("eager")
    with torch.no_grad():
        net.get_input_embeddings().weight.mul_(20)
    ids = torch.randint(3, 60, (2, 12))
    labels = ids.clone()
    labels[0, :5] = -100
    mean = net(ids, labels=labels, use_cache=False).loss
    head = Head.of(net, 4)
    with listening(net) as ear:
        net(ids, use_cache=False)
    found = head.loss(ear.heard, labels) / (labels[:, 1:] != -100).sum()
    torch.testing.assert_close(found, mean, rtol=1e-4, atol=1e-5)
    losses, right = head.each(ear.heard, labels)
    torch.testing.assert_close(losses.mean(), mean, rtol=1e-4, atol=1e-5)
    assert net.get_output_embeddings() is head.layer
    logits, wanted = shifted(net(ids).logits, labels)
    assert torch.equal(logits.argmax(1) == wanted, right)
