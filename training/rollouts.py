"""Rollouts, shared by the policy-gradient methods: cached generation, then one teacher-forced pass.

`generate` draws answers without gradients; `score` gives the log-probabilities of the very tokens that were drawn,
with gradients. Rows are never padded while generating (each has its own slot, places count from its own first
token) and padded only on the right while scoring, so a trajectory's numbers do not depend on its company.

`embed` lets a method change what the model's blocks read: it gets token ids and, of the same shape, the number of the
trajectory that each token belongs to, and returns embeddings. Knows nothing of rewards, losses or prompts' texts.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from models.engines.loading import CONTEXT_NAMES
from models.engines.masks import MaskMaker
from models.engines.slots import SlotCache
from training.logprobs import token_logprobs

# (tokens [n, t], rows [n, t]) → embeddings [n, t, size]
Embed = Callable[[Tensor, Tensor], Tensor]
# hidden states [n, size] of the places that precede each answer token → [n]
ValueHead = Callable[[Tensor], Tensor]

# Prompt tokens taken in by one packed pass.
PACK = 512
# Sizes are rounded up to this: for every new size the CPU's matrix library compiles and keeps kernels, which in long
# runs came to hold more memory than the activations.
ROUND = 16


@dataclass(frozen=True)
class Trajectory:
    """A prompt and an answer drawn for it, as token ids. The end token, if one was drawn, is the answer's last.

    `logprobs`: of the answer's tokens when they were drawn, at the temperature of the drawing.
    """

    prompt: tuple[int, ...]
    answer: tuple[int, ...]
    ended: bool
    logprobs: tuple[float, ...] = ()


@dataclass(frozen=True)
class Scores:
    """Of n trajectories, `width` being the longest answer: all `[n, width]`, zero where `mask` is False."""

    logprobs: Tensor
    mask: Tensor
    values: Tensor | None = None


@dataclass
class _Row:
    number: int
    prompt: tuple[int, ...]
    budget: int
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    ended: bool = False


def generate(
    model: Any,
    prompts: Sequence[Sequence[int]],
    budgets: Sequence[int],
    ends: frozenset[int],
    *,
    embed: Embed | None = None,
    temperature: float = 1.0,
    batch: int = 32,
    generator: torch.Generator | None = None,
) -> list[Trajectory]:
    """One answer to each prompt (name a prompt twice for two), of at most `budgets` tokens, drawn from the whole
    distribution at `temperature` (0: the likeliest). At most `batch` rows at once; a row that ends makes room.

    The same generator state gives the same answers whatever the batch. The model must attend by `sdpa` or `eager`.
    """
    if not prompts:
        return []
    training = model.training
    model.eval()
    rows = [_Row(index, tuple(ids), budgets[index]) for index, ids in enumerate(prompts)]
    chances = torch.rand(len(rows), max(budgets), generator=generator)
    # What the cache may hold ahead of need: no more than a full batch of the longest rows.
    places = min(batch, len(rows)) * max(len(row.prompt) + row.budget for row in rows)
    try:
        with torch.no_grad():
            _Rollout(model, ends, embed, temperature, chances, places).run(rows, batch)
    finally:
        model.train(training)
    return [Trajectory(row.prompt, tuple(row.tokens), row.ended, tuple(row.logprobs)) for row in rows]


class _RoundedSlots(SlotCache):
    """Slots whose width grows in steps; masks hide what is not a row's own."""

    def advance(self) -> None:
        super().advance()
        self.width = min(rounded(self.width), self.keys[0].shape[2])


class _Rollout:
    """The running rows of one `generate`."""

    def __init__(
        self, model: Any, ends: frozenset[int], embed: Embed | None, temperature: float, chances: Tensor, places: int
    ) -> None:
        self.model, self.ends, self.embed, self.temperature = model, ends, embed, temperature
        self.device = model.device
        self.chances = chances.to(self.device)
        self.masks = MaskMaker(model.config, model.dtype)
        self.slots = _RoundedSlots(model.config.num_hidden_layers, self.device, places)
        self.live: list[_Row] = []

    def run(self, rows: Sequence[_Row], batch: int) -> None:
        waiting = deque(rows)
        while waiting or self.live:
            while waiting and len(self.live) < batch:
                pack = [waiting.popleft()]
                total = len(pack[0].prompt)
                while waiting and len(self.live) + len(pack) < batch and total + len(waiting[0].prompt) <= PACK:
                    total += len(waiting[0].prompt)
                    pack.append(waiting.popleft())
                self._prefill(pack)
            if self.live:
                self._decode()

    def _prefill(self, pack: Sequence[_Row]) -> None:
        """Several prompts side by side in one pass, each seeing itself alone."""
        lengths = [len(row.prompt) for row in pack]
        spare = rounded(sum(lengths)) - sum(lengths)
        starts = [sum(lengths[:index]) for index in range(len(lengths))]
        captured = self.slots.capture()
        output = self.model(
            **self._inputs(
                [[token for row in pack for token in row.prompt] + [0] * spare],
                [[row.number for row in pack for _ in row.prompt] + [pack[0].number] * spare],
            ),
            position_ids=self._tensor([[place for length in [*lengths, spare] for place in range(length)]]),
            attention_mask=self.masks.packed([*lengths, spare], self.device),
            past_key_values=captured,
            use_cache=True,
            logits_to_keep=self._tensor([start + length - 1 for start, length in zip(starts, lengths, strict=True)]),
        )
        first = len(self.live)
        for row, start in zip(pack, starts, strict=True):
            self.slots.store(captured, start, len(row.prompt), 1)
            self.live.append(row)
        self._take(output.logits[0], first)

    def _decode(self) -> None:
        """One more token for every row."""
        lengths = self._tensor(self.slots.lengths)
        self.slots.advance()
        output = self.model(
            **self._inputs([[row.tokens[-1]] for row in self.live], [[row.number] for row in self.live]),
            position_ids=lengths[:, None],
            attention_mask=self.masks.decode(lengths, self.slots.width),
            past_key_values=self.slots.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        self._take(output.logits[:, -1], 0)

    def _take(self, logits: Tensor, first: int) -> None:
        """Draw a token for the rows from slot `first` on; rows that ended leave."""
        rows = self.live[first:]
        chance = self.chances[[row.number for row in rows], [len(row.tokens) for row in rows]]
        tokens, logprobs = draw(logits, chance, self.temperature)
        over = []
        for slot, (row, token, logprob) in enumerate(
            zip(rows, tokens.tolist(), logprobs.tolist(), strict=True), start=first
        ):
            row.tokens.append(token)
            row.logprobs.append(logprob)
            row.ended = token in self.ends
            if row.ended or len(row.tokens) >= row.budget:
                over.append(slot)
        for slot in reversed(over):
            self.live[slot] = self.live[self.slots.drop(slot)]
            self.live.pop()

    def _inputs(self, tokens: list[list[int]], rows: list[list[int]]) -> dict[str, Tensor]:
        ids = self._tensor(tokens)
        if self.embed is None:
            return {"input_ids": ids}
        return {"inputs_embeds": self.embed(ids, self._tensor(rows))}

    def _tensor(self, values: Any) -> Tensor:
        return torch.tensor(values, dtype=torch.int64, device=self.device)


def rounded(size: int) -> int:
    """The next multiple of ROUND."""
    return -(-size // ROUND) * ROUND


def _context(model: Any) -> int:
    """Places that the model has; where it says none, there is no bound that padding could break."""
    return next((int(getattr(model.config, key)) for key in CONTEXT_NAMES if hasattr(model.config, key)), sys.maxsize)


def draw(logits: Tensor, chance: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Tokens `[n]` by inverting the distribution function at `chance [n]` in [0, 1), and their log-probabilities."""
    scaled = logits.float()
    if temperature <= 0:
        tokens = scaled.argmax(-1)
        return tokens, scaled.gather(-1, tokens[:, None])[:, 0] - scaled.logsumexp(-1)
    if temperature != 1:
        scaled = scaled / temperature
    # In place where it can be: at a vocabulary of 50,257 fresh memory costs more than the arithmetic.
    largest = scaled.amax(-1, keepdim=True)
    running = (scaled - largest).exp_()
    torch.cumsum(running, -1, out=running)
    total = running[:, -1:].clone()
    # A token of probability zero is never hit, because `right` skips flat parts.
    tokens = torch.searchsorted(running, chance[:, None] * total, right=True).clamp_(max=logits.shape[-1] - 1)
    return tokens[:, 0], (scaled.gather(-1, tokens) - largest - total.log())[:, 0]


def score(
    model: Any,
    trajectories: Sequence[Trajectory],
    *,
    embed: Embed | None = None,
    temperature: float = 1.0,
    value: ValueHead | None = None,
) -> Scores:
    """Log-probabilities of the trajectories' own tokens in one teacher-forced pass, with gradients.

    Only the places that predict answer tokens reach the output layer. `rows` of `embed` are positions in
    `trajectories`. Put the model in eval mode first: with dropout this is not the policy that generated.
    """
    device = model.device
    answers = [len(one.answer) for one in trajectories]
    sequences = [one.prompt + one.answer for one in trajectories]
    # The last token predicts nothing that is wanted.
    width = min(rounded(max(len(ids) for ids in sequences) - 1), _context(model))
    ids = torch.tensor([[*row[:-1], *[0] * (width - len(row) + 1)] for row in sequences], device=device)
    if embed is None:
        inputs: dict[str, Tensor] = {"input_ids": ids}
    else:
        numbers = torch.arange(len(sequences), device=device)[:, None].expand_as(ids)
        inputs = {"inputs_embeds": embed(ids, numbers)}
    # Padding stands right of all that is read, so causal attention needs no mask and places are right as they are.
    hidden = model.get_decoder()(**inputs, use_cache=False).last_hidden_state
    places = [
        row * width + len(one.prompt) - 1 + step
        for row, one in enumerate(trajectories)
        for step in range(len(one.answer))
    ]
    read = hidden.reshape(-1, hidden.shape[-1])[torch.tensor(places, device=device)]
    tokens = torch.tensor([token for one in trajectories for token in one.answer], device=device)
    mask = torch.arange(max(answers), device=device)[None] < torch.tensor(answers, device=device)[:, None]
    logprobs = token_logprobs(model.get_output_embeddings(), read, tokens, temperature or 1.0)
    zeros = torch.zeros(mask.shape, device=device)
    return Scores(
        zeros.masked_scatter(mask, logprobs),
        mask,
        None if value is None else zeros.masked_scatter(mask, value(read).float()),
    )
