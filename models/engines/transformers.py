"""The engine for any causal language model of transformers: continuous batching of rows with different adapters.

A step adds one token to every row, then takes in the next admitted prompts (packed into one pass, each once for all
its candidates) and draws their first tokens. Rows leave as soon as they end. Knows nothing of requests or emotions.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.engine import Broken, Event, Finished, FirstToken, Row
from models.engines.adapters import Adapters
from models.engines.loading import Base, load_base
from models.engines.masks import MaskMaker
from models.engines.prompts import fitted, scrubbed, special_texts, stop_texts
from models.engines.rows import Live, cut
from models.engines.sampling import NO_TOKEN, Draws, draw, log_probabilities, recommended, uniforms
from models.engines.slots import SlotCache
from models.errors import NotFinite, UnknownAdapter
from models.prompt import Prompt, prompt_version
from storage.presets import Presets

__all__ = ["TransformersEngine", "load_base"]

# Prompt tokens taken in between two decode steps, in one packed pass: running rows wait for it, and attention there
# grows with its square.
PACK_CPU = 512
PACK_GPU = 4096
REMEMBERED = 512


class TransformersEngine:
    """See `models.engine.Engine`. `tokens`: what the cache may hold in reserve."""

    remote = False

    def __init__(self, base: Base, presets: Presets, *, tokens: int = 32768) -> None:
        self.base = base
        self.presets = presets
        self.base_model = base.name
        self.sampling = recommended(base.model.generation_config)
        self.prompt_version = prompt_version(base.tokenizer, presets)
        self.bank = Adapters(base.model)
        self.device = next(base.model.parameters()).device
        self.masks = MaskMaker(base.model.config, base.model.dtype)
        self.pack = PACK_CPU if self.device.type == "cpu" else PACK_GPU
        self.stops = stop_texts(base.tokenizer)
        self.specials = special_texts(base.tokenizer)
        self.slots = SlotCache(base.model.config.num_hidden_layers, self.device, tokens)
        self.live: list[Live] = []
        self.admitted: list[tuple[list[int], list[Live]]] = []
        self.seen = torch.zeros(0, base.model.config.vocab_size, dtype=torch.bool, device=self.device)
        self._draws: Draws | None = None
        self._encoded: dict[Any, list[int]] = {}

    @property
    def adapters(self) -> frozenset[str]:
        return self.bank.loaded

    @property
    def running(self) -> int:
        return len(self.live) + sum(len(rows) for _, rows in self.admitted)

    def measure(self, prompt: Prompt, new_tokens: int) -> int:
        return len(self._encode(prompt, new_tokens))

    def admit(self, rows: Sequence[Row]) -> None:
        groups: dict[Any, tuple[list[int], list[Live]]] = {}
        for row in rows:
            if row.adapter is not None and row.adapter not in self.bank.loaded:
                raise UnknownAdapter(f"adapter {row.adapter!r} is not loaded")
            ids = self._encode(row.prompt, row.sampling.max_new_tokens)
            budget = min(row.sampling.max_new_tokens, self.base.context - len(ids))
            live = Live(row, uniforms(row.seed, budget), budget)
            groups.setdefault((self.bank.prompt_key(row), tuple(ids)), (ids, []))[1].append(live)
        self.admitted += groups.values()

    @torch.inference_mode()
    def step(self) -> list[Event]:
        events: list[Event] = []
        if self.live:
            events += self._decode()
        if self.admitted:
            count = pack_size([len(ids) for ids, _ in self.admitted], self.pack)
            pack, self.admitted = self.admitted[:count], self.admitted[count:]
            events += self._prefill(pack)
        return events

    @torch.inference_mode()
    def cancel(self, row_ids: Sequence[str]) -> None:
        gone = set(row_ids)
        self.admitted = [
            (ids, kept)
            for ids, rows in self.admitted
            if (kept := [live for live in rows if live.row.row_id not in gone])
        ]
        self._drop([slot for slot, live in enumerate(self.live) if live.row.row_id in gone])

    @torch.inference_mode()
    def likelihoods(self, rows: Sequence[Row], texts: Sequence[str]) -> list[float]:
        """See `models.engine.Scorer`. Passes of their own, beside those of the running rows."""
        prompts = [self._encode(row.prompt, row.sampling.max_new_tokens) for row in rows]
        answers = [
            self.base.tokenizer(text, add_special_tokens=False)["input_ids"][: self.base.context - len(prompt)]
            for prompt, text in zip(prompts, texts, strict=True)
        ]
        found: list[float] = []
        while len(found) < len(rows):
            begin = len(found)
            count = pack_size(
                [len(one) + len(two) for one, two in zip(prompts, answers, strict=True)][begin:], self.pack
            )
            part = slice(begin, begin + count)
            found += self._likelihoods(rows[part], prompts[part], answers[part])
        return found

    def _likelihoods(
        self, rows: Sequence[Row], prompts: Sequence[list[int]], answers: Sequence[list[int]]
    ) -> list[float]:
        lengths = [len(prompt) + len(answer) for prompt, answer in zip(prompts, answers, strict=True)]
        starts = [sum(lengths[:index]) for index in range(len(lengths))]
        self.bank.choose(rows, lengths)
        # The token at each of these places predicts one of an answer.
        places = [
            start + len(prompt) - 1 + offset
            for start, prompt, answer in zip(starts, prompts, answers, strict=True)
            for offset in range(len(answer))
        ]
        output = self.base.model(
            input_ids=self._tensor(
                [[token for pair in zip(prompts, answers, strict=True) for ids in pair for token in ids]]
            ),
            position_ids=self._tensor([[place for length in lengths for place in range(length)]]),
            attention_mask=self.masks.packed(lengths, self.device),
            use_cache=False,
            logits_to_keep=self._tensor(places),
        )
        logs = log_probabilities(output.logits[0], self._tensor([token for answer in answers for token in answer]))
        parts = torch.split(logs, [len(one) for one in answers])
        means = [part.mean() if len(part) else part.new_tensor(0.0) for part in parts]
        return [float(mean) for mean in means]

    def reset(self) -> None:
        self.live, self.admitted, self._draws = [], [], None
        self.slots.clear()
        self.seen = self.seen[:0]

    def use_presets(self, presets: Presets) -> None:
        self.presets = presets
        self.prompt_version = prompt_version(self.base.tokenizer, presets)

    def load_adapter(self, adapter_id: str, folder: Path) -> None:
        self.bank.load(adapter_id, folder)

    def unload_adapter(self, adapter_id: str) -> None:
        self.bank.unload(adapter_id)

    def close(self) -> None:
        self.reset()

    def _encode(self, prompt: Prompt, new_tokens: int) -> list[int]:
        """The prompt's tokens; remembered, because it is measured first and admitted later."""
        system = (prompt.presets or self.presets).system_text(prompt.preset, prompt.intensity)
        key = (prompt.turns, prompt.preset.title, system, prompt.intensity, prompt.persona, new_tokens)
        ids = self._encoded.get(key)
        if ids is None:
            clean = scrubbed(prompt, self.specials)
            ids = fitted(self.base.tokenizer, clean, self.presets, self.base.context, new_tokens)
            if len(self._encoded) >= REMEMBERED:
                self._encoded.pop(next(iter(self._encoded)))
            self._encoded[key] = ids
        return ids

    def _prefill(self, pack: Sequence[tuple[list[int], list[Live]]]) -> list[Event]:
        """Take prompts in, copy each into the slots of its rows, and draw every row's first token."""
        lengths = [len(ids) for ids, _ in pack]
        starts = [sum(lengths[:index]) for index in range(len(lengths))]
        captured = self.slots.capture()
        self.bank.choose([rows[0].row for _, rows in pack], lengths)
        output = self.base.model(
            input_ids=self._tensor([[token for ids, _ in pack for token in ids]]),
            position_ids=self._tensor([[place for length in lengths for place in range(length)]]),
            attention_mask=self.masks.packed(lengths, self.device),
            past_key_values=captured,
            use_cache=True,
            logits_to_keep=self._tensor([start + length - 1 for start, length in zip(starts, lengths, strict=True)]),
        )
        first = len(self.live)
        for (ids, rows), start in zip(pack, starts, strict=True):
            self.slots.store(captured, start, len(ids), len(rows))
            self._unmark(len(rows))
            self.live += rows
        copies = self._tensor([index for index, (_, rows) in enumerate(pack) for _ in rows])
        logits = output.logits[0].index_select(0, copies)
        fresh = self.live[first:]
        self._draws = None
        events: list[Event] = [FirstToken(live.row.row_id) for live in fresh]
        return events + self._take(logits, first, Draws.of([live.row.sampling for live in fresh], self.device))

    def _decode(self) -> list[Event]:
        """One token more for every row."""
        lengths = self._tensor(self.slots.lengths)
        self.slots.advance()
        self.bank.choose([live.row for live in self.live])
        output = self.base.model(
            input_ids=self._tensor([[live.tokens[-1]] for live in self.live]),
            position_ids=lengths[:, None],
            attention_mask=self.masks.decode(lengths, self.slots.width),
            past_key_values=self.slots.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        if self._draws is None:
            self._draws = Draws.of([live.row.sampling for live in self.live], self.device)
        return self._take(output.logits[:, -1], 0, self._draws)

    def _take(self, logits: Tensor, first: int, draws: Draws) -> list[Event]:
        """Draw the next token of the rows from slot `first` on; drop and report those that ended."""
        rows = self.live[first:]
        uniform = torch.tensor([live.next_uniform for live in rows], device=self.device)
        drawn = draw(logits, self.seen[first : first + len(rows)], uniform, draws)
        if draws.penalised:
            self.seen[torch.arange(first, first + len(rows), device=self.device), drawn] = True
        events: list[Event] = []
        ended: list[int] = []
        logs = log_probabilities(logits, drawn.clamp_min(0)).tolist()
        for slot, (live, token, log) in enumerate(zip(rows, drawn.tolist(), logs, strict=True), first):
            live.logs.append(log)
            if token == NO_TOKEN:
                events.append(Broken(live.row.row_id, NotFinite()))
                ended.append(slot)
                continue
            finish = live.take(token, self.base.ends, self.stops, self._text)
            if finish is not None:
                text = cut(self._text(live.tokens), self.stops)
                events.append(Finished(live.row.row_id, text, len(live.tokens), finish, likelihood=live.likelihood))
                ended.append(slot)
        self._drop(ended)
        return events

    def _drop(self, slots: Sequence[int]) -> None:
        for slot in sorted(slots, reverse=True):
            last = self.slots.drop(slot)
            self.live[slot] = self.live[last]
            self.seen[slot] = self.seen[last]
            self.live.pop()
            self._draws = None

    def _unmark(self, copies: int) -> None:
        """New rows have said nothing yet. The prompt is not marked: a penalty on the words of a dialogue, commas and
        particles first of all, costs small models their grammar."""
        first = len(self.live)
        if first + copies > len(self.seen):
            grown = self.seen.new_zeros(max(first + copies, 2 * len(self.seen)), self.seen.shape[1])
            grown[: len(self.seen)] = self.seen
            self.seen = grown
        self.seen[first : first + copies] = False

    def _text(self, tokens: list[int]) -> str:
        return str(self.base.tokenizer.decode(tokens, skip_special_tokens=True))

    def _tensor(self, values: list[Any]) -> Tensor:
        return torch.tensor(values, dtype=torch.int64, device=self.device)


def pack_size(lengths: Sequence[int], limit: int) -> int:
    """How many of the prompts, in order, go into one pass of at most `limit` tokens; at least one."""
    total = 0
    for count, length in enumerate(lengths):
        total += length
        if count and total > limit:
            return count
    return len(lengths)
