"""Mixed precision by hand: float32 originals behind the bfloat16 weights that a network computes with.

Also the flat form in which optimizers go into a checkpoint. Knows nothing of any method.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any


class Originals:
    """float32 copies of named weights; gradients go to them, and their values come back after each step."""

    def __init__(self, named: Iterable[tuple[str, Any]], originals: Mapping[str, Any] | None = None) -> None:
        pairs = list(named)
        self.names = [name for name, _ in pairs]
        self.weights = [weight for _, weight in pairs]
        self.originals = [(originals[name] if originals else weight.detach()).clone().float() for name, weight in pairs]

    def collect(self, limit: float = 1.0) -> None:
        """Move the gradients over, clipped to a norm of `limit`."""
        import torch

        for original, weight in zip(self.originals, self.weights, strict=True):
            original.grad = weight.grad.float() if weight.grad is not None else None
            weight.grad = None
        torch.nn.utils.clip_grad_norm_(self.originals, limit)

    def publish(self) -> None:
        """Copy the originals' values back into the network."""
        import torch

        with torch.no_grad():
            for original, weight in zip(self.originals, self.weights, strict=True):
                weight.copy_(original)

    def blend(self, earlier: Iterable[Any], share: float) -> None:
        """Move back towards earlier weights: `share` of the present ones stays. Undoes most of an overfit."""
        for original, old in zip(self.originals, earlier, strict=True):
            original.lerp_(old.detach().float(), 1 - share)
        self.publish()

    def step(self, optimizers: Sequence[Any], rate: float) -> None:
        """One step of all optimizers at a learning rate, from the gradients that the network has gathered."""
        self.collect()
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.publish()

    def state(self, optimizers: Sequence[Any]) -> dict[str, Any]:
        """Weights and moments as one flat mapping of tensors."""
        tensors = {f"weight.{name}": weight for name, weight in zip(self.names, self.originals, strict=True)}
        for number, optimizer in enumerate(optimizers):
            for index, moments in optimizer.state_dict()["state"].items():
                tensors |= {f"optimizer.{number}.{index}.{key}": value for key, value in moments.items()}
        return tensors

    def restore(self, optimizers: Sequence[Any], tensors: Mapping[str, Any]) -> None:
        """Continue from what `state` gave."""
        import torch

        with torch.no_grad():
            for name, original in zip(self.names, self.originals, strict=True):
                original.copy_(tensors[f"weight.{name}"])
        self.publish()
        for number, optimizer in enumerate(optimizers):
            moments: dict[int, dict[str, Any]] = {}
            for key, value in tensors.items():
                if key.startswith(f"optimizer.{number}."):
                    _, _, index, name = key.split(".", 3)
                    moments.setdefault(int(index), {})[name] = value
            optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
