"""Replies reach people whatever Telegram says: flood, long texts, blocked, unreachable, cut connections."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bot import texts
from bot.playground.errors import ApiError
from bot.playground.faults import Fault
from storage.repositories.counters import POSSIBLE_DUPLICATES
from tests.bot.stage import Stage, reply_to, stage, until


async def doubtful(scene: Stage) -> int:
    async with scene.database.view() as unit:
        return await unit.counters.get(POSSIBLE_DUPLICATES)


async def test_retry_after_is_waited_for_without_holding_others_up(tmp_path: Path) -> None:
    async with stage(tmp_path) as scene, scene.person() as anna, scene.person("Боря") as boris:
        scene.world.fail_next("sendMessage", retry_after=2, chat_id=anna.id)
        await anna.send("долго")
        await anna.typing()
        assert (await boris.ask("быстро", within=1.5)).text == "[joy 2] быстро"
        assert (await anna.next_message()).text == "[joy 2] долго"
        assert await doubtful(scene) == 0


async def test_a_long_reply_comes_in_parts_with_the_keyboard_under_the_last(tmp_path: Path) -> None:
    async with stage(tmp_path) as scene, scene.person() as anna:
        long = " ".join(f"Предложение номер {number} про зимнее утро 🙂." for number in range(150))
        scene.worker.answer = lambda request: reply_to(request, long if not request.variant else "коротко")
        await anna.send("расскажи")
        first, second = await anna.next_message(), await anna.next_message()
        assert f"{first.text} {second.text}" == long
        assert first.text.endswith(".") and not first.buttons and second.buttons
        await anna.press(second, texts.BUTTON_ANOTHER)
        await anna.until(first, lambda seen: seen.text == "коротко" and seen.buttons[1][1] == "2/2")

        async def gone() -> bool:
            return second.id not in [seen.id for seen in await anna.history()]

        await until(gone)


async def test_parts_that_are_in_the_chat_are_not_sent_again(tmp_path: Path) -> None:
    async with stage(tmp_path) as scene, scene.person() as anna:
        scene.worker.answer = lambda request: reply_to(request, "Первая часть. " * 200 + "Вторая часть. " * 200)
        scene.world.fail_next("sendMessage", retry_after=3, when=lambda params: "Вторая" in str(params["text"])[-20:])
        await anna.send("расскажи")
        first = await anna.next_message()
        await scene.stop()
        await scene.start()
        second = await anna.next_message()
        assert first.text.startswith("Первая") and second.text.endswith("Вторая часть.")
        await anna.silence(0.5)
        assert (await anna.press(second, "👍")).text == texts.THUMB_UP
        assert await doubtful(scene) == 0


async def test_a_group_that_moved_gets_its_answer(tmp_path: Path) -> None:
    async with stage(tmp_path) as scene, scene.person() as anna:
        old, new = await anna.group("Было"), await anna.group("Стало")
        await anna.next_message(chat=old)
        await anna.next_message(chat=new)
        moved = ApiError(400, "Bad Request: group chat was upgraded", {"migrate_to_chat_id": new})
        scene.world.faults.planned.append(Fault("sendMessage", moved, chat_id=old))
        await anna.send("@otklik_bot привет", chat=old)
        assert (await anna.next_message(chat=new)).text == "[joy 2] привет"


async def test_a_person_who_blocked_the_bot_is_remembered_and_not_retried(tmp_path: Path) -> None:
    async with stage(tmp_path) as scene, scene.person() as anna:
        await anna.ask("Привет")
        await scene.worker.pause()
        await anna.send("пока")
        await anna.typing()
        await anna.block()
        scene.worker.resume()

        async def remembered() -> bool:
            async with scene.database.view() as unit:
                person = await unit.people.get(anna.id)
                return person is not None and person.blocked and not await unit.replies.all_in_flight()

        await until(remembered)
        await anna.block(False)
        assert (await anna.ask("я вернулась")).text == "[joy 2] я вернулась"


async def test_a_cut_connection_is_tried_again_and_counted(tmp_path: Path) -> None:
    async with stage(tmp_path) as scene, scene.person() as anna:
        scene.world.fail_next("sendMessage", drop=True, accepted=True)
        assert (await anna.ask("Привет")).text == "[joy 2] Привет"
        await until(lambda: doubtful(scene))
        assert await doubtful(scene) == 1


async def test_server_errors_lose_nothing(tmp_path: Path) -> None:
    async with stage(tmp_path) as scene, scene.person() as anna:
        scene.world.fail_next("sendMessage", 502, times=3)
        assert (await anna.ask("Привет")).text == "[joy 2] Привет"
        await anna.silence(0.3)


async def test_redis_away_for_a_while_loses_nothing(tmp_path: Path) -> None:
    async with stage(tmp_path) as scene, scene.person() as anna:
        await anna.ask("раз")
        await scene.worker.pause()
        await asyncio.sleep(0.2)
        await scene.server.kill()
        await anna.send("два")
        await asyncio.sleep(1.0)
        await scene.server.start()
        scene.worker.resume()
        assert (await anna.next_message(within=20)).text == "[joy 2] два"
        await anna.silence(0.3)
