"""Every step by its name: the one union that recipes are read into. A new step is one line here."""

from __future__ import annotations

from typing import Annotated, Any, get_args

from pydantic import BeforeValidator, Field

from training.data.steps.answers import Answers
from training.data.steps.clean import Clean
from training.data.steps.duplicates import ExactDuplicates
from training.data.steps.emotions import Emotions
from training.data.steps.filters import Answered, Fraction, Outcome, Profanity, Score, Tag
from training.data.steps.length import Length
from training.data.steps.markup import StripMarkup
from training.data.steps.near import NearDuplicates
from training.data.steps.order import Limit, Shuffle
from training.data.steps.scrubbing import Language, Scrub

Step = (
    Answered
    | Answers
    | Clean
    | Emotions
    | ExactDuplicates
    | Fraction
    | Language
    | Length
    | Limit
    | NearDuplicates
    | Outcome
    | Profanity
    | Score
    | Scrub
    | Shuffle
    | StripMarkup
    | Tag
)
STEPS: dict[str, type[Any]] = {kind.model_fields["step"].default: kind for kind in get_args(Step)}


def _known(raw: Any) -> Any:
    name = raw.get("step") if isinstance(raw, dict) else raw
    if isinstance(name, str) and name not in STEPS:
        raise ValueError(f"there is no step '{name}'; steps are {', '.join(sorted(STEPS))}")
    # `- clean` is short for `- {step: clean}`.
    return {"step": raw} if isinstance(raw, str) else raw


AnyStep = Annotated[Annotated[Step, Field(discriminator="step")], BeforeValidator(_known)]
