"""Thumbs, the panel, variants, reactions and corrections, as a person gives them and as SQL keeps them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot import texts
from bot.playground.person import Person, Seen
from storage.loop_tables import AdapterRow
from storage.tables import RatingRow
from tests.bot.stage import Stage, stage

pytestmark = pytest.mark.asyncio(loop_scope="session")


def flat(seen: Seen) -> list[str]:
    return [label for row in seen.buttons for label in row]


async def ratings(scene: Stage, person: Person) -> list[RatingRow]:
    while await scene.drain_ratings():
        pass
    async with scene.database.view() as unit:
        return list(await unit.ratings.of_user(person.id))


async def test_a_thumb_can_be_changed_and_taken_back(scene: Stage) -> None:
    async with scene.person() as anna:
        answer = await anna.ask("Привет")
        assert (await anna.press(answer, "👍")).text == texts.THUMB_UP
        await anna.until(answer, lambda seen: seen.buttons[0][0] == "👍 ✓")
        assert (await anna.press(answer, "👎")).text == texts.THUMB_DOWN
        seen = await anna.until(answer, lambda seen: seen.buttons[0][1] == "👎 ✓")
        assert seen.buttons[0][0] == "👍"
        assert [row.thumb for row in await ratings(scene, anna)] == [-1]
        assert (await anna.press(answer, "👎")).text == texts.THUMB_BACK
        assert [row.thumb for row in await ratings(scene, anna)] == [None]
        async with scene.database.view() as unit:
            assert len(await unit.ratings.history(anna.id, answer.id, anna.id)) == 3


async def test_the_panel_takes_stars_and_a_wrong_emotion(scene: Stage) -> None:
    async with scene.person() as anna:
        answer = await anna.ask("Привет")
        await anna.press(answer, texts.BUTTON_DETAILS)
        panel = await anna.until(answer, lambda seen: seen.buttons[0] == [texts.CRITERIA["content"]])
        for criterion, stars in (("c", 5), ("g", 4), ("s", 3), ("y", 2), ("c", 1)):
            key = panel.data("1").rpartition(":")[2]
            await anna.forge(answer, f"s:{criterion}:{stars}:{key}")
        await anna.press(panel, texts.BUTTON_WRONG_EMOTION)
        panel = await anna.until(answer, lambda seen: texts.BUTTON_WRONG_EMOTION + " ✓" in flat(seen))
        assert panel.buttons[1] == ["1 ✓", "2", "3", "4", "5"]
        await anna.press(panel, texts.BUTTON_DONE)
        await anna.until(answer, lambda seen: seen.buttons[0][0] == "👍")
        (row,) = await ratings(scene, anna)
        assert row.stars == {"content": 1, "grammar": 4, "structure": 3, "style": 2}
        assert row.reason == "wrong_emotion"


async def test_another_variant_edits_the_message_and_arrows_go_back(tmp_path: Path) -> None:
    async with stage(tmp_path, max_variants=3) as scene, scene.person() as anna:
        answer = await anna.ask("Привет")
        assert (await anna.press(answer, texts.BUTTON_ANOTHER)).text == texts.VARIANT_ASKED
        second = await anna.until(answer, lambda seen: "2/2" in flat(seen))
        assert second.text == "[joy 2] Привет #1"
        assert (await anna.press(second, texts.BUTTON_ANOTHER)).text == texts.VARIANT_LAST
        third = await anna.until(answer, lambda seen: "3/3" in flat(seen))
        assert texts.BUTTON_ANOTHER not in flat(third)
        assert (await anna.press(third, "▶")).text == texts.VARIANT_END
        await anna.press(third, "◀")
        back = await anna.until(answer, lambda seen: "2/3" in flat(seen))
        assert back.text == "[joy 2] Привет #1"
        await anna.press(back, "👍")
        kept = await ratings(scene, anna)
        first_id, second_id, third_id = (request.request_id for request in scene.worker.asked)
        assert [(row.request_id, row.preferred_over, row.thumb) for row in kept] == [(second_id, third_id, 1)]
        assert first_id not in {row.request_id for row in kept}
        seen = [request.seen for request in scene.worker.asked]
        assert seen == [(), (answer.text,), (answer.text, "[joy 2] Привет #1")]
        await anna.ask("дальше")
        assert [turn.text for turn in scene.worker.asked[-1].turns][:2] == ["Привет", "[joy 2] Привет #1"]


async def test_a_variant_comes_back_with_what_was_said_of_it(scene: Stage) -> None:
    async with scene.person() as anna:
        answer = await anna.ask("Привет")
        await anna.press(answer, "👎")
        await anna.press(answer, texts.BUTTON_ANOTHER)
        second = await anna.until(answer, lambda seen: "2/2" in flat(seen))
        assert "👎" in flat(second)
        await anna.press(second, "👍")
        second = await anna.until(answer, lambda seen: "👍 ✓" in flat(seen))
        await anna.press(second, "◀")
        first = await anna.until(answer, lambda seen: "1/2" in flat(seen))
        assert first.buttons[0][:2] == ["👍", "👎 ✓"]
        await anna.press(first, "▶")
        second = await anna.until(answer, lambda seen: "2/2" in flat(seen))
        assert second.buttons[0][:2] == ["👍 ✓", "👎"]
        assert (await anna.press(second, "👍")).text == texts.THUMB_BACK


async def test_a_variant_that_telegram_refuses_to_show_is_not_preferred(scene: Stage) -> None:
    async with scene.person() as anna:
        answer = await anna.ask("Привет")
        await anna.press(answer, texts.BUTTON_ANOTHER)
        second = await anna.until(answer, lambda seen: "2/2" in flat(seen))
        scene.world.fail_next("editMessageText", 403, chat_id=anna.id)
        await anna.press(second, "◀")
        assert (await anna.press(second, "👎")).text == texts.THUMB_DOWN
        assert [(row.thumb, row.preferred_over) for row in await ratings(scene, anna)] == [(-1, None)]
        scene.world.fail_next("editMessageText", 502, chat_id=anna.id)
        await anna.press(second, "◀")
        first = await anna.until(answer, lambda seen: "1/2" in flat(seen))
        await anna.press(first, "👍")
        told = [(row.thumb, row.preferred_over is None) for row in await ratings(scene, anna)]
        assert sorted(told) == [(-1, True), (1, False)]


async def test_talking_on_under_the_newest_variant_prefers_it(scene: Stage) -> None:
    async with scene.person() as anna:
        answer = await anna.ask("Привет")
        await anna.press(answer, texts.BUTTON_ANOTHER)
        await anna.until(answer, lambda seen: "2/2" in flat(seen))
        await anna.ask("дальше")
        (row,) = await ratings(scene, anna)
        assert (row.request_id, row.preferred_over) == tuple(
            request.request_id for request in (scene.worker.asked[1], scene.worker.asked[0])
        )


async def test_a_variant_keeps_the_emotion_of_its_answer(scene: Stage) -> None:
    async with scene.person() as anna:
        answer = await anna.ask("Привет")
        await anna.ask("/emotion злость")
        await anna.press(answer, texts.BUTTON_ANOTHER)
        await anna.until(answer, lambda seen: seen.text == "[joy 2] Привет #1")


async def test_reactions_count_as_thumbs(scene: Stage) -> None:
    async with scene.person() as anna:
        answer = await anna.ask("Привет")
        await anna.react(answer, "🔥")
        await anna.until(answer, lambda seen: seen.buttons[0][0] == "👍 ✓")
        assert [(row.thumb, row.source) for row in await ratings(scene, anna)] == [(1, "reaction")]
        await anna.react(answer, "💩")
        await anna.until(answer, lambda seen: seen.buttons[0][1] == "👎 ✓")
        await anna.react(answer)
        await anna.until(answer, lambda seen: seen.buttons[0][1] == "👎")
        assert [row.thumb for row in await ratings(scene, anna)] == [None]


async def test_a_correction_is_stored(tmp_path: Path) -> None:
    async with stage(tmp_path, max_correction_chars=50) as scene, scene.person() as anna:
        answer = await anna.ask("Привет")
        mine = await anna.send("/fix без ответа")
        assert (await anna.next_message()).text == texts.FIX_HOW
        await anna.send("/fix", reply_to=answer.id)
        assert (await anna.next_message()).text == texts.FIX_WHAT
        await anna.send("/fix чужое", reply_to=mine.id)
        assert (await anna.next_message()).text == texts.FIX_NOT_MINE
        await anna.send("/fix " + "длинно " * 20, reply_to=answer.id)
        assert "50" in (await anna.next_message()).text
        await anna.send("/fix Привет-привет!", reply_to=answer.id)
        assert (await anna.next_message()).text == texts.FIX_DONE
        (row,) = await ratings(scene, anna)
        assert (row.correction, row.source) == ("Привет-привет!", "correction")


async def test_forged_and_stale_buttons_change_nothing(scene: Stage) -> None:
    async with scene.person() as anna, scene.person("Боря") as boris:
        answer = await anna.ask("Привет")
        other = await boris.ask("Привет")
        stolen = answer.data("👍")
        for data in (
            stolen,
            "t:1:ffffffffffffffffffffffff",
            "e:zzz",
            "i:9",
            "p:77",
            "nonsense",
            "t:2:x",
            "s:c:9:x",
            ":",
        ):
            toast = await boris.forge(other, data)
            assert toast.alert, data
        assert await ratings(scene, anna) == []
        async with scene.database.view() as unit:
            chat = await unit.chats.get(boris.id)
        assert chat is not None and (chat.emotion, chat.intensity, chat.persona) == ("joy", 2, "")


async def test_forget_removes_everything_and_export_shows_it_before(scene: Stage) -> None:
    async with scene.person() as anna:
        answer = await anna.ask("Мой секрет")
        await anna.press(answer, "👍")
        await ratings(scene, anna)
        exported = await anna.ask("/export")
        assert exported.media is not None and exported.text == texts.EXPORT_CAPTION
        question = await anna.ask("/forget")
        await anna.press(question, texts.BUTTON_FORGET_NO)
        assert len(await ratings(scene, anna)) == 1
        await anna.press(question, texts.BUTTON_FORGET_YES)
        await anna.until(question, lambda seen: seen.text == texts.FORGET_DONE)
        async with scene.database.view() as unit:
            assert await unit.inbox.of_user(anna.id) == []
            assert await unit.replies.of_user(anna.id) == []
            assert await unit.ratings.of_user(anna.id) == []
            assert await unit.people.get(anna.id) is None
            assert anna.id in await unit.people.forgotten()
        assert await scene.book.of_message(anna.id, answer.id) == {}
        await anna.ask("Что я говорила?")
        assert [turn.text for turn in scene.worker.asked[-1].turns] == ["Что я говорила?"]


async def test_forget_marks_what_learned_from_the_person_and_keeps_no_link_to_them(scene: Stage) -> None:
    def adapter(name: str) -> AdapterRow:
        return AdapterRow(adapter_id=name, kind="lora", sha256=name, location="", base="starter", method="kto")

    async with scene.person() as anna:
        await anna.ask("Учись на мне")
        async with scene.database.unit() as unit:
            await unit.adapters.add(adapter("hers"), people=[anna.id, 5])
            await unit.adapters.add(adapter("others"), people=[5])
            await unit.commit()
        question = await anna.ask("/forget")
        await anna.press(question, texts.BUTTON_FORGET_YES)
        await anna.until(question, lambda seen: seen.text == texts.FORGET_DONE)
        async with scene.database.view() as unit:
            hers, others = await unit.adapters.get("hers"), await unit.adapters.get("others")
            assert hers is not None and hers.tainted_at is not None
            assert others is not None and others.tainted_at is None
            assert await unit.adapters.learned_from(anna.id) == []
            assert await unit.adapters.learned_from(5) == ["hers", "others"]
