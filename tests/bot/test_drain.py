"""While the model is away for training people are told how long, once, and are answered afterwards."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from storage.contracts import now
from storage.loop_board import LoopBoard
from tests.bot.stage import Stage, stage, until


async def told_nobody(scene: Stage) -> bool:
    return not await scene.redis.exists("{otklik}:fsm:drain-told")


async def test_people_are_told_once_a_drain_and_answered_afterwards(tmp_path: Path) -> None:
    async with stage(tmp_path, deadline_seconds=5) as scene, scene.person() as anna:
        board = LoopBoard(scene.redis, scene.storage)
        await scene.worker.pause()
        await board.ask_drain(now() + timedelta(minutes=10))
        assert scene.parts is not None
        drain = scene.parts.office.drain
        await until(lambda: drain.seconds_left() > 0)
        # Looked up by a process that is killed before it says so: the next one is to say it.
        assert await drain.news_for(anna.id) is not None
        told = await anna.ask("привет")
        assert told.text.startswith("Учусь, вернусь через ~10\u00a0мин.")
        await anna.send("ты где?")
        await anna.silence(0.5)
        await board.end_drain()
        scene.worker.resume()
        assert (await anna.next_message()).text == "[joy 2] привет"
        assert (await anna.next_message()).text == "[joy 2] ты где?"
        assert scene.worker.asked[0].deadline > now() + timedelta(minutes=8)

        await until(lambda: drain.seconds_left() == 0)
        await until(lambda: told_nobody(scene))
        await board.ask_drain(now() + timedelta(minutes=3))
        await until(lambda: drain.seconds_left() > 0)
        assert (await anna.ask("снова?")).text.startswith("Учусь, вернусь через ~3\u00a0мин.")
        assert (await anna.next_message()).text == "[joy 2] снова?"
