"""Tells workers through Redis what SQL says that they are to serve. Safe to repeat; heals what was left unsaid."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from storage.contracts import Serving
from storage.database import Database
from storage.loop_board import LoopBoard
from storage.presets import Presets
from storage.registry_rows import read_serving

log = structlog.get_logger()


async def current(database: Database, file: Callable[[], Presets]) -> Serving:
    """What SQL says now; `file` gives the presets as they are shipped or configured."""
    async with database.view() as unit:
        return await read_serving(unit, file)


async def publish(database: Database, board: LoopBoard, file: Callable[[], Presets]) -> Serving:
    """Say it on the board, and return what was said there or by somebody newer. RedisError.

    A revision on the board that SQL has not reached stems from another database (restored from a backup, or begun
    anew): SQL's is raised beyond it, or workers would never hear of any change again.
    """
    serving = await current(database, file)
    if await board.publish(serving):
        return serving
    said = await board.serving()
    serving = await current(database, file)
    if said is not None and said.revision > serving.revision:
        log.warning("workers were told by another database; overruled", told=said.revision, sql=serving.revision)
        async with database.unit() as unit:
            await unit.slots.stir(said.revision)
            await unit.commit()
        serving = await current(database, file)
    await board.publish(serving)
    return serving
