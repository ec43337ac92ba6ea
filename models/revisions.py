"""Which revision of a hub model was loaded: transformers no longer keeps it, the cache does."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import try_to_load_from_cache


def with_commit(hub_id: str) -> str:
    """The id with the commit that the cache holds as its newest, `owner/name@12345678`; alone where that is unknown."""
    found = try_to_load_from_cache(hub_id, "config.json")
    return f"{hub_id}@{Path(found).parent.name[:8]}" if isinstance(found, str) else hub_id
