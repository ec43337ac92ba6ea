"""Puts the local Telegram together and serves it. The only place here that starts tasks and opens sockets."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import structlog
from aiohttp import web

from bot.playground.botapi import BotApi
from bot.playground.guard import add_headers, guard, is_loopback
from bot.playground.peopleapi import PeopleApi
from bot.playground.receiving import NOBODY
from bot.playground.seed import TOKEN, furnish
from bot.playground.storage import open_world, save_world
from bot.playground.webhooks import run_webhooks
from bot.playground.world import World
from storage.ready import notify_ready

STATIC = Path(__file__).parent / "static"
SAVE_EVERY = 0.5
log = structlog.get_logger()


class NotLoopback(ValueError):
    """The playground knows no passwords, so it is not offered to a network unasked."""


def create_app(world: World, *, hosts: Iterable[str] = ()) -> web.Application:
    """The whole server; `hosts` are names besides loopback under which browsers may reach it."""
    app = web.Application(
        middlewares=[guard(frozenset(hosts))], client_max_size=world.limits.upload_bytes + 1024 * 1024
    )
    bots, people = BotApi(world), PeopleApi(world)
    app.add_routes(bots.routes())
    app.add_routes(people.routes())
    app.router.add_get("/", _page)
    app.router.add_static("/static/", STATIC)
    app.on_response_prepare.append(add_headers)

    async def background(_: web.Application) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(run_webhooks(world, bots.call)), asyncio.create_task(_save(world))]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        save_world(world)

    async def let_go(_: web.Application) -> None:
        people.close()
        for runtime in world.runtime.values():
            runtime.poll = NOBODY
            runtime.updates.notify()

    app.cleanup_ctx.append(background)
    app.on_shutdown.append(let_go)
    return app


async def _page(request: web.Request) -> web.StreamResponse:
    return web.FileResponse(STATIC / "index.html", headers={"Cache-Control": "no-cache"})


async def _save(world: World) -> None:
    """Write the world soon after it has changed, many changes at once."""
    if world.path is None:
        return
    while True:
        await world.changes.wait()
        await asyncio.sleep(SAVE_EVERY)
        try:
            save_world(world)
        except OSError as error:
            log.warning("the playground's state could not be saved", error=str(error))


@contextlib.asynccontextmanager
async def serve(
    listen: str = "127.0.0.1:0", world: World | None = None, *, allow_network: bool = False, hosts: Iterable[str] = ()
) -> AsyncIterator[str]:
    """Serve on `host:port` (port 0: any free one) and give the base URL.

    NotLoopback for a host that others can reach, unless `allow_network`; OSError if the port is taken.
    """
    host, _, port = listen.rpartition(":")
    host = host.strip("[]") or "127.0.0.1"
    if not is_loopback(host) and not allow_network:
        raise NotLoopback(f"{host} can be reached by others and the playground has no passwords; use 127.0.0.1")
    runner = web.AppRunner(create_app(world or World(), hosts=hosts), access_log=None, shutdown_timeout=2)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, int(port))
        await site.start()
        address = runner.addresses[0]
        shown = f"[{address[0]}]" if ":" in address[0] else address[0]
        yield f"http://{shown}:{address[1]}"
    finally:
        await runner.cleanup()


async def run(listen: str, state: Path | None, token: str, *, allow_network: bool, hosts: Iterable[str]) -> None:
    """Serve a furnished world until SIGINT or SIGTERM."""
    world = furnish(open_world(state), token)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with serve(listen, world, allow_network=allow_network, hosts=hosts) as url:
        print(f"Playground: {url}", flush=True)
        notify_ready(url)
        await stop.wait()


def main(argv: list[str]) -> int:
    """Entry of `otklik playground`."""
    parser = argparse.ArgumentParser(prog="otklik playground", description="A local Telegram with a chat page.")
    parser.add_argument("--listen", default="127.0.0.1:8765", help="host:port; loopback unless --allow-network")
    parser.add_argument("--state", type=Path, help="JSON file in which chats survive a restart")
    parser.add_argument("--token", default=TOKEN, help="the token under which the bot signs in")
    parser.add_argument("--allow-network", action="store_true", help="serve other machines too; there is no password")
    parser.add_argument("--host", action="append", default=[], help="another name under which browsers reach it")
    given = parser.parse_args(argv)
    try:
        asyncio.run(run(given.listen, given.state, given.token, allow_network=given.allow_network, hosts=given.host))
    except (NotLoopback, OSError, ValueError) as error:
        print(f"otklik playground: {error}; choose another address with BOT_PLAYGROUND_LISTEN")
        return 2
    return 0
