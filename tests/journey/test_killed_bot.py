"""The bot is killed between Telegram's acceptance and its own mark, and at any moment, while people go on writing.

They write ordinary messages, ones that are too long and ones of people in danger: what the worker answers and what the
bot says by itself is counted alike.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from bot import texts
from bot.playground.person import Person, Seen
from storage.repositories.counters import POSSIBLE_DUPLICATES
from tests.bot.stage import Stage, stage, until
from tests.journey.bots import Bots

PEOPLE, MESSAGES = 20, 12
RANDOM_KILLS = 3
PAUSE = 0.4
TOO_LONG = texts.MESSAGE_TOO_LONG.partition("{")[0]
WHATEVER = "сообщение <{person}/{number}>"
# What every third message is, in turns.
KINDS = (WHATEVER, WHATEVER + "ы" * 2000, "хочу умереть <{person}/{number}>")
Params = dict[str, Any]
# Between acceptance and mark of: an answer, a text of the bot's own, a card with telephone numbers.
PRECISE: tuple[Callable[[Params], bool], ...] = (
    lambda said: "сообщение" in said["text"],
    lambda said: said["text"].startswith(TOO_LONG),
    lambda said: said["text"] == texts.CRISIS,
)


async def talk(person: Person) -> None:
    for number in range(MESSAGES):
        await person.send(KINDS[number % 3].format(person=person.id, number=number))
        await asyncio.sleep(PAUSE)


def about(message: Seen) -> str:
    """What tells one thing said from another: its words, and which message it quotes."""
    return f"{message.text} → {message.reply_to}"


async def said(people: Sequence[Person]) -> Counter[str]:
    """How often the bot said each thing. An answer to several messages is one thing."""
    found: Counter[str] = Counter()
    for person in people:
        found.update(f"{person.id}: {about(one)}" for one in await person.history() if one.from_bot)
    return found


async def unanswered(people: Sequence[Person]) -> int:
    """How many messages nothing was said to."""
    missing = 0
    for person in people:
        chat = await person.history()
        theirs = [one for one in chat if one.from_bot]
        quoted = {one.reply_to for one in theirs}
        echoed = {found for one in theirs for found in re.findall(r"<\d+/\d+>", one.text)}
        mine = [one for one in chat if not one.from_bot]
        missing += MESSAGES - len(mine)
        missing += sum(one.id not in quoted and not echoed & set(re.findall(r"<\d+/\d+>", one.text)) for one in mine)
    return missing


async def kill_after_acceptance(scene: Stage, bots: Bots, fits: Callable[[Params], bool]) -> None:
    """Telegram has the message, the bot does not know it yet."""
    fault = scene.world.fail_next("sendMessage", accepted=True, delay=5.0, when=fits)
    await until(lambda: fault.times == 0, within=30)
    await asyncio.sleep(0.1)
    bots.kill()
    await bots.start()


@pytest.mark.slow
async def test_nothing_is_lost_and_at_most_one_thing_said_doubles_per_kill(tmp_path: Path, sql: str | None) -> None:
    log = tmp_path / "bot.log"
    async with (
        stage(tmp_path, sql=sql) as scene,
        Bots.of(scene.storage, log, api_url=scene.url) as bots,
        AsyncExitStack() as stack,
    ):
        await scene.stop()
        people = [await stack.enter_async_context(scene.person(f"Человек {n}")) for n in range(PEOPLE)]
        await bots.start()
        talking = [asyncio.create_task(talk(person)) for person in people]
        for fits in PRECISE:
            await kill_after_acceptance(scene, bots, fits)
        for _ in range(RANDOM_KILLS):
            await asyncio.sleep(random.uniform(0.2, 1.2))
            bots.kill()
            await bots.start()
        await asyncio.gather(*talking)

        async def all_answered() -> bool:
            await asyncio.sleep(0.2)
            return await unanswered(people) == 0

        await until(all_answered, within=60)
        await asyncio.sleep(1.0)
        doubled = sum(times - 1 for times in (await said(people)).values())
        async with scene.database.view() as unit:
            counted = await unit.counters.get(POSSIBLE_DUPLICATES)
            unsent = await unit.replies.all_in_flight()
        assert len(PRECISE) <= doubled <= counted <= len(PRECISE) + RANDOM_KILLS
        assert not unsent
        assert not {"сообщение", "умереть"} & set(re.findall(r"\w+", log.read_text()))
