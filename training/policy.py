"""The model that a policy-gradient method tunes: a base with a LoRA adapter, and what it is compared with.

The reference is the same base without the adapter, or with a frozen copy of the adapter that tuning began from: never
a second copy of the base. Knows no estimator and no reward.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from training.preferences import REFERENCE

TUNED = "default"


class Policy:
    """A base with its adapter, as PEFT wraps it; `model` is what draws and is scored.

    `start`: the adapter that tuning goes on from and is compared with; unset: compared with the bare base.
    """

    def __init__(self, model: Any, tokenizer: Any, start: Path | None = None, recompute: bool = False) -> None:
        from models.engines.prompts import end_tokens

        self.model, self.tokenizer, self.has_start = model, tokenizer, start is not None
        self.ends = end_tokens(tokenizer, model.generation_config)
        if start is not None:
            self.model.load_adapter(str(start), adapter_name=REFERENCE, is_trainable=False)
        # Dropout off: with it, the policy that is scored is not the policy that drew.
        self.model.eval()
        self.blocks = _recomputed(self.model) if recompute else []

    def trained(self) -> dict[str, Any]:
        """The adapter's weights by name."""
        return {name: weight for name, weight in self.model.named_parameters() if weight.requires_grad}

    @contextmanager
    def reference(self) -> Iterator[Any]:
        """The model as it was before tuning; for passes without gradients."""
        if not self.has_start:
            with self.model.disable_adapter():
                yield self.model
            return
        self.model.set_adapter(REFERENCE, inference_mode=True)
        try:
            yield self.model
        finally:
            self.model.set_adapter(TUNED)

    @contextmanager
    def recomputing(self) -> Iterator[None]:
        """For passes with gradients: blocks compute their activations again, if that was asked for."""
        for block in self.blocks:
            block.training = True  # its own flag alone: what is inside stays without dropout
        try:
            yield
        finally:
            for block in self.blocks:
                block.training = False

    def save(self, folder: Path) -> None:
        """Write the tuned adapter as PEFT does: plain LoRA, which the worker serves."""
        self.model.save_pretrained(str(folder), selected_adapters=[TUNED])
        (folder / "README.md").unlink(missing_ok=True)  # PEFT's empty card


def _recomputed(model: Any) -> list[Any]:
    from transformers.modeling_layers import GradientCheckpointingLayer

    model.get_base_model().activation_checkpointing_enable({"use_reentrant": False})
    return [one for one in model.modules() if isinstance(one, GradientCheckpointingLayer)]


def answer_text(tokenizer: Any, ids: Sequence[int]) -> str:
    """An answer as serving would send it: without control tokens, cut where a template-less model ends its turn."""
    from models.engines.prompts import stop_texts

    text = str(tokenizer.decode(list(ids), skip_special_tokens=True))
    for stop in stop_texts(tokenizer):
        text = text.split(stop)[0]
    return text.strip()
