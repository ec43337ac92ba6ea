"""The serving engine, taught to take prompts without a preset too, as instruction sets have them, and to score texts.

Prompts are encoded as training encodes such rows. Knows no metric.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from models.engine import Row
from models.engines.prompts import encode
from models.engines.transformers import TransformersEngine, pack_size
from models.errors import PromptTooLong
from models.prompt import render_plain
from models.window import tidy
from storage.contracts import Sampling, Turn


@dataclass(frozen=True)
class PlainPrompt:
    """A dialogue without a preset, with the instructions of its row."""

    turns: tuple[Turn, ...]
    system: str = ""


class PlainEngine(TransformersEngine):
    """See `TransformersEngine`; rows may carry a `PlainPrompt`."""

    def _encode(self, prompt: Any, new_tokens: int) -> list[int]:
        if not isinstance(prompt, PlainPrompt):
            return super()._encode(prompt, new_tokens)
        tokenizer, budget = self.base.tokenizer, self.base.context - min(new_tokens, self.base.context // 2)
        turns: Sequence[Turn] = prompt.turns
        while True:
            ids = encode(tokenizer, render_plain(tokenizer, turns, prompt.system))
            if len(ids) <= budget:
                return ids
            if len(shorter := tidy(turns[1:])) < 1:
                raise PromptTooLong(f"the message takes {len(ids)} tokens with its instructions, {budget} fit")
            turns = shorter

    @torch.inference_mode()
    def losses(self, texts: Sequence[Sequence[int]], adapter: str | None = None) -> Iterator[list[float]]:
        """Negative log-likelihood in nats of every token but the first of each text of at most `context` tokens.

        Texts are packed into one pass as prompts are, each seeing itself alone; adapters of every kind are applied.
        """
        left = [list(ids) for ids in texts]
        while left:
            count = pack_size([len(ids) for ids in left], self.pack)
            pack, left = left[:count], left[count:]
            yield from self._losses(pack, adapter)

    def _losses(self, pack: Sequence[list[int]], adapter: str | None) -> list[list[float]]:
        lengths = [len(ids) for ids in pack]
        row = Row("text", PlainPrompt(()), Sampling(), 0, adapter)  # type: ignore[arg-type]
        self.bank.choose([row] * len(pack), lengths)
        ids = self._tensor([[token for one in pack for token in one]])
        output = self.base.model(
            input_ids=ids,
            position_ids=self._tensor([[place for length in lengths for place in range(length)]]),
            attention_mask=self.masks.packed(lengths, self.device),
            use_cache=False,
        )
        found = torch.nn.functional.cross_entropy(output.logits[0, :-1].float(), ids[0, 1:], reduction="none").tolist()
        losses, start = [], 0
        for length in lengths:
            losses.append(found[start : start + length - 1])
            start += length
        return losses
