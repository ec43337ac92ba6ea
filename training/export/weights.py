"""A model's tensors, read one by one from its safetensors, with a LoRA adapter added on the way.

W + scale · B·A (Hu et al. 2021, arXiv:2106.09685, eq. 3) in float32, one tensor in memory at a time, so that a machine
can merge a model that it could not load. Quantized bases are refused: what they hold is not W. Knows no target format.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.export.errors import SourceUnusable

if TYPE_CHECKING:
    from torch import Tensor

    from models.engines.adapter_files import Pair

# Some checkpoints name their tensors from inside the body (GPT-2's on the hub), adapters always from the whole model.
BODIES = ("model.", "transformer.")
FULL = ("F64", "F32", "F16", "BF16")
BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}


@dataclass(frozen=True)
class Entry:
    """Where a tensor lies: file, shape, and its type as safetensors names it."""

    file: Path
    shape: tuple[int, ...]
    kind: str

    @property
    def numbers(self) -> int:
        """How many numbers it holds."""
        count = 1
        for size in self.shape:
            count *= size
        return count


class Weights:
    """The tensors of a model folder, in the order of its files, with an adapter's deltas in them if one is given."""

    def __init__(self, folder: Path, adapter: Path | None = None) -> None:
        self.folder = folder
        self.config = config_of(folder)
        self.entries = _entries(folder)
        self._deltas = self._read_deltas(adapter) if adapter else {}

    @property
    def merged(self) -> tuple[str, ...]:
        """Names of the tensors that the adapter changes."""
        return tuple(sorted(self._deltas))

    def read(self, name: str) -> Tensor:
        """A tensor as it is stored or, where the adapter touches it, merged in float32."""
        from safetensors import safe_open

        with safe_open(self.entries[name].file, framework="pt") as file:
            tensor: Tensor = file.get_tensor(name)
        pair = self._deltas.get(name)
        if pair is None:
            return tensor
        delta = pair.up.float() @ pair.down.float()
        # GPT-2 keeps its linear weights transposed (Conv1D): [in, out].
        merged = tensor.float() + (delta.T if self._conv1d(name) else delta)
        if not bool(merged.isfinite().all()):
            raise SourceUnusable(f"the adapter's matrices for {name} hold infinities or NaN: its training went wrong")
        return merged

    def __iter__(self) -> Iterator[tuple[str, Tensor]]:
        for name in self.entries:
            yield name, self.read(name)

    def _conv1d(self, name: str) -> bool:
        return self.config.get("model_type") == "gpt2" and not name.startswith("lm_head")

    def _read_deltas(self, adapter: Path) -> dict[str, Pair]:
        return {self._target(adapter, module, pair): pair for module, pair in _pairs(adapter).items()}

    def _target(self, adapter: Path, module: str, pair: Pair) -> str:
        """The tensor that a module's matrices change; SourceUnusable if there is none, or one of another size."""
        wanted = f"{module}.weight"
        names = [wanted, *(wanted.removeprefix(body) for body in BODIES), *(body + wanted for body in BODIES)]
        found = next((name for name in names if name in self.entries), None)
        if found is None and module.endswith("lm_head"):
            raise SourceUnusable(
                f"adapter {adapter} changes lm_head, which {self.folder} shares with its input embeddings: merging "
                "would change both. Train the adapter without lm_head"
            )
        if found is None:
            raise SourceUnusable(
                f"adapter {adapter} changes {module}, which {self.folder} does not have: name the base that it was "
                "trained on"
            )
        sizes = (pair.up.shape[0], pair.down.shape[1])
        if self.entries[found].shape != (sizes[::-1] if self._conv1d(found) else sizes):
            own = "×".join(map(str, self.entries[found].shape))
            raise SourceUnusable(
                f"adapter {adapter} changes {module} of {sizes[0]}×{sizes[1]}, but it is {own} in {self.folder}: name "
                "the base that it was trained on"
            )
        return found


def config_of(folder: Path) -> dict[str, Any]:
    """The model's config.json; SourceUnusable if it is missing or says that the weights are quantized."""
    try:
        config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        if (folder / "adapter_config.json").is_file():
            raise SourceUnusable(f"{folder} is an adapter: name its base model here and it with --adapter") from None
        raise SourceUnusable(f"{folder} holds no model: there is no config.json") from None
    except json.JSONDecodeError as error:
        raise SourceUnusable(f"{folder}/config.json is damaged ({error})") from None
    method = (config.get("quantization_config") or {}).get("quant_method")
    if method:
        raise SourceUnusable(
            f"{folder} holds weights quantized by {method}: an adapter is merged into full precision only, since "
            "rounding to 4 or 8 bits has already lost a part of them. Give the original model; the adapter fits it too"
        )
    return config


def _entries(folder: Path) -> dict[str, Entry]:
    """Tensor name → where it lies, for a folder with one safetensors file or several."""
    from safetensors import SafetensorError, safe_open

    entries: dict[str, Entry] = {}
    files = _files(folder)
    for file in files:
        try:
            with safe_open(file, framework="pt") as opened:
                for name in opened.keys():  # noqa: SIM118 — the file object is no mapping
                    part = opened.get_slice(name)
                    entries[name] = Entry(file, tuple(part.get_shape()), part.get_dtype())
        except (SafetensorError, OSError) as error:
            raise SourceUnusable(f"{file} cannot be read ({type(error).__name__}): copy or download it again") from None
    odd = {entry.kind for entry in entries.values()} - set(FULL)
    if odd:
        raise SourceUnusable(
            f"{folder} holds tensors of type {', '.join(sorted(odd))}: give the model in full precision (float32, "
            "float16 or bfloat16)"
        )
    return entries


def _files(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        named = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        missing = [name for name in named if not (folder / name).is_file()]
        if missing:
            raise SourceUnusable(f"{folder} lacks {', '.join(missing)}: copy or download it again")
        return [folder / name for name in named]
    if (folder / "model.safetensors").is_file():
        return [folder / "model.safetensors"]
    raise SourceUnusable(
        f"{folder} holds no safetensors (model.safetensors); convert other formats once with "
        "AutoModelForCausalLM.from_pretrained(…).save_pretrained(…)"
    )


def _pairs(adapter: Path) -> Mapping[str, Pair]:
    from models.engines.adapter_files import read_adapter
    from models.errors import AdapterBroken

    if not (adapter / "adapter_config.json").is_file():
        raise SourceUnusable(f"{adapter} holds no adapter: there is no adapter_config.json")
    try:
        return read_adapter(adapter)
    except AdapterBroken as error:
        raise SourceUnusable(f"adapter {adapter}: {_merging(str(error))}") from None


def _merging(text: str) -> str:
    """The worker's reasons why an adapter cannot be mixed are reasons why it cannot be merged."""
    return text.replace(
        "cannot be mixed with other adapters in a batch; train plain LoRA",
        "is more than B·A on linear layers and cannot be merged here; train plain LoRA, or merge it with PEFT's "
        "merge_and_unload and export the result without --adapter",
    )
