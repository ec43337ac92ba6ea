"""The bot is killed between Telegram's acceptance and its own mark, and at any moment, while people go on writing."""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bot.playground.person import Person
from storage.repositories.counters import POSSIBLE_DUPLICATES
from tests.bot.stage import Stage, stage, until
from tests.journey.bots import Bots

PEOPLE, MESSAGES = 20, 12
PRECISE_KILLS, RANDOM_KILLS = 3, 3


async def talk(person: Person) -> None:
    for number in range(MESSAGES):
        await person.send(f"сообщение <{person.id}/{number}>")
        await asyncio.sleep(0.5)


async def answers(people: Sequence[Person]) -> Counter[str]:
    """How often each message was answered."""
    seen: Counter[str] = Counter()
    for person in people:
        for message in await person.history():
            if message.from_bot:
                seen.update(re.findall(r"<\d+/\d+>", message.text))
    return seen


async def kill_after_acceptance(scene: Stage, bots: Bots, person: Person) -> None:
    """Telegram has the message, the bot does not know it yet."""
    fault = scene.world.fail_next("sendMessage", accepted=True, delay=5.0, chat_id=person.id)
    await until(lambda: fault.times == 0, within=30)
    await asyncio.sleep(0.1)
    bots.kill()
    await bots.start()


@pytest.mark.slow
async def test_nothing_is_lost_and_at_most_one_reply_doubles_per_kill(tmp_path: Path) -> None:
    log = tmp_path / "bot.log"
    async with stage(tmp_path) as scene, Bots.of(scene, log) as bots, AsyncExitStack() as stack:
        await scene.stop()
        people = [await stack.enter_async_context(scene.person(f"Человек {n}")) for n in range(PEOPLE)]
        await bots.start()
        talking = [asyncio.create_task(talk(person)) for person in people]
        for person in people[:PRECISE_KILLS]:
            await kill_after_acceptance(scene, bots, person)
        for _ in range(RANDOM_KILLS):
            await asyncio.sleep(random.uniform(0.2, 1.2))
            bots.kill()
            await bots.start()
        await asyncio.gather(*talking)

        async def all_answered() -> bool:
            await asyncio.sleep(0.5)
            return len(await answers(people)) == PEOPLE * MESSAGES

        await until(all_answered, within=60)
        await asyncio.sleep(1.5)
        counts = await answers(people)
        extra: dict[str, int] = {}
        for message, times in counts.items():
            whose = message.partition("/")[0]
            extra[whose] = max(extra.get(whose, 0), times - 1)
        doubled = sum(extra.values())
        async with scene.database.view() as unit:
            counted = await unit.counters.get(POSSIBLE_DUPLICATES)
            unsent = await unit.replies.all_in_flight()
        assert PRECISE_KILLS <= doubled <= counted <= PRECISE_KILLS + RANDOM_KILLS
        assert not unsent
        assert "сообщение" not in log.read_text()
