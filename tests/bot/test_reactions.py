"""Reactions beside the buttons: the latest word wins, and only a reaction's own thumb goes away with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot import texts
from bot.playground.person import Person, Seen
from tests.bot.stage import Stage, stage, until
from tests.bot.test_judging import flat

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def thumb(scene: Stage, person: Person, answer: Seen) -> int | None:
    rating = await scene.book.of_user(person.id, answer.id, person.id)
    return rating.thumb if rating else None


async def test_a_reaction_that_says_nothing_leaves_the_thumb_of_a_button(scene: Stage) -> None:
    async with scene.person() as anna:
        answer = await anna.ask("Привет")
        await anna.press(answer, "👎")
        for emojis in (("🤔",), (), ("👀", "🤔"), ()):
            await anna.react(answer, *emojis)
        # What was said of the next answer was handled after all that.
        later = await anna.ask("Ещё")
        await anna.press(later, "👍")
        assert await thumb(scene, anna, answer) == -1
        assert "👎 ✓" in flat(await anna.until(answer, lambda seen: True))


async def test_a_reaction_taken_away_takes_back_only_what_a_reaction_said(scene: Stage) -> None:
    async with scene.person() as anna:
        answer = await anna.ask("Привет")
        await anna.react(answer, "👍")
        await anna.until(answer, lambda seen: "👍 ✓" in flat(seen))
        assert (await anna.press(answer, "👎")).text == texts.THUMB_DOWN
        await anna.react(answer)
        later = await anna.ask("Ещё")
        await anna.press(later, "👍")
        assert await thumb(scene, anna, answer) == -1
        await anna.react(answer, "🔥")
        await anna.until(answer, lambda seen: "👍 ✓" in flat(seen))
        await anna.press(answer, texts.BUTTON_DETAILS)
        panel = await anna.until(answer, lambda seen: texts.BUTTON_DONE in flat(seen))
        await anna.press(panel, "5")
        await anna.react(answer, "🤔")
        await until(lambda: _is(scene, anna, answer, 0))


async def test_reactions_beyond_the_budget_of_taps_say_nothing(tmp_path: Path) -> None:
    async with stage(tmp_path, action_limit=2) as scene, scene.person() as anna:
        answer = await anna.ask("Привет")
        for emoji, button in (("👍", "👍 ✓"), ("👎", "👎 ✓")):
            await anna.react(answer, emoji)
            await anna.until(answer, lambda seen, button=button: button in flat(seen))  # type: ignore[misc]
        await anna.react(answer, "👍")
        await anna.react(answer)
        # Handled after those two.
        await anna.ask("Ещё")
        assert await thumb(scene, anna, answer) == -1
        assert scene.parts is not None
        limiter = scene.parts.services.pace.ordinary
        await scene.redis.delete(limiter.keys.limit(anna.id, limiter.scope))  # a minute later
        await anna.react(answer, "🔥")
        await until(lambda: _is(scene, anna, answer, 1))


async def _is(scene: Stage, person: Person, answer: Seen, value: int) -> bool:
    return await thumb(scene, person, answer) == value
