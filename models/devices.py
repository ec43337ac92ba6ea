"""Which device and number type to compute in. Knows nothing of models."""

from __future__ import annotations

import os

import torch

from storage.threads import usable_cores


def pick_device(wanted: str) -> torch.device:
    """`auto`: the GPU if there is one, else Apple's, else the CPU."""
    if wanted != "auto":
        return torch.device(wanted)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def pick_dtype(wanted: str, device: torch.device) -> torch.dtype:
    """`auto`: bfloat16 on a GPU that computes in it, float16 on an older one (T4, P100), float32 elsewhere, where small
    models run faster in it and exactly."""
    if wanted != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[wanted]
    if device.type != "cuda":
        return torch.float32
    # Emulation would hold bfloat16 numbers and compute slowly.
    return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


def use_threads(wanted: int | None) -> None:
    """Set how many CPU threads one computation takes; None: OMP_NUM_THREADS, else all cores but one.

    The one left is for what stands beside a worker (bot, Redis, the classifier's own waiting): two threads on two cores
    answer one person no sooner than one does, and 32 people at most a quarter sooner (`docs/measurements.md`).
    """
    if wanted is None and "OMP_NUM_THREADS" in os.environ:
        return
    torch.set_num_threads(wanted if wanted is not None else max(1, usable_cores() - 1))
