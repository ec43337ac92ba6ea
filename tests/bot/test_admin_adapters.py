"""The history of adapters and changing who answers from it; /why and the same answer made again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from bot.admin import adapter_texts, texts, why_texts
from bot.admin.callbacks import ref
from bot.playground.world import World
from bot.texts import UNKNOWN_COMMAND
from storage.contracts import Candidate, ChatReply, ChatRequest, Provenance, Sampling
from tests.bot.stage import Stage, reply_to, stage
from tests.bot.trainer import Trainer, show, tap

ADMIN = World().next_person
OTHER = ADMIN + 1


@pytest_asyncio.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(tmp_path, admins=(ADMIN, OTHER), admin_edit_seconds=0.05) as scene:
        yield scene


async def test_the_history_has_pages_cards_and_a_way_back(scene: Stage) -> None:
    trainer = Trainer(scene)
    ids = [await trainer.adapter(f"a{number}") for number in range(8)]
    await trainer.registry.promote(ids[0], by=ADMIN)
    async with scene.person() as anna:
        listed = await show(anna, "/adapters", "Адаптеры")
        assert listed.text.startswith("Адаптеры: 8")
        assert "эмоция 41\u00a0% → 58\u00a0%" in listed.text
        older = await tap(anna, listed, texts.OLDER, texts.NEWER)
        assert f"🚀 отвечает: общий · {adapter_texts.ADAPTER_PASSED}" in older.text
        assert f"в бой: администратор {ADMIN}" in older.text

        # A newer one goes live, then the first comes back as a rollback.
        card = await tap(anna, listed, ids[7][:12], adapter_texts.TO_LIVE_IN)
        choice = await tap(anna, card, adapter_texts.TO_LIVE_IN, "🌐 общий")
        asked = await tap(anna, choice, "🌐 общий", "Да, в бой")
        assert f"Сейчас для общего слота отвечает {ids[0][:12]}" in asked.text
        await tap(anna, asked, "Да, в бой", "🚀 отвечает: общий")
        listed = await show(anna, "/adapters", "Адаптеры")
        older = await tap(anna, listed, texts.OLDER, texts.NEWER)
        card = await tap(anna, older, ids[0][:12], adapter_texts.TO_LIVE_IN)
        choice = await tap(anna, card, adapter_texts.TO_LIVE_IN, "🌐 общий")
        asked = await tap(anna, choice, "🌐 общий", "Да, в бой")
        await tap(anna, asked, "Да, в бой", "🚀 отвечает: общий")
        async with scene.database.view() as unit:
            history = await unit.slots.history("shared")
            assert [(row.action, row.after) for row in history] == [
                ("rollback", ids[0]),
                ("promote", ids[7]),
                ("promote", ids[0]),
            ]
            assert [row.action for row in await unit.audit.last()] == ["rollback", "promote"]


async def test_a_canary_for_one_emotion_starts_and_ends_from_the_card(scene: Stage) -> None:
    trainer = Trainer(scene)
    adapter = await trainer.adapter("joyful")
    async with scene.person() as anna:
        card = await tap(anna, await show(anna, "/adapters", "Адаптеры"), adapter[:12], adapter_texts.TO_CANARY_IN)
        choice = await tap(anna, card, adapter_texts.TO_CANARY_IN, "😊 радость")
        shares = await tap(anna, choice, "😊 радость", "🐤 10 %")
        asked = await tap(anna, shares, "🐤 10 %", "Да, канарейка 10 %")
        card = await tap(anna, asked, "Да, канарейка 10 %", "Остановить канарейку: радость")
        serving = await trainer.board.serving()
        assert serving is not None
        (slot,) = [one for one in serving.slots if one.name == "joy"]
        assert (slot.active, slot.canary, slot.share) == (None, adapter, 0.1)
        asked = await tap(anna, card, "Остановить канарейку: радость", "Да, остановить")
        await tap(anna, asked, "Да, остановить", "отвечал раньше")
        serving = await trainer.board.serving()
        assert serving is not None and [one.canary for one in serving.slots if one.name == "joy"] == [None]


async def test_a_confirmation_holds_only_for_what_was_shown(scene: Stage) -> None:
    trainer = Trainer(scene)
    first, second = await trainer.adapter("one"), await trainer.adapter("two")
    async with scene.person() as anna:
        card = await tap(anna, await show(anna, "/adapters", "Адаптеры"), second[:12], adapter_texts.TO_LIVE_IN)
        choice = await tap(anna, card, adapter_texts.TO_LIVE_IN, "🌐 общий")
        asked = await tap(anna, choice, "🌐 общий", "Да, в бой")
        await trainer.registry.promote(first, by=OTHER)
        toast = await anna.press(asked, "Да, в бой")
        assert toast.alert and toast.text == texts.OVERTAKEN_SLOT
        serving = await trainer.board.serving()
        assert serving is not None and serving.slots[0].active == first


async def test_a_tainted_adapter_is_marked_and_refused(scene: Stage) -> None:
    trainer = Trainer(scene)
    adapter = await trainer.adapter("tainted", people=[77])
    await trainer.registry.taint(77)
    async with scene.person() as anna:
        listed = await show(anna, "/adapters", "Адаптеры")
        assert f"⚠️ {adapter[:12]}" in listed.text
        toast = await anna.forge(listed, f"@a:{ADMIN}:live:{ref(adapter)}:shared:1:0:0")
        assert toast.alert and toast.text == texts.REFUSED_TAINTED


def made(request: ChatRequest, text: str, **changes: object) -> ChatReply:
    """An answer with its provenance."""
    values = {
        "base_model": "starter",
        "adapter": "abc123",
        "prompt_version": "p1",
        "sampling": Sampling(),
        "seed": request.seed if request.seed is not None else 41,
        "worker": "stub",
        "attempts": 2,
        **changes,
    }
    candidates = (
        Candidate(text=text, fit=0.9, probabilities={"joy": 0.9, "neutral": 0.1}),
        Candidate(text="<b>скучно</b>" + "ы" * 500, fit=0.2),
    )
    return reply_to(request, text, provenance=Provenance.model_validate(values), candidates=candidates)


async def test_why_tells_where_an_answer_came_from_and_repeats_it(scene: Stage) -> None:
    scene.worker.answer = lambda request: made(request, f"Ура, {request.turns[-1].text}!")
    async with scene.person() as anna:
        answer = await anna.ask("суп")
        await anna.send("/why", reply_to=answer.id)
        told = await anna.next_message()
        assert "Эмоция: 😊 радость, сила 2" in told.text
        assert "Адаптер: abc123" in told.text and "Зерно 41, попыток: 2" in told.text
        assert "👉 90\u00a0% · joy 90\u00a0%, neutral 10\u00a0%\nУра, суп!" in told.text
        assert "<b>скучно</b>ыы" in told.text and "ы" * 300 not in told.text
        before = len(scene.worker.asked)
        await anna.press(told, why_texts.REPLAY)
        repeated = await anna.next_message()
        assert repeated.text.startswith(why_texts.REPLAY_SAME)
        asked = scene.worker.asked[before]
        assert (asked.seed, asked.arm, asked.emotion) == (41, "abc123", "joy")
        assert asked.request_id.startswith("replay-") and asked.turns == scene.worker.asked[before - 1].turns

        scene.worker.answer = lambda request: made(request, "Совсем другое.", base_model="other")
        await anna.press(told, why_texts.REPLAY)
        repeated = await anna.next_message()
        assert why_texts.REPLAY_OTHER in repeated.text and "Отличается: основа." in repeated.text
        assert "Совсем другое." in repeated.text

        # The dialogue goes on as if nothing had been.
        scene.worker.answer = lambda request: made(request, "Да.")
        await anna.ask("и хлеб")
        texts_seen = [turn.text for turn in scene.worker.asked[-1].turns]
        assert texts_seen == ["суп", "Ура, суп!", "и хлеб"]
        async with scene.database.view() as unit:
            assert sum((await unit.replies.by_state()).values()) == 2


async def test_why_in_a_group_goes_to_the_operator_alone_and_others_have_no_such_command(scene: Stage) -> None:
    scene.worker.answer = lambda request: made(request, "Ответ.")
    async with scene.person() as anna, scene.person("Боря"), scene.person("Вера") as vera:
        await anna.ask("/admin")
        group = await anna.group("Друзья", vera)
        await anna.next_message(chat=group)
        await vera.send("@otklik_bot, как дела?", chat=group)
        answer = await anna.next_message(chat=group)
        await anna.send("/why@otklik_bot", chat=group, reply_to=answer.id)
        assert (await anna.next_message(chat=group)).text == why_texts.WHY_IN_PRIVATE
        told = await anna.next_message()
        assert why_texts.WHY_HEAD in told.text
        await vera.send("/why@otklik_bot", chat=group, reply_to=answer.id)
        assert (await anna.next_message(chat=group)).text == UNKNOWN_COMMAND


async def test_only_what_was_shown_can_be_repeated(scene: Stage) -> None:
    scene.worker.answer = lambda request: made(request, "Ответ.")
    async with scene.person() as anna, scene.person("Боря"), scene.person("Вера") as vera:
        panel = await anna.ask("/admin")
        await vera.ask("секрет")
        foreign = scene.worker.asked[-1].request_id
        asked = len(scene.worker.asked)
        toast = await anna.forge(panel, f"@w:{ADMIN}:replay:{foreign}")
        assert toast.alert and toast.text == why_texts.WHY_GONE
        assert len(scene.worker.asked) == asked
        async with scene.database.view() as unit:
            assert [(row.action, row.allowed) for row in await unit.audit.last()] == [("replay", False)]
