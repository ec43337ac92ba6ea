"""Emotions are changed in Telegram: the form in Russian, the preview, switching off; people and workers follow."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from bot import texts as people_texts
from bot.admin import preset_texts as texts
from bot.admin.preset_form import build, read, write
from bot.playground.person import Person, Seen
from bot.playground.world import World
from storage.loop_board import LoopBoard
from storage.preset_overlay import Overlay, overlaid
from storage.presets import Preset, load_presets
from tests.bot.stage import Stage, stage
from tests.bot.trainer import tap

ADMIN = World().next_person
OTHER = ADMIN + 1
FILE = load_presets()
GOOD = """id: nostalgia
эмодзи: 🌅
название: ностальгия
метки: sadness
сила: 2
температура: 0,7
текст: Отвечай так, чтобы {intensity} чувствовалась светлая грусть.
Кратко."""


@pytest_asyncio.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(tmp_path, admins=(ADMIN, OTHER), admin_edit_seconds=0.05) as scene:
        yield scene


def made(message: str, before: Preset | None = None) -> Preset | list[str]:
    return build(read(message), before, FILE, {preset.id for preset in FILE.presets})


def test_a_form_makes_a_preset_and_a_preset_the_form_again() -> None:
    preset = made(GOOD)
    assert isinstance(preset, Preset)
    assert preset.sampling == {"temperature": 0.7} and preset.labels == ("sadness",)
    assert preset.system.endswith("светлая грусть.\nКратко.")
    assert made(write(preset)) == preset
    for shipped in FILE.presets:
        assert made(write(shipped), shipped) == shipped


def test_only_the_lines_that_are_sent_change() -> None:
    joy = FILE.get("joy")
    changed = made("сила: 3\nтемпература: 1.1", joy)
    assert changed == joy.model_copy(update={"intensity": 3, "sampling": {"temperature": 1.1}})
    assert isinstance(changed, Preset)
    assert made("температура: нет", changed) == joy.model_copy(update={"intensity": 3})


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("id: shared", "id shared уже занят"),
        ("id: auto", "id auto уже занят"),
        ("id: joy", "id joy уже занят"),
        ("id: Радость", "id — латинские"),
        ("название: Радость", "название «Радость» уже занято"),
        ("метки: nostalgia", "нет в таблице «авто»: nostalgia; есть anger, disgust"),
        ("сила: 9", "«сила» — это 1, 2 или 3"),
        ("температура: жарко", "«температура» — число от 0 до 2, а не жарко"),
        ("температура: 55", "«температура» — число от 0 до 2, а не 55"),
        ("длина: 10.5", "«длина» — целое число от 8 до 512, а не 10.5"),
        ("текст: Покажи {сила} грусть", "в тексте есть {сила}, а заменяется только {intensity}"),
        ("текст:", "не хватает строки «текст»"),
        ("название: " + "я" * 40, "«название» длиннее 24 символов: 40"),
    ],
)
def test_what_is_wrong_is_said_in_russian(line: str, told: str) -> None:
    name = line.partition(":")[0]
    rest = [one for one in GOOD.removesuffix("\nКратко.").splitlines() if not one.startswith(f"{name}:")]
    complaints = made("\n".join([*rest, line]))
    assert isinstance(complaints, list) and any(told in one for one in complaints), complaints


def test_nonsense_is_refused_and_every_fault_is_told_at_once() -> None:
    assert made("просто слова") == ["непонятная строка: просто слова", *made_missing()]
    twice = made(GOOD + "\nсила: 9\nсила: 7")
    assert isinstance(twice, list) and texts.FORM_TWICE.format(name="сила") in twice and texts.FORM_INTENSITY in twice


def made_missing() -> list[str]:
    return [texts.FORM_MISSING.format(name=name) for name in ("id", "эмодзи", "название", "метки", "текст")]


def test_the_overlay_changes_adds_and_switches_off_and_auto_stays_whole() -> None:
    joy = FILE.get("joy").model_copy(update={"title": "счастье"})
    new = made(GOOD)
    assert isinstance(new, Preset)
    merged = overlaid(
        FILE,
        [
            Overlay("joy", joy.model_dump()),
            Overlay("nostalgia", new.model_dump()),
            Overlay("sympathy", None, enabled=False),
            Overlay("broken", {"id": "broken"}),
            Overlay("fear", {"id": "other"}),
        ],
    )
    assert [preset.id for preset in merged.presets] == [
        "neutral",
        "joy",
        "sadness",
        "surprise",
        "fear",
        "anger",
        "disgust",
        "nostalgia",
    ]
    assert merged.get("joy").title == "счастье" and merged.get("fear") == FILE.get("fear")
    assert merged.auto.policy["sadness"] == "neutral" and merged.auto.policy["joy"] == "joy"
    assert merged.auto.kinds["bad"] == "neutral" and merged.auto.kinds["good"] == "joy"
    assert type(merged).model_validate(merged.model_dump()) == merged
    nothing = overlaid(FILE, [Overlay(preset.id, None, enabled=False) for preset in FILE.presets])
    assert [preset.id for preset in nothing.presets] == ["neutral"]


async def listed(person: Person) -> Seen:
    return await person.ask("/presets")


async def test_a_new_emotion_is_shown_before_it_is_saved_and_then_everybody_has_it(scene: Stage) -> None:
    async with scene.person() as anna, scene.person("Боря"), scene.person("Вера") as vera:
        presets = await listed(anna)
        await anna.press(presets, texts.ADD)
        asked = await anna.next_message()
        assert "id: nostalgia" in asked.text and "{intensity}" in asked.text
        wrong = await anna.ask("id: nostalgia\nметки: радость")
        assert wrong.text.startswith(texts.WRONG) and "не хватает строки «эмодзи»" in wrong.text
        preview = await anna.ask(GOOD)
        assert preview.text.startswith(texts.PREVIEW_NEW)
        assert "ностальгия" not in str((await vera.ask("/emotion")).buttons)
        await tap(anna, preview, texts.SAVE, texts.ADDED_MARK)
        assert (await vera.ask("/emotion ностальгия")).text == "🌅 Теперь ответы с эмоцией «ностальгия»."
        await vera.ask("привет")
        assert scene.worker.asked[-1].emotion == "nostalgia"
        told = await LoopBoard(scene.redis, scene.storage).serving()
        assert told is not None and told.revision > 0 and told.presets is not None
        assert [one["id"] for one in told.presets["presets"]][-1] == "nostalgia"
        async with scene.database.view() as unit:
            assert [(row.action, row.target) for row in await unit.audit.last()] == [("preset_add", "nostalgia")]


async def test_a_switched_off_emotion_is_left_with_a_friendly_note(scene: Stage) -> None:
    async with scene.person() as anna, scene.person("Боря"), scene.person("Вера") as vera:
        await vera.ask("/emotion грусть")
        card = await tap(anna, await listed(anna), "грусть", texts.OFF)
        asked = await tap(anna, card, texts.OFF, "Да, выключить")
        assert "Чаты с ней (1) перейдут на «радость»" in asked.text
        await tap(anna, asked, "Да, выключить", texts.ON)
        assert "грусть" not in str((await vera.ask("/emotion")).buttons)
        note = await vera.ask("привет")
        assert note.text == people_texts.EMOTION_FALLEN_BACK.format(was="грусть", now="радость")
        assert (await vera.next_message()).text == "[joy 2] привет"
        assert (await vera.ask("ещё раз")).text == "[joy 2] ещё раз"
        # The worker still knows it: requests on their way and repeats are answered.
        told = await LoopBoard(scene.redis, scene.storage).serving()
        assert told is not None and told.presets is not None
        assert "sadness" in [one["id"] for one in told.presets["presets"]]


async def test_an_edit_is_saved_once_and_the_files_preset_can_come_back(scene: Stage) -> None:
    async with scene.person() as anna:
        card = await tap(anna, await listed(anna), "злость", texts.EDIT)
        await anna.press(card, texts.EDIT)
        assert "сила: 2" in (await anna.next_message()).text
        assert (await anna.ask("сила: 2")).text == texts.SAME
        preview = await anna.ask("название: гнев\nсила: 3")
        saved = preview.data(texts.SAVE)
        card = await tap(anna, preview, texts.SAVE, "гнев · ✏️ изменена")
        toast = await anna.forge(card, saved)
        assert toast.alert and toast.text == texts.STALE
        assert (await anna.ask("/emotion гнев")).text == "😠 Теперь ответы с эмоцией «гнев»."
        asked = await tap(anna, card, texts.FILE, "Да, вернуть")
        card = await tap(anna, asked, "Да, вернуть", "название: злость")
        assert [texts.FILE] not in card.buttons


async def test_the_dialogue_can_be_left_and_the_last_emotion_stays(scene: Stage) -> None:
    async with scene.person() as anna:
        presets = await listed(anna)
        await anna.press(presets, texts.ADD)
        await anna.next_message()
        await anna.ask("/cancel")
        assert (await anna.ask("id: x")).text == "[joy 2] id: x"
        ids = [preset.id for preset in FILE.presets]
        for preset_id in ids[1:]:
            assert not (await anna.forge(presets, f"@s:{ADMIN}:off:{preset_id}:1:")).alert
        toast = await anna.forge(presets, f"@s:{ADMIN}:off:{ids[0]}:1:")
        assert toast.alert and toast.text == texts.LAST
