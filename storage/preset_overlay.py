"""What operators added, changed or switched off in Telegram, laid over the presets of the file. Pure.

Knows no SQL and no Telegram. A change that this release cannot read leaves the file's preset as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import structlog
from pydantic import ValidationError

from storage.presets import Preset, Presets

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Overlay:
    """One changed preset; without a body only switched off or on."""

    preset_id: str
    body: dict[str, Any] | None = None
    enabled: bool = True


def overlaid(file: Presets, changes: Iterable[Overlay]) -> Presets:
    """The presets that people meet: the file's in their order, added ones behind, switched-off ones left out.

    «авто» goes on without the ones that are off: what it would have answered with them, it answers neutrally. The last
    preset cannot be switched off: then the file's first one stays.
    """
    chosen, off = _laid(file, changes)
    left = tuple(preset for preset in chosen.values() if preset.id not in off)
    kept = left or (file.presets[0],)
    return file.model_copy(update={"presets": kept, "auto": _auto(file, kept)})


def everything(file: Presets, changes: Iterable[Overlay]) -> tuple[list[Preset], set[str]]:
    """All presets, switched-off ones too, and the ids of these."""
    chosen, off = _laid(file, changes)
    return list(chosen.values()), off


def _laid(file: Presets, changes: Iterable[Overlay]) -> tuple[dict[str, Preset], set[str]]:
    chosen = {preset.id: preset for preset in file.presets}
    off: set[str] = set()
    for change in changes:
        if change.body is not None and (preset := _read(change)) is not None:
            chosen[change.preset_id] = preset
        if not change.enabled and change.preset_id in chosen:
            off.add(change.preset_id)
    return chosen, off


def _read(change: Overlay) -> Preset | None:
    try:
        preset = Preset.model_validate(change.body)
    except ValidationError as error:
        log.warning("a changed preset cannot be read", preset=change.preset_id, errors=error.error_count())
        return None
    return preset if preset.id == change.preset_id else None


def _auto(file: Presets, kept: tuple[Preset, ...]) -> Any:
    ids = {preset.id for preset in kept}
    calm = next((preset.id for preset in kept if "neutral" in preset.labels), kept[0].id)

    def met(table: dict[str, str]) -> dict[str, str]:
        return {name: target if target in ids else calm for name, target in table.items()}

    return file.auto.model_copy(update={"policy": met(file.auto.policy), "kinds": met(file.auto.kinds)})
