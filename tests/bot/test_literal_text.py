"""What people write is repeated as they wrote it: no markup of theirs becomes formatting, or an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot import texts
from bot.playground.person import Seen
from bot.playground.world import World
from tests.bot.stage import Stage, reply_to, stage
from tests.bot.test_judging import flat
from tests.bot.test_own_data import read

pytestmark = pytest.mark.asyncio(loop_scope="session")

FIRST_PERSON = World().next_person
MARKUP = (
    "<b>жирно</b> & «&lt;» <a href='tg://user?id=1'>ссылка</a>",
    "*звёзды* _черта_ [ссылка](tg://user?id=1) `код` ||тайна|| {emoji} %s",
    "<b>не закрыто & *тоже _нет",
)


def plain(seen: Seen, text: str) -> bool:
    """Whether a message shows exactly this, unformatted."""
    return seen.text == text and seen.raw["entities"] == []


@pytest.mark.parametrize("markup", MARKUP)
async def test_messages_answers_and_personas_are_shown_literally(scene: Stage, markup: str) -> None:
    async with scene.person(markup[:60], last_name="<i>&</i>") as anna:
        answer = await anna.ask(markup)
        assert plain(answer, f"[joy 2] {markup}")
        await anna.press(answer, texts.BUTTON_ANOTHER)
        second = await anna.until(answer, lambda seen: "2/2" in flat(seen))
        assert plain(second, f"[joy 2] {markup} #1")
        await anna.press(second, "◀")
        await anna.until(answer, lambda seen: plain(seen, f"[joy 2] {markup}"))
        assert plain(await anna.ask(f"/persona {markup}"), texts.PERSONA_SET.format(persona=markup))
        question = await anna.ask("/persona")
        assert plain(question, texts.PERSONA_QUESTION.format(persona=markup))
        await anna.press(question, texts.BUTTON_OWN_PERSONA)
        await anna.next_message()
        assert plain(await anna.ask(f"я {markup}"), texts.PERSONA_SET.format(persona=f"я {markup}"))
        await anna.ask("кто ты?")
        assert scene.worker.asked[-1].persona == f"я {markup}"
        assert (await anna.ask(f"/emotion {markup}")).text == texts.EMOTION_UNKNOWN
        assert (await anna.ask(f"/start {markup}")).text == texts.WELCOME
        await anna.next_message()
        await anna.send(f"/fix {markup}", reply_to=answer.id)
        assert (await anna.next_message()).text == texts.FIX_DONE
        while await scene.drain_ratings():
            pass
        whole = read(scene, await anna.ask("/export"))
        assert whole["chat"]["persona"] == f"я {markup}" and whole["messages"][0]["text"] == markup
        assert markup in [row["correction"] for row in whole["ratings"]]


@pytest.mark.parametrize("markup", MARKUP)
async def test_operators_and_groups_see_it_literally_too(tmp_path: Path, markup: str) -> None:
    async with stage(tmp_path, admins=(FIRST_PERSON,)) as scene, scene.person(markup[:60]) as anna:
        scene.worker.answer = lambda request: reply_to(request, markup)
        group = await anna.group(markup[:60])
        await anna.next_message(chat=group)
        assert plain(await anna.ask(f"@otklik_bot {markup}", chat=group), markup)
        answer = await anna.ask("привет")
        assert plain(answer, markup)
        await anna.send("/why", reply_to=answer.id)
        told = await anna.next_message()
        assert markup in told.text
        assert not {one["type"] for one in told.raw["entities"]} & {"text_link", "text_mention", "spoiler", "italic"}
