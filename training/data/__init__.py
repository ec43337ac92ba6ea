"""Readers, cleaning and the seed corpus: where training text comes from. Knows nothing of models or methods."""
