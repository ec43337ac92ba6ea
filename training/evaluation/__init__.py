"""Measuring: reference classifiers, and what the starter's replies are worth. Knows nothing of training."""
