"""`otklik up` as a newcomer meets it: one command, a local Telegram, answers, ratings, a restart, Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sqlite3
import sys
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from bot.playground.app import serve
from bot.playground.limits import Limits
from bot.playground.person import Person
from bot.playground.world import World
from storage.conversation import Conversation
from storage.embedded import EmbeddedRedis, socket_path
from storage.redis import connect
from storage.settings import StorageSettings
from tests.bot.stage import until
from tests.journey.running import free_port, otklik_up

TOKEN = "4242:secret"


async def greet(person: Person) -> None:
    """Press «start»: a welcome with presets, then the question about training."""
    welcome = await person.ask("/start")
    assert "радость" in str(welcome.buttons)
    consent = await person.next_message()
    await person.press(consent, consent.buttons[0][0])


def children(pid: int) -> dict[str, int]:
    """Names of our commands → process ids, of a running supervisor (Linux)."""
    found = {}
    for line in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        words = Path(f"/proc/{line}/cmdline").read_text().split("\0")
        found[words[3] if "otklik" in words else "redis"] = int(line)
    return found


async def refused_beside(folder: Path) -> None:
    """A second `otklik up` on the same folder."""
    second = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "otklik", "up"),
        env=os.environ | {"STORAGE_DIR": str(folder), "MODELS_ENGINE": "echo"},
        stderr=asyncio.subprocess.PIPE,
    )
    _, complaint = await asyncio.wait_for(second.communicate(), 20)
    assert second.returncode == 2
    assert "another `otklik up`" in complaint.decode()


async def test_one_command_opens_a_chat_that_answers_is_rated_and_survives_a_restart(tmp_path: Path) -> None:
    port = free_port()
    async with otklik_up(tmp_path, port) as (process, address), Person.join(address, "Аня") as anna:
        person_id = anna.id
        await greet(anna)
        await anna.send("/emotion радость")
        await anna.next_message()
        reply = await anna.ask("Привет, как дела?", within=20)
        assert reply.text
        assert "👍" in str(reply.buttons)
        await anna.press(reply, "👍")
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 15) == 0
        assert time.monotonic() - started < 10
    async with otklik_up(tmp_path, port) as (_, address), Person.join(address, id=person_id) as anna:
        texts = [message.text for message in await anna.history()]
        assert "Привет, как дела?" in texts
        again = await anna.ask("А что нового?", within=20)
        assert again.text not in ("", reply.text)


async def test_a_second_up_is_refused_and_a_killed_process_comes_back_with_no_message_lost(tmp_path: Path) -> None:
    async with otklik_up(tmp_path, free_port()) as (process, address), Person.join(address, "Борис") as boris:
        await refused_beside(tmp_path)
        await greet(boris)
        for name in ("worker", "redis", "bot", "trainer"):
            # A reply that was just accepted is being marked as sent: killed inside that moment it may come twice.
            await asyncio.sleep(0.5)
            os.kill(children(process.pid)[name], signal.SIGKILL)
            text = f"сообщение после смерти {name}"
            reply = await boris.ask(text, within=30)
            assert text in reply.text, name
        texts = [message.text for message in await boris.history() if message.from_bot]
        assert len(texts) == len(set(texts)), "a reply came twice"


async def test_a_child_that_cannot_start_ends_it_with_the_reason(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as another:
        address = f"127.0.0.1:{another.getsockname()[1]}"
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "otklik", "up"),
            env=os.environ
            | {
                "STORAGE_DIR": str(tmp_path),
                "MODELS_ENGINE": "echo",
                "BOT_PLAYGROUND_LISTEN": address,
                "API_LISTEN": f"127.0.0.1:{free_port()}",
            },
            stdout=asyncio.subprocess.PIPE,
        )
        told, _ = await asyncio.wait_for(process.communicate(), 40)
    assert process.returncode == 1
    assert "playground does not start" in told.decode()
    assert "address already in use" in told.decode() and "BOT_PLAYGROUND_LISTEN" in told.decode()


@pytest.fixture
async def server() -> AsyncIterator[str]:
    """A Bot API server that knows one bot by its token."""
    world = World(limits=Limits.none())
    world.add_bot(TOKEN, "echo_bot", "Эхо")
    async with serve("127.0.0.1:0", world) as url:
        yield url


async def talk_as_telegram(folder: Path, server: str, **settings: str) -> None:
    """With a token the bot's @name is printed, and the bot answers at the server that BOT_API_URL names."""
    async with (
        otklik_up(folder, free_port(), BOT_TOKEN=TOKEN, BOT_API_URL=server, **settings) as (process, name),
        Person.join(server, "Вера") as vera,
    ):
        assert name == "@echo_bot"
        assert sorted(children(process.pid)) == ["api", "bot", "trainer", "worker"]
        await greet(vera)
        assert "Как жизнь?" in (await vera.ask("Как жизнь?", within=20)).text


async def test_with_a_token_and_a_redis_of_ones_own(server: str, embedded: EmbeddedRedis, tmp_path: Path) -> None:
    await talk_as_telegram(tmp_path / "var", server, STORAGE_REDIS_URL=embedded.url)
    with closing(sqlite3.connect(tmp_path / "var" / "otklik.sqlite3")) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert database.execute("SELECT count(*) FROM people").fetchone() == (1,)


@pytest.mark.postgres
async def test_with_a_token_a_redis_and_a_postgres_of_ones_own(
    server: str, embedded: EmbeddedRedis, postgres_url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "var"
    await talk_as_telegram(folder, server, STORAGE_REDIS_URL=embedded.url, STORAGE_DATABASE_URL=postgres_url)
    assert list(folder.glob("*.sqlite3*")) == []


async def taken(folder: Path) -> None:
    """A worker holds a request that it has not answered."""
    redis = connect(f"unix://{socket_path(folder / 'redis')}")
    line = Conversation(redis, StorageSettings(dir=folder)).requests

    async def held() -> bool:
        return any(one["pending"] for one in await redis.xinfo_groups(line.stream))

    try:
        await until(held, within=30)
    finally:
        await redis.aclose()


async def test_ctrl_c_ends_the_bundled_model_amid_an_answer(tmp_path: Path) -> None:
    async with otklik_up(tmp_path, free_port(), "transformers") as (process, address):
        async with Person.join(address, "Глеб") as gleb:
            await gleb.send("Сегодня такой хороший день")
            await taken(tmp_path)
        started = time.monotonic()
        process.send_signal(signal.SIGINT)
        assert process.stdout is not None
        told = (await asyncio.wait_for(process.stdout.read(), 15)).decode()
        assert await process.wait() == 0
        assert time.monotonic() - started < 10
        assert "killed" not in told


pytestmark = pytest.mark.slow
