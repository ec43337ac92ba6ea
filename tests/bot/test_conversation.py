"""People talk to the bot through the local Telegram, and a stub worker answers."""

from __future__ import annotations

import pytest

from tests.bot.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_message_is_answered_in_the_chosen_emotion_and_rated(scene: Stage) -> None:
    async with scene.person() as anna:
        welcome = await anna.ask("/start")
        assert "Отклик" in welcome.text
        consent = await anna.next_message()
        assert consent.buttons == [["Можно", "Не нужно"]]
        await anna.press(welcome, "грусть")
        answer = await anna.ask("Идёт дождь")
        assert answer.text == "[sadness 2] Идёт дождь"
        assert answer.buttons[0][:2] == ["👍", "👎"]
        toast = await anna.press(answer, "👍")
        assert toast.text == "Рад, что понравилось!"
        assert await scene.drain_ratings() == 1
        async with scene.database.view() as unit:
            (rating,) = await unit.ratings.of_user(anna.id)
        assert (rating.thumb, rating.user_id, rating.message_id) == (1, anna.id, answer.id)
