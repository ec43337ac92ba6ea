"""The Redis-protocol server is killed again and again while people talk and judge: nothing is lost, nothing doubles."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bot.playground.person import Person
from tests.bot.stage import stage, until

PEOPLE, MESSAGES, KILLS = 20, 10, 3


async def talk_and_judge(person: Person) -> int:
    """One message after another, a thumb under each; how many answers were judged."""
    for number in range(MESSAGES):
        answer = await person.ask(f"<{person.id}/{number}>", within=60)
        # On a busy machine a killed server's workers may count as gone for a moment: a note, which becomes the answer.
        answer = await person.until(answer, lambda seen: bool(seen.buttons), within=60)
        await person.press(answer, "👍" if number % 2 else "👎", within=60)
    return MESSAGES


@pytest.mark.slow
async def test_two_hundred_messages_and_ratings_survive_a_killed_server(tmp_path: Path) -> None:
    async with stage(tmp_path) as scene, AsyncExitStack() as stack:
        people = [await stack.enter_async_context(scene.person(f"Человек {n}")) for n in range(PEOPLE)]
        talking = [asyncio.create_task(talk_and_judge(person)) for person in people]
        for _ in range(KILLS):
            await asyncio.sleep(1.5)
            await scene.server.kill()
            await asyncio.sleep(0.3)
            await scene.server.start()
        assert sum(await asyncio.gather(*talking)) == PEOPLE * MESSAGES

        async def all_stored() -> bool:
            await scene.drain_ratings()
            return await scene.book.stream.outstanding() == 0

        await until(all_stored)
        answered: Counter[str] = Counter()
        for person in people:
            for message in await person.history():
                if message.from_bot:
                    answered.update(re.findall(r"<\d+/\d+>", message.text))
        async with scene.database.view() as unit:
            judged = list(await unit.ratings.all())
        assert len(answered) == PEOPLE * MESSAGES
        assert sum(answered.values()) - len(answered) <= KILLS
        assert len(judged) == PEOPLE * MESSAGES
        assert Counter(row.thumb for row in judged) == {1: PEOPLE * MESSAGES // 2, -1: PEOPLE * MESSAGES // 2}
