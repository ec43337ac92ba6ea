"""`TRAINING_…` settings: when a refit starts, what it may use, who lets its adapter to people.

Knows nothing of how a method trains; recipes say that.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from storage.settings import Strict

Method = Literal["auto", "kto", "dpo", "simpo", "sft", "rlhf"]
# Recipes may also be given for the preference model, which no job asks for by itself.
RECIPES = ("kto", "dpo", "simpo", "sft", "rlhf", "reward")
# Names with the same beginning that other commands' settings have, and check themselves.
OTHERS = ("TRAINING_ZOHO_", "TRAINING_JUDGE_", "TRAINING_HUB_")


class TrainingSettings(Strict):
    """Settings of the trainer; unknown names and wrong values are refused at start, all at once."""

    model_config = SettingsConfigDict(
        env_prefix="TRAINING_", env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    refits: bool = Field(default=True, description="no: this trainer stores ratings only; another one trains.")
    schedule: str | None = Field(
        default="30 3 * * *", description="Cron line of refits, for the slot `shared`; empty: none by the clock."
    )
    timezone: str = Field(default="UTC", description="Time zone of the schedule, such as Europe/Moscow.")
    min_ratings: int = Field(default=0, ge=0, description="A refit after so many new ratings; 0: not by count.")
    method: Method = Field(default="auto", description="Of refits that nobody chose a method for.")
    least_pairs: int = Field(default=100, ge=2, description="`auto`: pairs that DPO or SimPO needs.")
    least_thumbs: int = Field(default=100, ge=2, description="`auto`: answers with a thumb that KTO needs.")
    least_answers: int = Field(default=100, ge=1, description="`auto`: corrections and five-star answers for SFT.")
    replay: float = Field(
        default=0.5, ge=0, lt=1, description="Share of seed-corpus rows in what is learned, against forgetting."
    )
    preference_pairs: int = Field(
        default=200, ge=2, description="People's pairs from which on a preference model is fitted for gate and RLHF."
    )
    feedback: dict[str, Any] = Field(default={}, description="Rules of people's sets that differ from the defaults.")
    base: str | None = Field(default=None, description="Base model to train on; unset: MODELS_BASE.")
    recipes: Annotated[dict[str, Path], NoDecode] = Field(
        default={}, description="Own recipes: `kto=FILE,dpo=FILE`; unset: those in training/recipes/refit."
    )
    prompts: int = Field(default=500, ge=2, description="Prompts that old and new adapter answer for the gate.")
    texts: int = Field(default=200, ge=2, description="Held-out texts of people that show what was forgotten.")
    gate_classifier: str = Field(
        default="seed",
        description="Emotion classifier of the gate, which picks nothing: folder, hub id, `seed` or `judge:FOLDER`.",
    )
    gate_judge: int = Field(
        default=0,
        ge=0,
        description="Prompts of the seed corpus on which the judge of TRAINING_JUDGE_… compares old and new; 0: none.",
    )
    gate: dict[str, Any] = Field(default={}, description="Rules of the gate that differ from the defaults.")
    auto_canary: bool = Field(default=False, description="What passes the gate meets a share of dialogues at once.")
    auto_promote: bool = Field(
        default=False, description="What passes the gate (or, with a canary, wins it) answers everybody, unasked."
    )
    canary_share: float = Field(default=0.1, gt=0, lt=1, description="Share of dialogues of an automatic canary.")
    canary: dict[str, Any] = Field(default={}, description="Rules of canaries that differ from the defaults.")
    nice: int = Field(default=10, ge=0, le=19, description="How far training steps back before other processes.")
    threads: int = Field(
        default=1, ge=1, le=64, description="CPU threads of a refit; two beside a busy worker can be slower than one."
    )
    memory_mb: int | None = Field(default=None, ge=256, description="Memory a refit may hold, MiB; unset: no limit.")
    gpu_memory_mb: int | None = Field(default=None, ge=256, description="GPU memory a refit may hold, MiB.")
    drain: bool = Field(default=False, description="Workers on the same GPU make room while a refit trains.")
    drain_minutes: float = Field(default=10.0, gt=0, le=240, description="Longest time that workers wait unasked anew.")
    launch: str = Field(
        default="", description="Arguments of `accelerate launch` for training; empty: one process without it."
    )
    lease_seconds: float = Field(
        default=60.0, ge=1, description="A job whose trainer is silent for so long goes to another trainer."
    )
    attempts: int = Field(default=3, ge=1, description="Attempts without progress before a job is given up.")
    poll_seconds: float = Field(default=2.0, gt=0, le=60, description="How often jobs are looked for.")
    keep_adapters: int = Field(default=10, ge=1, description="Adapters kept beyond those that slots refer to.")
    keep_jobs: int = Field(default=20, ge=1, description="Ended jobs whose sets and runs stay on the disk.")

    @field_validator("schedule", "base", "memory_mb", "gpu_memory_mb", mode="before")
    @classmethod
    def _blank_is_unset(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("recipes", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        parts = [part.strip().partition("=") for part in value.split(",") if part.strip()]
        if wrong := [name for name, equals, path in parts if not (equals and path)]:
            raise ValueError(f"write METHOD=FILE,METHOD=FILE; {wrong[0]} has no file")
        return {name.strip(): Path(path.strip()) for name, _, path in parts}

    @field_validator("recipes")
    @classmethod
    def _of_methods(cls, value: dict[str, Path]) -> dict[str, Path]:
        if wrong := sorted(set(value) - set(RECIPES)):
            raise ValueError(f"there is no refit by {', '.join(wrong)}; methods are {', '.join(RECIPES)}")
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError("there is no such time zone; names are like Europe/Moscow") from None
        return value

    @field_validator("schedule")
    @classmethod
    def _cron_line(cls, value: str | None) -> str | None:
        if value is not None:
            from training.cycle.triggers import check_schedule

            check_schedule(value)
        return value

    @field_validator("gate")
    @classmethod
    def _gate_rules(cls, value: dict[str, Any]) -> dict[str, Any]:
        if value:
            from training.gating.rules import GateRules

            GateRules.model_validate(value)
        return value

    @field_validator("gate_judge")
    @classmethod
    def _judge_is_named(cls, value: int) -> int:
        if value:
            from training.evaluation.judging.settings import load
            from training.recipes import RecipeError

            try:
                judge = load()
            except RecipeError as error:
                raise ValueError(f"the judge is not set up: {error}") from None
            if judge.model is None:
                raise ValueError("the judge is not set up: name it in TRAINING_JUDGE_MODEL")
        return value

    @field_validator("canary")
    @classmethod
    def _canary_rules(cls, value: dict[str, Any]) -> dict[str, Any]:
        if value:
            from training.canary import CanaryRules

            CanaryRules.model_validate(value)
        return value

    @field_validator("feedback")
    @classmethod
    def _feedback_rules(cls, value: dict[str, Any]) -> dict[str, Any]:
        if value:
            from training.data.feedback import FeedbackRules

            FeedbackRules.model_validate(value)
        return value

    @field_validator("launch")
    @classmethod
    def _words(cls, value: str) -> str:
        shlex.split(value)
        return value

    @classmethod
    def unknown(cls) -> list[str]:
        """Names with our prefix that no setting of this or another command carries."""
        return [one for one in super().unknown() if not one.startswith(OTHERS)]

    def base_name(self) -> str:
        """The base as MODELS_BASE names it: `bundled`, a folder or a hub id. ValueError if nothing says which one a
        foreign server has."""
        from models.settings import BUNDLED, ModelsSettings

        models = ModelsSettings()
        if self.base is None and models.engine == "openai" and models.base == BUNDLED:
            raise ValueError(
                "MODELS_ENGINE=openai: name the base model that the server has in TRAINING_BASE (a folder or hub id), "
                "so that adapters are trained on it"
            )
        return self.base or models.base
