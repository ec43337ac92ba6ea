"""The emotions that people meet, for data and training: the file's, with what operators changed in Telegram.

Knows SQL only to read; without an installation's database the file alone counts.
"""

from __future__ import annotations

import asyncio

import structlog
from sqlalchemy.exc import SQLAlchemyError

from storage.database import Database
from storage.presets import Presets
from storage.repositories.presets import merged_presets
from storage.settings import StorageSettings

log = structlog.get_logger(__name__)


def met(storage: StorageSettings) -> Presets:
    """Presets as workers serve them now. A database that cannot be read is told in the log and left alone."""
    file = storage.load_presets()
    if storage.database_url is None and not (storage.dir / "otklik.sqlite3").is_file():
        return file  # asking would make an empty database
    try:
        return asyncio.run(_merged(storage, file))
    except (SQLAlchemyError, OSError) as error:
        log.warning("presets that operators changed are not known", error=type(error).__name__)
        return file


async def _merged(storage: StorageSettings, file: Presets) -> Presets:
    database = Database(storage.database())
    try:
        async with database.view() as unit:
            return await merged_presets(unit, file)
    finally:
        await database.close()
