"""Adversarial prompt tuning (SeqGAN, Yu et al. 2017, arXiv:1609.05473) of a frozen language model.

A small network between the model's embedding layer and its blocks is the only thing that the policy gradient changes;
a discriminator that reads answers is its reward. `language_gan.py` is the method, `listing.py` the published printing
of it with its faults, kept for comparison.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from training.gan.recipe import GanRecipe

if TYPE_CHECKING:
    from models.engines.embedding_generator import EmbeddingGenerator
    from training.gan.discriminator import Discriminator
    from training.gan.fitting import main
    from training.gan.language_gan import LanguageGAN

__all__ = ["Discriminator", "EmbeddingGenerator", "GanRecipe", "LanguageGAN", "main"]

# What is made of torch is imported when it is asked for: a recipe is read, and refused, without it.
_LATER = {
    "Discriminator": "training.gan.discriminator",
    "EmbeddingGenerator": "models.engines.embedding_generator",
    "LanguageGAN": "training.gan.language_gan",
    "main": "training.gan.fitting",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_LATER[name]), name)
