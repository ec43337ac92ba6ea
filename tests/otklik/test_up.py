"""What `otklik up` starts by its settings, and when it says that all is ready."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.playground.seed import TOKEN
from bot.settings import BotSettings
from otklik.supervisor import ChildSpec
from otklik.up import plan, supervise
from storage.settings import StorageSettings
from tests.otklik.test_supervisor import until

OURS = ["worker", "trainer", "bot", "api"]
# Becomes ready once it is let, in every life anew; its status names the process.
PROGRAM = """
import os, sys, time
from pathlib import Path
from storage.ready import notify_ready
name, let = sys.argv[1], Path(sys.argv[2])
while not let.exists():
    time.sleep(0.01)
let.unlink()
notify_ready(f"@{name}-{os.getpid()}")
let.with_suffix(".up").write_text(str(os.getpid()))
time.sleep(60)
"""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[ChildSpec]]:
    """The plan under these settings, no `.env` file near."""
    monkeypatch.chdir(tmp_path)

    def planned(**environment: str) -> list[ChildSpec]:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        return plan(StorageSettings(), BotSettings())

    return planned


def told(specs: list[ChildSpec]) -> dict[str, str]:
    """What the bot is told by us, beside the supervisor's own environment."""
    return dict(next(spec.env for spec in specs if spec.name == "bot"))


def test_with_no_settings_everything_is_started(settings: Callable[..., list[ChildSpec]], tmp_path: Path) -> None:
    specs = settings()
    assert [spec.name for spec in specs] == ["redis", "playground", *OURS]
    assert told(specs)["STORAGE_REDIS_URL"].startswith("unix://")
    assert (told(specs)["BOT_TOKEN"], told(specs)["BOT_API_URL"]) == (TOKEN, "http://127.0.0.1:8765")
    assert told(specs)["STORAGE_DIR"] == str(tmp_path / "var")
    redis = specs[0]
    assert "--appendonly yes" in " ".join(redis.command)
    assert not redis.notifies and all(spec.notifies for spec in specs[1:])


def test_a_redis_of_ones_own_is_used(settings: Callable[..., list[ChildSpec]]) -> None:
    specs = settings(STORAGE_REDIS_URL="redis://127.0.0.1:6379/3")
    assert [spec.name for spec in specs] == ["playground", *OURS]
    assert all("STORAGE_REDIS_URL" not in spec.env for spec in specs)


def test_a_database_of_ones_own_is_used(settings: Callable[..., list[ChildSpec]]) -> None:
    specs = settings(STORAGE_DATABASE_URL="postgresql+asyncpg://me@127.0.0.1/otklik")
    assert [spec.name for spec in specs] == ["redis", "playground", *OURS]
    assert all("STORAGE_DATABASE_URL" not in spec.env for spec in specs)


@pytest.mark.parametrize("server", [{}, {"BOT_API_URL": "http://127.0.0.1:8081"}])
def test_with_a_token_it_is_telegram(settings: Callable[..., list[ChildSpec]], server: dict[str, str]) -> None:
    specs = settings(BOT_TOKEN="42:secret", **server)
    assert [spec.name for spec in specs] == ["redis", *OURS]
    assert not {"BOT_TOKEN", "BOT_API_URL"} & {name for spec in specs for name in spec.env}
    assert "secret" not in " ".join(word for spec in specs for word in spec.command)


class Crew:
    """Children under supervision, and what was said."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[str] = []

    def let(self, name: str) -> None:
        """Let a child become ready."""
        (self.folder / name).touch()

    async def up(self, name: str, *, but: int = 0) -> int:
        """Wait until a child is ready, in another process than `but`; its process id."""
        mark = self.folder / f"{name}.up"
        await until(lambda: mark.exists() and mark.read_text() not in ("", str(but)))
        return int(mark.read_text())

    async def hears(self, words: str) -> str:
        """Wait for a line with these words."""
        await until(lambda: any(words in line for line in self.said))
        return next(line for line in self.said if words in line)


@asynccontextmanager
async def crew(folder: Path, *names: str) -> AsyncIterator[Crew]:
    found = Crew(folder)
    specs = [
        ChildSpec(name, [sys.executable, "-c", PROGRAM, name, str(folder / name)], folder / f"{name}.log")
        for name in names
    ]
    stop = asyncio.Event()
    task = asyncio.create_task(supervise(specs, found.said.append, stop))
    try:
        yield found
    finally:
        stop.set()
        started = time.monotonic()
        assert await asyncio.wait_for(task, 15) == 0
        assert time.monotonic() - started < 10


@pytest.mark.parametrize(("first", "words"), [("playground", "Откройте @playground-"), ("worker", "Бот: @bot-")])
async def test_the_address_is_told_only_when_all_are_ready(tmp_path: Path, first: str, words: str) -> None:
    async with crew(tmp_path, first, "bot") as children:
        children.let("bot")
        await children.up("bot")
        assert children.said == []
        children.let(first)
        assert words in await children.hears("Отклик готов")


async def test_a_child_that_died_meanwhile_is_waited_for_again(tmp_path: Path) -> None:
    async with crew(tmp_path, "worker", "playground", "bot") as children:
        for name in ("worker", "playground"):
            children.let(name)
        dead = await children.up("playground")
        await children.up("worker")
        os.kill(dead, signal.SIGKILL)
        await children.hears("playground ended (signal SIGKILL), starting again in 0.5 s")
        children.let("bot")
        await children.up("bot")
        children.let("playground")
        alive = await children.up("playground", but=dead)
        assert f"@playground-{alive} " in await children.hears("Отклик готов")


async def test_a_child_that_keeps_dying_is_started_ever_less_often(tmp_path: Path) -> None:
    async with crew(tmp_path, "bot") as children:
        alive = 0
        for pause in ("0.5", "1", "2"):
            children.let("bot")
            alive = await children.up("bot", but=alive)
            os.kill(alive, signal.SIGKILL)
            ended = time.monotonic()
            await children.hears(f"starting again in {pause} s")
        children.let("bot")
        await children.up("bot", but=alive)
        assert time.monotonic() - ended >= 2
