"""The bot is killed while Telegram slows it down (429) and its answers are too long for one message.

Every part of every answer comes, in order; at most one message doubles per kill; who has blocked the bot is left alone.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest

from bot.playground.errors import ApiError, TooManyRequests
from bot.playground.limits import Limits
from bot.playground.person import Person
from storage.contracts import ChatReply, ChatRequest
from tests.bot.stage import reply_to, stage, until
from tests.journey.bots import Bots

PEOPLE, MESSAGES, PARTS = 50, 4, 3
KILLS = 4
# The third part of an answer is always too much, however slow the machine is; `retry_after` is at least a second.
LIMITS = Limits(chat_per_second=1.5, chat_burst=2, group_per_minute=10**9, overall_per_second=60.0)
SENTENCE = "Вот и ещё одно предложение этого длинного ответа. "


def at_length(request: ChatRequest) -> ChatReply:
    """An answer of three messages, each of which names the question and its own number."""
    asked = re.findall(r"<\d+>", request.turns[-1].text)
    # 4,064 letters each, so that no message has room for the beginning of the next part.
    part = [f"Часть {number} {' '.join(asked)}, а {SENTENCE * 81}" for number in range(PARTS)]
    return reply_to(request, "".join(part).strip())


async def talk(person: Person) -> None:
    for number in range(MESSAGES):
        await person.send(f"вопрос <{number}>")
        # Each is a turn of its own.
        await until(partial(has_the_last_part, person, number), within=90)


async def has_the_last_part(person: Person, question: int) -> bool:
    await asyncio.sleep(0.4)
    return (question, PARTS - 1) in await parts_of(person)


@pytest.mark.slow
async def test_long_answers_under_flood_control_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sql: str | None
) -> None:
    refused: Counter[type[ApiError]] = Counter()
    real = TooManyRequests.__init__

    def counting(error: TooManyRequests, retry_after: int) -> None:
        refused[TooManyRequests] += 1
        real(error, retry_after)

    monkeypatch.setattr(TooManyRequests, "__init__", counting)
    log = tmp_path / "bot.log"
    async with (
        stage(tmp_path, sql=sql, limits=LIMITS) as scene,
        Bots.of(scene.storage, log, api_url=scene.url) as bots,
        AsyncExitStack() as stack,
    ):
        await scene.stop()
        scene.worker.answer = at_length
        people = [await stack.enter_async_context(scene.person(f"Человек {n}")) for n in range(PEOPLE)]
        leaving = await stack.enter_async_context(scene.person("Ушедший"))
        await bots.start()
        await leaving.send("вопрос <0>")
        await leaving.block()
        talking = asyncio.gather(*(talk(person) for person in people))
        for _ in range(KILLS):
            await asyncio.sleep(random.uniform(0.5, 2.0))
            bots.kill()
            await bots.start()
        await asyncio.wait_for(talking, 240)
        doubled = 0
        for person in people:
            parts = await parts_of(person)
            assert set(parts) == {(number, part) for number in range(MESSAGES) for part in range(PARTS)}
            doubled += len(parts) - len(set(parts))
            assert list(dict.fromkeys(parts)) == sorted(set(parts)), "parts in order"
        assert doubled <= KILLS
        assert refused[TooManyRequests] > 20

        async def all_done() -> bool:
            async with scene.database.view() as unit:
                return not await unit.replies.all_in_flight()

        await until(all_done, within=20)


async def parts_of(person: Person) -> list[tuple[int, int]]:
    """(question, part) of each message that the bot sent them as an answer."""
    begun = (re.match(r"Часть (\d) <(\d+)>", one.text) for one in await person.history() if one.from_bot)
    return [(int(found[2]), int(found[1])) for found in begun if found]
