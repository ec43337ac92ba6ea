"""Where an exported model comes from, as JSON beside it: base, adapter, run, data, licences, hashes.

Knows only what lies in the folders: a model's own files, and `manifest.json`, `recipe.yaml` and `metrics.jsonl` of the
run that holds an adapter.
"""

from __future__ import annotations

import hashlib
import json
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

FILE = "provenance.json"
PACKAGES = ("otklik", "torch", "transformers", "safetensors")


def provenance(base: Path, named: str, adapter: Path | None, **more: Any) -> dict[str, Any]:
    """What made this model. `named`: what the operator called the base; hashes are SHA-256 over the weights' files."""
    found: dict[str, Any] = {
        "base": {"name": public(named), "licence": licence(base), "weights": hashes(base)},
        "adapter": None,
        "made_with": {package: version(package) for package in PACKAGES},
        **more,
    }
    earlier = _json(base / FILE)
    if earlier:
        found["base"]["provenance"] = earlier
    if adapter is not None:
        config = _json(adapter / "adapter_config.json")
        found["adapter"] = {
            "name": adapter.name,
            "weights": hashes(adapter),
            "trained_on": public(config.get("base_model_name_or_path") or ""),
            "rank": config.get("r"),
            "alpha": config.get("lora_alpha"),
        }
    if run := run_of(adapter or base):
        found["run"] = run
    return found


def run_of(folder: Path) -> dict[str, Any]:
    """Recipe, data manifest and last measurements of the run that the folder lies in; empty if it lies in none."""
    import yaml

    for run in (folder, folder.parent):
        if (run / "recipe.yaml").is_file() and (run / "manifest.json").is_file():
            recipe = yaml.safe_load((run / "recipe.yaml").read_text(encoding="utf-8"))
            found = {
                "name": run.name,
                "recipe": recipe,
                "manifest": _json(run / "manifest.json"),
                "metrics": _last(run),
            }
            return {name: _without_places(value) for name, value in found.items()}
    return {}


def hashes(folder: Path, pattern: str = "*.safetensors") -> dict[str, str]:
    """SHA-256 of each file of that pattern."""
    return {path.name: _sha256(path) for path in sorted(folder.glob(pattern))}


def licence(folder: Path) -> str | None:
    """The licence that a model card names in its header; None if there is no card or no such line."""
    card = folder / "README.md"
    if not card.is_file():
        return None
    head = re.match(r"---\n(.*?)\n---", card.read_text(encoding="utf-8", errors="replace"), re.DOTALL)
    found = re.search(r"^license:\s*(\S+)", head[1], re.MULTILINE) if head else None
    return found[1] if found else None


def public(name: str) -> str:
    """A hub id as it is, a folder without what lies above its parent: exported files travel."""
    return "/".join(Path(name).parts[-2:])


def _without_places(value: Any) -> Any:
    """The value with folders of this machine shortened to their last two names."""
    if isinstance(value, dict):
        return {_without_places(key): _without_places(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_without_places(one) for one in value]
    return public(value) if isinstance(value, str) and value.startswith(("/", "~")) else value


def _last(run: Path) -> dict[str, Any]:
    """The newest value of each measured series."""
    path = run / "metrics.jsonl"
    values: dict[str, Any] = {}
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            values |= json.loads(line)
    return values


def _json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    read = json.loads(path.read_text(encoding="utf-8"))
    return read if isinstance(read, dict) else {}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
