"""Small folders that are real adapters as far as storage can tell: configuration and whole safetensors."""

from __future__ import annotations

import json
from pathlib import Path


def safetensors(values: bytes) -> bytes:
    """One tensor of bytes in the safetensors layout."""
    header = json.dumps({"w": {"dtype": "U8", "shape": [len(values)], "data_offsets": [0, len(values)]}}).encode()
    return len(header).to_bytes(8, "little") + header + values


def lora(folder: Path, values: bytes = b"\x01\x02\x03") -> Path:
    """A LoRA adapter's folder."""
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text('{"peft_type": "LORA", "r": 4}')
    (folder / "adapter_model.safetensors").write_bytes(safetensors(values))
    return folder


def generator(folder: Path) -> Path:
    """An embedding generator's folder."""
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text('{"kind": "gan", "size": 8}')
    (folder / "adapter_model.safetensors").write_bytes(safetensors(b"\x09"))
    return folder
