"""The bot is killed amid forgetting a person: the next process forgets the rest and says so."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from sqlalchemy import func, select

from bot import texts
from bot.playground.person import Person, Seen
from storage.tables import ChatRow, InboxRow, PersonRow, RatingHistoryRow, RatingRow, ReplyRow, TurnRow
from tests.bot.stage import Stage, stage
from tests.journey.bots import Bots

RATED = 50
# One person each: told at last, amid the ratings in Redis (after all of the first person's), before all that is
# deleted, in the transaction. The last one holds SQLite's lock, so that nobody may come after.
STEPS = (
    "bot.handlers.own_data:change",
    f"storage.ratings:RatingBook.forget@{RATED + 2}",
    "bot.handlers.own_data:erase@3",
    "storage.repositories.people:People.forget@2",
)
TABLES = (ChatRow, InboxRow, PersonRow, RatingHistoryRow, RatingRow, ReplyRow, TurnRow)


async def live(scene: Stage, person: Person) -> Seen:
    """Talk and judge, half of it stored and the rest on its way; the question whether all that is to be forgotten."""
    for number in range(RATED):
        await person.press(await person.ask(f"помни {number}"), "👍")
        if number == 0:
            await scene.drain_ratings()
    return await person.ask("/forget")


async def left(scene: Stage) -> tuple[int, int]:
    """What is stored of anybody: rows in SQL and judgements in Redis."""
    async with scene.database.view() as unit:
        rows = [await unit.session.scalar(select(func.count()).select_from(table)) or 0 for table in TABLES]
    views = [key async for key in scene.redis.scan_iter("{otklik}:rating:*")]
    return sum(rows), len(views)


@pytest.mark.slow
async def test_everything_is_removed_and_the_person_told_wherever_the_bot_is_killed(
    tmp_path: Path, sql: str | None
) -> None:
    log = tmp_path / "bot.log"
    async with (
        stage(tmp_path, sql=sql) as scene,
        Bots.of(scene.storage, log, api_url=scene.url) as bots,
        AsyncExitStack() as stack,
    ):
        people = [await stack.enter_async_context(scene.person()) for _ in STEPS]
        asked = [await live(scene, person) for person in people]
        await scene.stop()
        await bots.start(*STEPS)
        for person, question in zip(people, asked, strict=True):
            await person.press_only(question, question.data(texts.BUTTON_FORGET_YES))
            await bots.hangs()
        rows, views = await left(scene)
        assert rows > 0 and views > 0
        bots.kill()
        await bots.start()
        for person, question in zip(people, asked, strict=True):
            await person.until(question, lambda seen: seen.text == texts.FORGET_DONE, within=20)
        await scene.drain_ratings()
        assert await left(scene) == (0, 0)
