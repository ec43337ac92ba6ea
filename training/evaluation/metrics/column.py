"""What a metric is: named columns with one value a sample, or the reason why there are none. Knows no metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Better = Literal["higher", "lower"]
# One a sample; None where a sample cannot be measured (no reference, no word in it).
Values = list[float | None]


@dataclass(frozen=True)
class Absent:
    """A metric could not be measured at all. Shown as «not available» with its reason, never as a zero."""

    reason: str

    def __str__(self) -> str:
        return f"not available: {self.reason}"


@dataclass(frozen=True)
class Column:
    """One number of a table. `better`: which direction is good; None where neither is by itself."""

    name: str
    title: str
    russian: str
    better: Better | None = None
    digits: int = 3


@dataclass(frozen=True)
class Metric:
    """Columns that are measured together by `module:function`, called with samples and options."""

    measure: str
    columns: tuple[Column, ...]
    about: str
    packages: Sequence[str] = field(default=())


class Options(BaseModel):
    """What metrics can be told. Models are loaded when a metric that needs them is asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stem: bool = Field(default=False, description="ROUGE over word stems (Snowball's Russian, Porter's English).")
    bertscore: str | None = Field(default=None, description="Encoder for BERTScore: folder or hub id.")
    bertscore_layer: int | None = Field(default=None, ge=1, description="Its layer; unset: three quarters of them.")
    bleurt: str | None = Field(default=None, description="BLEURT checkpoint for PyTorch: folder or hub id.")
    acceptability: str | None = Field(
        default=None, description="Classifier with an acceptable label (`1`), as recipes/classifier_rucola.yaml makes."
    )
    device: str = "auto"
