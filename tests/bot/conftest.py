"""One stage for all tests that need nothing special of it: people are new in every test, so they do not meet."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.bot.stage import Stage, parrot, stage


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """Telegram, Redis, worker and bot, started once."""
    async with stage(tmp_path_factory.mktemp("stage")) as shared:
        yield shared


@pytest_asyncio.fixture(loop_scope="session")
async def scene(shared_stage: Stage) -> Stage:
    """The shared stage with its worker as new."""
    shared_stage.worker.answer = parrot
    shared_stage.worker.asked.clear()
    shared_stage.worker.cancelled.clear()
    shared_stage.worker.resume()
    # Ratings that an earlier test left in the stream are not this test's.
    await shared_stage.drain_ratings()
    return shared_stage
