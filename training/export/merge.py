"""`otklik export merge`: a LoRA adapter becomes part of the base's own weights.

The result is an ordinary model folder: safetensors shards, tokenizer, chat template, generation settings, provenance.
Knows nothing of serving; the tests prove that the worker gives the same answers from it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.reader import FOLDER
from training.export.errors import Unsupported
from training.export.places import new_folder
from training.export.provenance import FILE, provenance
from training.export.weights import BYTES, Weights
from training.runs import progress

if TYPE_CHECKING:
    from torch import Tensor

# Short name → torch's, safetensors' and config.json's names.
KINDS = {"bf16": ("bfloat16", "BF16"), "f16": ("float16", "F16"), "f32": ("float32", "F32")}
SHARD = 2 * 10**9
# Everything but weights that a model folder may hold and that a loaded model needs.
BESIDES = (
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
)


def merge(
    base: Path,
    adapter: Path,
    out: Path,
    *,
    named: str | None = None,
    dtype: str | None = None,
    force: bool = False,
    shard: int = SHARD,
) -> Path:
    """Write `base` with `adapter` merged into it to the folder `out`, which it returns.

    `dtype`: bf16, f16, f32 or None for what the base is stored in; `shard`: largest file in bytes, unless one tensor is
    larger. SourceUnusable, NoSpace, OutputExists, or Unsupported where float16 cannot hold a weight.
    """
    weights = Weights(base, adapter)
    kinds = {name: KINDS[dtype][1] if dtype else entry.kind for name, entry in weights.entries.items()}
    sizes = {name: weights.entries[name].numbers * BYTES[kind] for name, kind in kinds.items()}
    with new_folder(out, sum(sizes.values()), force) as fresh:
        _write_shards(weights, kinds, plan(sizes, shard), sizes, fresh)
        config = dict(weights.config)
        if dtype:
            config.pop("torch_dtype", None)  # the name that older releases of transformers gave it
            config["dtype"] = KINDS[dtype][0]
        _json(fresh / "config.json", config)
        for name in BESIDES:
            if (base / name).is_file():
                shutil.copy(base / name, fresh)
        if (base / FOLDER).is_dir():
            shutil.copytree(base / FOLDER, fresh / FOLDER)
        origin = provenance(
            base, named or str(base), adapter, merged=list(weights.merged), dtype=dtype or "as the base"
        )
        _json(fresh / FILE, origin)
    return out


def plan(sizes: Mapping[str, int], limit: int) -> list[list[str]]:
    """Names grouped into files of at most `limit` bytes each, in order; a larger tensor gets a file of its own."""
    files: list[list[str]] = []
    room = 0
    for name, size in sizes.items():
        if not files or size > room:
            files.append([])
            room = limit
        files[-1].append(name)
        room -= size
    return files


def _write_shards(
    weights: Weights, kinds: Mapping[str, str], files: list[list[str]], sizes: Mapping[str, int], out: Path
) -> None:
    from safetensors.torch import save_file

    where: dict[str, str] = {}
    with progress("merging", len(weights.entries)) as advance:
        for number, names in enumerate(files, 1):
            title = f"model-{number:05}-of-{len(files):05}.safetensors" if len(files) > 1 else "model.safetensors"
            tensors: dict[str, Tensor] = {}
            for name in names:
                tensors[name] = _cast(weights, name, kinds[name])
                advance(len(where) + len(tensors), title)
            save_file(tensors, out / title, metadata={"format": "pt"})
            (out / title).chmod(0o644)  # safetensors would keep it from the user that serves
            where |= dict.fromkeys(names, title)
    if len(files) > 1:
        index = {"metadata": {"total_size": sum(sizes.values())}, "weight_map": where}
        _json(out / "model.safetensors.index.json", index)


def _cast(weights: Weights, name: str, kind: str) -> Tensor:
    import torch

    types = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
    tensor = weights.read(name).to(types[kind]).contiguous()
    if kind == "F16" and not torch.isfinite(tensor).all():
        raise Unsupported(f"{name} holds numbers beyond float16's 65504: use --dtype bf16 or f32")
    return tensor


def _json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
