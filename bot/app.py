"""`otklik bot`: the composition root of the people-facing process. Settings, clients and loops are made here only."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

import structlog
from aiogram import Bot
from aiogram.client.default import DefaultBotProperties
from aiogram.exceptions import TelegramAPIError, TelegramUnauthorizedError
from aiogram.types import User
from prometheus_client import start_http_server
from pydantic import ValidationError
from redis.asyncio import Redis

from bot.admin.office import Office, furnish
from bot.albums import Albums
from bot.answers import Answers
from bot.catalogue import Catalogue
from bot.commands import introduce
from bot.courier import Courier
from bot.delivery import Deliveries
from bot.dispatch import dispatcher
from bot.failures import UNREACHABLE, insist, pause_after
from bot.flights import Flights
from bot.gate import Gate
from bot.intake import Intake
from bot.limiter import Limiter
from bot.logs import log_to_stderr
from bot.metrics import Metrics
from bot.outbox import Outbox
from bot.pace import Pace
from bot.patience import Patience
from bot.progress import Progress
from bot.refusals import Refusals
from bot.sayings import Sayings
from bot.services import Services
from bot.session import Session
from bot.settings import BotSettings, host_port
from bot.supervision import Supervisor
from bot.turns import Turns
from bot.updates import Poller
from bot.waiting import Waiting
from bot.webhook import Webhook
from storage.conversation import Conversation
from storage.database import Database, upgrade
from storage.keys import Keys
from storage.ratings import RatingBook
from storage.ready import beat, notify_ready
from storage.redis import connect
from storage.settings import StorageSettings

log = structlog.get_logger(__name__)

HEARTBEAT = 10.0


class WrongToken(Exception):
    """Telegram does not know the token."""

    def __init__(self) -> None:
        super().__init__("Telegram refuses BOT_TOKEN: check it with @BotFather (and BOT_API_URL, if that is set)")


@dataclass(slots=True)
class Parts:
    """Everything that runs in one bot process."""

    bot: Bot
    services: Services
    deliveries: Deliveries
    progress: Progress
    intake: Intake
    office: Office
    supervisor: Supervisor
    settings: BotSettings
    lease: float


@asynccontextmanager
async def assemble(settings: BotSettings, storage: StorageSettings) -> AsyncIterator[Parts]:
    """Make all clients and parts; close them at the end."""
    if settings.token is None:
        raise ValueError("BOT_TOKEN is not set: get one from @BotFather, or use `otklik up` with its playground")
    token = settings.token.get_secret_value()
    async with AsyncExitStack() as stack:
        metrics = Metrics()
        patient = Session(settings.api_url)
        patient.middleware(Patience(metrics))
        bot = Bot(token, session=patient, default=DefaultBotProperties(allow_sending_without_reply=True))
        stack.push_async_callback(bot.session.close)
        bare = Bot(token, session=Session(settings.api_url))
        stack.push_async_callback(bare.session.close)
        await insist("migrations", upgrade, storage.database())
        database = Database(storage.database())
        stack.push_async_callback(database.close)
        redis = connect(storage.redis())
        stack.push_async_callback(redis.aclose)
        supervisor = Supervisor()
        stack.push_async_callback(supervisor.stop)

        conversation = Conversation(redis, storage)
        gate = Gate(settings.parallel_sends)
        sayings = Sayings(redis, conversation.keys, gate, database, metrics)
        patient.middleware(sayings)
        catalogue = Catalogue(storage.load_presets())
        await insist("presets", catalogue.refresh, database)
        office = furnish(bare, conversation, database, catalogue, settings, storage)
        await stack.enter_async_context(office.replays.line.running())
        outbox, flights, book = Outbox(), Flights(), RatingBook(redis, storage)
        turns = Turns(database, conversation, book, catalogue, settings, outbox, flights)
        turns.asking.grace = office.drain.seconds_left
        me = await introduce_patiently(bot)
        services = Services(
            database=database,
            conversation=conversation,
            book=book,
            turns=turns,
            settings=settings,
            limiter=Limiter(redis, conversation.keys, limit=settings.rate_limit, window=settings.rate_window_seconds),
            pace=Pace(*(_actions(redis, conversation.keys, settings, scope) for scope in ("actions", "own data"))),
            waiting=Waiting(redis, conversation.keys),
            refusals=Refusals(redis, conversation.keys),
            albums=Albums(),
            metrics=metrics,
            answers=Answers(database, book, catalogue, settings),
            courier=Courier(bot, metrics),
            board=office.board,
            catalogue=catalogue,
            deeds=office.deeds,
            job_watch=office.job_watch,
            replays=office.replays,
            drafts=office.drafts,
            preset_deeds=office.preset_deeds,
            drain=office.drain,
            supervisor=supervisor,
            me=me,
        )
        yield Parts(
            bot=bot,
            services=services,
            deliveries=Deliveries(
                database,
                conversation,
                turns,
                outbox,
                flights,
                Courier(bare, metrics),
                supervisor,
                settings,
                metrics,
                gate,
                consumer=f"bot-{socket.gethostname()}-{os.getpid()}",
            ),
            progress=Progress(bare, flights, conversation, database, settings, supervisor, metrics),
            intake=Intake(bot, dispatcher(services), supervisor, sayings, metrics),
            office=office,
            supervisor=supervisor,
            settings=settings,
            lease=storage.lease_seconds,
        )


def _actions(redis: Redis, keys: Keys, settings: BotSettings, scope: str) -> Limiter:
    return Limiter(redis, keys, limit=settings.action_limit, window=settings.rate_window_seconds, scope=scope)


async def introduce_patiently(bot: Bot) -> User:
    """Who we are; waits for an unreachable Telegram, gives up on a wrong token."""
    failures = 0
    while True:
        try:
            return await bot.get_me()
        except TelegramUnauthorizedError:
            raise WrongToken from None
        except UNREACHABLE as error:
            failures += 1
            log.warning("telegram unreachable", error=type(error).__name__, failures=failures)
            await asyncio.sleep(pause_after(failures))


async def serve(parts: Parts, stop: asyncio.Event) -> None:
    """Run all loops until `stop`; what is being handled is finished first."""
    supervisor, conversation = parts.supervisor, parts.services.conversation
    await insist("groups", conversation.ensure)
    beat("bot")
    if parts.settings.metrics_listen:
        host, port = host_port(parts.settings.metrics_listen)
        start_http_server(port, host, registry=parts.services.metrics.registry)
    supervisor.loop("replies", parts.deliveries.pull)
    supervisor.loop("outbox", parts.deliveries.flush)
    supervisor.loop("leases", lambda: _every(parts, parts.lease / 3, parts.deliveries.renew))
    supervisor.loop("progress", parts.progress.tick)
    parts.office.run(supervisor)
    supervisor.loop("heartbeat", lambda: _every(parts, HEARTBEAT, _heartbeat))
    await insist("recover", parts.services.turns.recover)
    with suppress(TelegramAPIError):
        await introduce(parts.bot, parts.settings)
    async with receiving(parts):
        notify_ready(f"@{parts.services.me.username}")
        log.info("bot ready", username=parts.services.me.username, updates=parts.settings.updates)
        await stop.wait()
    await supervisor.stop()


@asynccontextmanager
async def receiving(parts: Parts) -> AsyncIterator[None]:
    """Updates come in while this is open."""
    if parts.settings.updates == "webhook":
        async with Webhook(parts.bot, parts.intake, parts.settings).serving():
            yield
        return
    await parts.bot.delete_webhook(drop_pending_updates=False)
    poller = Poller(parts.bot, parts.intake, parts.supervisor)
    parts.supervisor.loop("polling", poller.run)
    yield
    await parts.supervisor.stop()
    with suppress(TelegramAPIError):
        await poller.confirm()


async def _every(parts: Parts, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
    await parts.supervisor.rest(seconds)
    await work()


async def _heartbeat() -> None:
    beat("bot")


async def run(settings: BotSettings, storage: StorageSettings, stop: asyncio.Event | None = None) -> None:
    """One bot process, until `stop` is set."""
    stop = stop or asyncio.Event()
    async with assemble(settings, storage) as parts:
        await serve(parts, stop)


async def _main(settings: BotSettings, storage: StorageSettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await run(settings, storage, stop)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry of `otklik bot`. 0: stopped as asked, 2: settings are wrong (said on stderr)."""
    argparse.ArgumentParser(prog="otklik bot", description="Talk to people in Telegram.").parse_args(argv)
    log_to_stderr()
    try:
        settings, storage = BotSettings(), StorageSettings()
        storage.redis()
        asyncio.run(_main(settings, storage))
    except ValidationError:
        raise  # explained, setting by setting, where every command's errors are
    except (ValueError, WrongToken) as error:
        print(f"otklik bot: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
