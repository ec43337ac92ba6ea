"""What several processes under `accelerate launch` need beside the Trainer: models in shards, wrapped and gathered.

Knows accelerate's kinds of runs; no method, no files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def sharded(trainer: Any) -> bool:
    """Whether FSDP or DeepSpeed keeps weights, gradients or optimizer states in parts."""
    return bool(trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled)


def unwrap(trainer: Any) -> None:
    """Let training wrap the model anew: measured first, it counts as wrapped, and without this several processes would
    not share their gradients but learn each from its own rows."""
    accelerator = trainer.accelerator
    if accelerator.num_processes == 1 or sharded(trainer):
        return
    forward = trainer.model.__dict__.get("_original_forward")
    accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
    if forward is not None:  # in half precision; what TRL put around the model's own stays
        trainer.model.forward = forward
    accelerator._models.clear()
    trainer.model._is_accelerate_prepared = False


def gathered(trainer: Any) -> Mapping[str, Any] | None:
    """All weights of a model in shards, on the CPU of the main process; None where they are whole anyway.

    Every process has to call it: each gives its part.
    """
    if not sharded(trainer):
        return None
    wrapped = trainer.deepspeed if trainer.is_deepspeed_enabled else trainer.model
    weights: Mapping[str, Any] = trainer.accelerator.get_state_dict(wrapped)
    return weights
