"""A thousand updates that no Telegram would send: the bot neither stops nor meets an error that it does not expect."""

from __future__ import annotations

import asyncio
import copy
import itertools
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.intake import Intake
from tests.bot.stage import Stage, stage

BATCH, BATCHES = 50, 20
CHAT = {"id": 501, "type": "private", "first_name": "Аня"}
GROUP = {"id": -1001, "type": "supergroup", "title": "Друзья"}
PERSON = {"id": 501, "is_bot": False, "first_name": "Аня"}
TEXTS = [
    "привет",
    "/start",
    "/emotion",
    "/emotion x",
    "/fix да",
    "/persona",
    "/stats",
    "/forget",
    "@otklik_bot, эй",
    "",
    "🙂",
]


def message(text: str, chat: dict[str, Any]) -> dict[str, Any]:
    return {"message_id": 7, "date": 1_700_000_000, "chat": chat, "from": PERSON, "text": text}


MESSAGES = st.builds(message, st.sampled_from(TEXTS), st.sampled_from([CHAT, GROUP]))
DATA = st.sampled_from(
    ["t:1:abc", "e:joy", "e:zzz", "l:1:x", "d:1:x", "s:c:5:x", "f:501:1", "p:-2", "c:1", "a:x", "ep:99"]
)
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
    kind = draw(st.sampled_from(sorted(KINDS)))
    event = copy.deepcopy(draw(KINDS[kind]))
    for _ in range(draw(st.integers(0, 3))):
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
        self.stage: Stage = self.runner.run(self._open(folder))

    async def _open(self, folder: Path) -> Stage:
        scene = await self.stack.enter_async_context(stage(folder))
        async with scene.person() as anna:
            await anna.ask("привет")
        return scene

    def feed(self, raws: list[dict[str, Any]]) -> list[bool]:
        """Hand updates to the bot and wait until it is done with all of them."""
        return self.runner.run(self._feed(raws))

    async def _feed(self, raws: list[dict[str, Any]]) -> list[bool]:
        assert self.stage.parts is not None
        intake: Intake = self.stage.parts.intake
        futures = [intake.accept({**raw, "update_id": next(self.numbers)}) for raw in raws]
        return list(await asyncio.wait_for(asyncio.gather(*futures), 60))

    def outcomes(self) -> dict[str, float]:
        assert self.stage.parts is not None
        (metric,) = self.stage.parts.services.metrics.updates.collect()
        return {s.labels["outcome"]: s.value for s in metric.samples if s.name.endswith("_total")}

    def close(self) -> None:
        self.runner.run(self.stack.aclose())
        self.runner.close()


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


def test_a_thousand_of_them_were_fed(running: Running) -> None:
    outcomes = running.outcomes()
    assert sum(outcomes.values()) >= BATCH * BATCHES
    assert outcomes["malformed"] > 50 and outcomes["handled"] > 50
