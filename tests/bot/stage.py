"""The bot on a stage: a local Telegram, a real Redis-protocol server, SQL, and a worker played by the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from bot.app import Parts, assemble
from bot.app import serve as serve_bot
from bot.playground.app import serve
from bot.playground.limits import Limits
from bot.playground.person import Person
from bot.playground.world import World
from bot.settings import BotSettings
from storage.contracts import Candidate, ChatReply, ChatRequest, Provenance, ReplyState, Sampling
from storage.conversation import Conversation
from storage.database import Database
from storage.embedded import EmbeddedRedis
from storage.ratings import RatingBook
from storage.ratings_sink import drain_once
from storage.redis import connect
from storage.settings import StorageSettings

TOKEN = "4242:test-token"

Answering = Callable[[ChatRequest], ChatReply | None]


def reply_to(request: ChatRequest, text: str, **changes: Any) -> ChatReply:
    """A worker's answer."""
    values: dict[str, Any] = {
        "request_id": request.request_id,
        "chat_id": request.chat_id,
        "state": ReplyState.DONE,
        "text": text,
        "emotion": "joy" if request.emotion == "auto" else request.emotion,
        "intensity": request.intensity,
        "fit": 0.9,
        "fit_ok": True,
        "candidates": (Candidate(text=text, fit=0.9),),
        "provenance": Provenance(base_model="stub", prompt_version="0", sampling=Sampling(), seed=1, worker="stub"),
        **changes,
    }
    return ChatReply(**values)


def parrot(request: ChatRequest) -> ChatReply:
    """Says back what was said, with what it was asked for."""
    mark = f" #{request.variant}" if request.variant else ""
    return reply_to(request, f"[{request.emotion} {request.intensity}] {request.turns[-1].text}{mark}")


class StubWorker:
    """Claims requests and answers with `answer`; remembers what it was asked. `pause()` holds requests back."""

    def __init__(self, redis: Redis, storage: StorageSettings) -> None:
        self.line = Conversation(redis, storage)
        self.answer: Answering = parrot
        self.asked: list[ChatRequest] = []
        self.stopping = False
        self.free = asyncio.Event()
        self.free.set()
        self.idle = asyncio.Event()
        self.cancelled: set[str] = set()

    def asked_in(self, chat_id: int) -> list[ChatRequest]:
        """What it was asked there; `asked` also has what an earlier test left unanswered, once its lease is over."""
        return [request for request in self.asked if request.chat_id == chat_id]

    async def pause(self) -> None:
        """Claim nothing until `resume`; a claim under way is waited for."""
        self.free.clear()
        await asyncio.wait_for(self.idle.wait(), 5)

    def resume(self) -> None:
        """Go on."""
        self.free.set()

    async def run(self) -> None:
        """Work until told to stop (a cancelled read may be swallowed by the client)."""
        await self.line.ensure()
        while not self.stopping:
            await self.line.beat("stub", seconds=5)
            if not self.free.is_set():
                self.idle.set()
                await asyncio.sleep(0.05)
                continue
            self.idle.clear()
            claimed, _ = await self.line.requests.claim("stub", count=16, block=0.05)
            for delivery in claimed:
                request = delivery.message
                self.asked.append(request)
                self.cancelled |= await self.line.cancelled([request.request_id])
                reply = self.answer(request)
                if reply is not None:
                    await self.line.complete(delivery, reply)


class Stage:
    """Everything around one bot. `start` and `stop` the bot as often as you like; the rest stays."""

    def __init__(
        self,
        url: str,
        world: World,
        folder: Path,
        server: EmbeddedRedis,
        queue_limit: int = 500,
        sql: str | None = None,
        **settings: Any,
    ) -> None:
        self.url = url
        self.world = world
        self.server = server
        self.storage = StorageSettings(
            dir=folder,
            redis_url=server.url,
            database_url=sql,
            lease_seconds=1.0,
            queue_limit=queue_limit,
        )
        self.settings = BotSettings(
            token=TOKEN,
            api_url=url,
            **{
                "default_emotion": "joy",
                "rate_limit": 10_000,
                "action_limit": 10_000,
                "typing_seconds": 1.0,
                **settings,
            },
        )
        self.redis = connect(server.url)
        self.worker = StubWorker(self.redis, self.storage)
        self.book = RatingBook(self.redis, self.storage)
        self.database = Database(self.storage.database())
        self.parts: Parts | None = None
        self._tasks: list[asyncio.Task[Any]] = []
        self._bot: tuple[asyncio.Event, asyncio.Task[None]] | None = None

    async def start(self) -> None:
        """Start the bot; ready when it has introduced itself."""
        stop = asyncio.Event()
        task = asyncio.create_task(self._run(stop))
        self._bot = (stop, task)

    async def _run(self, stop: asyncio.Event) -> None:
        async with assemble(self.settings, self.storage) as parts:
            self.parts = parts
            await serve_bot(parts, stop)

    async def stop(self) -> None:
        """Stop it cleanly."""
        if self._bot is not None:
            stop, task = self._bot
            self._bot = None
            stop.set()
            await asyncio.wait_for(task, 15)

    def work(self) -> None:
        """Start the stub worker."""
        self._tasks.append(asyncio.create_task(self.worker.run()))

    async def drain_ratings(self) -> int:
        """What the trainer process does: ratings from the stream into SQL."""
        await self.book.stream.ensure()
        return await drain_once(self.book, self.database, "test")

    async def close(self) -> None:
        """End everything that this stage started."""
        await self.stop()
        self.worker.stopping = True
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.database.close()
        await self.redis.aclose()

    @asynccontextmanager
    async def person(self, name: str = "Аня", **about: Any) -> AsyncIterator[Person]:
        """Somebody who uses the app."""
        async with Person.join(self.url, name, **about) as person:
            yield person


@asynccontextmanager
async def stage(
    folder: Path, *, limits: Limits | None = None, stub: bool = True, **settings: Any
) -> AsyncIterator[Stage]:
    """A running stage: Telegram, Redis, worker and bot; SQL is SQLite unless the settings have its URL as `sql`.

    `stub` False: whoever asks brings a worker of their own.
    """
    world = World(limits=limits or Limits.none())
    world.add_bot(TOKEN, "otklik_bot", "Отклик")
    server = EmbeddedRedis(folder / "redis")
    async with server, serve("127.0.0.1:0", world) as url:
        scene = Stage(url, world, folder, server, **settings)
        if stub:
            scene.work()
        await scene.start()
        try:
            yield scene
        finally:
            await scene.close()


async def until(condition: Callable[[], Any], *, within: float = 10.0) -> None:
    """Wait until `condition()` (or what it awaits to) is true; AssertionError if it never is."""
    end = asyncio.get_running_loop().time() + within
    while True:
        value = condition()
        if asyncio.iscoroutine(value):
            value = await value
        if value:
            return
        assert asyncio.get_running_loop().time() < end, "it never came to that"
        await asyncio.sleep(0.02)
