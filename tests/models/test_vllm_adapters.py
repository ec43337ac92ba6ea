"""Adapters on an inference server, loaded and unloaded while it runs: against a server that follows vLLM's
documentation (`vllm_like`, which is not vLLM)."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from models.app import adapter_source
from models.build import build_responder
from models.engine import Event, Finished
from models.engines.openai import OpenAIEngine
from models.engines.runtime_lora import fault
from models.errors import AdapterBroken
from models.responder import Responder
from models.settings import ModelsSettings
from storage.adapter_files import fetch
from storage.conversation import Conversation
from storage.loop_board import LoopBoard
from storage.presets import load_presets
from storage.settings import StorageSettings
from tests.models.conftest import Replies
from tests.models.following import adapter_of, answer, following, told
from tests.models.promote import adapters, serving, variant
from tests.models.test_openai_engine import PRESETS, finish, row
from tests.models.vllm_like import BASE
from tests.models.vllm_like import serving as server

FOLDER = Path("/store/a-1")


def settings(url: str, **changes: Any) -> ModelsSettings:
    values = {"engine": "openai", "openai_url": url, "openai_model": BASE, "classifier": "lexicon", "candidates": 1}
    return ModelsSettings(**{**values, **changes})


def remote(url: str) -> Responder:
    return build_responder(settings(url), load_presets())


@pytest.fixture
def board(conversation: Conversation) -> LoopBoard:
    return LoopBoard(conversation.redis, StorageSettings())


async def test_a_promotion_loads_the_adapter_on_the_server_and_the_old_one_goes_when_nobody_lists_it(
    conversation: Conversation, board: LoopBoard, replies: Replies, tmp_path: Path
) -> None:
    first, second = adapters(tmp_path, 2)
    with server() as (url, state):
        responder = remote(url)
        async with following(conversation, board, responder, tmp_path / "cache"):
            assert adapter_of(await answer(conversation, replies, "own")) is None
            await board.publish(serving(1, [first], shared=first.adapter_id))
            await told(board, lambda loaded: loaded.revision == 1)
            reply = await answer(conversation, replies, "first")
            assert adapter_of(reply) == first.adapter_id and first.adapter_id in reply.text
            assert state.loaded == {first.adapter_id: str(tmp_path / "cache" / first.adapter_id)}
            await board.publish(serving(2, [second], shared=second.adapter_id))
            assert first.adapter_id not in (await told(board, lambda loaded: loaded.revision == 2)).adapters
            assert adapter_of(await answer(conversation, replies, "second")) == second.adapter_id
            async with asyncio.timeout(5):
                while first.adapter_id in state.loaded:  # noqa: ASYNC110 - another thread's doing
                    await asyncio.sleep(0.02)
            # Its smoke test asked the server by the adapter's name before anybody else did.
            asked = [raw["model"] for name, raw in state.calls if name == "completions"]
            assert asked.count(second.adapter_id) > 1
        responder.engine.close()


async def test_the_server_sees_the_store_elsewhere(
    conversation: Conversation, board: LoopBoard, replies: Replies, tmp_path: Path
) -> None:
    (adapter,) = adapters(tmp_path, 1)
    storage = StorageSettings(dir=tmp_path / "var", adapters=str(tmp_path / "store"))
    mounted = tmp_path / "as-the-server-sees-it"
    mounted.symlink_to(tmp_path / "store")
    with server() as (url, state):
        responder = remote(url)
        source = adapter_source(settings(url, openai_adapters=str(mounted)), storage)
        await board.publish(serving(1, [adapter], shared=adapter.adapter_id))
        async with following(conversation, board, responder, tmp_path, source=source):
            assert adapter_of(await answer(conversation, replies, "r")) == adapter.adapter_id
            assert state.loaded == {adapter.adapter_id: str(mounted / adapter.adapter_id)}
        responder.engine.close()


async def test_a_server_that_was_started_anew_gets_its_adapters_back_and_nobody_waits_in_vain(
    conversation: Conversation, board: LoopBoard, replies: Replies, tmp_path: Path
) -> None:
    (adapter,) = adapters(tmp_path, 1)
    await board.publish(serving(1, [adapter], shared=adapter.adapter_id))
    with server() as (url, state):
        responder = remote(url)
        async with following(conversation, board, responder, tmp_path / "cache"):
            assert adapter_of(await answer(conversation, replies, "before")) == adapter.adapter_id
            state.loaded.clear()
            for number in range(3):
                assert adapter_of(await answer(conversation, replies, f"r{number}")) == adapter.adapter_id
            assert list(state.loaded) == [adapter.adapter_id]
        responder.engine.close()


@pytest.mark.parametrize(
    ("state", "advice"),
    [
        ({"allowed": False}, "VLLM_ALLOW_RUNTIME_LORA_UPDATING"),
        ({"max_rank": 2}, "--max-lora-rank"),
    ],
)
async def test_what_the_server_refuses_is_a_fault_with_advice_and_people_are_answered(
    conversation: Conversation,
    board: LoopBoard,
    replies: Replies,
    tmp_path: Path,
    state: dict[str, Any],
    advice: str,
) -> None:
    (adapter,) = adapters(tmp_path, 1)
    await board.publish(serving(1, [adapter], shared=adapter.adapter_id))
    with server(**state) as (url, _):
        responder = remote(url)
        async with following(conversation, board, responder, tmp_path / "cache"):
            assert adapter_of(await answer(conversation, replies, "r")) is None
            assert advice in (await told(board, lambda loaded: bool(loaded.faults))).faults[adapter.adapter_id]
        responder.engine.close()


async def test_two_workers_of_one_server_do_not_quarrel(
    conversation: Conversation, board: LoopBoard, replies: Replies, tmp_path: Path
) -> None:
    (adapter,) = adapters(tmp_path, 1)
    await board.publish(serving(1, [adapter], shared=adapter.adapter_id))
    with server() as (url, _):
        one, other = remote(url), remote(url)
        cache = tmp_path / "cache"
        async with (
            following(conversation, board, one, cache, name="one"),
            following(conversation, board, other, cache, name="other"),
        ):
            for name in ("one", "other"):
                report = await told(board, lambda loaded: loaded.revision == 1, name=name)
                assert report.adapters == (adapter.adapter_id,) and not report.faults
        one.engine.close()
        other.engine.close()


def test_a_folder_that_the_server_does_not_see_names_the_setting(tmp_path: Path) -> None:
    with server() as (url, _):
        engine = OpenAIEngine(settings(url), PRESETS)
        with pytest.raises(AdapterBroken, match="MODELS_OPENAI_ADAPTERS"):
            engine.load_adapter("new", tmp_path / "not-there")
        assert not engine.adapters
        engine.close()


def test_an_adapter_that_another_worker_unloaded_is_loaded_again_for_all_rows(tmp_path: Path) -> None:
    with server() as (url, state):
        engine = OpenAIEngine(settings(url), PRESETS)
        engine.load_adapter("new", variant(tmp_path / "new", 1))
        state.loaded.clear()
        engine.admit([row(f"r{number}", adapter="new") for number in range(6)])
        events: dict[str, Event] = finish(engine)
        assert all(isinstance(event, Finished) for event in events.values()), events
        assert [name for name, _ in state.calls].count("load_lora_adapter") == 2
        engine.close()


def test_unloading_waits_for_nobody_and_a_quick_return_wins(tmp_path: Path) -> None:
    with server() as (url, state):
        engine = OpenAIEngine(settings(url), PRESETS)
        folder = variant(tmp_path / "new", 1)
        for _ in range(5):
            engine.load_adapter("new", folder)
            engine.unload_adapter("new")
        engine.load_adapter("new", folder)
        engine.admit([row(adapter="new")])
        assert isinstance(finish(engine)["r"], Finished)
        engine.unload_adapter("new")
        until = time.monotonic() + 5
        while state.loaded and time.monotonic() < until:
            time.sleep(0.02)
        assert not state.loaded
        engine.close()


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, "Success: LoRA adapter 'a' added successfully.", None),
        (400, '{"message": "The lora adapter \'a\' has already been loaded."}', None),
        (400, '{"error": {"message": "Both must be provided."}}', "Both must be provided"),
        (404, '{"detail": "Not Found"}', "VLLM_ALLOW_RUNTIME_LORA_UPDATING"),
        (404, '{"error": {"message": "No adapter found for /x"}}', "MODELS_OPENAI_ADAPTERS"),
        (500, '{"error": {"message": "rank 32 is greater than max_lora_rank 16"}}', "--max-lora-rank"),
        (500, "<html>", "HTTP 500"),
        (500, "[]", "HTTP 500"),
    ],
)
def test_every_answer_of_the_server_is_understood(status: int, body: str, said: str | None) -> None:
    found = fault(status, body, FOLDER)
    assert found is None if said is None else found is not None and said in found


def test_a_worker_fetches_into_its_own_cache_first_from_where_it_sees_the_store(tmp_path: Path) -> None:
    (adapter,) = adapters(tmp_path, 1)
    moved = adapter.model_copy(update={"location": "/where/the/trainer/sees/it/" + adapter.adapter_id})
    storage = StorageSettings(dir=tmp_path / "var", adapters=str(tmp_path / "store"))
    folder = adapter_source(ModelsSettings(engine="echo"), storage)(moved)
    assert folder == tmp_path / "var" / "cache" / "adapters" / adapter.adapter_id
    assert folder == fetch(adapter, folder.parent)
