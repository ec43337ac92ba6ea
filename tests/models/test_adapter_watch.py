"""A worker that follows the registry, on the real line with the starter: switching, arms, faults, what stays loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.build import build_responder
from models.responder import Responder
from models.settings import ModelsSettings
from storage.conversation import Conversation
from storage.loop_board import LoopBoard
from storage.presets import load_presets
from storage.settings import StorageSettings
from tests.models.conftest import Replies
from tests.models.following import SMALL, adapter_of, answer, following, told
from tests.models.line import make_request
from tests.models.promote import adapters, serving


@pytest.fixture(scope="module")
def starter() -> Responder:
    """The starter, loaded once; each test begins with its own adapter only."""
    return build_responder(ModelsSettings(**SMALL), load_presets())


@pytest.fixture
def board(conversation: Conversation) -> LoopBoard:
    return LoopBoard(conversation.redis, StorageSettings())


async def test_the_first_request_already_meets_what_was_promoted_before_the_start(
    conversation: Conversation, board: LoopBoard, replies: Replies, starter: Responder, tmp_path: Path
) -> None:
    first, second, third = adapters(tmp_path, 3)
    known = [first, second, third]
    await board.publish(serving(7, known, shared=first.adapter_id, joy=(second.adapter_id, third.adapter_id, 0.3)))
    asks = {"active": "active", "canary": "canary", "sad": "active", "auto": "active", "base": "base"}
    emotions = {"sad": "sadness", "auto": "auto"}
    for name, arm in asks.items():
        text = "Ура, я так рад!" if name == "auto" else "Меня сегодня повысили"
        await conversation.ask(make_request(name, text, arm=arm, emotion=emotions.get(name, "joy")))
    async with following(conversation, board, starter, tmp_path / "cache"):
        found = await replies(5)
        assert {name: adapter_of(reply) for name, reply in found.items()} == {
            "active": second.adapter_id,
            "canary": third.adapter_id,
            "sad": first.adapter_id,
            "auto": second.adapter_id,
            "base": None,
        }
        report = await told(board, lambda loaded: loaded.revision == 7)
        assert {adapter.adapter_id for adapter in known} <= set(report.adapters) and not report.faults


async def test_a_worker_that_hears_nothing_serves_its_own(
    conversation: Conversation, board: LoopBoard, replies: Replies, starter: Responder, tmp_path: Path
) -> None:
    async with following(conversation, board, starter, tmp_path / "cache"):
        own = adapter_of(await answer(conversation, replies, "r"))
        assert own is not None and own.startswith("starter-")
        assert adapter_of(await answer(conversation, replies, "c", arm="canary")) == own
        assert (await told(board, lambda loaded: True)).revision == 0
