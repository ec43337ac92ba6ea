"""The bot is killed between Telegram's acceptance and its own mark, again and again, while people go on writing."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bot.playground.person import Person
from tests.bot.stage import TOKEN, Stage, stage, until

PEOPLE, MESSAGES, KILLS = 20, 11, 3


async def start_bot(scene: Stage, log: Path) -> asyncio.subprocess.Process:
    """`otklik bot` as a process of its own."""
    environment = os.environ | {
        "BOT_TOKEN": TOKEN,
        "BOT_API_URL": scene.url,
        "BOT_DEFAULT_EMOTION": "joy",
        "BOT_RATE_LIMIT": "10000",
        "STORAGE_DIR": str(scene.storage.dir),
        "STORAGE_REDIS_URL": scene.server.url,
        "STORAGE_LEASE_SECONDS": "1",
    }
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot.app", env=environment, stdout=output, stderr=output
        )


async def talk(person: Person) -> None:
    for number in range(MESSAGES):
        await person.send(f"сообщение <{person.id}/{number}>")
        await asyncio.sleep(0.5)


async def answered(person: Person) -> Counter[str]:
    """How often each of the person's messages was answered."""
    seen: Counter[str] = Counter()
    for message in await person.history():
        if message.from_bot:
            seen.update(re.findall(r"<\d+/\d+>", message.text))
    return seen


@pytest.mark.slow
async def test_nothing_is_lost_and_at_most_one_reply_doubles_per_kill(tmp_path: Path) -> None:
    async with stage(tmp_path) as scene, AsyncExitStack() as stack:
        await scene.stop()
        people = [await stack.enter_async_context(scene.person(f"Человек {n}")) for n in range(PEOPLE)]
        log = tmp_path / "bot.log"
        bot = await start_bot(scene, log)
        talking = [asyncio.create_task(talk(person)) for person in people]
        for _ in range(KILLS):
            fault = scene.world.fail_next("sendMessage", accepted=True, delay=5.0)
            await until(lambda fault=fault: fault.times == 0, within=40)
            await asyncio.sleep(0.2)
            bot.send_signal(signal.SIGKILL)
            await bot.wait()
            bot = await start_bot(scene, log)
        await asyncio.gather(*talking)

        async def all_answered() -> bool:
            counts = await asyncio.gather(*(answered(person) for person in people))
            return all(len(count) == MESSAGES for count in counts)

        await until(all_answered, within=60)
        await asyncio.sleep(2.5)
        counts = Counter[str]()
        for person in people:
            counts += await answered(person)
        bot.terminate()
        assert await asyncio.wait_for(bot.wait(), 15) == 0
        assert len(counts) == PEOPLE * MESSAGES
        doubled = [message for message, times in counts.items() if times > 1]
        async with scene.database.view() as unit:
            counted = await unit.counters.get("possible_duplicates")
            repeated = {row.request_id for row in await unit.replies.all_in_flight()}
        assert 1 <= len({message.partition("/")[0] for message in doubled}) <= KILLS
        assert max(counts.values()) <= 2
        assert counted >= 1 and not repeated
        assert "сообщение" not in log.read_text()
