"""Keys of `recipes/gan_*.yaml`. Data only."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from training import recipes
from training.bases import Precision
from training.tuning import Data


class AdversarialSettings(BaseModel):
    """How generator and discriminator play. An epoch draws `copies` answers to every prompt."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    copies: int = Field(default=1, ge=1, description="Answers to one prompt in an epoch: K.")
    updates: int = Field(default=5, ge=1, description="Generator updates an epoch, each on its share of the answers.")
    redraw: int = Field(
        default=1, ge=1, description="Epochs that learn from the same answers before new ones are drawn."
    )
    clip: float = Field(default=0.2, gt=0, description="PPO's clip, for the updates after an epoch's first.")
    rows: int = Field(default=8, ge=1, description="Answers in one scoring pass; more are accumulated.")
    batch: int = Field(default=32, ge=1, description="Answers generated at once.")
    temperature: float = Field(default=1.0, gt=0)
    noise: int = Field(default=100, ge=0, description="Size of the noise vector; 0: a generator without noise.")
    start: float = Field(
        default=1.0, ge=0, description="Scale of the generator's last layer at the start; 0: no change."
    )
    learning_rate: float = Field(default=1e-4, gt=0)
    warm_epochs: int = Field(default=0, ge=0, description="Epochs of cross-entropy on the real answers before.")
    warm_rate: float = Field(default=1e-3, gt=0)
    discriminator_rate: float = Field(default=1e-3, gt=0)
    discriminator_steps: int = Field(default=2, ge=0, description="Discriminator updates an epoch.")
    discriminator_warm_steps: int = Field(default=20, ge=0, description="Its updates before the first epoch.")
    smoothing: float = Field(default=0.0, ge=0, lt=0.5, description="Real answers count as 1 less this.")
    reward: Literal["probability", "logit", "log"] = Field(
        default="probability", description="Of D: D itself, log D - log (1 - D), or log D."
    )
    normalise: bool = Field(default=True, description="Divide advantages by their deviation within an epoch.")
    rollouts_per_token: int = Field(
        default=0, ge=0, description="Completions that value each token (Monte-Carlo); 0: the answer's own reward."
    )
    rollout_stride: int = Field(default=1, ge=1, description="Value every so many tokens only.")


class GanRecipe(recipes.Recipe):
    """Keys of `recipes/gan_*.yaml`."""

    base: str = Field(description="Folder or hub id of the model, which stays frozen.")
    revision: str | None = Field(default=None, description="Commit of a hub id.")
    precision: Precision = Field(default="auto", description="Of the base; generator and discriminator are float32.")
    attention: Literal["eager", "sdpa"] | None = Field(default=None, description="Unset: what is faster here.")
    data: Data = Field(description="How to prepare the set, or a prepared one's folder, or a data recipe's file.")
    longest: int = Field(default=512, ge=8, description="Tokens of prompt and answer; longer rows are left out.")
    mode: Literal["right", "listing"] = Field(default="right", description="`listing`: as printed, for comparison.")
    epochs: int = Field(default=30, ge=1)
    answer_tokens: int | None = Field(
        default=None, ge=1, description="Longest drawn answer; unset: each as long as its real one."
    )
    play: AdversarialSettings = AdversarialSettings()
    sampled_noise: bool = Field(default=True, description="Whether the worker draws noise for each answer it serves.")
    save_epochs: int = Field(default=1, ge=1, description="A checkpoint to resume from every so many epochs.")
    measure_rows: int = Field(default=200, ge=0, description="Held-out rows for the perplexity before and after.")
    listing_tokens: tuple[int, int] = Field(
        default=(100, 50), description="`listing` only: its fixed widths of prompt and answer."
    )

    @model_validator(mode="after")
    def _sound(self) -> GanRecipe:
        if self.play.noise == 0 and self.sampled_noise:
            raise ValueError("sampled_noise needs play.noise above 0")
        return self
