"""Keys and values of all running rows: one slot a row, slots 0..n-1 always the running ones.

A row's tokens stand at the left of its slot, so admitting a row copies its prompt once and moves nobody, and
dropping one moves the last row into its place. Buffers are preallocated, grow ahead of need within a budget, and give
back what exceeds it. Knows nothing of tokens' meaning.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

GROW = 64


class CaptureLayer(CacheLayerMixin):  # type: ignore[no-untyped-call]
    """Keeps one pass's keys and values `[1, heads, tokens, size]` for the slots."""

    is_sliding = False

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        self.keys, self.values = key_states, value_states
        return key_states, value_states

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return query_length, 0

    def get_seq_length(self) -> int:
        return 0

    def get_max_length(self) -> int:
        return -1


class SlotLayer(CaptureLayer):
    """What the model sees of one layer in a decode step."""

    def __init__(self, slots: SlotCache, index: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.slots = slots
        self.index = index

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        return self.slots.write(self.index, key_states, value_states)

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.slots.width, 0

    def get_seq_length(self) -> int:
        return max(0, self.slots.width - 1)


class SlotCache:
    """All layers' buffers, each `[slots, heads, places, size]`. `cache` is a decode step's `past_key_values`.

    `budget`: slots times places beyond which nothing is held in reserve.
    """

    def __init__(self, layers: int, device: torch.device, budget: int) -> None:
        self.depth = layers
        self.budget = budget
        self.device = device
        self.cache = Cache(layers=[SlotLayer(self, index) for index in range(layers)])
        self.keys: list[Tensor] = []
        self.values: list[Tensor] = []
        self.lengths: list[int] = []
        self.width = 0
        self._rows = torch.empty(0, dtype=torch.int64, device=device)
        self._places = self._rows

    @property
    def count(self) -> int:
        """Running rows."""
        return len(self.lengths)

    def capture(self) -> Cache:
        """What a prompt's forward takes as `past_key_values`."""
        return Cache(layers=[CaptureLayer() for _ in range(self.depth)])  # type: ignore[no-untyped-call]

    def store(self, captured: Any, start: int, length: int, copies: int) -> None:
        """Give `copies` new slots the captured tokens `start .. start + length`."""
        if not self.keys:
            self.keys = [layer.keys[:, :, :0] for layer in captured.layers]
            self.values = [layer.values[:, :, :0] for layer in captured.layers]
        first = self.count
        self._reserve(first + copies, length + 1)
        for index, layer in enumerate(captured.layers):
            self.keys[index][first : first + copies, :, :length] = layer.keys[0, :, start : start + length]
            self.values[index][first : first + copies, :, :length] = layer.values[0, :, start : start + length]
        self.lengths += [length] * copies

    def advance(self) -> None:
        """Make room for one more token in every row and point the layers at it."""
        self.width = max(self.lengths) + 1
        self._reserve(self.count, self.width)
        self._rows = torch.arange(self.count, device=self.device)
        self._places = torch.tensor(self.lengths, device=self.device)
        self.lengths = [length + 1 for length in self.lengths]

    def write(self, index: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Put one layer's newest token of every row in its place; views of all that the longest row holds."""
        self.keys[index][self._rows, :, self._places] = keys[:, :, 0]
        self.values[index][self._rows, :, self._places] = values[:, :, 0]
        return self.keys[index][: self.count, :, : self.width], self.values[index][: self.count, :, : self.width]

    def drop(self, slot: int) -> int:
        """Free a slot: the last row moves into it. Returns the slot that row came from."""
        last = self.count - 1
        if slot != last:
            length = self.lengths[slot] = self.lengths[last]
            for buffer in (*self.keys, *self.values):
                buffer[slot, :, :length] = buffer[last, :, :length]
        self.lengths.pop()
        if not self.lengths and self.size > self.budget:
            self.clear()
        return last

    @property
    def size(self) -> int:
        """Tokens that the buffers have room for."""
        return self.keys[0].shape[0] * self.keys[0].shape[2] if self.keys else 0

    def clear(self) -> None:
        """Forget all rows and free the memory."""
        self.lengths, self.keys, self.values = [], [], []

    def _reserve(self, slots: int, places: int) -> None:
        """Room for so many slots and places. Fresh room is zero: what a mask hides must still be finite.

        Slots that a wide row would widen for nothing are given up where they would exceed the budget.
        """
        have_slots, have_places = (self.keys[0].shape[0], self.keys[0].shape[2])
        if slots <= have_slots and places <= have_places:
            return
        ample_slots = max(slots, 2 * have_slots) if slots > have_slots else have_slots
        ample_places = max(places, have_places + have_places // 4) if places > have_places else have_places
        if ample_slots * _rounded(ample_places) > self.budget:
            ample_slots, ample_places = max(slots, self.count), max(places, *self.lengths, 0)
        for buffers in (self.keys, self.values):
            for index, buffer in enumerate(buffers):  # one at a time: the old one goes before the next is made
                buffers[index] = _resized(buffer, ample_slots, _rounded(ample_places))


def _rounded(places: int) -> int:
    return (places + GROW - 1) // GROW * GROW


def _resized(buffer: Tensor, slots: int, places: int) -> Tensor:
    made = buffer.new_zeros(slots, buffer.shape[1], places, buffer.shape[3])
    kept = buffer[:slots, :, :places]
    made[: kept.shape[0], :, : kept.shape[2]] = kept
    return made
