"""LoRA adapters beside one base model: rows of different adapters in one pass.

The A and B matrices of all adapters in the batch stand side by side, two products serve every row, and a mask keeps
each row to its own adapter's columns. Same numbers as PEFT's `adapter_names`, without hooks at every pass and
without a product per adapter. Knows nothing of rows beyond their adapter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

from models.engines.adapter_files import Pair, read_adapter
from models.errors import AdapterBroken

# Adapters stacked together are kept until so many are; the rest of them fall out when a batch needs others.
STACK = 8

Pairs = Mapping[str, Pair]


class Stack:
    """One module's matrices for some adapters, `down [ranks, in]` and `up [out, ranks]`; `ranks`: each one's width."""

    def __init__(self, pairs: Sequence[Pair | None], like: Tensor) -> None:
        present = [pair for pair in pairs if pair is not None]
        self.ranks = tuple(0 if pair is None else pair.down.shape[0] for pair in pairs)
        self.empty = not present
        if present:
            self.down = torch.cat([pair.down for pair in present]).to(like.device, like.dtype)
            self.up = torch.cat([pair.up for pair in present], dim=1).to(like.device, like.dtype)


class AdapterBank:
    """The adapters of one base model, whose linear layers it takes over once an adapter touches them."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.loaded: dict[str, Pairs] = {}
        self._tapped: set[str] = set()
        self._stacked: tuple[str, ...] = ()
        self._stacks: dict[str, Stack] = {}
        self._owners: Tensor | None = None
        self._masks: dict[tuple[int, ...], Tensor] = {}

    def load(self, adapter_id: str, folder: Path) -> None:
        """Read an adapter's weights; AdapterBroken if they are damaged, of another base, or of a kind not served."""
        if adapter_id in self.loaded:
            return
        try:
            pairs = read_adapter(folder)
            modules = {name: self._module(name, pair) for name, pair in pairs.items()}
            for name, pair in pairs.items():
                check_finite(name, pair, self.model.dtype)
        except AdapterBroken as error:
            raise AdapterBroken(f"adapter {adapter_id} ({folder}): {error}") from error
        for name, module in modules.items():
            if name not in self._tapped:
                self._tapped.add(name)
                module.forward = partial(self._forward, name, module.forward)
        self.loaded[adapter_id] = pairs

    def unload(self, adapter_id: str) -> None:
        """Free an adapter's weights."""
        if self.loaded.pop(adapter_id, None) is not None and adapter_id in self._stacked:
            self._restack(())
            self._owners = None

    def choose(self, adapters: Sequence[str | None], tokens: Sequence[int] | None = None) -> None:
        """Say whose the tokens of the next pass are: one adapter (or None) a row, `tokens` each (default one)."""
        used = {adapter for adapter in adapters if adapter is not None}
        if not used:
            self._owners = None
            return
        if not used <= set(self._stacked):
            union = used | set(self._stacked)
            self._restack(tuple(sorted(union if len(union) <= STACK else used)))
        column = {name: index for index, name in enumerate(self._stacked)}
        owners = [-1 if adapter is None else column[adapter] for adapter in adapters]
        owner = torch.tensor(owners, device=self.model.device)
        if tokens is not None:
            owner = owner.repeat_interleave(torch.tensor(list(tokens), device=owner.device))
        self._owners = owner
        self._masks.clear()

    def _module(self, name: str, pair: Pair) -> Any:
        """The base's linear layer of this name; AdapterBroken if it has none, or of another size."""
        try:
            module: Any = self.model.get_submodule(name)
        except AttributeError as error:
            raise AdapterBroken(f"the base model has no layer {name}; it was trained on another one") from error
        sizes = sizes_of(module)
        if sizes is None:
            raise AdapterBroken(f"{name} is no linear layer; train LoRA on linear layers only")
        if sizes != (pair.down.shape[1], pair.up.shape[0]):
            raise AdapterBroken(f"{name} is {sizes} in the base model; it was trained on another one")
        return module

    def _forward(self, name: str, base: Callable[..., Tensor], x: Tensor) -> Tensor:
        result = base(x)
        if self._owners is None:
            return result
        stack = self._stacks.get(name)
        if stack is None:
            stack = self._stacks[name] = Stack([self.loaded[part].get(name) for part in self._stacked], x)
        if stack.empty:
            return result
        narrow = linear(x.reshape(-1, x.shape[-1]), stack.down)
        # Not a product: another adapter's overflow times zero would be NaN for every row of the batch.
        narrow = narrow.masked_fill(self._mask(self._owners, stack.ranks), 0)
        return result + linear(narrow, stack.up).view_as(result).to(result.dtype)

    def _mask(self, owners: Tensor, ranks: tuple[int, ...]) -> Tensor:
        """`[tokens, ranks]`: true where a column is not of the token's adapter; modules of equal ranks share it."""
        mask = self._masks.get(ranks)
        if mask is None:
            counts = torch.tensor(ranks, device=owners.device)
            columns = torch.arange(len(ranks), device=owners.device).repeat_interleave(counts)
            mask = self._masks[ranks] = owners[:, None] != columns[None]
        return mask

    def _restack(self, names: tuple[str, ...]) -> None:
        self._stacked = names
        self._stacks.clear()
        self._masks.clear()


def check_finite(name: str, pair: Pair, dtype: torch.dtype) -> None:
    """AdapterBroken if a matrix has, in the type that it is served in, a number that is not finite: the matrices of
    all adapters are multiplied at once, so it would reach the rows of others."""
    if not all(bool(side.to(dtype).isfinite().all()) for side in (pair.down, pair.up)):
        raise AdapterBroken(f"the weights of {name} are not finite numbers (in {dtype}); train it again")


def sizes_of(module: Any) -> tuple[int, int] | None:
    """(in, out) of a linear layer: torch's and bitsandbytes' by their features, GPT-2's Conv1D by its weight."""
    if isinstance(module, torch.nn.Linear):
        return module.in_features, module.out_features
    if type(module).__name__ == "Conv1D":
        return int(module.weight.shape[0]), int(module.weight.shape[1])
    return None
