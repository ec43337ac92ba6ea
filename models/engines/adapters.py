"""All kinds of adapters behind one door: LoRA and embedding generators, mixed row by row in one pass.

Knows which kind a folder holds; what a kind does to a pass is its own file's.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from models.engine import Row
from models.engines.embedding_generator import GeneratorBank, is_generator
from models.engines.lora import AdapterBank
from models.errors import AdapterBroken


class Adapters:
    """The adapters of one base model, by id."""

    def __init__(self, model: Any) -> None:
        self.lora = AdapterBank(model)
        self.generators = GeneratorBank(model)

    @property
    def loaded(self) -> frozenset[str]:
        """Ids that rows may name."""
        return frozenset(self.lora.loaded) | frozenset(self.generators.loaded)

    def load(self, adapter_id: str, folder: Path) -> None:
        """Read an adapter's weights; AdapterBroken if they are damaged, of another base, or of a kind not served."""
        if adapter_id in self.loaded:
            return
        if not is_generator(folder):
            self.lora.load(adapter_id, folder)
            return
        try:
            self.generators.load(adapter_id, folder)
        except AdapterBroken as error:
            raise AdapterBroken(f"adapter {adapter_id} ({folder}): {error}") from error

    def unload(self, adapter_id: str) -> None:
        """Free an adapter's weights."""
        self.lora.unload(adapter_id)
        self.generators.unload(adapter_id)

    def prompt_key(self, row: Row) -> tuple[str | None, int | None]:
        """Rows of equal prompt tokens and equal keys share the prompt's pass."""
        return row.adapter, row.seed if self.generators.draws_noise(row.adapter) else None

    def choose(self, rows: Sequence[Row], tokens: Sequence[int] | None = None) -> None:
        """Say whose the tokens of the next pass are: `tokens` of each row (default one)."""
        adapters = [row.adapter for row in rows]
        self.lora.choose([name if name in self.lora.loaded else None for name in adapters], tokens)
        self.generators.choose(adapters, [row.seed for row in rows], tokens)
