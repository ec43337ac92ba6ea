"""`otklik api`: the composition root of the HTTP front end. Settings, clients and routes are put together here only."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import structlog
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError
from starlette.middleware.body_limit import RequestBodyLimitMiddleware

from bot.admin.deeds import Deeds
from bot.api import adapters, agreement, chat, health, jobs, knowledge, people, problems, ratings, suggestions, widget
from bot.api.access import Gatekeeper
from bot.api.brain import Brain
from bot.api.edge import Edge
from bot.api.metrics import Counting, Metrics
from bot.api.once import Once
from bot.api.reference import page as reference
from bot.api.settings import ApiSettings
from bot.api.watching import Watch
from bot.catalogue import Catalogue
from bot.dashboard.mount import mount
from bot.dashboard.sessions import Sessions
from bot.failures import insist
from bot.knowledge.shelf import Shelf
from bot.logs import log_to_stderr
from bot.settings import BotSettings, host_port
from storage.conversation import Conversation
from storage.database import Database, upgrade
from storage.direct import DirectLine
from storage.loop_board import LoopBoard
from storage.ratings import RatingBook
from storage.ready import beat, notify_ready
from storage.redis import connect
from storage.registry import Registry
from storage.settings import StorageSettings

log = structlog.get_logger(__name__)

FRESH = 5.0
DESCRIPTION = """Russian answers in a chosen emotion, by the same models that answer in Telegram.

`POST /v1/chat/completions` is OpenAI's; `emotion`, `intensity`, `persona`, `candidates` are ours."""


def application(settings: ApiSettings, storage: StorageSettings, bot: BotSettings | None = None) -> FastAPI:
    """The ASGI application; clients are opened when it starts and closed when it ends.

    `bot`: whose operators may open the dashboard in Telegram.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await _assemble(app, settings, storage, bot, stack)
            yield

    metrics = Metrics()
    app = FastAPI(
        title="Отклик",
        version="1",
        description=DESCRIPTION,
        lifespan=lifespan,
        responses=problems.RESPONSES,
        docs_url=None,
        redoc_url=None,
    )
    app.state.metrics = metrics
    problems.register(app)
    routers = (chat, suggestions, ratings, people, adapters, jobs, widget, agreement, knowledge, health)
    for part in routers:
        app.include_router(part.router)
    app.include_router(reference.router)
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=settings.body_limit)
    app.add_middleware(Edge, body_limit=settings.body_limit)
    if settings.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.origins),
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key"],
            expose_headers=["Retry-After", "RateLimit-Policy", "RateLimit", "Idempotency-Replayed"],
            max_age=600,
        )
    mount(app)
    app.add_middleware(Counting, metrics=metrics)
    return app


async def _assemble(
    app: FastAPI, settings: ApiSettings, storage: StorageSettings, bot: BotSettings | None, stack: AsyncExitStack
) -> None:
    await insist("migrations", upgrade, storage.database())
    database = Database(storage.database())
    stack.push_async_callback(database.close)
    redis = connect(storage.redis())
    stack.push_async_callback(redis.aclose)
    conversation = Conversation(redis, storage)
    await insist("groups", conversation.ensure)
    catalogue = Catalogue(storage.load_presets())
    await insist("presets", catalogue.refresh, database)
    line = await stack.enter_async_context(DirectLine(conversation, "api").running())
    watch = Watch(database, jobs.text_of, jobs.over)
    for loop in (_stay_fresh(catalogue, database), watch.run()):
        stack.push_async_callback(_end, asyncio.create_task(loop))
    app.state.settings = settings
    app.state.database = database
    app.state.shelf = Shelf(database)
    app.state.redis = redis
    app.state.conversation = conversation
    app.state.catalogue = catalogue
    app.state.line = line
    app.state.watch = watch
    app.state.brain = Brain(line, lambda: catalogue.current, settings)
    app.state.gatekeeper = Gatekeeper(database, redis, conversation.keys)
    app.state.book = RatingBook(redis, storage)
    app.state.board = LoopBoard(redis, storage)
    app.state.deeds = Deeds(database, Registry(database, app.state.board, storage))
    app.state.sessions = Sessions(redis, conversation.keys, app.state.gatekeeper, bot)
    app.state.once = Once(redis, conversation.keys, settings.remember_seconds)


async def _stay_fresh(catalogue: Catalogue, database: Database) -> None:
    """Presets change while this runs."""
    while True:
        await asyncio.sleep(FRESH)
        beat("api")
        with contextlib.suppress(SQLAlchemyError, RedisError, OSError):
            await catalogue.refresh(database)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def serve(settings: ApiSettings, storage: StorageSettings) -> None:
    """Serve until a signal; what is being answered is finished first."""
    import uvicorn

    host, port = host_port(settings.listen)
    app = application(settings, storage, BotSettings())
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=8,
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started and not task.done():  # noqa: ASYNC110  (uvicorn tells it by nothing else)
        await asyncio.sleep(0.05)
    if server.started:
        notify_ready(f"http://{host}:{port}/docs")
        log.info("api ready", listen=settings.listen)
    await task


def main(argv: Sequence[str] | None = None) -> int:
    """Entry of `otklik api`. 0: stopped as asked, 1: the port is taken, 2: settings are wrong."""
    argparse.ArgumentParser(prog="otklik api", description="The HTTP API.").parse_args(argv)
    log_to_stderr()
    settings, storage = ApiSettings(), StorageSettings()
    try:
        storage.redis()
    except ValueError as error:
        print(f"otklik api: {error}", file=sys.stderr)
        return 2
    try:
        asyncio.run(serve(settings, storage))
    except SystemExit:
        print(f"otklik api: cannot listen on {settings.listen} (API_LISTEN): is the port taken?", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
