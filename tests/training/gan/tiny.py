"""A tiny GPT-2 with real Russian rows as token ids, one a character, for the adversarial tests."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoModelForCausalLM

from models.engines.embedding_generator import EmbeddingGenerator
from tests.models import tiny
from training.data import seed_corpus
from training.gan import Discriminator, LanguageGAN
from training.gan.language_gan import Example
from training.gan.recipe import AdversarialSettings

ENDS = frozenset({2})


def model(family: str = "gpt2", sharpness: float = 4.0) -> Any:
    """Random weights whose next tokens are neither certain nor uniform."""
    torch.manual_seed(11)
    made = AutoModelForCausalLM.from_config(tiny.config(family), dtype=torch.float32)
    for weight in made.parameters():
        if weight.ndim > 1:
            weight.data.mul_(sharpness)
    return made.eval()


def examples(count: int, longest: int = 24) -> list[Example]:
    """Rows of the seed corpus: what people ask, and the answer."""
    tokenizer = tiny.tokenizer()
    found: list[Example] = []
    for row in seed_corpus.load():
        prompt = tokenizer(row.turns[-1].text, add_special_tokens=False)["input_ids"][:longest]
        words = tokenizer(row.reply, add_special_tokens=False)["input_ids"][: longest - 1]
        found.append(Example((1, *prompt), (*words, 2), len(words) + 1))
        if len(found) == count:
            break
    return found


def gan(base: Any, seed: int = 0, **settings: Any) -> LanguageGAN:
    """A generator and a discriminator around the base."""
    torch.manual_seed(seed)
    size = base.config.hidden_size
    chosen = AdversarialSettings(**settings)
    return LanguageGAN(
        base, EmbeddingGenerator(size, chosen.noise, chosen.start), Discriminator(size), chosen, ENDS, seed
    )


def gradients(module: torch.nn.Module) -> torch.Tensor:
    """All gradients of a module in one row; zeros where there are none."""
    return torch.cat(
        [
            (torch.zeros_like(weight) if weight.grad is None else weight.grad).reshape(-1)
            for weight in module.parameters()
        ]
    )
