"""vLLM's runtime loading of LoRA adapters as plain data: what is asked, and what an answer means. No connection here.

`POST /v1/load_lora_adapter {"lora_name", "lora_path"}` and `POST /v1/unload_lora_adapter {"lora_name"}` exist only on a
server started with `--enable-lora` and VLLM_ALLOW_RUNTIME_LORA_UPDATING=True; `lora_path` is as that server sees it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

LOAD = "load_lora_adapter"
UNLOAD = "unload_lora_adapter"
LONGEST = 300


def load_body(adapter_id: str, folder: Path) -> dict[str, Any]:
    """What asks the server to load an adapter."""
    return {"lora_name": adapter_id, "lora_path": str(folder)}


def unload_body(adapter_id: str) -> dict[str, Any]:
    """What asks the server to forget an adapter."""
    return {"lora_name": adapter_id}


def fault(status: int, body: str, folder: Path) -> str | None:
    """What a refusal to load means and what to do; None if the adapter is there.

    The server's own words are passed on: they are of adapters and settings, no dialogue is in them.
    """
    said = _message(body)
    if status < 300 or (status == 400 and "already been loaded" in said):
        return None
    if status in (404, 405) and not said:
        return (
            "the server does not load adapters while it runs; start vLLM with --enable-lora and "
            "VLLM_ALLOW_RUNTIME_LORA_UPDATING=True, or name the adapter in --lora-modules"
        )
    if "no adapter found" in said.lower() or status == 404:
        return (
            f"the server finds no adapter in {folder} ({said[:LONGEST]}); set MODELS_OPENAI_ADAPTERS to the folder "
            "where it sees the adapters' store"
        )
    if "max_lora_rank" in said:
        return f"the server takes no adapter of this rank ({said[:LONGEST]}); start vLLM with a larger --max-lora-rank"
    return f"the server does not load it (HTTP {status}{': ' + said[:LONGEST] if said else ''})"


def _message(body: str) -> str:
    """The server's explanation: under `error` in newer releases, at the top in older ones; empty if there is none."""
    try:
        raw = json.loads(body)
    except ValueError:
        return ""
    if not isinstance(raw, dict):
        return ""
    inner = raw.get("error")
    found = (inner if isinstance(inner, dict) else raw).get("message")
    return " ".join(found.split()) if isinstance(found, str) else ""
