"""How large a simulation is, and with which settings its real processes run. Data only."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from training.simulation.reacting import Habits

RECIPES = Path(__file__).parent
LOOP, CONTROL, ADVERSARIAL = "loop", "control", "adversarial"
WORLDS = (CONTROL, LOOP, ADVERSARIAL)


class Plan(BaseModel):
    """Everything that decides what happens; kept with the results, so that a run is continued with its own plan only.

    `ratings` is TRAINING_MIN_RATINGS: a round is over when so many answers were judged, and the trainer then refits
    unasked.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    seed: int = 0
    people: int = Field(default=48, ge=2)
    rounds: int = Field(default=3, ge=1)
    ratings: int = Field(default=1000, ge=2)
    waves: int = Field(default=60, ge=1, description="A round ends after so many messages a person, whatever was said.")
    questions: int = Field(default=490, ge=2)
    oracle: int = Field(default=8, ge=2, description="Answers among which the best possible choice is made.")
    candidates: int = Field(default=1, ge=1, description="MODELS_CANDIDATES of the worker.")
    habits: Habits = Habits()
    agreeable: float = Field(default=0.2, ge=0, le=1)
    inverted: float = Field(default=0.1, ge=0, le=1)
    method: Literal["dpo", "kto"] = Field(default="dpo", description="Of refits; its recipe lies beside this file.")
    steps: int = Field(default=100, ge=1, description="Most steps of a refit.")
    trainer: dict[str, str] = Field(default={}, description="TRAINING_ settings beside the simulation's own.")
    refit_minutes: float = Field(default=30.0, gt=0, description="A refit that takes longer ends the simulation.")

    def worker_settings(self) -> dict[str, str]:
        """Settings of the worker: the starter, one thread; the first answer is sent, so that what tuning changes is
        not hidden by picking among candidates."""
        return {
            "MODELS_CANDIDATES": str(self.candidates),
            "MODELS_RETRIES": "0",
            "MODELS_THREADS": "1",
            "OMP_NUM_THREADS": "1",
        }

    def trainer_settings(self, world: str, recipe: Path) -> dict[str, str]:
        """Settings of the trainer: refits by count, promoted unasked; the control's only stores ratings.

        Nothing of the seed corpus is replayed, so that all that is learned comes from what people tapped; as replayed
        rows are what holds against forgetting, the gate allows more of it than it ships with. No preference model is
        fitted, so that the gate goes by the emotion alone.
        """
        own = {
            "TRAINING_SCHEDULE": "",
            "TRAINING_POLL_SECONDS": "0.5",
            "TRAINING_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            "TRAINING_REPLAY": "0",
            "TRAINING_PROMPTS": "600",
        }
        if world == CONTROL:
            return own | {"TRAINING_REFITS": "false"}
        own |= {"TRAINING_MIN_RATINGS": str(self.ratings), "TRAINING_AUTO_PROMOTE": "true", "TRAINING_NICE": "0"}
        own |= {
            "TRAINING_METHOD": self.method,
            "TRAINING_RECIPES": f"{self.method}={recipe.absolute()}",
            "TRAINING_PREFERENCE_PAIRS": "1000000",
        }
        return own | {"TRAINING_GATE": '{"most_forgetting": 0.25, "most_drift": 0.5}'} | self.trainer


SHORT = Plan(
    people=8,
    rounds=1,
    ratings=24,
    questions=28,
    oracle=2,
    refit_minutes=60.0,
    method="kto",
    steps=6,
    trainer={
        "TRAINING_LEAST_THUMBS": "8",
        "TRAINING_PROMPTS": "30",
        "TRAINING_TEXTS": "20",
        "TRAINING_GATE": '{"least_prompts": 20, "least_compared": 20}',
    },
)
