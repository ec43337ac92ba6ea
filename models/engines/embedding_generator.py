"""The embedding generator of adversarial prompt tuning: a small network between a frozen model's embedding layer and
its blocks. The network itself, its files, and a bank that serves several of them beside one base model.

Training imports the network from here, so that what was tuned is what is served. Knows no loss and no request.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import leaky_relu, linear

from models.errors import AdapterBroken

KIND = "gan"
SLOPE = 0.01
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
# Rows of the embedding table that tell one base from another.
MARKED_ROWS = 1024


class EmbeddingGenerator(torch.nn.Module):
    """`e + net([e, z])`: four layers that narrow, then widen; LeakyReLU 0.01 between them, the last one linear.

    `size`: width of the embeddings; `noise`: of z; `scale` multiplies the last layer as PyTorch begins it (1: the
    published start, which already changes what the model says; 0: the model begins unchanged).
    """

    def __init__(self, size: int, noise: int = 100, scale: float = 1.0) -> None:
        super().__init__()
        self.size, self.noise = size, noise
        widths = (size + noise, max(1, size // 2), max(1, size // 4), max(1, size // 2), size)
        self.layers = torch.nn.ModuleList(torch.nn.Linear(before, after) for before, after in pairwise(widths))
        with torch.no_grad():
            for weight in self.layers[-1].parameters():
                weight.mul_(scale)

    def forward(self, embeddings: Tensor, noise: Tensor) -> Tensor:
        """`[…, size]` from embeddings `[…, size]` and noise `[…, noise]`, in the former's type."""
        x = torch.cat((embeddings, noise.to(embeddings.dtype)), dim=-1)
        for place, layer in enumerate(self.layers):
            x = linear(x, layer.weight.to(x.dtype), layer.bias.to(x.dtype))  # type: ignore[arg-type]
            if place + 1 < len(self.layers):
                x = leaky_relu(x, SLOPE)
        return embeddings + x


@dataclass(frozen=True)
class GeneratorConfig:
    """What `adapter_config.json` says of a generator. `sampled_noise`: whether served rows draw noise (else zeros)."""

    size: int
    noise: int
    base: str
    base_mark: str
    sampled_noise: bool = True
    kind: str = KIND
    format: int = 1


def base_mark(model: Any) -> str:
    """Hash of a base model's embedding table as far as it can tell bases apart.

    Signs only, and of the first rows: they stay the same in every precision that the base may be loaded in.
    """
    rows = model.get_input_embeddings().weight[:MARKED_ROWS].detach()
    return hashlib.sha256(torch.signbit(rows).cpu().numpy().tobytes()).hexdigest()


def save_generator(folder: Path, generator: EmbeddingGenerator, config: GeneratorConfig) -> None:
    """Write weights (float32) and configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: weight.detach().float().contiguous().cpu() for name, weight in generator.state_dict().items()}
    save_file(tensors, folder / WEIGHTS)
    text = json.dumps(asdict(config), ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    (folder / CONFIG).write_text(text, encoding="utf-8")


def load_generator(folder: Path) -> tuple[EmbeddingGenerator, GeneratorConfig]:
    """What `save_generator` wrote; AdapterBroken if it is damaged or of a newer format."""
    try:
        config = GeneratorConfig(**json.loads((folder / CONFIG).read_text(encoding="utf-8")))
        generator = EmbeddingGenerator(config.size, config.noise)
        generator.load_state_dict(load_file(folder / WEIGHTS))
    except Exception as error:
        raise AdapterBroken(
            f"the embedding generator cannot be read ({type(error).__name__}); tune it again with `otklik train gan`"
        ) from error
    if (config.kind, config.format) != (KIND, 1):
        raise AdapterBroken(f"kind {config.kind}, format {config.format} is not served; update this program")
    return generator.eval().requires_grad_(False), config


def is_generator(folder: Path) -> bool:
    """Whether an adapter's folder holds an embedding generator."""
    try:
        return json.loads((folder / CONFIG).read_text(encoding="utf-8")).get("kind") == KIND  # type: ignore[no-any-return]
    except (OSError, ValueError, AttributeError):
        return False


@lru_cache(maxsize=1024)
def row_noise(seed: int, size: int) -> Tensor:
    """A row's noise `[size]`, standard normal, from the row's seed alone; the same in each of its passes."""
    return torch.randn(size, generator=torch.Generator().manual_seed(seed))


class GeneratorBank:
    """The generators of one base model, whose embedding layer it takes over once one is loaded."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.loaded: dict[str, tuple[EmbeddingGenerator, GeneratorConfig]] = {}
        self._tapped = False
        # For each generator of the next pass: the tokens that are its own, and their noise.
        self._chosen: list[tuple[EmbeddingGenerator, Tensor, Tensor]] = []

    def load(self, adapter_id: str, folder: Path) -> None:
        """Read a generator; AdapterBroken if it is damaged or of another base."""
        generator, config = load_generator(folder)
        embedding: Any = self.model.get_input_embeddings()
        if config.size != embedding.weight.shape[1] or config.base_mark != base_mark(self.model):
            raise AdapterBroken(f"it was tuned for {config.base}, which is not the base model that is loaded")
        if not self._tapped:
            self._tapped = True
            embedding.forward = partial(self._forward, embedding.forward)
        self.loaded[adapter_id] = (generator.to(embedding.weight.device), config)

    def unload(self, adapter_id: str) -> None:
        """Free a generator's weights."""
        if self.loaded.pop(adapter_id, None) is not None:
            self._chosen = []

    def draws_noise(self, adapter_id: str | None) -> bool:
        """Whether rows of this adapter differ from their first token on, so that candidates cannot share a prompt."""
        found = self.loaded.get(adapter_id) if adapter_id is not None else None
        return found is not None and found[1].sampled_noise

    def choose(self, adapters: Sequence[str | None], seeds: Sequence[int], tokens: Sequence[int] | None) -> None:
        """As `AdapterBank.choose`; `seeds`: the rows' own, for their noise."""
        self._chosen = []
        device = self.model.device
        for name in dict.fromkeys(name for name in adapters if name in self.loaded):
            generator, config = self.loaded[name]
            rows = [row for row, adapter in enumerate(adapters) if adapter == name]
            counts = torch.tensor([1 if tokens is None else tokens[row] for row in rows])
            if config.sampled_noise:
                noise = torch.stack([row_noise(seeds[row], config.noise) for row in rows])
            else:
                noise = torch.zeros(len(rows), config.noise)
            places = _places(adapters, name, tokens)
            self._chosen.append((generator, places.to(device), noise.repeat_interleave(counts, dim=0).to(device)))

    def _forward(self, base: Callable[..., Tensor], ids: Tensor) -> Tensor:
        result = base(ids)
        if not self._chosen:
            return result
        flat = result.reshape(-1, result.shape[-1]).clone()
        for generator, places, noise in self._chosen:
            flat[places] = generator(flat[places], noise)
        return flat.view_as(result)


def _places(adapters: Sequence[str | None], name: str | None, tokens: Sequence[int] | None) -> Tensor:
    """Numbers of the tokens that belong to rows of one adapter."""
    mine = torch.tensor([adapter == name for adapter in adapters])
    if tokens is not None:
        mine = mine.repeat_interleave(torch.tensor(list(tokens)))
    return mine.nonzero()[:, 0]
