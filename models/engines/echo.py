"""An engine without a model: instant and deterministic, for tests and load tests.

Answers «[радость] эхо: …», so that the lexicon classifier finds the emotion asked for. Knows no tokens: a word counts
as one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from models.engine import Event, Finish, Finished, FirstToken, Row
from models.errors import PromptTooLong, UnknownAdapter
from models.prompt import RENDERER, Prompt
from storage.contracts import Sampling
from storage.presets import Presets

CONTEXT = 4096


class EchoEngine:
    """Repeats the person's last message under the title of the emotion, one step after admission."""

    base_model = "echo"
    remote = False
    sampling = Sampling()

    def __init__(self, adapters: Sequence[str] = ()) -> None:
        self.prompt_version = f"echo-{RENDERER}"
        self._adapters = set(adapters)
        self._rows: dict[str, Row] = {}

    @property
    def adapters(self) -> frozenset[str]:
        return frozenset(self._adapters)

    @property
    def running(self) -> int:
        return len(self._rows)

    def measure(self, prompt: Prompt, new_tokens: int) -> int:
        words = len(prompt.turns[-1].text.split()) if prompt.turns else 0
        if words > CONTEXT:
            raise PromptTooLong(f"the message has {words} words, the echo engine takes {CONTEXT}")
        return words

    def admit(self, rows: Sequence[Row]) -> None:
        for row in rows:
            if row.adapter is not None and row.adapter not in self._adapters:
                raise UnknownAdapter(f"adapter {row.adapter!r} is not loaded")
            self.measure(row.prompt, row.sampling.max_new_tokens)
        self._rows.update({row.row_id: row for row in rows})

    def step(self) -> list[Event]:
        events: list[Event] = []
        for row in self._rows.values():
            words, bound = echo(row.prompt).split(" "), row.sampling.max_new_tokens
            text, finish = " ".join(words[:bound]), _finish(len(words), bound)
            events += [FirstToken(row.row_id), Finished(row.row_id, text, len(text.split()), finish)]
        self._rows.clear()
        return events

    def cancel(self, row_ids: Sequence[str]) -> None:
        for row_id in row_ids:
            self._rows.pop(row_id, None)

    def reset(self) -> None:
        self._rows.clear()

    def use_presets(self, presets: Presets) -> None:
        digest = hashlib.sha256(presets.model_dump_json().encode()).hexdigest()
        self.prompt_version = f"echo-{RENDERER}-{digest[:8]}"

    def load_adapter(self, adapter_id: str, folder: Path) -> None:
        self._adapters.add(adapter_id)

    def unload_adapter(self, adapter_id: str) -> None:
        self._adapters.discard(adapter_id)

    def close(self) -> None:
        self._rows.clear()


def _finish(words: int, bound: int) -> Finish:
    return "stop" if words <= bound else "length"


def echo(prompt: Prompt) -> str:
    """The answer of this engine: «[радость] эхо: текст»."""
    last = prompt.turns[-1].text if prompt.turns else ""
    return f"[{prompt.preset.title}] эхо: {last}"
