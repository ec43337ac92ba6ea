"""The bot is killed at one very step of what it does with an update; the next process makes up for the rest, once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from bot import texts
from bot.playground.person import Person
from tests.bot.stage import Stage, stage, until
from tests.journey.bots import Bots

SAY = "bot.sayings:Sayings._say"
DONE = "bot.sayings:Sayings.finish"
DANGER = "хочу умереть"
OFF = texts.EMOTION_FALLEN_BACK.format(was="ghost", now="радость")
SAILOR = texts.PERSONA_SET.format(persona="старый моряк")

Doing = Callable[[Stage, Person], Awaitable[object]]


@dataclass(frozen=True)
class Case:
    """At which step the bot is killed, after what a person did, and all that the person hears of it in the end."""

    step: str
    do: Doing
    heard: tuple[str, ...]


def write(text: str) -> Doing:
    return lambda scene, person: person.send(text)


async def rephrase(scene: Stage, person: Person) -> None:
    (mine,) = [one for one in await person.history() if one.text == "привет"]
    await person.edit(mine, DANGER)


async def write_after_the_emotion_went(scene: Stage, person: Person) -> None:
    async with scene.database.unit() as unit:
        chat = await unit.chats.lock(person.id)
        assert chat is not None
        chat.emotion = "ghost"
        await unit.commit()
    await person.send("ты где")


# Those of a round are killed together: one process hangs at all their steps.
ROUNDS: tuple[tuple[Case, ...], ...] = (
    (
        Case("bot.handlers.persona_text:set_persona", write("старый моряк"), (SAILOR,)),
        Case("bot.turns:Turns.withdraw", rephrase, (texts.CRISIS,)),
        Case("bot.turns:Turns.fall_back", write_after_the_emotion_went, (OFF, "[joy 2] ты где")),
        # The third to store something. It holds SQLite's lock, so that nobody may come after.
        Case("storage.repositories.inbox:Inbox.add@3", write(DANGER), (texts.CRISIS,)),
    ),
    (
        Case(DONE, write("старый моряк"), (SAILOR,)),
        Case(DONE, write(DANGER), (texts.CRISIS,)),
        Case(f"{SAY}@3", rephrase, (texts.CRISIS,)),
    ),
    (Case(SAY, write_after_the_emotion_went, (OFF, "[joy 2] ты где")),),
)


async def heard(person: Person) -> tuple[str, ...]:
    return tuple(one.text for one in await person.history() if one.from_bot)


async def says(person: Person, *expected: str) -> bool:
    """Whether the bot has said these things."""
    return set(expected) <= set(await heard(person))


async def prepared(case: Case, person: Person) -> int:
    """The person has talked and, where it is to come, is asked for a persona; how much that made the bot say."""
    await person.ask("привет")
    if SAILOR in case.heard:
        await person.press(await person.ask("/persona"), texts.BUTTON_OWN_PERSONA)
        await person.next_message()
    return len(await heard(person))


@pytest.mark.slow
async def test_what_the_bot_was_about_to_say_and_do_is_said_and_done_once(tmp_path: Path) -> None:
    log = tmp_path / "bot.log"
    async with (
        stage(tmp_path) as scene,
        Bots.of(scene.storage, log, api_url=scene.url) as bots,
        AsyncExitStack() as stack,
    ):
        cast = [[(case, await stack.enter_async_context(scene.person())) for case in together] for together in ROUNDS]
        before = {person.id: await prepared(case, person) for together in cast for case, person in together}
        await scene.stop()
        for together in cast:
            await bots.start(*{case.step for case, _ in together})
            for case, person in together:
                await case.do(scene, person)
                await bots.hangs()
            bots.kill()
            await bots.start()
            for case, person in together:
                await until(partial(says, person, *case.heard), within=20)
            for case, person in together:
                # What was repeated is behind them as soon as the next message is answered, by itself.
                await person.send("и это всё")
                await until(partial(says, person, "[joy 2] и это всё"), within=20)
                assert sorted((await heard(person))[before[person.id] : -1]) == sorted(case.heard), case
            bots.kill()
        asked = " ".join(turn.text for request in scene.worker.asked for turn in request.turns)
        assert "моряк" not in asked and "умереть" not in asked
        async with scene.database.view() as unit:
            for case, person in [one for together in cast for one in together]:
                chat = await unit.chats.get(person.id)
                assert chat is not None
                assert (chat.emotion, chat.persona) == ("joy", "старый моряк" if SAILOR in case.heard else ""), case
                states = {row.state for row in await unit.inbox.of_user(person.id)}
                assert ("crisis" in states) == (texts.CRISIS in case.heard), case
