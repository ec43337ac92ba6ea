"""`otklik up`: everything on one machine, supervised: redis, playground, worker, trainer, bot, HTTP API."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from bot.playground.seed import TOKEN
from bot.settings import BotSettings
from otklik.errors import EVERYTHING, check_settings
from otklik.supervisor import Child, ChildFailed, ChildSpec
from storage.embedded import EmbeddedRedis
from storage.settings import StorageSettings

STOP_WITHIN = 8.0


class AlreadyRunning(Exception):
    """Another `otklik up` uses the same STORAGE_DIR."""


def plan(storage: StorageSettings, bot: BotSettings) -> list[ChildSpec]:
    """Which processes to run, in the order of starting, with what they need to find each other."""
    logs = storage.dir.absolute() / "logs"
    # A stopping worker must have given back what it could not finish before the supervisor loses patience.
    env = {"STORAGE_DIR": str(storage.dir.absolute()), "MODELS_DRAIN_SECONDS": f"{STOP_WITHIN * 0.3:g}"}
    specs: list[ChildSpec] = []
    if storage.redis_url is None:
        server = EmbeddedRedis(storage.dir / "redis")
        env["STORAGE_REDIS_URL"] = server.url
        server.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        specs.append(ChildSpec("redis", server.command(), logs / "redis.log", notifies=False))
    if bot.token is None:
        state = str(storage.dir.absolute() / "playground.json")
        listen = bot.playground_listen
        specs.append(_ours("playground", ["--listen", listen, "--state", state, "--token", TOKEN], logs, env))
        env = env | {"BOT_TOKEN": TOKEN, "BOT_API_URL": f"http://{listen}"}
    for name in ("worker", "trainer", "bot", "api"):
        specs.append(_ours(name, [], logs, env))
    return specs


def _ours(name: str, arguments: list[str], logs: Path, env: dict[str, str]) -> ChildSpec:
    return ChildSpec(name, [sys.executable, "-m", "otklik", name, *arguments], logs / f"{name}.log", env)


async def supervise(specs: list[ChildSpec], say: Callable[[str], None], stop: asyncio.Event) -> int:
    """Run all children until `stop` is set or one cannot start; returns the exit status."""
    children = [Child(spec, say) for spec in specs]
    tasks = {asyncio.create_task(child.run()): child for child in children}
    stopping = asyncio.create_task(stop.wait())
    ready = asyncio.create_task(_announce(children, say))
    status = 0
    try:
        done, _ = await asyncio.wait({stopping, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        for task in done - {stopping}:
            if isinstance(error := task.exception(), ChildFailed):
                say(str(error))
            elif error is not None:
                raise error
            status = 1
    finally:
        ready.cancel()
        stopping.cancel()
        await _stop_all(children)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, ready, stopping, return_exceptions=True)
    return status


async def _announce(children: list[Child], say: Callable[[str], None]) -> None:
    while waiting := [child for child in children if not child.ready.is_set()]:
        await waiting[0].ready.wait()
    statuses = {child.spec.name: child.status for child in children}
    if "playground" in statuses:
        say(f"Отклик готов. Откройте {statuses['playground']} и напишите боту.")
    else:
        say(f"Отклик готов. Бот: {statuses['bot']}")
    if "api" in statuses:
        say(f"Для программ (HTTP API): {statuses['api']}")
    say("Остановить: Ctrl-C")


async def _stop_all(children: list[Child]) -> None:
    """People-facing ends first, Redis last: what is in flight gets acknowledged while the queue still answers."""
    by_name = {child.spec.name: child for child in children}
    first = [child for name, child in by_name.items() if name != "redis"]
    await asyncio.gather(*(child.stop(STOP_WITHIN * 0.7) for child in first))
    if "redis" in by_name:
        await by_name["redis"].stop(STOP_WITHIN * 0.3)


@contextlib.contextmanager
def sole_user(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; AlreadyRunning if another `otklik up` has it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(
                f"another `otklik up` runs on {folder.absolute()}: stop it, or set STORAGE_DIR to another folder"
            ) from None
        lock.write(str(os.getpid()))
        lock.flush()
        yield


async def _run(storage: StorageSettings, bot: BotSettings) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    specs = plan(storage, bot)
    print(f"Запускаю: {', '.join(spec.name for spec in specs)}. Журналы: {storage.dir / 'logs'}", flush=True)
    return await supervise(specs, lambda line: print(line, flush=True), stop)


def main(argv: list[str]) -> int:
    """Entry of `otklik up`."""
    parser = argparse.ArgumentParser(prog="otklik up", description=__doc__)
    parser.parse_args(argv)
    # The children read more than we do; nobody wants to learn of their settings one by one.
    check_settings(EVERYTHING)
    storage, bot = StorageSettings(), BotSettings()
    try:
        with sole_user(storage.dir):
            return asyncio.run(_run(storage, bot))
    except AlreadyRunning as error:
        print(f"otklik: {error}", file=sys.stderr)
        return 2
