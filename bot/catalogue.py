"""The presets that people meet now. Operators change them while the bot runs; everybody who asks gets the newest."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiogram import BaseMiddleware
from aiogram.types import TelegramObject

from storage.database import Database
from storage.preset_overlay import Overlay, everything, overlaid
from storage.presets import AutoPreset, Preset, Presets
from storage.repositories.presets import PresetBook


class Catalogue:
    """`current` is what people can choose; `all` also holds what is switched off."""

    def __init__(self, file: Presets) -> None:
        self.file = file
        self.current = file
        self.all: list[Preset] = list(file.presets)
        self.off: set[str] = set()
        self._changes: list[Overlay] = []

    async def refresh(self, database: Database) -> bool:
        """Read what operators changed; whether anything is different."""
        async with database.view() as unit:
            changes = await PresetBook(unit.session).overlays()
        if changes == self._changes:
            return False
        self._changes = changes
        self.current = overlaid(self.file, changes)
        self.all, self.off = everything(self.file, changes)
        return True

    def fallback(self, wanted: str, *, but_not: str = "") -> Preset | AutoPreset:
        """What a chat gets whose preset is off: the installation's default, else «авто»."""
        found = self.current.find(wanted)
        return found if found is not None and found.id != but_not else self.current.auto

    def changed(self, preset_id: str) -> Overlay | None:
        """What operators changed of a preset."""
        return next((change for change in self._changes if change.preset_id == preset_id), None)

    def get(self, preset_id: str) -> Preset | None:
        """A preset, also one that is switched off."""
        return next((preset for preset in self.all if preset.id == preset_id), None)

    def in_file(self, preset_id: str) -> bool:
        """Whether the file has a preset of this id."""
        return any(preset.id == preset_id for preset in self.file.presets)


class Newest(BaseMiddleware):
    """Gives handlers the presets of this moment as `presets`."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue

    async def __call__(
        self,
        handler: Callable[[TelegramObject, dict[str, Any]], Awaitable[Any]],
        event: TelegramObject,
        data: dict[str, Any],
    ) -> Any:
        """Hand the update on."""
        data["presets"] = self.catalogue.current
        return await handler(event, data)
