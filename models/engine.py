"""The one interface between the scheduler and whatever produces text.

Rows are admitted between decode steps, so a faster engine can replace another without the worker noticing.
All calls come from one thread. Knows nothing of requests, emotions' fit, Redis or retries.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from models.prompt import Prompt
from storage.contracts import Sampling
from storage.presets import Presets

Finish = Literal["stop", "length"]


@dataclass(frozen=True)
class Row:
    """One text to generate. Rows admitted together that share `prompt` and `adapter` share the prompt's work."""

    row_id: str
    prompt: Prompt
    sampling: Sampling
    seed: int
    adapter: str | None = None


@dataclass(frozen=True)
class FirstToken:
    """A row's first token exists (time to first token is measured here)."""

    row_id: str


@dataclass(frozen=True)
class Finished:
    """A row's text is complete; it has left the batch. `sampling`: how it was drawn, where not as the row asked.
    `likelihood`: mean log probability of its tokens (nats, temperature 1), where the engine knows it."""

    row_id: str
    text: str
    tokens: int
    finish: Finish
    sampling: Sampling | None = None
    likelihood: float | None = None


@dataclass(frozen=True)
class Broken:
    """This row failed by itself; the others go on. It has left the batch."""

    row_id: str
    error: Exception


Event = FirstToken | Finished | Broken


class Engine(Protocol):
    """Continuous generation. `admit` queues, `step` advances everything by one token (or waits a moment)."""

    @property
    def base_model(self) -> str:
        """Name of the base model, for provenance."""

    @property
    def prompt_version(self) -> str:
        """Hash of what shapes prompts, for provenance."""

    @property
    def sampling(self) -> Sampling:
        """How the base model's makers want it sampled; presets override single values."""

    @property
    def adapters(self) -> frozenset[str]:
        """Ids of the adapters that rows may name."""

    @property
    def remote(self) -> bool:
        """Whether adapters are loaded elsewhere: then `load_adapter` may take long, and any thread may call it."""

    @property
    def running(self) -> int:
        """Rows admitted and not finished."""

    def measure(self, prompt: Prompt, new_tokens: int) -> int:
        """Tokens that the prompt will take after its window is cut to the context; PromptTooLong if it cannot fit."""

    def admit(self, rows: Sequence[Row]) -> None:
        """Take rows into the batch. UnknownAdapter and PromptTooLong leave the batch unchanged."""

    def step(self) -> list[Event]:
        """One step for all rows. An exception means that the whole batch is in doubt: call `reset`."""

    def cancel(self, row_ids: Sequence[str]) -> None:
        """Drop rows; unknown ids are ignored and no event follows."""

    def reset(self) -> None:
        """Drop all rows and start from a clean state; adapters stay loaded."""

    def use_presets(self, presets: Presets) -> None:
        """Render prompts that bring no presets of their own with these, and name them in `prompt_version`."""

    def load_adapter(self, adapter_id: str, folder: Path) -> None:
        """Make an adapter available; AdapterBroken if it cannot be. Loading a known id again changes nothing."""

    def unload_adapter(self, adapter_id: str) -> None:
        """Forget an adapter. Its running rows must have finished or been cancelled."""

    def close(self) -> None:
        """Free what the engine holds."""


@runtime_checkable
class Scorer(Protocol):
    """What an engine may offer besides: how likely given texts are."""

    def likelihoods(self, rows: Sequence[Row], texts: Sequence[str]) -> list[float]:
        """Mean log probability (nats, temperature 1) of the tokens of each text as the answer to its row's prompt."""
