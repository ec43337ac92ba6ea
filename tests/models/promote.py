"""Adapters of the starter in a store, and what the registry would say of them, for the worker's tests."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from models.settings import STARTER
from storage.adapter_files import store
from storage.contracts import ServedAdapter, ServedSlot, Serving


def variant(folder: Path, number: int, *, spoil: float | None = None, times: float = 1.0) -> Path:
    """The starter's adapter, changed a little by `number` so that it is another one; `spoil` fills one matrix, `times`
    blows all of them up."""
    folder.mkdir(parents=True)
    shutil.copy(STARTER / "adapter" / "adapter_config.json", folder)
    weights = load_file(STARTER / "adapter" / "adapter_model.safetensors")
    name = sorted(weights)[0]
    weights = {key: tensor * (times * (1 - number / 50)) for key, tensor in weights.items()}
    if spoil is not None:
        weights[name] = torch.full_like(weights[name], spoil)
    save_file(weights, folder / "adapter_model.safetensors")
    return folder


def keep(folder: Path, address: Path, base: str = "") -> ServedAdapter:
    """A folder put into the store."""
    kept = store(folder, str(address))
    return ServedAdapter(adapter_id=kept.adapter_id, location=kept.location, sha256=kept.sha256, base=base)


def adapters(tmp_path: Path, count: int) -> list[ServedAdapter]:
    """So many stored adapters of the starter."""
    return [keep(variant(tmp_path / f"made-{number}", number), tmp_path / "store") for number in range(count)]


def serving(revision: int, known: list[ServedAdapter], **slots: Any) -> Serving:
    """What the registry would publish: `shared="id"` or `joy=("active", "canary", 0.3)` by slot."""
    made = []
    for name, value in slots.items():
        active, canary, share = value if isinstance(value, tuple) else (value, None, 0.0)
        made.append(ServedSlot(name=name, active=active, canary=canary, share=share))
    return Serving(revision=revision, slots=tuple(made), adapters=tuple(known))
