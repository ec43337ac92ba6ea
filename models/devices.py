"""Which device and number type to compute in. Knows nothing of models."""

from __future__ import annotations

import torch


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
