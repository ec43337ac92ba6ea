"""The base model: any causal language model by folder or hub id, in full precision, NF4 or int8.

Knows nothing of adapters or rows.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig
from transformers.utils import logging as transformers_logging

from models.devices import pick_device, pick_dtype, use_threads
from models.engines.prompts import end_tokens
from models.errors import ModelMissing, first_line
from models.revisions import with_commit
from models.serving import NESTED
from models.settings import BUNDLED, ModelsSettings

# Small weights are named by their hash, so that provenance tells releases apart; large ones take too long.
HASHED_BYTES = 200_000_000
CONTEXT_NAMES = ("max_position_embeddings", "n_positions", "n_ctx", "seq_length")
DEFAULT_CONTEXT = 2048


@dataclass(frozen=True)
class Base:
    """A loaded base model. `context`: tokens it can attend to; `ends`: tokens that end an answer."""

    model: Any
    tokenizer: Any
    name: str
    context: int
    ends: frozenset[int]


def load_base(settings: ModelsSettings) -> Base:
    """Load what MODELS_BASE names; ModelMissing with advice if that fails."""
    where = settings.base_path()
    if settings.base == BUNDLED and not (Path(where) / "config.json").is_file():
        raise ModelMissing(
            "the starter model is not in this checkout (models/starter/base): set MODELS_BASE to a folder or hub id "
            "of a causal language model, or MODELS_ENGINE=echo to run without one"
        )
    use_threads(settings.threads)
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    device = pick_device(settings.device)
    dtype = pick_dtype(settings.dtype, device)
    try:
        tokenizer = AutoTokenizer.from_pretrained(where)
        model: Any = AutoModelForCausalLM.from_pretrained(
            where, dtype=dtype, use_safetensors=True, **_placement(settings.quantization, device, dtype)
        )
    except Exception as error:
        raise ModelMissing(
            f"the base model {where} cannot be loaded ({type(error).__name__}: {first_line(error)}); set MODELS_BASE "
            "to a folder or hub id of a causal language model with safetensors, or MODELS_ENGINE=echo to run without"
        ) from error
    if settings.quantization == "none":
        model.to(device)
    model.eval().requires_grad_(False)
    return prepared(model, tokenizer, name_of(where), settings.context)


def prepared(model: Any, tokenizer: Any, name: str, context: int | None = None) -> Base:
    """A base from objects that are loaded already (training and tests use it)."""
    own = positions(model.config) or DEFAULT_CONTEXT
    if model.config._attn_implementation not in ("sdpa", "eager"):
        model.set_attn_implementation("eager")
    return Base(model, tokenizer, name, min(own, context or own), end_tokens(tokenizer, model.generation_config))


def positions(config: Any) -> int | None:
    """Tokens that a model has places for, as its configuration says; None where it does not."""
    return next((getattr(config, key) for key in CONTEXT_NAMES if hasattr(config, key)), None)


def _placement(quantization: str, device: torch.device, dtype: torch.dtype) -> dict[str, Any]:
    if quantization == "none":
        return {}
    nf4 = {
        "load_in_4bit": True,
        "bnb_4bit_quant_type": "nf4",
        "bnb_4bit_use_double_quant": True,
        "bnb_4bit_compute_dtype": dtype,
    }
    settings = nf4 if quantization == "nf4" else {"load_in_8bit": True}
    config = BitsAndBytesConfig(**settings)  # type: ignore[no-untyped-call]
    return {"quantization_config": config, "device_map": {"": device}}


def name_of(where: str, revision: str | None = None) -> str:
    """Hub id with the commit of a revision, or folder name with the hash of its weights where they are small."""
    folder = Path(where)
    if not folder.is_dir():
        return with_commit(where, revision)
    parent = f"{folder.parent.name}/" if folder.name in NESTED else ""
    files = sorted(folder.glob("*.safetensors"))
    if not files or sum(file.stat().st_size for file in files) > HASHED_BYTES:
        return f"{parent}{folder.name}"
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    return f"{parent}{folder.name}@{digest.hexdigest()[:8]}"
