"""Samples for tests, and small models in files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from storage.contracts import Turn
from training.evaluation.samples import Sample


def sample(answer: str, reference: str | None = None, asked: str = "Как дела?", **more: Any) -> Sample:
    """One answer; its key is what was asked unless given."""
    given = {"key": asked, "system": "one", "prompt": (Turn(role="user", text=asked),), **more}
    return Sample.model_validate({**given, "answer": answer, "reference": reference})


def different(texts: Sequence[str], system: str = "one", **more: Any) -> list[Sample]:
    """Answers to as many different prompts."""
    return [
        sample(text, asked=f"Вопрос номер {place}", key=str(place), system=system, **more)
        for place, text in enumerate(texts)
    ]
