"""The model card of an upload: what it is, what it learned from, under which licences, how it was measured, its hashes.

Written from `provenance.json` or from the run that the folder lies in; says what is unknown instead of leaving it out.
Knows no hub.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from training.export.provenance import FILE, hashes, licence, public, run_of

UNKNOWN = "not recorded"
# Measured values that describe the machine more than the model.
UNINTERESTING = ("seconds", "runtime", "per_second", "total_flos")


def card(folder: Path, repository: str, given_licence: str | None = None) -> str:
    """The text of README.md for a folder with a model, an adapter or GGUF files."""
    origin = _origin(folder)
    run: Mapping[str, Any] = origin.get("run") or {}
    own = given_licence or origin["base"].get("licence")
    sections = [
        _head(folder, origin, own),
        f"# {repository.rpartition('/')[2]}",
        _what(folder, origin),
        "## Data",
        _data(run),
        "## Training",
        _training(run),
        "## Measured",
        _table(("value", "of the last step"), _measured(run.get("metrics") or {})) or f"{UNKNOWN.capitalize()}.",
        "## Licences",
        f"This model: {own or UNKNOWN}. The base model's and the data's licences apply as well.",
        "## Files",
        _table(("file", "SHA-256"), list({**hashes(folder), **hashes(folder, "*.gguf")}.items())),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _origin(folder: Path) -> dict[str, Any]:
    """What is known of the folder: its provenance, or the adapter's configuration and run."""
    path = folder / FILE
    if path.is_file():
        read: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return read
    config = folder / "adapter_config.json"
    adapter = json.loads(config.read_text(encoding="utf-8")) if config.is_file() else {}
    base = adapter.get("base_model_name_or_path")
    name = public(base) if base else None
    known = {"rank": adapter.get("r"), "alpha": adapter.get("lora_alpha")} if adapter else None
    return {"base": {"name": name, "licence": licence(folder)}, "adapter": known, "run": run_of(folder)}


def _head(folder: Path, origin: Mapping[str, Any], own: str | None) -> str:
    """The YAML header that hubs index."""
    peft = (folder / "adapter_config.json").is_file()
    tags = ["otklik", *(["lora"] if peft else []), *(["gguf"] if any(folder.glob("*.gguf")) else [])]
    head = {
        "license": own,
        "base_model": origin["base"].get("name"),
        "language": ["ru"],
        "library_name": "peft" if peft else "transformers",
        "pipeline_tag": "text-generation",
        "tags": tags,
    }
    known = {key: value for key, value in head.items() if value}
    return "---\n" + yaml.safe_dump(known, allow_unicode=True, sort_keys=False).strip() + "\n---"


def _what(folder: Path, origin: Mapping[str, Any]) -> str:
    base, adapter = origin["base"].get("name") or "an unnamed base model", origin.get("adapter")
    if (folder / "adapter_config.json").is_file():
        what = f"A LoRA adapter for {base}"
    elif adapter:
        what = f"{base} with a LoRA adapter merged into its weights"
    else:
        what = f"A language model made from {base}"
    sizes = ", ".join(f"{name} {adapter[name]}" for name in ("rank", "alpha") if adapter and adapter.get(name))
    return f"{what}{f' ({sizes})' if sizes else ''}, tuned and exported with otklik."


def _data(run: Mapping[str, Any]) -> str:
    data = (run.get("manifest") or {}).get("data") or {}
    rows = [_source(name, about) for name, about in (data.get("sources") or {}).items()]
    if rows:
        return _table(("source", "licence", "SHA-256"), rows)
    found = data.get("sha256") or data.get("id")
    return f"One prepared set, SHA-256 {found}." if found else f"{UNKNOWN.capitalize()}."


def _source(name: str, about: Any) -> tuple[str, str, str]:
    about = about if isinstance(about, Mapping) else {"sha256": about}
    hashed = about.get("sha256", UNKNOWN)
    text = ", ".join(map(str, hashed.values())) if isinstance(hashed, Mapping) else str(hashed)
    return name, str(about.get("licence", UNKNOWN)), text


def _training(run: Mapping[str, Any]) -> str:
    recipe = run.get("recipe")
    if not recipe:
        return f"{UNKNOWN.capitalize()}."
    text = yaml.safe_dump(dict(recipe), allow_unicode=True, sort_keys=False).strip()
    return f"Run `{run.get('name')}` with this recipe:\n\n```yaml\n{text}\n```"


def _measured(metrics: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (name, f"{value:.6g}" if isinstance(value, float) else str(value))
        for name, value in metrics.items()
        if isinstance(value, int | float) and not name.endswith(UNINTERESTING)
    ]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows] if rows else []
    return "\n".join(f"| {' | '.join(map(_cell, row))} |" for row in lines)


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|")
