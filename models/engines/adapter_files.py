"""LoRA adapters as PEFT saves them, read without PEFT: its import takes longer than all the rest of the worker's.

Only what can be served row by row: plain LoRA on linear layers. Everything else is refused by name.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

from models.errors import AdapterBroken

PREFIX = "base_model.model."
KEY = re.compile(r"^(?P<module>.+)\.lora_(?P<side>[AB])(\.[^.]+)?\.weight$")

# Settings of PEFT's LoraConfig that change what the weights mean: with any of these, A and B alone are not the adapter.
CHANGING = (
    "use_dora",
    "lora_bias",
    "modules_to_save",
    "trainable_token_indices",
    "target_parameters",
    "layer_replication",
    "alora_invocation_tokens",
    "use_qalora",
    "use_bdlora",
    "arrow_config",
    "megatron_config",
    "kasa_config",
    "monteclora_config",
    "lora_ga_config",
)
# Initialisations that move a part of the base's own weights into the adapter.
MOVING = ("pissa", "olora", "corda", "loftq")


@dataclass(frozen=True)
class Pair:
    """One module's matrices: `down [rank, in]`, `up [out, rank]` with the scaling in it."""

    down: Tensor
    up: Tensor


def read_adapter(folder: Path) -> dict[str, Pair]:
    """Module name → its matrices. AdapterBroken says what is missing or cannot be served."""
    try:
        config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
        weights = load_file(folder / "adapter_model.safetensors")
    except Exception as error:
        raise AdapterBroken(
            f"cannot be read ({type(error).__name__}); safetensors as PEFT saves them are needed"
        ) from error
    check(config)
    sides: dict[str, dict[str, Tensor]] = {}
    for name, tensor in weights.items():
        found = KEY.match(name.removeprefix(PREFIX))
        if found is None:
            raise AdapterBroken(f"{name} is no LoRA matrix of a linear layer")
        sides.setdefault(found["module"], {})[found["side"]] = tensor
    return {module: _pair(module, found, config) for module, found in sides.items()}


def check(config: dict[str, Any]) -> None:
    """AdapterBroken if an adapter is of a kind whose rows cannot be mixed."""
    if config.get("peft_type") != "LORA":
        raise AdapterBroken(f"{config.get('peft_type')} is not LoRA")
    found = [name for name in CHANGING if config.get(name)]
    if config.get("bias", "none") != "none":
        found.append("bias")
    start = str(config.get("init_lora_weights", ""))
    if start.lower().startswith(MOVING):
        found.append(f"init_lora_weights={start}")
    if found:
        raise AdapterBroken(f"{', '.join(found)} cannot be mixed with other adapters in a batch; train plain LoRA")


def scaling(module: str, rank: int, config: dict[str, Any]) -> float:
    """What B·A is multiplied by: alpha / r, or alpha / √r (rsLoRA, arXiv:2312.03732); patterns by module name."""
    alpha = float(_by_pattern(module, config.get("alpha_pattern") or {}, config.get("lora_alpha", rank)))
    return alpha / (math.sqrt(rank) if config.get("use_rslora") else rank)


def _by_pattern(module: str, patterns: dict[str, Any], otherwise: Any) -> Any:
    for pattern, value in patterns.items():
        if re.match(rf"(.*\.)?({pattern})$", module):
            return value
    return otherwise


def _pair(module: str, sides: dict[str, Tensor], config: dict[str, Any]) -> Pair:
    down, up = sides.get("A"), sides.get("B")
    if down is None or up is None or down.ndim != 2 or up.ndim != 2 or down.shape[0] != up.shape[1]:
        raise AdapterBroken(f"the matrices of {module} are missing or do not match each other")
    return Pair(down, up.float() * scaling(module, down.shape[0], config))
