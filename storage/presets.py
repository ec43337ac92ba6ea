"""Emotion presets: data shared by the bot (titles, emoji) and the worker (labels, system texts, sampling).

Knows nothing of any classifier or model: labels are names that the classifier's own label map must contain.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from storage.contracts import Sampling

BUNDLED = Path(__file__).with_name("presets.yaml")
# What a message tells, as the reader names it (`models.reader`).
KINDS = ("good", "bad", "plain", "asks", "advice")


class Preset(BaseModel):
    """One emotion that an answer can be asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z][a-z0-9_]{0,23}$")
    emoji: str
    title: str
    labels: tuple[str, ...] = Field(min_length=1)
    system: str
    intensity: int = Field(default=2, ge=1, le=3)
    sampling: dict[str, float] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _sampling_exists(self) -> Preset:
        Sampling.model_validate(self.sampling)
        return self


class AutoPreset(BaseModel):
    """«авто»: maps what is read in the person's message to the preset of the answer.

    `kinds`: by what it tells, one of KINDS, where that is known; `policy`: else by the emotion it shows. `sure`: of a
    message of a known kind that is not in `kinds`, an emotion is believed from this probability on, less is no emotion.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    emoji: str
    title: str
    policy: dict[str, str]
    kinds: dict[str, str] = Field(default_factory=dict)
    sure: float = Field(default=0.0, ge=0.0, le=1.0)

    @model_validator(mode="after")
    def _kinds_exist(self) -> AutoPreset:
        if unknown := sorted(set(self.kinds) - set(KINDS)):
            raise ValueError(f"auto.kinds has unknown kinds: {', '.join(unknown)} (there are: {', '.join(KINDS)})")
        return self


class Presets(BaseModel):
    """All presets of one installation, in the order shown to people."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    intensity_words: dict[int, str]
    presets: tuple[Preset, ...] = Field(min_length=1)
    auto: AutoPreset

    @model_validator(mode="after")
    def _consistent(self) -> Presets:
        ids = [preset.id for preset in self.presets] + [self.auto.id]
        if len(ids) != len(set(ids)):
            raise ValueError("preset ids must be unique")
        if set(self.intensity_words) != {1, 2, 3}:
            raise ValueError("intensity_words needs exactly the steps 1, 2 and 3")
        for name, targets in (("policy", self.auto.policy), ("kinds", self.auto.kinds)):
            if unknown := set(targets.values()) - {preset.id for preset in self.presets}:
                raise ValueError(f"auto.{name} names unknown presets: {', '.join(sorted(unknown))}")
        return self

    def get(self, preset_id: str) -> Preset:
        """The preset with this id; KeyError if there is none («авто» is not one: resolve it first)."""
        for preset in self.presets:
            if preset.id == preset_id:
                return preset
        raise KeyError(preset_id)

    def find(self, name: str) -> Preset | AutoPreset | None:
        """The preset that a person means by an id or a Russian title, ё and case aside; None if nothing matches."""
        wanted = _fold(name)
        everything: tuple[Preset | AutoPreset, ...] = (*self.presets, self.auto)
        for preset in everything:
            if wanted in (_fold(preset.id), _fold(preset.title)):
                return preset
        return None

    def resolve_auto(self, shown: Mapping[str, float], kind: str | None = None) -> Preset:
        """The answer's preset when the person's message tells a `kind` of thing, else by the emotions that it shows.

        `shown`: each emotion's probability. The first preset where none is known or believed.
        """
        target = self.auto.kinds.get(kind or "")
        if target is None and shown:
            label = max(shown, key=lambda name: shown[name])
            target = self.auto.policy.get(label) if kind is None or shown[label] >= self.auto.sure else None
        return self.get(target) if target else self.presets[0]

    def system_text(self, preset: Preset, intensity: int) -> str:
        """The system text of a preset at an intensity (1–3)."""
        return preset.system.replace("{intensity}", self.intensity_words[intensity])


def _fold(name: str) -> str:
    return name.strip().lower().replace("ё", "е")


@lru_cache(maxsize=8)
def load_presets(path: Path = BUNDLED) -> Presets:
    """Read and check a presets file; ValueError (pydantic) names every field that is wrong."""
    raw: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
    return Presets.model_validate(raw)
