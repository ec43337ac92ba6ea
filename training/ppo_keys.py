"""The keys of PPO in a recipe, apart from its trainer so that a recipe is read without torch."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from training.estimators import KlEstimate


class PpoKeys(BaseModel):
    """The group `ppo` of a recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    passes: int = Field(default=2, ge=1, description="Over every rollout.")
    clip_ratio: float = Field(default=0.2, gt=0, lt=1, description="ε of the policy loss.")
    clip_value: float | None = Field(
        default=None, gt=0, description="How far a value may move in a rollout's passes; unset: freely."
    )
    value_weight: float = Field(default=0.5, ge=0)
    value_rate: float = Field(default=1e-2, gt=0, description="Learning rate of the value head.")
    value_hidden: int = Field(default=0, ge=0, description="Width of a hidden layer of the value head; 0: linear.")
    features: Literal["shared", "detached"] = Field(
        default="detached", description="Whether the value loss moves the adapter too, or only the head."
    )
    value_steps: int = Field(default=0, ge=0, description="First steps that train the value head alone.")
    gamma: float = Field(default=1.0, gt=0, le=1)
    lam: float = Field(default=0.95, ge=0, le=1)
    whiten: bool = Field(default=True, description="Advantages of a rollout get mean 0 and variance 1.")
    kl_estimate: KlEstimate = "k1"
    kl_target: float | None = Field(
        default=None, gt=0, description="Nats an answer; the coefficient follows it. Unset: it stays as it is."
    )
    kl_stop: float | None = Field(
        default=None, gt=0, description="Nats a token from the policy that drew, at which a rollout's passes end."
    )
