"""An operator looks at the panel, orders a refit, watches it and takes it back; the test plays the trainer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from bot.admin import texts
from bot.playground.person import Person, Seen
from bot.playground.world import World
from storage.contracts import DataSummary, JobEvent, JobState
from storage.loop_board import LoopBoard
from storage.loop_tables import JobRow
from tests.bot.stage import Stage, stage
from tests.bot.trainer import show

ADMIN = World().next_person
OTHER = ADMIN + 1


@pytest_asyncio.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Stage]:
    """A stage with two operators, quick edits."""
    async with stage(tmp_path, admins=(ADMIN, OTHER), admin_edit_seconds=0.05) as scene:
        yield scene


async def open_job(scene: Stage) -> JobRow:
    async with scene.database.view() as unit:
        (job,) = await unit.jobs.open()
    return job


async def move(scene: Stage, job_id: str, state: JobState, **values: Any) -> None:
    async with scene.database.unit() as unit:
        await unit.jobs.move(job_id, state, **values)
        await unit.commit()


async def order(person: Person, method: str = "KTO — по 👍 и 👎", slot: str = "🌐 общий") -> Seen:
    """From /admin to the message of the running job."""
    panel = await show(person, "/admin", texts.PANEL)
    await person.press(panel, texts.RETRAIN)
    panel = await person.until(panel, lambda seen: bool(seen.buttons) and [method] in seen.buttons)
    await person.press(panel, method)
    panel = await person.until(panel, lambda seen: [slot] in seen.buttons)
    await person.press(panel, slot)
    panel = await person.until(panel, lambda seen: [texts.START] in seen.buttons)
    await person.press(panel, texts.START)
    return await person.until(panel, lambda seen: "Переобучение: " in seen.text)


async def test_the_panel_tells_what_goes_on_and_is_renewed_in_place(scene: Stage) -> None:
    async with scene.person() as anna:
        assert anna.id == ADMIN
        answer = await anna.ask("Привет")
        await anna.press(answer, "👍")
        await scene.drain_ratings()
        panel = await show(anna, "/admin", texts.PANEL)
        assert "ответов 1 из 1" in panel.text
        assert "радость: 100\u00a0% из 1 · 100\u00a0% из 1" in panel.text
        assert "👍 1   👎 0" in panel.text
        assert "общий: встроенный" in panel.text
        assert texts.NO_JOBS in panel.text
        await anna.ask("Как дела?")
        await anna.press(panel, texts.REFRESH)
        await anna.until(panel, lambda seen: "ответов 2 из 2" in seen.text)


async def test_the_data_is_shown_before_anything_starts(scene: Stage) -> None:
    async with scene.person() as anna:
        panel = await show(anna, "/admin", texts.PANEL)
        await anna.press(panel, texts.RETRAIN)
        panel = await anna.until(panel, lambda seen: texts.NO_SUMMARY in seen.text)
        assert texts.NO_TRAINER in panel.text
        await scene.drain_ratings()
        summary = DataSummary(
            rows={"pairs": 12, "feedback": 340}, people=7, ratings=55, method="kto", why=("оценок хватает для KTO",)
        )
        await LoopBoard(scene.redis, scene.storage).put_summary(summary)
        await anna.press(panel, texts.TO_PANEL)
        panel = await anna.until(panel, lambda seen: texts.NO_JOBS in seen.text)
        await anna.press(panel, texts.RETRAIN)
        shown = await anna.until(panel, lambda seen: "340" in seen.text)
        assert "пары «лучше — хуже»: 12" in shown.text
        assert texts.NO_TRAINER not in shown.text
        assert "«Авто» сделает: KTO\n• оценок хватает для KTO" in shown.text
        assert "людей: 7, новых оценок с прошлого раза: 55" in shown.text


async def test_the_message_follows_the_job_also_over_a_restart(scene: Stage) -> None:
    board = LoopBoard(scene.redis, scene.storage)
    async with scene.person() as anna:
        message = await order(anna)
        job = await open_job(scene)
        assert (job.trigger, job.slot, job.order["method"], job.order["requested_by"]) == (
            "admin",
            "shared",
            "kto",
            ADMIN,
        )
        await move(scene, job.job_id, JobState.TRAINING, step=0, steps=100)
        await board.tell(
            JobEvent(job_id=job.job_id, state="training", step=50, steps=100, loss=0.4123, eta_seconds=125)
        )
        shown = await anna.until(message, lambda seen: "50\u00a0%" in seen.text)
        assert "▓▓▓▓▓▓░░░░░░ 50\u00a0%\nшаг 50 из 100 · ошибка (loss) 0,412 · осталось ~2\u00a0мин" in shown.text
        await scene.stop()
        await board.tell(JobEvent(job_id=job.job_id, state="training", step=75, steps=100))
        await scene.start()
        await anna.until(message, lambda seen: "75\u00a0%" in seen.text)
        await move(scene, job.job_id, JobState.FAILED, error="мало памяти")
        ended = await anna.until(message, lambda seen: "мало памяти" in seen.text)
        assert ended.buttons == [[texts.TO_PANEL]]
        async with scene.database.view() as unit:
            (line,) = [row for row in await unit.audit.last() if row.action == "train"]
        assert (line.user_id, line.target, line.allowed) == (ADMIN, job.job_id, True)


async def test_start_pressed_twice_starts_one_job_and_a_second_order_shows_the_first(scene: Stage) -> None:
    async with scene.person() as anna, scene.person("Боря") as boris:
        assert boris.id == OTHER
        panel = await show(anna, "/admin", texts.PANEL)
        go = f"@r:{ADMIN}:go:kto:shared:0a0b0c0d"
        await anna.forge(panel, go)
        await anna.forge(panel, go)
        job = await open_job(scene)
        theirs = await show(boris, "/admin", texts.PANEL)
        toast = await boris.forge(theirs, f"@r:{OTHER}:go:dpo:shared:ffffffff")
        assert toast == type(toast)(texts.ALREADY_OPEN.format(For_slot="Для общего слота", stage="ждёт тренера"), True)
        await boris.until(theirs, lambda seen: "Переобучение: KTO" in seen.text)
        assert (await open_job(scene)).job_id == job.job_id


async def test_cancelling_is_confirmed_and_the_second_admin_is_told(scene: Stage) -> None:
    async with scene.person() as anna, scene.person("Боря") as boris:
        message = await order(anna)
        theirs = await show(boris, "/admin", texts.PANEL)
        await boris.press(theirs, "🎓 Задание: ждёт тренера")
        theirs = await boris.until(theirs, lambda seen: [texts.CANCEL] in seen.buttons)
        await anna.press(message, texts.CANCEL)
        message = await anna.until(message, lambda seen: seen.text == texts.CANCEL_QUESTION)
        await anna.press(message, texts.NO)
        message = await anna.until(message, lambda seen: [texts.CANCEL] in seen.buttons)
        assert (await open_job(scene)).cancel is False
        await anna.press(message, texts.CANCEL)
        message = await anna.until(message, lambda seen: [texts.CANCEL_SURE] in seen.buttons)
        stale = theirs.data(texts.CANCEL)
        assert (await anna.press(message, texts.CANCEL_SURE)).text == texts.CANCELLED_TOAST
        await anna.until(message, lambda seen: texts.JOB_ENDS[JobState.CANCELLED] in seen.text)
        await boris.until(theirs, lambda seen: texts.JOB_ENDS[JobState.CANCELLED] in seen.text)
        toast = await boris.forge(theirs, stale.removesuffix(":0:0") + ":1:0")
        assert toast.text == texts.TOO_LATE.format(stage="отменено") and toast.alert
        async with scene.database.view() as unit:
            assert [row.user_id for row in await unit.audit.last() if row.action == "cancel"] == [ADMIN]


@pytest.mark.parametrize("state", [state.value for state in JobState])
def test_every_state_has_words(state: str) -> None:
    assert texts.STAGES[JobState(state)]
