"""Adapters that cannot be served, on the real line: nobody meets them, all hear of them, they are retried."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from models.build import build_responder
from models.responder import Responder
from models.settings import ModelsSettings
from storage.adapter_files import fetch
from storage.contracts import ServedAdapter
from storage.conversation import Conversation
from storage.loop_board import LoopBoard
from storage.presets import load_presets
from storage.settings import StorageSettings
from tests.models.conftest import Replies
from tests.models.following import SMALL, adapter_of, answer, following, told
from tests.models.line import make_request
from tests.models.promote import adapters, keep, serving, variant
from tests.models.tiny import save_adapter, save_model

WEIGHTS = "adapter_model.safetensors"


@pytest.fixture(scope="module")
def starter() -> Responder:
    """The starter, loaded once; each test begins with its own adapter only."""
    return build_responder(ModelsSettings(**SMALL), load_presets())


@pytest.fixture
def board(conversation: Conversation) -> LoopBoard:
    return LoopBoard(conversation.redis, StorageSettings())


def missing(tmp_path: Path) -> ServedAdapter:
    return ServedAdapter(adapter_id="a-gone", location=str(tmp_path / "store" / "a-gone"), sha256="0" * 64)


def damaged(tmp_path: Path) -> ServedAdapter:
    made = keep(variant(tmp_path / "damaged", 8), tmp_path / "store")
    file = Path(made.location) / WEIGHTS
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.chmod(0o644)
    file.write_bytes(content)
    return made


def not_numbers(tmp_path: Path) -> ServedAdapter:
    return keep(variant(tmp_path / "nan", 8, spoil=float("nan")), tmp_path / "store")


def overflowing(tmp_path: Path) -> ServedAdapter:
    return keep(variant(tmp_path / "huge", 8, spoil=3e38), tmp_path / "store")


def babbling(tmp_path: Path) -> ServedAdapter:
    return keep(variant(tmp_path / "loud", 8, times=100), tmp_path / "store")


def of_another_release(tmp_path: Path) -> ServedAdapter:
    return keep(variant(tmp_path / "foreign", 8), tmp_path / "store", base="starter/base@00000000")


def of_another_shape(tmp_path: Path) -> ServedAdapter:
    base = save_model("llama", tmp_path / "tiny")
    folder = save_adapter("llama", base, tmp_path / "tiny-adapter", 1)
    for extra in [file for file in folder.iterdir() if file.suffix not in (".json", ".safetensors")]:
        extra.unlink()
    return keep(folder, tmp_path / "store")


FAULTS: dict[Any, str] = {
    missing: "there is no adapter at",
    damaged: "not those of the adapter",
    not_numbers: "not finite",
    overflowing: "smoke test: the model's numbers are not finite",
    babbling: "smoke test: 4 of 4 test answers are empty, looping or broken",
    of_another_release: "trained for starter/base@00000000",
    of_another_shape: "trained on another one",
}


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")
@pytest.mark.parametrize("make", FAULTS, ids=lambda make: make.__name__)
async def test_what_cannot_be_served_leaves_everything_as_it_was_and_is_reported(
    conversation: Conversation, board: LoopBoard, replies: Replies, starter: Responder, tmp_path: Path, make: Any
) -> None:
    (good,) = adapters(tmp_path, 1)
    bad = make(tmp_path)
    await board.publish(serving(1, [good], shared=good.adapter_id))
    async with following(conversation, board, starter, tmp_path / "cache"):
        await told(board, lambda loaded: loaded.revision == 1)
        requests = [make_request(f"r{number}", f"Как дела, {number}?", seed=number) for number in range(6)]
        for request in requests:
            await conversation.ask(request)
        before = await replies(6)
        await board.publish(serving(2, [good, bad], shared=bad.adapter_id))
        for request in requests:
            await conversation.ask(request.model_copy(update={"request_id": f"{request.request_id}-again"}))
        after = await replies(6)
        report = await told(board, lambda loaded: loaded.revision == 2)
        assert list(report.faults) == [bad.adapter_id] and FAULTS[make] in report.faults[bad.adapter_id]
        assert bad.adapter_id not in report.adapters
        assert adapter_of(await answer(conversation, replies, "later")) == good.adapter_id
    for name, reply in before.items():
        # Whoever shared a batch with the broken adapter's test got the very same answer.
        assert after[f"{name}-again"].text == reply.text and adapter_of(after[f"{name}-again"]) == good.adapter_id


async def test_at_the_start_a_broken_active_adapter_gives_way_to_the_workers_own(
    conversation: Conversation, board: LoopBoard, replies: Replies, starter: Responder, tmp_path: Path
) -> None:
    bad = damaged(tmp_path)
    await board.publish(serving(1, [bad], shared=bad.adapter_id))
    async with following(conversation, board, starter, tmp_path / "cache"):
        own = adapter_of(await answer(conversation, replies, "r"))
        assert own is not None and own.startswith("starter-")
        assert bad.adapter_id in (await told(board, lambda loaded: loaded.revision == 1)).faults


async def test_a_broken_canary_is_answered_by_the_active_adapter(
    conversation: Conversation, board: LoopBoard, replies: Replies, starter: Responder, tmp_path: Path
) -> None:
    (good,) = adapters(tmp_path, 1)
    bad = not_numbers(tmp_path)
    await board.publish(serving(1, [good, bad], shared=(good.adapter_id, bad.adapter_id, 0.5)))
    async with following(conversation, board, starter, tmp_path / "cache"):
        assert adapter_of(await answer(conversation, replies, "r", arm="canary")) == good.adapter_id
        assert list((await told(board, lambda loaded: loaded.revision == 1)).faults) == [bad.adapter_id]


async def test_a_fault_in_one_slot_does_not_hold_up_the_others(
    conversation: Conversation, board: LoopBoard, replies: Replies, starter: Responder, tmp_path: Path
) -> None:
    (good,) = adapters(tmp_path, 1)
    bad = not_numbers(tmp_path)
    await board.publish(serving(1, [good, bad], shared=bad.adapter_id, joy=good.adapter_id))
    async with following(conversation, board, starter, tmp_path / "cache"):
        assert adapter_of(await answer(conversation, replies, "joy")) == good.adapter_id
        other = adapter_of(await answer(conversation, replies, "sad", emotion="sadness"))
        assert other is not None and other.startswith("starter-")


async def test_what_failed_is_tried_again_after_a_while_and_served_once_it_is_whole(
    conversation: Conversation, board: LoopBoard, replies: Replies, starter: Responder, tmp_path: Path
) -> None:
    (adapter,) = adapters(tmp_path, 1)
    away = Path(adapter.location).rename(tmp_path / "elsewhere")
    tries: list[str] = []

    def counted(served: ServedAdapter) -> Path:
        tries.append(served.adapter_id)
        return fetch(served, tmp_path / "cache")

    await board.publish(serving(1, [adapter], shared=adapter.adapter_id))
    async with following(conversation, board, starter, tmp_path, source=counted, again=0.3):
        await told(board, lambda loaded: bool(loaded.faults))
        await asyncio.sleep(0.2)
        assert len(tries) == 1, "tried again at once"
        away.rename(adapter.location)
        report = await told(board, lambda loaded: not loaded.faults)
        assert adapter.adapter_id in report.adapters
        assert adapter_of(await answer(conversation, replies, "r")) == adapter.adapter_id


async def test_a_lack_of_memory_is_a_fault_of_the_moment(
    conversation: Conversation,
    board: LoopBoard,
    replies: Replies,
    starter: Responder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (adapter,) = adapters(tmp_path, 1)
    load, refusals = starter.engine.load_adapter, iter(range(1))

    def tight(adapter_id: str, folder: Path) -> None:
        if next(refusals, None) is not None:
            raise MemoryError("CUDA out of memory")
        load(adapter_id, folder)

    monkeypatch.setattr(starter.engine, "load_adapter", tight)
    await board.publish(serving(1, [adapter], shared=adapter.adapter_id))
    async with following(conversation, board, starter, tmp_path / "cache", again=0.3):
        report = await told(board, lambda loaded: bool(loaded.faults))
        assert "out of memory" in report.faults[adapter.adapter_id]
        await told(board, lambda loaded: not loaded.faults)
        assert adapter_of(await answer(conversation, replies, "r")) == adapter.adapter_id


async def test_a_store_that_hangs_delays_nobody(
    conversation: Conversation, board: LoopBoard, replies: Replies, starter: Responder, tmp_path: Path
) -> None:
    (adapter,) = adapters(tmp_path, 1)
    hanging = asyncio.Event()
    release, loop = asyncio.Event(), asyncio.get_running_loop()

    def stuck(served: ServedAdapter) -> Path:
        loop.call_soon_threadsafe(hanging.set)
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result()
        return fetch(served, tmp_path / "cache")

    async with following(conversation, board, starter, tmp_path, source=stuck):
        await answer(conversation, replies, "before")
        await board.publish(serving(1, [adapter], shared=adapter.adapter_id))
        await asyncio.wait_for(hanging.wait(), 10)
        for number in range(5):
            own = adapter_of(await answer(conversation, replies, f"r{number}"))
            assert own is not None and own.startswith("starter-")
        release.set()
        await told(board, lambda loaded: loaded.revision == 1)
        assert adapter_of(await answer(conversation, replies, "after")) == adapter.adapter_id


async def test_news_of_a_newer_release_are_not_followed_and_said_so(
    conversation: Conversation, board: LoopBoard, replies: Replies, starter: Responder, tmp_path: Path
) -> None:
    async with following(conversation, board, starter, tmp_path / "cache"):
        await conversation.redis.set(board.keys.serving(), '{"protocol": 99, "revision": 5, "unheard_of": 1}')
        report = await told(board, lambda loaded: bool(loaded.faults))
        assert "update" in next(iter(report.faults.values()))
        assert adapter_of(await answer(conversation, replies, "r"))
