"""Tuned models on their way out: merged weights, GGUF files, Ollama folders, repositories on a hub.

Knows nothing of how a model was tuned; every export starts from a model folder and, optionally, a LoRA adapter.
"""
