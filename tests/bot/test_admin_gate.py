"""Nobody but an operator moves anything: every button × everybody else, malformed data, groups, removed operators."""

from __future__ import annotations

import random
import string
from collections.abc import AsyncIterator
from pathlib import Path
from typing import get_args

import pytest_asyncio

from bot import texts as people_texts
from bot.admin import callbacks as c
from bot.admin import texts
from bot.playground.person import Person
from bot.playground.world import World
from storage.contracts import JobState
from storage.repositories.presets import PresetBook
from tests.bot.stage import Stage, stage, until
from tests.bot.trainer import Trainer, show

ADMIN = World().next_person
STRANGER = ADMIN + 1
SLOT = "shared"


@pytest_asyncio.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(tmp_path, admins=(ADMIN,), admin_edit_seconds=0.05) as scene:
        yield scene


def acts(kind: type[c.Bound], field: str = "act") -> list[str]:
    return list(get_args(kind.model_fields[field].annotation))


def every_button(admin: int, job: str, adapter: str) -> list[str]:
    """One of each kind that the bot could make, the confirmed ones above all."""
    made: list[c.Bound] = []
    made += [c.Open.model_validate({"admin": admin, "view": view}) for view in acts(c.Open, "view")]
    for step in acts(c.Order, "step"):
        made.append(c.Order.model_validate({"admin": admin, "step": step, "method": "kto", "nonce": "0a0b0c0d"}))
    for act in acts(c.OfJob):
        made.append(c.OfJob.model_validate({"admin": admin, "act": act, "job": c.ref(job), "sure": True, "share": 10}))
    for act in acts(c.OfAdapter):
        values = {"adapter": c.ref(adapter), "slot": SLOT, "sure": True, "share": 10, "revision": 1}
        made.append(c.OfAdapter.model_validate({"admin": admin, "act": act, **values}))
    for act in acts(c.OfPreset):
        made.append(
            c.OfPreset.model_validate({"admin": admin, "act": act, "preset": "joy", "sure": True, "draft": "0" * 8})
        )
    for act in acts(c.OfReply):
        made.append(c.OfReply.model_validate({"admin": admin, "act": act, "request": "0" * 24}))
    return [one.pack() for one in made]


async def state(scene: Stage) -> tuple[object, ...]:
    """All that an operator could have changed."""
    async with scene.database.view() as unit:
        slots = [(one.name, one.active, one.canary, one.share, one.revision) for one in await unit.slots.all()]
        jobs = [(one.job_id, one.state, one.cancel) for one in await unit.jobs.last()]
        presets = [(one.preset_id, one.enabled) for one in await PresetBook(unit.session).all()]
    return slots, jobs, presets, len(scene.worker.asked)


async def refused(scene: Stage) -> int:
    async with scene.database.view() as unit:
        rows = await unit.audit.last(1000)
    assert all(not row.allowed for row in rows)
    return len(rows)


async def prepared(scene: Stage) -> tuple[str, str]:
    """A refit that waits for a decision."""
    trainer = Trainer(scene)
    await trainer.order("nightly")
    adapter = await trainer.finish("nightly")
    live = await trainer.adapter("live")
    await trainer.registry.promote(live)
    assert (await trainer.job("nightly")).state == JobState.GATED
    return "nightly", adapter


async def test_no_button_does_anything_for_a_stranger_and_each_attempt_is_kept(scene: Stage) -> None:
    job, adapter = await prepared(scene)
    async with scene.person() as anna, scene.person("Чужой") as stranger:
        assert (anna.id, stranger.id) == (ADMIN, STRANGER)
        message = await stranger.ask("привет")
        before = await state(scene)
        buttons = every_button(STRANGER, job, adapter) + every_button(ADMIN, job, adapter)
        for data in buttons:
            toast = await stranger.forge(message, data)
            assert (toast.text, toast.alert) == (people_texts.BUTTON_UNKNOWN, True), data
        assert await state(scene) == before
        assert await refused(scene) == len(buttons)
        commands = ("/admin", "/adapters", "/presets", "/why", "/audit")
        for command in commands:
            assert (await stranger.ask(command)).text == people_texts.UNKNOWN_COMMAND
        assert await refused(scene) == len(buttons) + len(commands)
        await show(anna, "/admin", texts.PANEL)
        await until(lambda: _in_menu(anna, "admin"))
        assert {name.removeprefix("/") for name in commands} < set(await anna.menu())
        assert {name.removeprefix("/") for name in commands}.isdisjoint(await stranger.menu())


async def _in_menu(person: Person, name: str) -> bool:
    return name in await person.menu()


async def test_an_operators_buttons_are_theirs_and_work_in_private_only(scene: Stage) -> None:
    job, adapter = await prepared(scene)
    async with scene.person() as anna, scene.person("Чужой") as stranger:
        await show(anna, "/admin", texts.PANEL)
        group = await anna.group("Друзья", stranger)
        hello = await anna.next_message(chat=group)
        before = await state(scene)
        pressed = 0
        for data in every_button(ADMIN, job, adapter):
            for person in (anna, stranger):
                toast = await person.forge(hello, data)
                assert toast.text == people_texts.BUTTON_UNKNOWN, data
                pressed += 1
        # Buttons that were made for somebody else, in one's own chat.
        panel = await show(anna, "/audit", texts.AUDIT_HEAD)
        for data in every_button(STRANGER, job, adapter):
            assert (await anna.forge(panel, data)).text == people_texts.BUTTON_UNKNOWN
            pressed += 1
        assert await state(scene) == before
        assert await refused(scene) == pressed
        assert (await ask_in(anna, "/admin@otklik_bot", group)) == texts.PRIVATE_ONLY


async def ask_in(person: Person, text: str, chat: int) -> str:
    return (await person.ask(text, chat=chat)).text


async def test_a_removed_operators_old_buttons_do_nothing(scene: Stage) -> None:
    job, _ = await prepared(scene)
    async with scene.person() as anna:
        panel = await show(anna, "/admin", texts.PANEL)
        before = await state(scene)
        await scene.stop()
        scene.settings = scene.settings.model_copy(update={"admins": (STRANGER,)})
        await scene.start()
        for text in (texts.REFRESH, texts.RETRAIN, texts.PRESETS):
            assert (await anna.press(panel, text)).text == people_texts.BUTTON_UNKNOWN
        data = c.OfJob(admin=ADMIN, act="promote", job=c.ref(job), sure=True).pack()
        assert (await anna.forge(panel, data)).text == people_texts.BUTTON_UNKNOWN
        assert await state(scene) == before
        assert await refused(scene) == 4


async def test_a_waiting_emotion_of_a_removed_operator_is_only_talk(scene: Stage) -> None:
    async with scene.person() as anna:
        presets = await show(anna, "/presets", "Эмоции")
        await anna.press(presets, "➕ Добавить")
        await anna.next_message()
        await scene.stop()
        scene.settings = scene.settings.model_copy(update={"admins": (STRANGER,)})
        await scene.start()
        assert (await anna.ask("id: evil")).text == "[joy 2] id: evil"


async def test_malformed_data_changes_nothing(scene: Stage) -> None:
    job, adapter = await prepared(scene)
    dice = random.Random(5)
    async with scene.person() as anna:
        panel = await show(anna, "/admin", texts.PANEL)
        before = await state(scene)
        forged = [f"@j:{ADMIN}:promote:{c.ref(job)}:2:0", f"@j:{ADMIN}:promote:zzzzzzzz:1:0", "@", "@:", f"@j:{ADMIN}"]
        forged += [f"@a:{ADMIN}:live:{c.ref(adapter)}:../../etc:1:0:1", f"@r:{ADMIN}:go:kto:shared:"]
        forged += [
            f"@r:{ADMIN}:go:rm -rf:shared:0a0b0c0d",
            f"@o:{ADMIN}:panel:-1",
            f"@j:0{ADMIN}:promote:{c.ref(job)}:1:0",
        ]
        forged += [f"@s:{ADMIN}:off:nosuch:1:", f"@a:{ADMIN}:try:none:shared:1:10:1", f"@x:{ADMIN}:promote"]
        for data in every_button(ADMIN, job, adapter):
            prefix, _, rest = data.partition(f":{ADMIN}:")
            scrambled = "".join(dice.choice(string.printable[:94]) if dice.random() < 0.3 else one for one in rest)
            forged.append(f"{prefix}:{ADMIN}:{scrambled}"[:64])
        for data in forged:
            await anna.forge(panel, data)
        after = await state(scene)
        assert after[0] == before[0] and after[1] == before[1] and after[3] == before[3]
        # The bot is well.
        await show(anna, "/admin", texts.PANEL)


def test_every_button_that_can_be_made_fits_into_telegrams_64_bytes() -> None:
    longest = "a" * 24
    admin = 99_999_999_999
    for kind, field in ((c.OfAdapter, "act"), (c.OfJob, "act"), (c.OfPreset, "act"), (c.Order, "step")):
        for act in acts(kind, field):
            values = {
                "admin": admin,
                field: act,
                "slot": longest,
                "preset": longest,
                "adapter": "0" * 8,
                "job": "0" * 8,
                "draft": "0" * 8 if act in ("save", "drop") else "",
                "method": "simpo",
                "nonce": "0" * 8 if act == "go" else "",
                "share": 90,
                "sure": True,
                "revision": 999,
            }
            kind.model_validate({name: values[name] for name in kind.model_fields}).pack()
