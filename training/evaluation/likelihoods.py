"""How likely replies are to a loaded model, in batches. Knows the renderer that serves; nothing of what it is for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from storage.presets import Presets
from training.data import conversations
from training.data.conversations import Example


def likelihoods(
    model: Any, tokenizer: Any, examples: Sequence[Example], presets: Presets, batch: int = 40
) -> list[float]:
    """Mean log probability of each reply's tokens after its message, in the order of `examples`."""
    import torch

    encoded: list[tuple[list[int], list[int]]] = []
    for one in examples:
        texts = conversations.render_example(tokenizer, one, presets)
        prompt, answer = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts)
        encoded.append((prompt, answer))
    order = sorted(range(len(encoded)), key=lambda index: sum(map(len, encoded[index])))
    found = [0.0] * len(encoded)
    for begin in range(0, len(order), batch):
        part = [encoded[index] for index in order[begin : begin + batch]]
        width = max(len(start) + len(reply) for start, reply in part)
        ids = torch.zeros(len(part), width, dtype=torch.long)
        said = torch.zeros(len(part), width, dtype=torch.bool)
        for row, (start, reply) in enumerate(part):
            ids[row, : len(start) + len(reply)] = torch.tensor(start + reply)
            said[row, len(start) : len(start) + len(reply)] = True
        with torch.inference_mode():
            # Padding stands on the right: causal attention lets no reply see it.
            logits = model(input_ids=ids).logits[:, :-1].float()
        token = torch.log_softmax(logits, -1).gather(-1, ids[:, 1:, None])[..., 0]
        mask = said[:, 1:]
        for index, value in zip(order[begin:], (token * mask).sum(1) / mask.sum(1), strict=False):
            found[index] = float(value)
    return found
