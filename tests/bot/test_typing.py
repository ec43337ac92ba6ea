"""«печатает…» is on the screen for as long as the answer takes: Telegram shows it for five seconds at a time."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiogram import Bot

from bot import texts
from bot.flights import Flights
from bot.metrics import Metrics
from bot.playground.person import NothingCame, Person
from bot.progress import Progress
from bot.settings import BotSettings
from bot.supervision import Supervisor
from storage.conversation import Conversation
from storage.database import Database
from tests.bot.stage import stage, until

pytestmark = pytest.mark.asyncio(loop_scope="session")

SHOWN = 5.0


class Clock(Supervisor):
    """A supervisor whose rests take no time, though its clock says so; each takes longer than wished."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    async def rest(self, seconds: float) -> None:
        self.now += seconds + 0.3
        while pending := [task for task in self._tasks if not task.done()]:
            await asyncio.wait(pending)


class Screen:
    """Stands in for the bot: when each chat was told that somebody types."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.typed: dict[int, list[float]] = {}

    async def send_chat_action(self, chat_id: int, action: str, **_: Any) -> bool:
        assert action == "typing"
        self.typed.setdefault(chat_id, []).append(self.clock.now)
        return True


async def test_typing_never_lapses_while_an_answer_is_prepared_and_ends_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock, flights = Clock(), Flights()
    monkeypatch.setattr("bot.progress.time", SimpleNamespace(monotonic=lambda: clock.now))
    screen = Screen(clock)
    settings = BotSettings(note_after_seconds=1e9)
    nothing = cast(Conversation, None), cast(Database, None)
    progress = Progress(cast(Bot, screen), flights, *nothing, settings, clock, Metrics())
    flights.add(7, "long", 1)
    flights.all()[0].since = clock.now
    while clock.now < 120:
        await progress.tick()
    times = [0.0, *screen.typed[7], clock.now]
    assert max(after - before for before, after in itertools.pairwise(times)) < SHOWN
    assert len(times) < 45
    flights.land("long")
    told = len(screen.typed[7])
    while clock.now < 150:
        await progress.tick()
    assert len(screen.typed[7]) == told


async def typings(person: Person, within: float) -> int:
    """How often «печатает…» came in that time."""
    count, end = 0, asyncio.get_running_loop().time() + within
    while (left := end - asyncio.get_running_loop().time()) > 0:
        try:
            await person.typing(within=left)
        except NothingCame:
            break
        count += 1
    return count


async def test_typing_goes_on_while_somebodys_note_is_slow(tmp_path: Path) -> None:
    async with (
        stage(tmp_path, typing_seconds=0.2, note_after_seconds=0.3) as scene,
        scene.person() as anna,
        scene.person("Боря") as boris,
    ):
        await scene.worker.pause()
        slow = scene.world.fail_next("sendMessage", delay=4.0)
        await anna.send("подумай как следует")
        await anna.typing()
        await boris.send("и мне")
        await until(lambda: not slow.times)
        assert await typings(boris, 3.0) >= 4
        scene.worker.resume()
        for person, said in ((anna, "подумай как следует"), (boris, "и мне")):
            seen = {(await person.next_message()).text}
            if seen != {f"[joy 2] {said}"}:
                assert seen <= {texts.QUEUE_NEXT, texts.QUEUE_PLACE.format(ahead=1)}
                assert (await person.next_message()).text == f"[joy 2] {said}"
        await typings(anna, 0.2)
        assert await typings(anna, 0.8) == 0


async def test_typing_is_shown_again_after_the_note(tmp_path: Path) -> None:
    async with stage(tmp_path, typing_seconds=60, note_after_seconds=0.3) as scene, scene.person() as anna:
        await scene.worker.pause()
        await anna.send("подумай")
        await anna.typing()
        assert (await anna.next_message()).text == texts.QUEUE_NEXT
        await anna.typing()
        scene.worker.resume()
        assert (await anna.next_message()).text == "[joy 2] подумай"


async def test_typing_is_shown_at_once_for_every_answer_however_soon_the_last_one_came(tmp_path: Path) -> None:
    async with stage(tmp_path, typing_seconds=60) as scene, scene.person() as anna:
        for said in ("раз", "два", "три"):
            await scene.worker.pause()
            await anna.send(said)
            await anna.typing(within=5)
            scene.worker.resume()
            assert (await anna.next_message()).text == f"[joy 2] {said}"


async def test_a_quick_answer_is_preceded_by_typing_though_the_loop_has_just_gone_round() -> None:
    clock, flights = Supervisor(), Flights()
    screen = Screen(cast(Clock, SimpleNamespace(now=0.0)))
    nothing = cast(Conversation, None), cast(Database, None)
    progress = Progress(cast(Bot, screen), flights, *nothing, BotSettings(), clock, Metrics())
    loop = clock.loop("progress", progress.tick)
    await asyncio.sleep(0.05)
    flights.add(7, "quick", 1)
    flights.add(8, "at once", 2)
    flights.add(9, "another variant", 3, edits=True)
    flights.land("at once")
    await asyncio.sleep(0.8)
    flights.land("quick")
    assert set(screen.typed) == {7}, "«typing…» would stay on after the variant has come"
    await asyncio.sleep(0.5)
    flights.land("another variant")
    await clock.stop()
    assert loop.done()
    assert {chat: len(times) for chat, times in screen.typed.items()} == {7: 1, 9: 1}
