"""The card comes whatever else is broken, and what an edit makes a cry for help is no longer part of the talk."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot import texts
from storage.tables import InboxRow
from tests.bot.stage import Stage, stage, until
from tests.bot.test_edits import stored, together

pytestmark = pytest.mark.asyncio(loop_scope="session")

DANGER = "хочу умереть"


@contextmanager
def silent_redis(scene: Stage) -> Iterator[None]:
    """Connections stay, answers do not come."""
    process = scene.server.process
    assert process is not None
    os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process.pid, signal.SIGCONT)


async def withdrawn(scene: Stage, chat: int, message: int) -> bool:
    row: InboxRow | None = await stored(scene, chat, message)
    return row is not None and (row.state, row.text) == ("crisis", "")


async def test_a_card_comes_while_redis_is_silent(tmp_path: Path) -> None:
    async with stage(tmp_path) as scene, scene.person() as anna, scene.person("Боря") as boris:
        await scene.worker.pause()
        mine = await boris.send("привет")
        await boris.typing()
        with silent_redis(scene):
            assert (await anna.ask(DANGER, within=10)).text == texts.CRISIS
            await boris.edit(mine, DANGER)
            assert (await boris.next_message(within=10)).text == texts.CRISIS
        scene.worker.resume()
        assert (await anna.ask("и ещё", within=20)).text == "[joy 2] и ещё"
        assert (await boris.ask("это всё", within=20)).text == "[joy 2] это всё"
        assert [one.text for one in await boris.history() if one.from_bot] == [texts.CRISIS, "[joy 2] это всё"]


async def test_an_edit_that_cannot_be_answered_is_withdrawn_all_the_same(scene: Stage) -> None:
    async with scene.person() as anna:
        await anna.ask("привет")
        mine = next(one for one in await anna.history() if one.text == "привет")
        scene.world.fail_next("sendMessage", 403, chat_id=anna.id)
        await anna.edit(mine, DANGER)
        await until(lambda: withdrawn(scene, anna.id, mine.id))
        assert (await anna.ask("ты тут?")).text == "[joy 2] ты тут?"
        assert [turn.text for turn in scene.worker.asked_in(anna.id)[-1].turns] == ["ты тут?"]


async def test_a_card_is_tried_for_longer_than_other_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.intake.pause_after", lambda failures: 0.01)
    async with stage(tmp_path) as scene, scene.person() as anna:
        scene.world.fail_next("sendMessage", 502, times=12, chat_id=anna.id)
        assert (await anna.ask(DANGER)).text == texts.CRISIS
        failing = scene.world.fail_next("sendMessage", 502, times=12, chat_id=anna.id)
        await anna.send("/help")
        await until(lambda: failing.times == 6)
        await anna.silence(0.3)
        assert failing.times == 6


async def test_a_cry_for_help_by_edit_leaves_what_is_prepared_for_others(scene: Stage) -> None:
    async with scene.person() as anna, scene.person("Боря") as boris:
        group = await together(anna, boris)
        mine = await anna.send("@otklik_bot, привет", chat=group)
        await anna.next_message(chat=group)
        await scene.worker.pause()
        asked = await boris.send("@otklik_bot, как дела?", chat=group)

        async def taken() -> bool:
            row = await stored(scene, group, asked.id)
            return row is not None and row.state == "taken"

        await until(taken)
        await anna.edit(mine, f"@otklik_bot, {DANGER}")
        assert (await anna.next_message(chat=group)).text == texts.CRISIS
        scene.worker.resume()
        answer = await anna.next_message(chat=group)
        assert (answer.text, answer.reply_to) == ("[joy 2] как дела?", asked.id)
        assert await withdrawn(scene, group, mine.id)
