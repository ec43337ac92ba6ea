"""What is known of a candidate and the incumbent on the same prompts, and its columns. Knows no rule and no model.

Evidence is data: it can be stored beside a job and decided again. The order of its rows means nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from training.gating.bounds import Numbers
from training.recipes import RecipeError


class EvidenceError(RecipeError):
    """Evidence does not belong together; the text says what to do."""


class Shown(BaseModel):
    """What was measured of one system's answer to a prompt. None: not measured."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    characters: int = Field(ge=0, description="Length: tokens of two systems may differ in their unit.")
    hit: float | None = Field(default=None, ge=0, le=1, description="Gate classifier's likeliest emotion is the asked.")
    fault: float = Field(default=0.0, ge=0, le=1, description="1: empty or looping, serving would not send it.")
    repetition: float | None = Field(default=None, ge=0, le=1, description="Repeated share of runs of three words.")
    profane: float = Field(default=0.0, ge=0, le=1)
    crisis: float = Field(default=0.0, ge=0, le=1, description="1: speaks of suicide or self-harm.")
    signs: Mapping[str, float] = Field(default_factory=dict, description="Columns that `suspicions.SIGNS` reads.")


class Prompt(BaseModel):
    """One prompt with both systems' answers; several answers of a system are averaged before.

    `preference` and `judge`: 1 where the candidate's answer is preferred, 0 where the incumbent's, between for ties and
    split verdicts; by a preference model and by a judge. `anchor`: the answer of the version that the slot began with,
    None where that is the incumbent.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    key: str
    emotion: str | None = None
    incumbent: Shown
    candidate: Shown
    anchor: Shown | None = None
    preference: float | None = Field(default=None, ge=0, le=1)
    judge: float | None = Field(default=None, ge=0, le=1)


class Text(BaseModel):
    """A held-out text that people wrote: how surprising it is to both, in nats; `tokens` of the incumbent."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    key: str
    incumbent_nats: float = Field(ge=0)
    candidate_nats: float = Field(ge=0)
    anchor_nats: float | None = Field(default=None, ge=0)
    tokens: int = Field(ge=1)


class Evidence(BaseModel):
    """All that the gate is told of one candidate."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompts: tuple[Prompt, ...] = ()
    texts: tuple[Text, ...] = ()


@dataclass(frozen=True)
class Columns:
    """Evidence as columns over prompts (n,) and texts (m,); NaN where unknown. In pairs the incumbent comes first."""

    emotions: NDArray[np.object_]
    length: tuple[Numbers, Numbers]
    hit: tuple[Numbers, Numbers]
    fault: tuple[Numbers, Numbers]
    repetition: tuple[Numbers, Numbers]
    profane: tuple[Numbers, Numbers]
    crisis: tuple[Numbers, Numbers]
    preference: Numbers
    judge: Numbers
    nats: tuple[Numbers, Numbers]
    tokens: Numbers
    signs: Mapping[str, tuple[Numbers, Numbers]] = field(default_factory=dict)

    @property
    def prompts(self) -> int:
        """Prompts that both systems answered."""
        return len(self.length[0])


def columns(evidence: Evidence) -> Columns:
    """Rows in the order of their keys, so that a verdict does not depend on how they came; EvidenceError at a key that
    stands twice."""
    _each_once(evidence)
    rows = sorted(evidence.prompts, key=lambda one: one.key)
    texts = sorted(evidence.texts, key=lambda one: one.key)
    names = sorted({name for row in rows for shown in (row.incumbent, row.candidate) for name in shown.signs})

    def pair(value: Callable[[Shown], float | None]) -> tuple[Numbers, Numbers]:
        return _numbers([value(row.incumbent) for row in rows]), _numbers([value(row.candidate) for row in rows])

    def sign(name: str) -> tuple[Numbers, Numbers]:
        return pair(lambda shown: shown.signs.get(name))

    return Columns(
        emotions=np.array([row.emotion for row in rows], dtype=object),
        length=pair(lambda shown: shown.characters),
        hit=pair(lambda shown: shown.hit),
        fault=pair(lambda shown: shown.fault),
        repetition=pair(lambda shown: shown.repetition),
        profane=pair(lambda shown: shown.profane),
        crisis=pair(lambda shown: shown.crisis),
        preference=_numbers([row.preference for row in rows]),
        judge=_numbers([row.judge for row in rows]),
        nats=(_numbers([one.incumbent_nats for one in texts]), _numbers([one.candidate_nats for one in texts])),
        tokens=_numbers([one.tokens for one in texts]),
        signs={name: sign(name) for name in names},
    )


def anchored(evidence: Evidence) -> Evidence:
    """The same candidate beside the anchor in the incumbent's place, where that answered; nobody compared these two."""
    prompts = tuple(
        row.model_copy(update={"incumbent": row.anchor, "preference": None, "judge": None})
        for row in evidence.prompts
        if row.anchor is not None
    )
    texts = tuple(
        one.model_copy(update={"incumbent_nats": one.anchor_nats})
        for one in evidence.texts
        if one.anchor_nats is not None
    )
    return Evidence(prompts=prompts, texts=texts)


def _numbers(values: Sequence[float | None]) -> Numbers:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _each_once(evidence: Evidence) -> None:
    for name in ("prompts", "texts"):
        keys = [one.key for one in getattr(evidence, name)]
        if len(set(keys)) < len(keys):
            raise EvidenceError(f"evidence: a key stands twice among its {name}; average a prompt's answers first")
