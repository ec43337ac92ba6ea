"""What the watch over canaries and the guard after promotions share: what they are told, and what they tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from training.canary import Decision


class CanarySettings(Protocol):
    """What is needed of the trainer's settings."""

    @property
    def auto_promote(self) -> bool:
        """Whether a canary that wins answers everybody, unasked."""

    @property
    def canary(self) -> dict[str, Any]:
        """Rules that differ from the defaults of `training.canary.CanaryRules`."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that was decided of a canary just now."""

    slot: str
    adapter: str
    decision: Decision
    reasons_ru: tuple[str, ...]
    reasons_en: tuple[str, ...]
    job_id: str | None = None
    promoted: bool = False


class Overtaken(Exception):
    """Somebody else has ended this canary meanwhile, or said what was to be said."""
