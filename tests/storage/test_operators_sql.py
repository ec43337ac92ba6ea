"""What operators see and change in SQL: figures over time, presets over the file, news of the loop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from storage.contracts import JobState, Rating, RatingStars, TrainJob, now
from storage.database import Database, upgrade
from storage.presets import load_presets
from storage.repositories.figures import Figures
from storage.repositories.loop_news import LoopNews
from storage.repositories.presets import PresetBook, merged_presets
from storage.tables import ReplyRow, TurnRow

FILE = load_presets()


@pytest_asyncio.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    url = f"sqlite+aiosqlite:///{tmp_path / 'otklik.sqlite3'}"
    if request.param == "postgres":
        url = str(request.getfixturevalue("postgres_url"))
    await upgrade(url)
    made = Database(url)
    yield made
    await made.close()


async def test_figures_count_what_lies_in_the_stretch_of_time(database: Database) -> None:
    at = now()
    async with database.unit() as unit:
        turn = TurnRow(chat_id=1, user_id=1)
        unit.session.add(turn)
        await unit.session.flush()
        for number, (age, state, fit, seconds) in enumerate(
            [(1, "done", True, 2), (2, "done", False, 4), (3, "failed", None, 1), (30, "done", True, 9)]
        ):
            asked = at - timedelta(hours=age)
            unit.session.add(
                ReplyRow(
                    request_id=f"r{number}",
                    turn_id=turn.id,
                    chat_id=1,
                    variant=number,
                    state=state,
                    emotion="joy",
                    fit_ok=fit,
                    created_at=asked,
                    answered_at=asked + timedelta(seconds=seconds),
                )
            )
        for number, (thumb, stars) in enumerate([(1, None), (-1, None), (None, RatingStars(content=4, style=2))]):
            await unit.ratings.store(
                Rating.model_validate(
                    {
                        "rating_id": f"k{number}",
                        "chat_id": 1,
                        "message_id": number,
                        "user_id": 1,
                        "request_id": f"r{number}",
                        "thumb": thumb,
                        "stars": stars,
                    }
                )
            )
        await unit.commit()
    async with database.view() as unit:
        figures = Figures(unit.session)
        flow = await figures.flow(at - timedelta(days=1))
        assert (flow.asked, flow.done, flow.failed, sorted(flow.seconds)) == (3, 2, 1, [2.0, 4.0])
        assert (flow.quantile(0.5), flow.quantile(0.95)) == (4.0, 4.0)
        assert await figures.fits(at - timedelta(days=1)) == {"joy": (2, 0.5)}
        week = await figures.fits(at - timedelta(days=7))
        assert list(week) == ["joy"] and week["joy"] == pytest.approx((3, 2 / 3))
        judged = await figures.judged(at - timedelta(days=1))
        assert (judged.up, judged.down, judged.starred) == (1, 1, 1)
        assert judged.stars == pytest.approx((0.45 * 4 + 0.15 * 2) / 0.6)
        assert (await figures.judged(at + timedelta(days=1))).stars is None


async def test_presets_lie_over_the_file_and_come_off_again(database: Database) -> None:
    joy = FILE.get("joy").model_copy(update={"title": "счастье"})
    async with database.unit() as unit:
        book = PresetBook(unit.session)
        await book.put("joy", joy.model_dump(mode="json"), by=7)
        assert await book.switch("fear", False, by=7) and not await book.switch("fear", False, by=7)
        await unit.commit()
    async with database.view() as unit:
        merged = await merged_presets(unit, FILE)
        assert merged.get("joy").title == "счастье"
        assert "fear" not in [preset.id for preset in merged.presets]
        assert [(row.preset_id, row.by) for row in await PresetBook(unit.session).all()] == [("fear", 7), ("joy", 7)]
    async with database.unit() as unit:
        book = PresetBook(unit.session)
        assert await book.remove("joy") and await book.remove("fear") and not await book.remove("anger")
        await unit.commit()
    async with database.view() as unit:
        assert await merged_presets(unit, FILE) == FILE


async def test_a_change_of_presets_raises_the_revision_and_moves_no_pointer(database: Database) -> None:
    async with database.unit() as unit:
        await unit.slots.point("joy", "a1", action="promote", by=None)
        before = await unit.slots.revision()
        await unit.slots.stir()
        await unit.commit()
    async with database.view() as unit:
        assert await unit.slots.revision() == before + 1
        assert [(slot.name, slot.active) for slot in await unit.slots.all()] == [("joy", "a1"), ("shared", None)]


async def test_news_come_in_order_with_the_state_before(database: Database) -> None:
    async with database.unit() as unit:
        await unit.jobs.add(TrainJob(job_id="j1", method="auto"), trigger="schedule")
        await unit.jobs.move("j1", JobState.EVALUATING)
        await unit.jobs.move("j1", JobState.GATED)
        await unit.slots.point("shared", "a1", action="promote", by=None)
        await unit.commit()
    async with database.view() as unit:
        news = LoopNews(unit.session)
        found = await news.jobs(0, 10)
        assert [(change.state, row.state) for change, row in found] == [
            ("queued", "gated"),
            ("evaluating", "gated"),
            ("gated", "gated"),
        ]
        assert [await news.before(change) for change, _ in found] == [None, "queued", "evaluating"]
        assert len(await news.jobs(found[1][0].id, 10)) == 1
        assert [change.action for change in await news.slots(0, 10)] == ["promote"]
        jobs, slots = await news.newest(2)
        assert jobs == [found[2][0].id, found[1][0].id] and len(slots) == 1
