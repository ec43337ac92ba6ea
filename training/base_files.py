"""What a model's folder holds, told from its files alone: `config.json` and the JSON headers of its safetensors.

No weights are read and no library of models is imported, so that a wrong folder or a misspelt layer is told at once.
Knows no recipe; loading itself is `bases.py`.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# A header lists tensors; no honest one is longer.
LONGEST_HEADER = 100 << 20
LISTED = 8
TOKENIZERS = re.compile(r"tokenizer.*\.(json|model)|vocab\.(json|txt)|(spiece|sentencepiece.*)\.model")
# Tables of vectors: two dimensions as a layer's weight has, but no layer.
_TABLES = re.compile(
    r"(embed_tokens|embed_positions|embed_in|wte|wpe|word_embeddings|position_embeddings|token_type_embeddings)$"
)
# Layers that a checkpoint leaves out where they share the embeddings' weights.
HEADS = ("lm_head", "embed_out", "score")

_LLAMA = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
_BERT = ("query", "key", "value", "dense")
# Architectures whose checkpoints name layers as the library does, with the names where no weights can be looked into.
# Others (mixtures of experts, models of pictures) are renamed while they are loaded, and checked then.
LAYERS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "olmo2", "smollm3"), _LLAMA
    ),
    "phi3": ("qkv_proj", "o_proj", "gate_up_proj", "down_proj"),
    "gpt2": ("c_attn", "c_proj", "c_fc"),
    "gptj": ("q_proj", "k_proj", "v_proj", "out_proj", "fc_in", "fc_out"),
    "gpt_neox": ("query_key_value", "dense", "dense_h_to_4h", "dense_4h_to_h"),
    **dict.fromkeys(("bert", "roberta", "xlm-roberta", "electra"), _BERT),
}

ENCODERS = (
    *("bert", "roberta", "xlm-roberta", "electra", "distilbert", "deberta", "deberta-v2", "albert", "camembert"),
    *("modernbert", "mpnet"),
)


class BadFiles(ValueError):
    """A folder cannot be a model; the text says what is wrong with which file."""


@dataclass(frozen=True)
class Inside:
    """A folder that may be a model: its configuration, and its layers' whole names (() where no weights lie there)."""

    config: Mapping[str, Any]
    layers: tuple[str, ...]

    @property
    def encoder(self) -> str | None:
        """The architecture's name if it reads texts and writes none."""
        kind = str(self.config.get("model_type"))
        return kind if kind in ENCODERS and not self.config.get("is_decoder") else None

    def lacks(self, targets: tuple[str, ...]) -> list[str]:
        """Those of the targets that surely no layer is called; none where the names are not known for sure."""
        kind = str(self.config.get("model_type"))
        if kind not in LAYERS:
            return []
        there = (*(self.layers or LAYERS[kind]), *HEADS)
        return [one for one in targets if not any(_ends(name, one) or _ends(one, name) for name in there)]

    def names(self) -> list[str]:
        """What layers are called, each name once."""
        found = self.layers or LAYERS.get(str(self.config.get("model_type")), ())
        return list(dict.fromkeys(name.rsplit(".", 1)[-1] for name in found))


def look(folder: Path, tokenizer: bool = True) -> Inside:
    """What the folder holds; BadFiles if it cannot be a model to tune (and its tokenizer, where one is needed)."""
    names = sorted(one.name for one in folder.iterdir())
    config = _config(folder, names)
    if tokenizer and not any(map(TOKENIZERS.fullmatch, names)):
        raise BadFiles(f"{folder} holds no tokenizer (tokenizer.json, tokenizer.model or vocab files)")
    files = _weights(folder, names)
    return Inside(config, tuple(dict.fromkeys(name for file in files for name in _layers(file))))


def models_beside(folder: Path) -> list[str]:
    """Names of folders beside this one that hold a model, for who misspelt one."""
    try:
        return sorted(one.parent.name for one in folder.parent.glob("*/config.json"))[:LISTED]
    except OSError:
        return []


def cached(snapshot: Path) -> Inside | None:
    """What a hub's cache has of a model; None if it cannot be read, which is then told by loading."""
    try:
        config = json.loads((snapshot / "config.json").read_text(encoding="utf-8"))
        layers = tuple(name for file in sorted(snapshot.glob("*.safetensors")) for name in _layers(file))
        return Inside(config, layers) if isinstance(config, dict) else None
    except (OSError, ValueError):
        return None


def _config(folder: Path, names: list[str]) -> Mapping[str, Any]:
    if "config.json" not in names:
        if "adapter_config.json" in names:
            raise BadFiles(
                f"{folder} holds an adapter, no model: give the model that it was trained on as `base`, and this "
                "folder as `adapter`"
            )
        shown = ", ".join(names[:LISTED]) + (" …" if len(names) > LISTED else "")
        raise BadFiles(f"{folder} holds no model (no config.json); it holds {shown or 'nothing'}")
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise BadFiles(f"{folder / 'config.json'} is no JSON ({error})") from None
    if not isinstance(config, dict):
        raise BadFiles(f"{folder / 'config.json'} is no JSON object")
    return config


def _weights(folder: Path, names: list[str]) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if index.name in names:
        try:
            wanted = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise BadFiles(f"{index} is no index of weights") from None
        if missing := [one for one in wanted if one not in names]:
            raise BadFiles(f"{folder} lacks {', '.join(missing[:LISTED])}, which its index names: fetch it again")
        return [folder / one for one in wanted]
    files = [folder / one for one in names if one.endswith(".safetensors")]
    if not files:
        other = [one for one in names if one.endswith((".bin", ".pt", ".pth", ".gguf", ".h5"))]
        has = f" but {', '.join(other[:LISTED])}" if other else ""
        raise BadFiles(
            f"{folder} holds no safetensors weights{has}; write them with save_pretrained, which makes safetensors"
        )
    return files


def _layers(file: Path) -> Iterator[str]:
    """Names of modules whose weight is a matrix; quantized layers among them."""
    for name, entry in _header(file).items():
        module, _, part = name.rpartition(".")
        matrix = part in ("qweight", "weight_packed") or (part == "weight" and len(entry["shape"]) == 2)
        if matrix and not _TABLES.search(module):
            yield module


def _header(file: Path) -> dict[str, Any]:
    """Tensor → its entry (https://github.com/huggingface/safetensors#format); BadFiles if the file is not whole."""
    size = file.stat().st_size
    with file.open("rb") as handle:
        beginning = handle.read(8)
        if beginning == b"version ":
            raise BadFiles(f"{file} is a pointer of Git LFS, not the weights: run `git lfs pull` there")
        length = struct.unpack("<Q", beginning)[0] if len(beginning) == 8 else math.inf
        raw = handle.read(int(length)) if length <= min(size - 8, LONGEST_HEADER) else b""
    try:
        header = json.loads(raw)
        header.pop("__metadata__", None)
        end = 8 + length + max((entry["data_offsets"][1] for entry in header.values()), default=0)
        shapes = all(isinstance(entry["shape"], list) for entry in header.values())
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        raise BadFiles(f"{file} is no safetensors file, or is cut short: fetch it again") from None
    if size < end or not shapes:
        raise BadFiles(f"{file} is cut short: {size:,} of {end:,} bytes; fetch it again")
    return dict(header)


def _ends(name: str, end: str) -> bool:
    return name == end or name.endswith(f".{end}")
