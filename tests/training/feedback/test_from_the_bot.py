"""What people do in Telegram is enough to learn from: taps, arrows and corrections, by way of Redis and SQL to frozen
sets."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bot import texts
from bot.playground.person import Person, Seen
from storage.contracts import ChatReply, ChatRequest
from tests.bot.stage import Stage, reply_to, stage
from training.data.feedback import FeedbackRules, FeedbackSets, freeze, read_log
from training.data.rows import Answer, Feedback, Pair
from training.data.sets import load

ANSWERS = ("Так себе, если честно.", "Чудесно, я весь день пел!", "Грустно как-то сегодня.")


def talk(request: ChatRequest) -> ChatReply:
    """Another answer for each variant."""
    return reply_to(request, ANSWERS[request.variant])


async def agree(scene: Stage, *people: Person) -> None:
    async with scene.database.unit() as unit:
        for person in people:
            await unit.people.consent(person.id, True)
        await unit.commit()


async def learned(scene: Stage, folder: Path) -> FeedbackSets:
    while await scene.drain_ratings():
        pass
    with await read_log(scene.database) as log:
        return freeze(log, folder / "frozen", FeedbackRules(held_out=0))


def shows(place: str) -> Callable[[Seen], bool]:
    return lambda seen: place in [label for row in seen.buttons for label in row]


def pairs(sets: FeedbackSets) -> set[tuple[str, str]]:
    return {(row.chosen, row.rejected) for row in load(sets.pairs).train(Pair)} if sets.pairs else set()


@pytest.mark.parametrize("steps", ["keep", "back", "to the middle"])
async def test_another_variant_then_keep_or_go_back(steps: str, tmp_path: Path) -> None:
    async with stage(tmp_path) as scene, scene.person() as anna:
        scene.worker.answer = talk
        await agree(scene, anna)
        answer = await anna.ask("Как прошёл день?")
        await anna.press(answer, texts.BUTTON_ANOTHER)
        seen = await anna.until(answer, shows("2/2"))
        if steps == "back":
            await anna.press(seen, "◀")
            await anna.until(answer, shows("1/2"))
        if steps == "to the middle":
            await anna.press(seen, texts.BUTTON_ANOTHER)
            for arrow, place in (("◀", "2/3"), ("◀", "1/3"), ("▶", "2/3")):
                seen = await anna.until(answer, shows({"2/3": "3/3", "1/3": "2/3"}[place] if arrow == "◀" else "1/3"))
                await anna.press(seen, arrow)
            await anna.until(answer, shows("2/3"))
        await anna.ask("А завтра?")
        first, second, third = ANSWERS
        expected = {
            "keep": {(second, first)},
            "back": {(first, second)},
            "to the middle": {(second, first), (second, third)},
        }
        assert pairs(await learned(scene, tmp_path)) == expected[steps]


async def test_thumbs_corrections_and_silence(tmp_path: Path) -> None:
    async with stage(tmp_path) as scene, scene.person() as anna, scene.person("Борис") as boris:
        scene.worker.answer = talk
        await agree(scene, anna)
        answer = await anna.ask("Как прошёл день?")
        await anna.press(answer, "👎")
        await anna.send("/fix Отлично, я гулял в парке!", reply_to=answer.id)
        await anna.next_message()
        other = await boris.ask("А у тебя?")
        await boris.press(other, "👍")
        sets = await learned(scene, tmp_path)
        assert sets.people == {anna.id}
        assert sets.feedback and sets.answers
        assert [(row.answer, row.desirable) for row in load(sets.feedback).train(Feedback)] == [(ANSWERS[0], False)]
        assert [row.answer for row in load(sets.answers).train(Answer)] == ["Отлично, я гулял в парке!"]
        assert pairs(sets) == {("Отлично, я гулял в парке!", ANSWERS[0])}


async def test_in_a_group_somebody_elses_talking_on_keeps_no_variant(tmp_path: Path) -> None:
    async with stage(tmp_path) as scene, scene.person() as anna, scene.person("Борис") as boris:
        scene.worker.answer = talk
        await agree(scene, anna, boris)
        group = await anna.group("Друзья", boris)
        for person in (anna, boris):
            await person.next_message(chat=group)
        await anna.send("@otklik_bot, как дела?", chat=group)
        answer = await anna.next_message(chat=group)
        await anna.press(answer, texts.BUTTON_ANOTHER)
        seen = await anna.until(answer, shows("2/2"))
        await boris.send("@otklik_bot, а у тебя?", chat=group)
        await anna.next_message(chat=group)
        assert pairs(await learned(scene, tmp_path)) == set()
        await anna.press(seen, "◀")
        await anna.until(answer, shows("1/2"))
        assert pairs(await learned(scene, tmp_path)) == {(ANSWERS[0], ANSWERS[1])}
