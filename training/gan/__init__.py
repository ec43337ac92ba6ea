"""Adversarial prompt tuning (SeqGAN, Yu et al. 2017, arXiv:1609.05473) of a frozen language model.

A small network between the model's embedding layer and its blocks is the only thing that the policy gradient changes;
a discriminator that reads answers is its reward. `language_gan.py` is the method, `listing.py` the published printing
of it with its faults, kept for comparison.
"""

from models.engines.embedding_generator import EmbeddingGenerator
from training.gan.discriminator import Discriminator
from training.gan.fitting import main
from training.gan.language_gan import LanguageGAN
from training.gan.recipe import GanRecipe

__all__ = ["Discriminator", "EmbeddingGenerator", "GanRecipe", "LanguageGAN", "main"]
