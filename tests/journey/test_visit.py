"""One person's visit from the first message to /forget, with a restart amid it: the same on SQLite and on Postgres."""

from __future__ import annotations

from pathlib import Path

from bot import texts
from bot.playground.person import Person, Seen
from tests.bot.stage import Stage, stage, until


def flat(message: Seen) -> list[str]:
    return [label for row in message.buttons for label in row]


async def settle_in(person: Person) -> None:
    """Greeted, asked for consent, an emotion and a persona chosen."""
    welcome = await person.ask("/start")
    consent = await person.next_message()
    await person.press(consent, "Можно")
    await person.press(welcome, "грусть")
    await person.press(await person.ask("/persona"), texts.BUTTON_OWN_PERSONA)
    await person.next_message()
    assert (await person.ask("старый моряк")).text == texts.PERSONA_SET.format(persona="старый моряк")


async def judge(person: Person, answer: Seen) -> None:
    """A thumb, stars, another variant, a correction."""
    await person.press(answer, "👍")
    await person.press(answer, texts.BUTTON_DETAILS)
    panel = await person.until(answer, lambda seen: seen.buttons[0] == [texts.CRITERIA["content"]])
    await person.press(panel, "4")
    await person.press(panel, texts.BUTTON_DONE)
    await person.press(answer, texts.BUTTON_ANOTHER)
    second = await person.until(answer, lambda seen: "2/2" in flat(seen))
    await person.press(second, "◀")
    await person.until(answer, lambda seen: "1/2" in flat(seen))
    await person.send("/fix Скоро распогодится.", reply_to=answer.id)
    assert (await person.next_message()).text == texts.FIX_DONE


async def judgements(scene: Stage, person: Person) -> list[tuple[int | None, int | None, bool, str | None]]:
    """What is stored of the person's ratings: thumb, stars for content, whether one text is preferred, correction."""
    async with scene.database.view() as unit:
        rows = await unit.ratings.of_user(person.id)
    return [(row.thumb, (row.stars or {}).get("content"), bool(row.preferred_over), row.correction) for row in rows]


async def test_a_visit_from_the_first_message_to_the_last(tmp_path: Path, sql: str | None) -> None:
    async with stage(tmp_path, sql=sql) as scene, scene.person() as anna, scene.person("Боря") as boris:
        await settle_in(anna)
        answer = await anna.ask("Идёт дождь")
        assert answer.text == "[sadness 2] Идёт дождь"
        assert scene.worker.asked[-1].persona == "старый моряк"
        await judge(anna, answer)
        await scene.drain_ratings()
        assert await judgements(scene, anna) == [(1, 4, True, "Скоро распогодится.")]

        mine = await anna.send("опечтка")
        reply = await anna.next_message()
        await anna.edit(mine, "опечатка")
        await anna.until(reply, lambda seen: seen.text == "[sadness 2] опечатка")
        assert (await anna.ask("хочу умереть")).text == texts.CRISIS

        await scene.stop()
        await anna.send("ты здесь?")
        await scene.start()
        assert (await anna.next_message()).text == "[sadness 2] ты здесь?"
        said = [turn.text for turn in scene.worker.asked[-1].turns]
        assert said == ["Идёт дождь", answer.text, "опечатка", "[sadness 2] опечатка", "ты здесь?"]

        group = await anna.group("Друзья", boris)
        await boris.next_message(chat=group)
        await boris.send("@otklik_bot, привет", chat=group)
        assert (await boris.next_message(chat=group)).text == "[joy 2] привет"

        assert (await anna.ask("/export")).media is not None
        question = await anna.ask("/forget")
        await anna.press(question, texts.BUTTON_FORGET_YES)
        await anna.until(question, lambda seen: seen.text == texts.FORGET_DONE)
        async with scene.database.view() as unit:
            assert not await unit.inbox.of_user(anna.id) and not await unit.turns.of_user(anna.id)
            assert await unit.inbox.of_user(boris.id)
        await until(lambda: _nothing_of(scene, anna))


async def _nothing_of(scene: Stage, person: Person) -> bool:
    await scene.drain_ratings()
    return not await judgements(scene, person)
