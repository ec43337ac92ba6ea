"""What operators change of emotions: rows over the file, the audit, and word to workers, in one unit of work.

Knows no Telegram. People meet the change at once in this process; other bots and workers look every few seconds.
"""

from __future__ import annotations

from contextlib import suppress

import structlog
from redis.exceptions import RedisError

from bot.catalogue import Catalogue
from storage.database import Database, Unit
from storage.preset_overlay import Overlay, everything
from storage.presets import Preset
from storage.registry import Registry
from storage.repositories.presets import PresetBook

log = structlog.get_logger(__name__)


class LastPreset(Exception):
    """One preset has to stay."""


class Changed(Exception):
    """The preset is not any more as the operator saw it, or is so already."""


class PresetDeeds:
    """One method a deed. Changed and LastPreset: nothing was done."""

    def __init__(self, database: Database, registry: Registry, catalogue: Catalogue) -> None:
        self.database = database
        self.registry = registry
        self.catalogue = catalogue

    async def switch(self, admin: int, preset_id: str, enabled: bool) -> None:
        """On or off."""
        async with self.database.unit() as unit:
            presets, off = await self._now(unit)
            if not any(preset.id == preset_id for preset in presets) or (preset_id not in off) == enabled:
                raise Changed
            if not enabled and len(off) + 1 >= len(presets):
                raise LastPreset
            await PresetBook(unit.session).switch(preset_id, enabled, by=admin)
            unit.audit.write(admin, "preset_on" if enabled else "preset_off", preset_id)
            await unit.commit()
        await self._tell()

    async def save(self, admin: int, preset: Preset, before: Preset | None) -> None:
        """A new body; `before` is what the operator saw, None: there was no such preset."""
        async with self.database.unit() as unit:
            presets, _ = await self._now(unit)
            if next((one for one in presets if one.id == preset.id), None) != before:
                raise Changed
            await PresetBook(unit.session).put(preset.id, preset.model_dump(mode="json"), by=admin)
            unit.audit.write(admin, "preset_save" if before else "preset_add", preset.id)
            await unit.commit()
        await self._tell()

    async def forget_changes(self, admin: int, preset_id: str) -> None:
        """The file's preset again; one that is in no file is gone."""
        async with self.database.unit() as unit:
            presets, off = await self._now(unit)
            if not self.catalogue.in_file(preset_id) and not {one.id for one in presets} - off - {preset_id}:
                raise LastPreset
            if not await PresetBook(unit.session).remove(preset_id):
                raise Changed
            action = "preset_file" if self.catalogue.in_file(preset_id) else "preset_remove"
            unit.audit.write(admin, action, preset_id)
            await unit.commit()
        await self._tell()

    async def _now(self, unit: Unit) -> tuple[list[Preset], set[str]]:
        """All presets and which are off, as SQL has them now; nobody else changes any until the unit ends."""
        await unit.slots.stir()
        changes: list[Overlay] = await PresetBook(unit.session).overlays()
        return everything(self.catalogue.file, changes)

    async def _tell(self) -> None:
        await self.catalogue.refresh(self.database)
        # The trainer says it again every minute.
        with suppress(RedisError, OSError):
            await self.registry.publish()
