"""`otklik up` as a newcomer meets it: one command, a local Telegram, answers, ratings, a restart, Ctrl-C."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from bot.playground.person import Person
from tests.journey.running import free_port, otklik_up


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


async def test_any_killed_process_comes_back_and_no_message_is_lost(tmp_path: Path) -> None:
    async with otklik_up(tmp_path, free_port()) as (process, address), Person.join(address, "Борис") as boris:
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


async def test_a_second_up_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    async with otklik_up(tmp_path, free_port()):
        second = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "otklik", "up"),
            env=os.environ | {"STORAGE_DIR": str(tmp_path), "MODELS_ENGINE": "echo"},
            stderr=asyncio.subprocess.PIPE,
        )
        _, complaint = await asyncio.wait_for(second.communicate(), 20)
        assert second.returncode == 2
        assert "another `otklik up`" in complaint.decode()


async def test_wrong_settings_of_a_child_end_it_with_the_reason(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "otklik", "up"),
        env=os.environ
        | {
            "STORAGE_DIR": str(tmp_path),
            "MODELS_ENGINE": "magic",
            "BOT_PLAYGROUND_LISTEN": f"127.0.0.1:{free_port()}",
            "API_LISTEN": f"127.0.0.1:{free_port()}",
        },
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await asyncio.wait_for(process.communicate(), 40)
    assert process.returncode == 1
    assert "worker does not start" in told.decode()
    assert "MODELS_ENGINE: Input should be" in told.decode()


pytestmark = pytest.mark.slow
