"""What every judge can do: answer messages with text. Knows no server, no model and no verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from training.recipes import RecipeError


class JudgeFailed(RecipeError):
    """The judge cannot be asked (no server, no model, refused); verdicts that were given are kept."""


class TooLong(Exception):
    """This one question does not fit into the judge's context; the others go on."""


@dataclass(frozen=True)
class Reply:
    """What a judge said, and what it took: tokens read and written (as the server counts, or estimated)."""

    text: str
    read: int
    written: int


class Judge(Protocol):
    """Asked from several threads at once."""

    @property
    def name(self) -> str:
        """What the verdicts are remembered under: model and all that shapes its answers."""

    def ask(self, messages: list[dict[str, str]], seed: int, *, again: bool = False) -> Reply:
        """One reply. `again`: the last one held no verdict, so the same must not come. JudgeFailed, TooLong."""

    def close(self) -> None:
        """Free what the judge holds."""
