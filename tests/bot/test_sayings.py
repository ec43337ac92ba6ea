"""What handlers say, and the gate that it shares with replies: with Redis away, after «later», who passes first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramAPIError, TelegramEntityTooLarge, TelegramRetryAfter, TelegramServerError
from aiogram.methods import SendDocument, SendMessage, TelegramMethod
from aiogram.types import BufferedInputFile, Chat, Message
from redis.exceptions import ConnectionError as RedisConnectionError

from bot import texts
from bot.failures import may_have_arrived, unreachable
from bot.gate import Gate, Line
from bot.metrics import Metrics
from bot.sayings import UNSURE, Answered, Sayings
from bot.session import TIMEOUT, UPLOAD_TIMEOUT, Session
from storage.contracts import now
from storage.keys import Keys

BOT = Bot("4242:test-token")


class Marks:
    """The few commands of Redis that marks need. `state`: «here», «refused» or «silent»."""

    def __init__(self) -> None:
        self.state = "here"
        self.kept: dict[str, dict[str, str]] = {}
        self._planned: list[Callable[[], None]] = []

    async def _answer(self) -> None:
        if self.state == "refused":
            raise RedisConnectionError
        if self.state == "silent":
            await asyncio.Event().wait()

    async def hgetall(self, key: str) -> dict[str, str]:
        await self._answer()
        return dict(self.kept.get(key, {}))

    async def hdel(self, key: str, name: str) -> None:
        await self._answer()
        self.kept.get(key, {}).pop(name, None)

    @asynccontextmanager
    async def pipeline(self, *, transaction: bool) -> AsyncIterator[Marks]:
        assert transaction
        yield self

    def hset(self, key: str, mapping: dict[str, int]) -> None:
        fields = {name: str(value) for name, value in mapping.items()}
        self._planned.append(lambda: self.kept.setdefault(key, {}).update(fields))

    def expire(self, key: str, seconds: int) -> None:
        assert key
        assert seconds > 0

    async def execute(self) -> None:
        planned, self._planned = self._planned, []
        await self._answer()
        for work in planned:
            work()


class Telegram:
    """Takes what is said, or fails as planned. `closed`: every request waits until it is opened."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.failing: list[TelegramAPIError] = []
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self, bot: Bot, method: TelegramMethod[Any]) -> Any:
        await self.open.wait()
        if self.failing:
            raise self.failing.pop(0)
        self.said.append(str(getattr(method, "text", None) or type(method).__name__))
        return Message(message_id=len(self.said), date=now(), chat=Chat(id=1, type="private"))


class Scene:
    """Sayings between a stubbed Redis and a stubbed Telegram."""

    def __init__(self) -> None:
        self.marks, self.telegram, self.gate = Marks(), Telegram(), Gate(1)
        self.sayings = Sayings(self.marks, Keys(), self.gate, None, Metrics())  # type: ignore[arg-type]

    async def update(self, number: int = 1) -> Answered:
        return await self.sayings.recall(BOT.id, number, urgent=True)

    async def say(self, answered: Answered, text: str = "привет") -> None:
        with answered.speaking():
            await self.sayings(self.telegram, BOT, SendMessage(chat_id=1, text=text))

    async def reply(self, text: str) -> None:
        async with self.gate.passing(Line.REPLIES):
            await self.telegram(BOT, SendMessage(chat_id=2, text=text))

    async def crowd(self, *speaking: Any) -> None:
        """All of them at once, at the gate in this order, while Telegram is slow."""
        self.telegram.open.clear()
        async with asyncio.TaskGroup() as group:
            for one in speaking:
                group.create_task(one)
                for _ in range(20):
                    await asyncio.sleep(0)
            self.telegram.open.set()


@pytest.fixture
async def scene() -> Scene:
    return Scene()


@pytest.mark.parametrize("state", ["refused", "silent"])
async def test_a_card_does_not_wait_for_redis(scene: Scene, state: str) -> None:
    scene.marks.state = state
    async with asyncio.timeout(5):
        await scene.say(await scene.update(), texts.CRISIS)
    assert scene.telegram.said == [texts.CRISIS]


@pytest.mark.parametrize("state", ["refused", "silent"])
async def test_redis_may_go_away_between_looking_and_marking(scene: Scene, state: str) -> None:
    answered = await scene.update()
    scene.marks.state = state
    async with asyncio.timeout(5):
        await scene.say(answered, texts.CRISIS)
        await scene.reply("ответ")
    assert scene.telegram.said == [texts.CRISIS, "ответ"]


async def test_a_redis_that_is_back_is_asked_what_was_said_before_another_try(scene: Scene) -> None:
    await scene.say(await scene.update())
    scene.marks.state = "refused"
    again = await scene.update()
    scene.marks.state = "here"
    await scene.sayings.look_again(again)
    await scene.say(again)
    assert scene.telegram.said == ["привет"]
    await scene.say(again, "пока")
    assert "2" in scene.marks.kept[again.key].values()


async def test_what_was_said_while_redis_was_away_is_known_afterwards(scene: Scene) -> None:
    scene.marks.state = "refused"
    answered = await scene.update()
    await scene.say(answered)
    scene.marks.state = "here"
    await scene.sayings.look_again(answered)
    await scene.sayings.finish(answered)
    repeated = await scene.update()
    assert repeated.done
    assert list(repeated.said.values()) == [1]


async def test_what_telegram_surely_refused_leaves_no_mark_and_is_said_later(scene: Scene) -> None:
    answered = await scene.update()
    method = SendMessage(chat_id=1, text="привет")
    scene.telegram.failing = [TelegramRetryAfter(method, "later", 3)]
    with pytest.raises(TelegramRetryAfter):
        await scene.say(answered)
    assert (answered.said, scene.marks.kept[answered.key]) == ({}, {})
    await scene.say(answered)
    assert scene.telegram.said == ["привет"]
    assert list(answered.said.values()) == [1]


async def test_what_perhaps_arrived_stays_marked(scene: Scene) -> None:
    answered = await scene.update()
    scene.telegram.failing = [TelegramServerError(SendMessage(chat_id=1, text="привет"), "Bad Gateway")]
    with pytest.raises(TelegramServerError):
        await scene.say(answered)
    assert list(scene.marks.kept[answered.key].values()) == [str(UNSURE)]


async def test_a_file_that_is_too_large_is_no_failure_of_the_network() -> None:
    error = TelegramEntityTooLarge(SendMessage(chat_id=1, text=""), "Request Entity Too Large")
    assert not unreachable(error)
    assert not may_have_arrived(error)


async def test_a_reply_passes_after_one_of_many_sayings_and_a_saying_after_one_of_many_replies(scene: Scene) -> None:
    notices = [scene.say(await scene.update(number), f"уведомление {number}") for number in range(10)]
    await scene.crowd(*notices, *(scene.reply(f"ответ {number}") for number in range(3)))
    assert scene.telegram.said[:6] == [
        "уведомление 0",
        "ответ 0",
        "уведомление 1",
        "ответ 1",
        "уведомление 2",
        "ответ 2",
    ]
    assert len(scene.telegram.said) == 13


async def test_a_card_passes_before_all_who_wait(scene: Scene) -> None:
    notices = [scene.say(await scene.update(number), f"уведомление {number}") for number in range(5)]
    card = scene.say(await scene.update(99), texts.CRISIS)
    await scene.crowd(scene.reply("ответ 0"), scene.reply("ответ 1"), *notices, card)
    assert scene.telegram.said[:2] == ["ответ 0", texts.CRISIS]


async def test_whoever_gives_up_at_the_gate_holds_nobody_up(scene: Scene) -> None:
    async with scene.gate.passing(Line.REPLIES):
        first, second, third = (asyncio.create_task(scene.reply(f"ответ {number}")) for number in range(3))
        await asyncio.sleep(0)
        first.cancel()
    # The place is the second's already, which does not know it yet.
    second.cancel()
    await asyncio.wait({first, second})
    async with asyncio.timeout(5):
        await third
        await scene.reply("ответ 3")
    assert scene.telegram.said == ["ответ 2", "ответ 3"]


async def test_a_file_on_its_way_holds_no_reply_up(scene: Scene) -> None:
    file = SendDocument(chat_id=1, document=BufferedInputFile(b"{}", "otklik.json"))
    answered = await scene.update()
    uploading = asyncio.Event()

    async def upload(bot: Bot, method: TelegramMethod[Any]) -> Any:
        uploading.set()
        await asyncio.sleep(0)
        await replied.wait()
        return await scene.telegram(bot, method)

    async def export() -> None:
        with answered.speaking():
            await scene.sayings(upload, BOT, file)

    replied = asyncio.Event()
    task = asyncio.create_task(export())
    await uploading.wait()
    try:
        async with asyncio.timeout(5):
            await scene.reply("ответ")
    finally:
        replied.set()
        await task
    assert scene.telegram.said == ["ответ", "SendDocument"]
    assert list(scene.marks.kept[answered.key].values()) == ["2"]


async def test_only_files_may_take_longer_than_replies(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int | None] = []

    async def request(self: object, bot: Bot, method: TelegramMethod[Any], timeout: int | None) -> bool:  # noqa: ASYNC109  (as in the class above)
        asked.append(timeout)
        return True

    monkeypatch.setattr("aiogram.client.session.aiohttp.AiohttpSession.make_request", request)
    session = Session("http://127.0.0.1:1")
    await session(BOT, SendDocument(chat_id=1, document="id"))
    await session(BOT, SendMessage(chat_id=1, text="привет"))
    assert (session.timeout, asked) == (TIMEOUT, [UPLOAD_TIMEOUT, None])
