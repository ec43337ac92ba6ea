"""The real thing over loopback: uvicorn, the application, Redis, SQLite, and a worker with the echo engine."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol

import httpx
import pytest_asyncio
import uvicorn
from redis.asyncio import Redis

from bot.api.app import application
from bot.api.settings import ApiSettings
from bot.settings import BotSettings
from models.build import build_responder
from models.settings import ModelsSettings
from models.worker import Worker
from storage.conversation import Conversation
from storage.database import Database, upgrade
from storage.settings import StorageSettings


@dataclass
class Desk:
    """A running API and the ways to it."""

    url: str
    key: str
    admin_key: str
    database: Database
    redis: Redis
    conversation: Conversation
    storage: StorageSettings

    def client(self, key: str | None = None) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, headers={"Authorization": f"Bearer {key or self.key}"}, timeout=30)

    async def make_key(self, *scopes: str, rate: int = 10_000, learn: bool = False) -> str:
        async with self.database.unit() as unit:
            _, text = await unit.api_keys.make("тест", scopes, rate=rate, learn=learn)
            await unit.commit()
        return text


class Serve(Protocol):
    """Starts the API."""

    def __call__(self, settings: ApiSettings, bot: BotSettings | None = None) -> Awaitable[Desk]: ...


@pytest_asyncio.fixture
async def serve(redis: Redis, storage_settings: StorageSettings) -> AsyncIterator[Serve]:
    """Starts the API with settings of the test's own."""
    async with contextlib.AsyncExitStack() as stack:
        await upgrade(storage_settings.database())
        database = Database(storage_settings.database())
        stack.push_async_callback(database.close)

        async def start(settings: ApiSettings, bot: BotSettings | None = None) -> Desk:
            listening = socket.socket()
            listening.bind(("127.0.0.1", 0))
            server = uvicorn.Server(
                uvicorn.Config(
                    application(settings, storage_settings, bot), log_level="error", access_log=False, ws="none"
                )
            )
            task = asyncio.create_task(server.serve([listening]))
            while not server.started:
                if task.done():
                    task.result()
                await asyncio.sleep(0.02)

            async def end() -> None:
                server.should_exit = True
                await task

            stack.push_async_callback(end)
            url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            line = Conversation(redis, storage_settings)
            desk = Desk(url, "", "", database, redis, line, storage_settings)
            desk.key = await desk.make_key("chat", "rate")
            desk.admin_key = await desk.make_key("chat", "rate", "admin")
            return desk

        yield start


@pytest_asyncio.fixture
async def worker(redis: Redis, storage_settings: StorageSettings) -> AsyncIterator[Worker]:
    """A worker of the echo engine in this process."""
    with ThreadPoolExecutor(1) as thread:
        settings = ModelsSettings(engine="echo")
        responder = build_responder(settings, storage_settings.load_presets(), worker="echo")
        one = Worker(Conversation(redis, storage_settings), responder, thread, worker_id="echo", rows=64, rows_each=4)
        stop = asyncio.Event()
        running = asyncio.create_task(one.run(stop))
        yield one
        stop.set()
        await running


@pytest_asyncio.fixture
async def desk(serve: Serve, worker: Worker) -> Desk:
    """The API with a worker behind it."""
    return await serve(ApiSettings())
