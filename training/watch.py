"""Watching a Trainer: metrics, the bar, a stop at the first NaN, a checkpoint when the process is asked to end.

Knows transformers' callbacks; no method. Imported only where a Trainer runs.
"""

from __future__ import annotations

import math
import signal
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback

from training.recipes import RecipeError
from training.runs import Run, main_process
from training.stopping import Interrupted as Interrupted

if TYPE_CHECKING:
    from training.tuning import TuningRecipe


class DivergedLoss(RecipeError):
    """The loss is no number any more."""


class Watch(TrainerCallback):
    """Writes the run's metrics and stops it; `shown(share, note)` moves the bar."""

    def __init__(self, run: Run, recipe: TuningRecipe, shown: Callable[..., None]) -> None:
        self.run, self.recipe, self.shown = run, recipe, shown
        self.earlier: dict[int, Any] = {}
        self.asked = False

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Ctrl-C and SIGTERM end the run after the step, with a checkpoint; a second Ctrl-C ends it at once."""
        try:
            self.earlier = {one: signal.signal(one, self._ask) for one in (signal.SIGINT, signal.SIGTERM)}
        except ValueError:
            self.earlier = {}  # Not the main thread: whoever started us handles signals.

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Signals mean again what they meant before."""
        for one, handler in self.earlier.items():
            signal.signal(one, handler)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """What is saved is logged first, so that a checkpoint never holds a NaN."""
        self.shown(state.global_step / state.max_steps)
        if self.asked:
            control.should_save = control.should_training_stop = True
        control.should_log = control.should_log or control.should_save

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """DivergedLoss at the first loss or gradient that is no number."""
        values = numbers(logs or {})
        for name in ("loss", "eval_loss", "grad_norm"):
            if not math.isfinite(values.get(name, 0.0)):
                raise DivergedLoss(diverged(name, state.global_step, self.recipe))
        if main_process():
            self.run.measure(step=state.global_step, **values)
            if "loss" in values:
                self.shown(state.global_step / state.max_steps, f"loss {values['loss']:.3f}")

    def _ask(self, number: int, frame: Any) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True


def numbers(logs: Mapping[str, Any]) -> dict[str, float]:
    """The numeric entries of a trainer's log, six digits each."""
    return {
        name: float(f"{float(value):.6g}")
        for name, value in logs.items()
        if isinstance(value, int | float) and name != "epoch"
    }


def diverged(name: str, step: int, recipe: TuningRecipe) -> str:
    """What happened and what to try."""
    advice = f"lower learning_rate (now {recipe.learning_rate:g}), raise warmup (now {recipe.warmup:g})"
    if recipe.precision == "float16":
        advice += ", or take precision: bfloat16"
    return f"{name} is no number any more at step {step}: {advice}, and begin anew with --set name=OTHER"
