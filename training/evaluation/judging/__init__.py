"""LLM-as-a-judge: two systems' answers to one prompt, compared in both orders by a language model."""
