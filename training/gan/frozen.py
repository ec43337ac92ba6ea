"""A base model that stays as it is and that gradients pass through: frozen, and cheap to pass. Knows no method."""

from __future__ import annotations

from typing import Any

import torch


def frozen(model: Any) -> Any:
    """The same model without gradients of its own, dropout off, and its activations fused where an equal is known."""
    model.eval().requires_grad_(False)
    fuse_activations(model)
    return model


def fuse_activations(model: Any) -> int:
    """Replace GELU's tanh form written out (GPT-2, GPT-J) by PyTorch's one function for it; how many there were.

    The same formula (Hendrycks & Gimpel 2016, arXiv:1606.08415, section 2), but one tensor of the block's widest layer
    is kept for the backward pass instead of five.
    """
    from transformers.activations import NewGELUActivation

    count = 0
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, NewGELUActivation):
                setattr(module, name, torch.nn.GELU(approximate="tanh"))
                count += 1
    return count


def attention_for(device: torch.device) -> str:
    """On CPUs, for rows as short as answers are, the backward pass of written-out attention is far the faster."""
    return "eager" if device.type == "cpu" else "sdpa"
