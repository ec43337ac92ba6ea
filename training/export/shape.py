"""What llama.cpp must know of a model besides its tensors: sizes and rotary positions, and how q and k lie in memory.

Llama, Mistral and Qwen2. Whatever llama.cpp would compute differently is refused by name. Knows no tokenizer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from training.export.errors import Unsupported

if TYPE_CHECKING:
    from torch import Tensor

ARCHITECTURES = {"llama": "llama", "mistral": "llama", "qwen2": "qwen2"}
# llama.cpp's llama rotates neighbouring numbers, transformers the two halves; its qwen2 rotates halves as well.
INTERLEAVED = ("llama",)


@dataclass(frozen=True)
class Shape:
    """Sizes under llama.cpp's names. `head`: numbers in one attention head; `factors`: divisors of the rotary
    frequencies, one a pair (empty: none); `notes`: what an operator should know."""

    architecture: str
    context: int
    width: int
    blocks: int
    inner: int
    heads: int
    kv_heads: int
    head: int
    epsilon: float
    theta: float
    vocabulary: int
    tied: bool
    factors: tuple[float, ...] = ()
    scaling: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def of(config: Any) -> Shape:
    """The shape of a transformers configuration; Unsupported if llama.cpp's program for it would differ."""
    architecture = ARCHITECTURES.get(config.model_type)
    if architecture is None:
        raise Unsupported(f"GGUF is written for {', '.join(ARCHITECTURES)} models, not for {config.model_type}")
    if config.hidden_act not in ("silu", "swish"):
        raise Unsupported(f"llama.cpp computes SiLU where this model has {config.hidden_act}")
    rope = dict(config.rope_parameters)
    if rope.get("partial_rotary_factor", 1.0) != 1.0:
        raise Unsupported("llama.cpp rotates whole heads where this model rotates a part of each")
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    factors, scaling = rotary(rope, head, config.max_position_embeddings)
    context, notes = _context(config)
    return Shape(
        architecture=architecture,
        context=context,
        width=config.hidden_size,
        blocks=config.num_hidden_layers,
        inner=config.intermediate_size,
        heads=config.num_attention_heads,
        kv_heads=config.num_key_value_heads,
        head=head,
        epsilon=config.rms_norm_eps,
        theta=float(rope.get("rope_theta", 10000.0)),
        vocabulary=config.vocab_size,
        tied=bool(config.tie_word_embeddings),
        factors=factors,
        scaling=scaling,
        notes=notes,
    )


def rotary(rope: Mapping[str, Any], head: int, places: int) -> tuple[tuple[float, ...], dict[str, Any]]:
    """Divisors of the rotary frequencies, and scaling under llama.cpp's names; Unsupported for kinds it has not."""
    kind = rope.get("rope_type", "default")
    if kind == "default":
        return (), {}
    if kind == "llama3":
        return llama3_factors(rope, head), {}
    if kind == "linear":
        return (), {"type": "linear", "factor": float(rope["factor"])}
    if kind == "yarn" and not any(rope.get(key) for key in ("mscale", "mscale_all_dim", "attention_factor")):
        original = int(rope.get("original_max_position_embeddings") or places)
        fast, slow = float(rope.get("beta_fast") or 32), float(rope.get("beta_slow") or 1)
        found = {"type": "yarn", "factor": float(rope["factor"]), "original": original}
        return (), found | ({"fast": fast, "slow": slow} if (fast, slow) != (32, 1) else {})
    raise Unsupported(f"llama.cpp has no counterpart to this model's rotary scaling ({kind})")


def llama3_factors(rope: Mapping[str, Any], head: int) -> tuple[float, ...]:
    """Llama 3.1's stretching of long waves: 1 for waves shorter than L/high, `factor` for those longer than L/low, and
    1 / ((1 - s) / factor + s) with s = (L / wave - low) / (high - low) between, where L is the original context."""
    low, high = float(rope["low_freq_factor"]), float(rope["high_freq_factor"])
    length, factor = float(rope["original_max_position_embeddings"]), float(rope["factor"])
    theta = float(rope.get("rope_theta", 10000.0))
    found = []
    for pair in range(head // 2):
        wave = 2 * math.pi * theta ** (2 * pair / head)
        smooth = min(1.0, max(0.0, (length / wave - low) / (high - low)))
        found.append(1 / ((1 - smooth) / factor + smooth))
    return tuple(found)


def interleaved(tensor: Tensor, heads: int) -> Tensor:
    """Rows of a q or k matrix (or its bias), `[heads · 2 · half, …]`, so that the two numbers of a rotary pair are
    neighbours instead of half a head apart."""
    half = tensor.shape[0] // heads // 2
    return tensor.reshape(heads, 2, half, *tensor.shape[1:]).transpose(1, 2).reshape(tensor.shape)


def _context(config: Any) -> tuple[int, tuple[str, ...]]:
    places = int(config.max_position_embeddings)
    window = getattr(config, "sliding_window", None) if getattr(config, "use_sliding_window", True) else None
    if window and window < places:
        # Within the window both compute the same; beyond it llama.cpp would attend to what this model forgets.
        note = (
            f"llama.cpp has no sliding window for this family: the context is written as {window} instead of {places}"
        )
        return int(window), (note,)
    return places, ()
