"""LoRA adapters beside one base model: rows of different adapters in one pass.

PEFT reads and places the weights; the forward is ours: the A and B matrices of all adapters in the batch stand side
by side, two products serve every row, and a mask keeps each row to its own adapter's columns. Same numbers as PEFT's
`adapter_names`, without hooks and without a product per adapter. Knows nothing of rows beyond their adapter.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from peft import PeftConfig, PeftModel
from peft.tuners.lora import LoraConfig, LoraLayer
from torch import Tensor

from models.errors import AdapterBroken

# Adapters stacked together are kept until so many are; the rest of them fall out when a batch needs others.
STACK = 8


class Stack:
    """One module's matrices for some adapters: `down [ranks, in]`, `up [out, ranks]`, which columns are whose."""

    def __init__(self, module: Any, names: Sequence[str], dtype: torch.dtype) -> None:
        present = [name for name in names if name in module.lora_A]
        self.ranks = tuple(module.lora_A[name].weight.shape[0] if name in module.lora_A else 0 for name in names)
        self.down: Tensor | None = None
        self.up: Tensor | None = None
        if present:
            downs = [module.lora_A[name].weight.detach() for name in present]
            ups = [module.lora_B[name].weight.detach() * module.scaling[name] for name in present]
            self.down = torch.cat(downs).to(dtype)
            self.up = torch.cat(ups, dim=1).to(dtype)


class AdapterBank:
    """The adapters of one base model. `model` is what the engine calls."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.peft: Any = None
        self.names: dict[str, str] = {}
        self._count = 0
        self._stacked: tuple[str, ...] = ()
        self._stacks: dict[int, Stack] = {}
        self._owners: Tensor | None = None
        self._masks: dict[tuple[int, ...], Tensor] = {}

    def load(self, adapter_id: str, folder: Path) -> None:
        """Read an adapter's weights; AdapterBroken if they are damaged, of another base, or of a kind not served."""
        if adapter_id in self.names:
            return
        # An own name: PEFT forbids dots, and substrings of `lora_`, which an id may hold.
        name = f"x{self._count}"
        self._count += 1
        try:
            check(PeftConfig.from_pretrained(str(folder)))
            self._place(name, folder)
        except AdapterBroken as error:
            raise AdapterBroken(f"adapter {adapter_id} ({folder}): {error}") from error
        except Exception as error:
            raise AdapterBroken(
                f"adapter {adapter_id} ({folder}) cannot be loaded onto this base model "
                f"({type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}); "
                "check MODELS_BASE and MODELS_ADAPTERS"
            ) from error
        self.names[adapter_id] = name
        self._forget_stacks()

    def unload(self, adapter_id: str) -> None:
        """Free an adapter's weights."""
        name = self.names.pop(adapter_id, None)
        if name is not None:
            self._forget_stacks()
            self.peft.delete_adapter(name)

    def choose(self, adapters: Sequence[str | None], tokens: Sequence[int] | None = None) -> None:
        """Say whose the tokens of the next pass are: one adapter (or None) a row, `tokens` each (default one)."""
        used = {self.names[adapter] for adapter in adapters if adapter is not None}
        if not used:
            self._owners = None
            return
        if not used <= set(self._stacked):
            union = used | set(self._stacked)
            self._stacked = tuple(sorted(union if len(union) <= STACK else used))
            self._stacks.clear()
        column = {name: index for index, name in enumerate(self._stacked)}
        owners = [-1 if adapter is None else column[self.names[adapter]] for adapter in adapters]
        device = next(self.model.parameters()).device
        owner = torch.tensor(owners, device=device)
        if tokens is not None:
            owner = owner.repeat_interleave(torch.tensor(list(tokens), device=device))
        self._owners = owner
        self._masks.clear()

    def _place(self, name: str, folder: Path) -> None:
        if self.peft is None:
            self.peft = PeftModel.from_pretrained(self.model, str(folder), adapter_name=name)
        else:
            self.peft.load_adapter(str(folder), adapter_name=name)
        self.peft.requires_grad_(False)
        for module in self.peft.modules():
            if isinstance(module, LoraLayer):
                setattr(module, "forward", partial(self._forward, module))  # noqa: B010 - an own forward on PEFT's module

    def _forward(self, module: Any, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        result: Tensor = module.base_layer(x, *args, **kwargs)
        if self._owners is None:
            return result
        stack = self._stacks.get(id(module))
        if stack is None:
            stack = self._stacks[id(module)] = Stack(module, self._stacked, x.dtype)
        if stack.down is None or stack.up is None:
            return result
        narrow = torch.nn.functional.linear(x.reshape(-1, x.shape[-1]).to(stack.down.dtype), stack.down)
        added = torch.nn.functional.linear(narrow * self._mask(self._owners, stack.ranks, narrow.dtype), stack.up)
        return result + added.view_as(result).to(result.dtype)

    def _mask(self, owners: Tensor, ranks: tuple[int, ...], dtype: torch.dtype) -> Tensor:
        """`[tokens, ranks]`: ones where a column belongs to the token's adapter; modules of equal ranks share it."""
        mask = self._masks.get(ranks)
        if mask is None:
            counts = torch.tensor(ranks, device=owners.device)
            columns = torch.arange(len(ranks), device=owners.device).repeat_interleave(counts)
            mask = self._masks[ranks] = (owners[:, None] == columns[None]).to(dtype)
        return mask

    def _forget_stacks(self) -> None:
        self._stacked = ()
        self._stacks.clear()
        self._masks.clear()
        self._owners = None


def check(config: PeftConfig) -> None:
    """AdapterBroken if an adapter is of a kind whose rows cannot be mixed."""
    if not isinstance(config, LoraConfig):
        raise AdapterBroken(f"{config.peft_type} is not LoRA")
    kinds = {
        "DoRA": config.use_dora,
        "modules_to_save": config.modules_to_save,
        "trainable tokens": config.trainable_token_indices,
        "a trained bias": config.bias != "none" or config.lora_bias,
    }
    found = [name for name, used in kinds.items() if used]
    if found:
        raise AdapterBroken(f"{', '.join(found)} cannot be mixed with other adapters in a batch; train plain LoRA")
