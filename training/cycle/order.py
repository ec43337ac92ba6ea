"""What the processes of one refit are told: the job as the trainer understood it, in `job.json`. Knows no step."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from training.settings import TrainingSettings

SHARED = "shared"


class Weights(BaseModel):
    """An adapter to start from or to compare with. `adapter_id` None: what a worker has by itself; `folder` None: the
    bare base. `base`: the name, with a hash or commit, of the base that it was made for, where that is known."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    adapter_id: str | None = None
    folder: Path | None = None
    base: str | None = None


class Order(BaseModel):
    """One refit. `log`: a feedback log to learn from, in place of what people here said. `base`: as MODELS_BASE names
    it; `incumbent` is what answers in the slot now, `start` what tuning goes on from; `anchor`: the version that the
    slot began with, None where that is the incumbent; `remarks`: why these are not the same, in Russian and English.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    job_id: str
    slot: str = SHARED
    method: str = "auto"
    recipe: Path | None = None
    overrides: dict[str, str] = {}
    log: Path | None = None
    base: str
    start: Weights = Weights()
    incumbent: Weights = Weights()
    anchor: Weights | None = None
    remarks: tuple[tuple[str, str], ...] = ()
    settings: TrainingSettings
