"""One answer of one system to one prompt: what every metric reads. Knows no metric and no model.

A file of samples is JSON lines; samples of several systems on the same prompts are compared prompt by prompt.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from storage.contracts import Intensity, Turn
from training.recipes import RecipeError


class Sample(BaseModel):
    """One answer. `key` names the prompt (with its emotion and intensity) across systems."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    system: str = Field(description="Name of the model or adapter that answered.")
    prompt: tuple[Turn, ...] = Field(min_length=1)
    emotion: str | None = None
    intensity: Intensity = 2
    reference: str | None = Field(default=None, description="A good answer, where the set has one.")
    answer: str
    seed: int = 0
    tokens: int = Field(default=0, ge=0, description="Length of the answer in the system's tokens.")
    finished: bool = Field(default=True, description="Whether the answer ended by itself, not by the limit.")
    seconds: float = Field(default=0.0, ge=0)


def write(path: Path, samples: Iterable[Sample]) -> None:
    """Write samples as JSON lines."""
    with path.open("w", encoding="utf-8") as out:
        for sample in samples:
            out.write(sample.model_dump_json(exclude_defaults=True) + "\n")


def read(path: Path) -> Iterator[Sample]:
    """The samples of a file; RecipeError names the line that is none."""
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield Sample.model_validate_json(line)
            except ValidationError as error:
                raise RecipeError(f"{path}:{number} is no sample: {error.errors()[0]['msg']}") from None


def matched(one: Sequence[Sample], other: Sequence[Sample]) -> list[tuple[Sample, Sample]]:
    """The pairs of two systems' answers to the same prompt with the same seed, in the order of the first."""
    found = {(sample.key, sample.seed): sample for sample in other}
    return [(sample, found[place]) for sample in one if (place := (sample.key, sample.seed)) in found]
