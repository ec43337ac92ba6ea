"""What a base's name stands for: a folder, or a hub's model with its commit and what the cache has of it.

Knows the hub's answers and what to do about them; loads nothing.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import structlog

from training.recipes import RecipeError

log = structlog.get_logger(__name__)

HUB_SECONDS = 5  # that a hub may take to say what a name stands for


class BaseMissing(RecipeError):
    """The base model or its tokenizer cannot be loaded; the text says what to do."""


@lru_cache(maxsize=16)
def commit(base: str, revision: str | None = None) -> str | None:
    """The commit that a hub id and a branch, a tag or nothing stand for now; None for a folder.

    BaseMissing within seconds where no hub answers, or says that it has no such model (or shows it to others only), and
    none of the base lies in the cache: loading would try for a minute. None where a hub refuses otherwise: a mirror may
    give files and no information, and what it says is told when loading asks again.
    """
    from huggingface_hub import HfApi, try_to_load_from_cache
    from huggingface_hub.errors import (
        HfHubHTTPError,
        HFValidationError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    if Path(base).exists():
        return None
    try:
        kept = try_to_load_from_cache(base, "config.json", revision=revision)
        return HfApi().model_info(base, revision=revision, timeout=HUB_SECONDS).sha
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        if isinstance(kept, str):
            return None
        raise missing(base, "model", error) from error
    except (HfHubHTTPError, HFValidationError):
        return None
    except Exception as error:  # names that do not resolve, sockets, proxies: they have no common class
        if isinstance(kept, str):
            log.info("hub_not_reached_cache_taken", base=base)
            return Path(kept).parent.name
        raise missing(base, "model", error) from error


def cached_config(base: str, revision: str | None = None) -> Path | None:
    """`config.json` of a hub id in the cache; its neighbours are what else was fetched."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        kept = try_to_load_from_cache(base, "config.json", revision=revision)
    except HFValidationError:
        return None
    return Path(kept) if isinstance(kept, str) else None


def missing(base: str, what: str, error: Exception) -> BaseMissing:
    """The error that tells what went wrong and what to do."""
    from models.errors import first_line

    if Path(base).exists():
        advice = "the folder must hold config.json, tokenizer files and safetensors as save_pretrained writes them"
    else:
        advice = (
            "it is no folder here and could not be fetched from the hub: check the name and the network, or download "
            "it elsewhere (`hf download`) and give the folder; HF_TOKEN opens gated models"
        )
    return BaseMissing(
        f"base: the {what} of {base} cannot be loaded ({type(error).__name__}: {first_line(error)}); {advice}"
    )
