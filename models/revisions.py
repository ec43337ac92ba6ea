"""Which revision of a hub model was loaded: transformers no longer keeps it, the cache does."""

from __future__ import annotations

from pathlib import Path

from huggingface_hub import try_to_load_from_cache


def with_commit(hub_id: str, revision: str | None = None) -> str:
    """The id with the commit of a revision (None: the default branch as it was last fetched), `owner/name@12345678`;
    alone where the cache does not know it."""
    found = try_to_load_from_cache(hub_id, "config.json", revision=revision)
    return f"{hub_id}@{Path(found).parent.name[:8]}" if isinstance(found, str) else hub_id
