"""Two thousand updates that no Telegram would send: the bot neither stops nor meets an error it does not expect."""

from __future__ import annotations

import asyncio
import copy
import itertools
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiogram import Router
from aiogram.dispatcher.event.handler import HandlerObject
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.intake import Intake
from bot.playground.person import Person
from tests.bot.stage import Stage, stage, until

BATCH, BATCHES = 50, 40
CHAT = {"id": 501, "type": "private", "first_name": "Аня"}
GROUP = {"id": -1001, "type": "supergroup", "title": "Друзья"}
PERSON = {"id": 501, "is_bot": False, "first_name": "Аня"}
BOT = {"id": 4242, "is_bot": True, "first_name": "Отклик"}
TEXTS = [
    *("привет", "", "🙂", "@otklik_bot, эй", "не хочу жить", "/nonsense"),
    *("/start", "/help", "/privacy", "/export", "/forget", "/stats", "/reset", "/cancel", "/admin"),
    *("/emotion", "/emotion x", "/emotion грусть", "/intensity", "/intensity 9", "/persona", "/persona кот"),
    *("/fix да", "/fix"),
]
MEDIA: list[dict[str, Any]] = [
    {"sticker": {"file_id": "a", "file_unique_id": "a", "type": "regular", "width": 1, "height": 1,
                 "is_animated": False, "is_video": False}},
    {"voice": {"file_id": "a", "file_unique_id": "a", "duration": 1}},
    {"photo": [{"file_id": "a", "file_unique_id": "a", "width": 1, "height": 1}], "caption": "смотри"},
    {"document": {"file_id": "a", "file_unique_id": "a"}},
    {"new_chat_members": [{"id": 4242, "is_bot": True, "first_name": "Отклик"}]},
]  # fmt: skip


def message(text: str, chat: dict[str, Any]) -> dict[str, Any]:
    return {"message_id": 7, "date": 1_700_000_000, "chat": chat, "from": PERSON, "text": text}


def other(media: dict[str, Any], chat: dict[str, Any]) -> dict[str, Any]:
    found = message("", chat) | media
    del found["text"]
    return found


PLAIN = st.builds(message, st.sampled_from(TEXTS), st.sampled_from([CHAT, CHAT, GROUP]))
ANSWERS = st.builds(lambda said, under: said | {"reply_to_message": under | {"from": BOT}}, PLAIN, PLAIN)
MESSAGES = PLAIN | ANSWERS | st.builds(other, st.sampled_from(MEDIA), st.sampled_from([CHAT, GROUP]))
DATA = st.sampled_from(
    ["t:1:abc", "e:joy", "e:zzz", "l:1:x", "d:1:x", "s:c:5:x", "f:501:1", "p:-2", "c:1", "a:x", "ep:99"]
) | st.integers(0, 99).map("button {}".format)
CALLBACKS = st.builds(
    lambda data, under: {"id": "1", "from": PERSON, "chat_instance": "1", "data": data, "message": under},
    DATA | st.text(max_size=64),
    MESSAGES | st.none(),
)
REACTIONS = st.builds(
    lambda chat, emoji: {
        "chat": chat,
        "message_id": 7,
        "date": 1_700_000_000,
        "user": PERSON,
        "old_reaction": [],
        "new_reaction": [{"type": "emoji", "emoji": emoji}],
    },
    st.sampled_from([CHAT, GROUP]),
    st.sampled_from(["👍", "💩", "x"]),
)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
KINDS = {
    "message": MESSAGES,
    "edited_message": MESSAGES,
    "callback_query": CALLBACKS,
    "message_reaction": REACTIONS,
    "my_chat_member": JUNK,
    "channel_post": MESSAGES,
    "poll": JUNK,
}


@st.composite
def updates(draw: st.DrawFn) -> dict[str, Any]:
    """A likely update with some of its parts replaced by anything, or left out."""
    kind = draw(st.sampled_from([*KINDS, "message", "callback_query", "callback_query"]))
    event = copy.deepcopy(draw(KINDS[kind]))
    for _ in range(draw(st.sampled_from([0, 0, 1, 2, 3]))):
        holder = event
        while isinstance(holder, dict) and holder:
            key = draw(st.sampled_from(sorted(holder)))
            if not isinstance(holder[key], dict) or draw(st.booleans()):
                if draw(st.booleans()):
                    holder[key] = draw(JUNK)
                else:
                    del holder[key]
                break
            holder = holder[key]
    return {kind: event}


class Running:
    """A stage in an event loop of its own, for tests that hypothesis calls many times."""

    def __init__(self, folder: Path) -> None:
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.numbers = itertools.count(1)
        self.entered: Counter[str] = Counter()
        self.stage, self.anna = self.runner.run(self._open(folder))

    async def _open(self, folder: Path) -> tuple[Stage, Person]:
        scene = await self.stack.enter_async_context(stage(folder))
        anna = await self.stack.enter_async_context(scene.person())
        await anna.ask("привет")
        assert scene.parts is not None
        for router in tails(scene.parts.intake.dispatcher):
            for handler in itertools.chain(*(observer.handlers for observer in router.observers.values())):
                self._count(handler)
        return scene, anna

    def _count(self, handler: HandlerObject) -> None:
        real, name = handler.call, f"{handler.callback.__module__}.{handler.callback.__name__}"

        async def counted(*args: Any, **kwargs: Any) -> Any:
            self.entered[name.removeprefix("bot.handlers.")] += 1
            return await real(*args, **kwargs)

        handler.call = counted  # type: ignore[method-assign]

    def feed(self, raws: list[dict[str, Any]]) -> list[bool]:
        """Hand updates to the bot and wait until it is done with all of them."""
        return self.runner.run(self._feed(raws))

    async def _feed(self, raws: list[dict[str, Any]]) -> list[bool]:
        assert self.stage.parts is not None
        intake: Intake = self.stage.parts.intake
        for said in ("привет", "/emotion", "/intensity", "/persona", "/privacy", "/forget", "/start"):
            await self.anna.send(said)
        await until(lambda: self._buttons(9))
        there = await self._buttons(9)
        futures = [intake.accept({**self._real(raw, there), "update_id": next(self.numbers)}) for raw in raws]
        return list(await asyncio.wait_for(asyncio.gather(*futures), 60))

    async def _buttons(self, least: int) -> list[tuple[int, str]]:
        """Message and callback data of all buttons on the screen once there are so many; newest first."""
        shown = reversed((await self.anna.history())[-40:])
        every = ((one.id, key) for one in shown for row in one.raw["keyboard"] for key in row)
        keys = [(under, key["callback_data"]) for under, key in every if "callback_data" in key]
        return keys if len(keys) >= least else []

    def _real(self, part: Any, there: list[tuple[int, str]]) -> Any:
        """With Аня's own number and, where a button is meant, one that is on her screen."""
        if isinstance(part, list):
            return [self._real(one, there) for one in part]
        if not isinstance(part, dict):
            return self.anna.id if part == CHAT["id"] and not isinstance(part, bool) else part
        found = {key: self._real(value, there) for key, value in part.items()}
        data = found.get("data")
        if isinstance(data, str) and data.startswith("button "):
            under, found["data"] = there[int(data.removeprefix("button ")) % len(there)]
            if isinstance(found.get("message"), dict) and "message_id" in found["message"]:
                found["message"]["message_id"] = under
        return found

    def outcomes(self) -> dict[str, float]:
        assert self.stage.parts is not None
        (metric,) = self.stage.parts.services.metrics.updates.collect()
        return {s.labels["outcome"]: s.value for s in metric.samples if s.name.endswith("_total")}

    def close(self) -> None:
        self.runner.run(self.stack.aclose())
        self.runner.close()


def tails(router: Router) -> Iterator[Router]:
    yield router
    for one in router.sub_routers:
        yield from tails(one)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("malformed"))
    yield running
    running.close()


@settings(max_examples=BATCHES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
@given(st.lists(updates(), min_size=BATCH, max_size=BATCH))
def test_no_malformed_update_is_an_error(running: Running, raws: list[dict[str, Any]]) -> None:
    assert all(running.feed(raws))
    assert not {"error", "failed"} & set(running.outcomes())


def test_two_thousand_of_them_were_fed(running: Running) -> None:
    outcomes = running.outcomes()
    assert sum(outcomes.values()) >= BATCH * BATCHES
    assert outcomes["malformed"] > 50 and outcomes["handled"] > 300
    # Not only at the door: they came to most handlers, by buttons that are there among other ways.
    assert len(running.entered) >= 25
    assert {"chat.talk", "leftovers.unknown_button", "settings.pick_emotion"} <= set(running.entered)
