"""Words under pictures and files: they are answered as words are, and an album is spoken to once."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiogram.types import Chat, Message

from bot import albums, texts
from bot.albums import Albums
from tests.bot.stage import Stage, stage

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_caption_is_answered_and_its_edit_as_well(scene: Stage) -> None:
    async with scene.person() as anna:
        mine = await anna.send_photo(caption="смотри, какой кот")
        assert (await anna.next_message()).text == texts.CAPTION
        answer = await anna.next_message()
        assert answer.text == "[joy 2] смотри, какой кот"
        await anna.edit(mine, "смотри, какой пёс")
        await anna.until(answer, lambda seen: seen.text == "[joy 2] смотри, какой пёс" and seen.edited)
        assert [turn.text for turn in scene.worker.asked[-1].turns] == ["смотри, какой пёс"]


async def test_a_caption_too_long_is_refused_and_a_command_in_one_is_a_command(tmp_path: Path) -> None:
    async with stage(tmp_path, max_message_chars=20) as scene, scene.person() as anna:
        mine = await anna.send_photo(caption="слово " * 5)
        assert "20" in (await anna.next_message()).text
        await anna.edit(mine, "короче")
        assert (await anna.next_message()).text == "[joy 2] короче"
        for unknown in ("/nosuchcommand", "/retrain"):
            await anna.send_photo(caption=unknown)
            assert (await anna.next_message()).text == texts.UNKNOWN_COMMAND
        await anna.send_photo(caption="/help")
        assert (await anna.next_message()).text == texts.HELP
        assert len(scene.worker.asked) == 1


async def test_in_a_group_only_a_caption_that_mentions_the_bot_is_answered(scene: Stage) -> None:
    async with scene.person() as anna, scene.person("Боря") as boris:
        group = await anna.group("Друзья", boris)
        await anna.next_message(chat=group)
        await anna.send_photo(caption="просто так", chat=group)
        await anna.send_photo(caption="@otklik_bot глянь", chat=group)
        assert (await anna.next_message(chat=group)).text == texts.CAPTION
        assert (await anna.next_message(chat=group)).text == "[joy 2] глянь"


async def test_an_album_is_spoken_to_once_and_what_failed_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def one(number: int, album: str | None) -> Message:
        chat = Chat(id=1, type="private")
        return Message(message_id=number, date=datetime.now(UTC), chat=chat, media_group_id=album)

    known = Albums()
    assert [known.speaks(one(number, "первый")) for number in (1, 2, 3, 1)] == [True, False, False, True]
    assert known.speaks(one(4, None))
    assert known.speaks(one(5, None))
    monkeypatch.setattr(albums, "KEPT", 1)
    assert known.speaks(one(6, "второй"))
    assert known.speaks(one(7, "первый"))
