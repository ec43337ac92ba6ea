"""One turn at a time, edits, cancelling, a full queue, and answers that did not come to be."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bot import texts
from storage.contracts import FailReason, ReplyState
from tests.bot.stage import Stage, reply_to, stage, until

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def arrived(scene: Stage, user_id: int) -> int:
    async with scene.database.view() as unit:
        return len(await unit.inbox.of_user(user_id))


async def test_messages_sent_meanwhile_are_answered_together(scene: Stage) -> None:
    async with scene.person() as anna:
        await scene.worker.pause()
        for text in ("раз", "два", "три"):
            await anna.send(text)
        await anna.typing()

        async def all_three() -> bool:
            return await arrived(scene, anna.id) == 3

        await until(all_three)
        scene.worker.resume()
        assert (await anna.next_message()).text == "[joy 2] раз"
        assert (await anna.next_message()).text == "[joy 2] два\nтри"
        await anna.silence(0.3)


async def test_editing_the_last_message_answers_again_in_place(scene: Stage) -> None:
    async with scene.person() as anna:
        await anna.ask("первое")
        mine = await anna.send("втрое")
        answer = await anna.next_message()
        await anna.edit(mine, "второе")
        await anna.until(answer, lambda seen: seen.text == "[joy 2] второе" and seen.edited)
        await anna.ask("третье")
        said = [turn.text for turn in scene.worker.asked[-1].turns]
        assert said == ["первое", "[joy 2] первое", "второе", "[joy 2] второе", "третье"]
        await anna.edit(mine, "поздно")
        assert (await anna.next_message()).text == texts.TOO_LATE_TO_EDIT


async def test_editing_while_the_answer_is_prepared(scene: Stage) -> None:
    async with scene.person() as anna:
        await scene.worker.pause()
        mine = await anna.send("опечтка")
        await anna.typing()
        await anna.edit(mine, "опечатка")
        await asyncio.sleep(0.3)
        scene.worker.resume()
        assert (await anna.next_message()).text == "[joy 2] опечатка"
        await anna.silence(0.4)
        assert len(scene.worker.cancelled) == 1


async def test_cancel_gives_up_what_is_prepared(scene: Stage) -> None:
    async with scene.person() as anna:
        assert (await anna.ask("/cancel")).text == texts.NOTHING_TO_CANCEL
        await scene.worker.pause()
        await anna.send("не надо")
        await anna.typing()
        assert (await anna.ask("/cancel")).text == texts.CANCELLED
        scene.worker.resume()
        await anna.silence(0.4)
        assert (await anna.ask("надо")).text == "[joy 2] надо"
        assert [turn.text for turn in scene.worker.asked[-1].turns] == ["надо"]


@pytest.mark.parametrize(
    ("state", "reason", "text"),
    [
        (ReplyState.FAILED, FailReason.POISONED, texts.REPLY_POISONED),
        (ReplyState.FAILED, FailReason.UNKNOWN_ADAPTER, texts.REPLY_UNKNOWN_ADAPTER),
        (ReplyState.EXPIRED, None, texts.REPLY_EXPIRED),
        (ReplyState.CANCELLED, None, texts.REPLY_CANCELLED),
    ],
)
async def test_answers_that_did_not_come_to_be_are_explained(
    scene: Stage, state: ReplyState, reason: FailReason | None, text: str
) -> None:
    async with scene.person() as anna:
        scene.worker.answer = lambda request: reply_to(request, "", state=state, reason=reason)
        answer = await anna.ask("Привет")
        assert (answer.text, answer.buttons) == (text, [])
        scene.worker.answer = lambda request: reply_to(request, "вот")
        assert (await anna.ask("А теперь?")).text == "вот"
        assert [turn.text for turn in scene.worker.asked[-1].turns] == ["А теперь?"]


async def test_a_full_queue_is_said_and_the_chat_goes_on(tmp_path: Path) -> None:
    async with stage(tmp_path, queue_limit=1) as scene, scene.person() as anna, scene.person("Боря") as boris:
        await scene.worker.pause()
        await anna.send("я первая")
        await anna.typing()
        assert (await boris.ask("и я")).text == texts.REPLY_QUEUE_FULL
        scene.worker.resume()
        assert (await anna.next_message()).text == "[joy 2] я первая"
        assert (await boris.ask("а теперь?")).text == "[joy 2] а теперь?"


async def test_a_long_wait_shows_the_place_and_the_note_goes_away(tmp_path: Path) -> None:
    async with (
        stage(tmp_path, note_after_seconds=0.3) as scene,
        scene.person() as anna,
        scene.person("Боря") as boris,
    ):
        await scene.worker.pause()
        await anna.send("я первая")
        await anna.typing()
        note = await boris.ask("я за ней")
        assert note.text == texts.QUEUE_PLACE.format(ahead=1)
        scene.worker.resume()
        assert (await boris.next_message()).text == "[joy 2] я за ней"

        async def gone() -> bool:
            return note.id not in [seen.id for seen in await boris.history()]

        await until(gone)


async def test_a_note_that_comes_while_the_answer_is_sent_goes_away(tmp_path: Path) -> None:
    async with stage(tmp_path, note_after_seconds=0.3) as scene, scene.person() as anna:
        await scene.worker.pause()
        late = scene.world.fail_next("sendMessage", delay=1.0, accepted=True)
        await anna.send("подумай")
        note = await anna.next_message()
        assert note.text == texts.QUEUE_NEXT and not late.times
        scene.world.fail_next("sendMessage", delay=2.5, accepted=True)
        scene.worker.resume()
        assert (await anna.next_message()).text == "[joy 2] подумай"

        async def gone() -> bool:
            return note.id not in [seen.id for seen in await anna.history()]

        await until(gone)


async def test_people_are_served_at_once(scene: Stage) -> None:
    async with scene.person() as anna, scene.person("Боря") as boris:
        scene.worker.answer = lambda r: None if "жди" in r.turns[-1].text else reply_to(r, "сразу")
        await anna.send("жди")
        await anna.typing()
        assert (await boris.ask("привет")).text == "сразу"
