"""A worker that follows the registry, on the real line with the starter: switching, arms, presets, memory."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from models.build import build_responder
from models.responder import Responder
from models.settings import ModelsSettings
from storage.contracts import ChatReply, FailReason, ReplyState
from storage.conversation import Conversation
from storage.loop_board import LoopBoard
from storage.presets import load_presets
from storage.replay import again, differences
from storage.settings import StorageSettings
from tests.models.conftest import Replies
from tests.models.following import SMALL, adapter_of, answer, following, told
from tests.models.line import make_request
from tests.models.promote import adapters, serving

PROMOTIONS = 5


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


@pytest.mark.parametrize("engine", ["echo", pytest.param("starter", marks=pytest.mark.slow)])
async def test_promotions_under_steady_traffic_lose_nothing_and_answer_with_what_was_promoted(
    conversation: Conversation, board: LoopBoard, replies: Replies, starter: Responder, tmp_path: Path, engine: str
) -> None:
    responder = starter if engine == "starter" else build_responder(ModelsSettings(engine="echo"), load_presets())
    known = adapters(tmp_path, PROMOTIONS)
    order = {adapter.adapter_id: number for number, adapter in enumerate(known)}
    published: list[float] = []
    served: list[float] = []
    asked: dict[str, float] = {}
    answered: dict[str, tuple[float, ChatReply]] = {}
    over = asyncio.Event()

    async def talk() -> None:
        while "last" not in asked:
            name = "last" if over.is_set() else f"r{len(asked)}"
            asked[name] = time.monotonic()
            await conversation.ask(make_request(name, f"Сообщение {name}"))
            await asyncio.sleep(0.05 if engine == "echo" else 0.1)

    async def listen() -> None:
        while "last" not in asked or len(answered) < len(asked):
            for name, reply in (await replies(1)).items():
                answered[name] = (time.monotonic(), reply)

    async with following(conversation, board, responder, tmp_path / "cache"):
        await answer(conversation, replies, "warm")
        talking = [asyncio.create_task(talk()), asyncio.create_task(listen())]
        for number, adapter in enumerate(known):
            published.append(time.monotonic())
            await board.publish(serving(number + 1, known, shared=adapter.adapter_id))
            await told(board, lambda loaded, revision=number + 1: loaded.revision == revision)  # type: ignore[misc]
            served.append(time.monotonic())
            await asyncio.sleep(0.2)
        over.set()
        await asyncio.gather(*talking)
    assert len(answered) == len(asked) > 20
    seen: set[str | None] = set()
    for name, (moment, reply) in answered.items():
        used = adapter_of(reply)
        # What the worker has by itself answered before the first promotion was served.
        place = order.get(used or "", -1)
        assert place < 0 or published[place] < moment, "answered with what was not promoted yet"
        latest = sum(known_since <= asked[name] for known_since in served) - 1
        assert place >= latest, "answered with what was replaced before it was asked"
        seen.add(used)
    assert set(order) <= seen


async def test_an_adapter_stays_while_a_request_runs_with_it_and_goes_when_nobody_lists_it(
    conversation: Conversation, board: LoopBoard, replies: Replies, starter: Responder, tmp_path: Path
) -> None:
    first, second = adapters(tmp_path, 2)
    await board.publish(serving(1, [first], shared=first.adapter_id))
    async with following(conversation, board, starter, tmp_path / "cache") as worker:
        await told(board, lambda loaded: loaded.revision == 1)
        for number in range(12):
            await conversation.ask(make_request(f"r{number}", candidates=3))
        async with asyncio.timeout(60):
            while not worker.responder.in_use:  # noqa: ASYNC110 - another thread's doing
                await asyncio.sleep(0.002)
        await board.publish(serving(2, [second], shared=second.adapter_id))
        found = await replies(12)
        assert {adapter_of(reply) for reply in found.values()} <= {first.adapter_id, second.adapter_id}
        assert first.adapter_id in {adapter_of(reply) for reply in found.values()}
        report = await told(board, lambda loaded: first.adapter_id not in loaded.adapters)
        assert second.adapter_id in report.adapters


async def test_an_adapter_that_a_request_names_is_brought_and_the_least_used_goes(
    conversation: Conversation, board: LoopBoard, replies: Replies, starter: Responder, tmp_path: Path
) -> None:
    known = adapters(tmp_path, 4)
    active, *others = known
    await board.publish(serving(1, known, shared=active.adapter_id))
    async with following(conversation, board, starter, tmp_path / "cache", limit=2):
        for adapter in others:
            reply = await answer(conversation, replies, adapter.adapter_id, arm=adapter.adapter_id)
            assert adapter_of(reply) == adapter.adapter_id
        await told(board, lambda loaded: {active.adapter_id, others[-1].adapter_id} <= set(loaded.adapters))
        await told(board, lambda loaded: not {one.adapter_id for one in others[:2]} & set(loaded.adapters))
        reply = await answer(conversation, replies, "unheard", arm="a-unheard-of")
        assert (reply.state, reply.reason) == (ReplyState.FAILED, FailReason.UNKNOWN_ADAPTER)


async def test_many_adapters_named_at_once_are_all_answered_though_few_stay_loaded(
    conversation: Conversation, board: LoopBoard, replies: Replies, starter: Responder, tmp_path: Path
) -> None:
    known = adapters(tmp_path, 4)
    await board.publish(serving(1, known))
    async with following(conversation, board, starter, tmp_path / "cache", limit=1):
        for adapter in known * 2:
            await conversation.ask(make_request(f"r{adapter.adapter_id}-{time.monotonic_ns()}", arm=adapter.adapter_id))
        found = await replies(8)
    assert {adapter_of(reply) for reply in found.values()} == {adapter.adapter_id for adapter in known}


def changed_presets(title: str) -> dict[str, Any]:
    body = load_presets().model_dump(mode="json")
    for preset in body["presets"]:
        if preset["id"] == "joy":
            preset |= {"title": title, "sampling": {"temperature": 0.31, "max_new_tokens": 9}}
    return body


async def test_presets_come_with_the_revision_and_go_with_it(
    conversation: Conversation, board: LoopBoard, replies: Replies, starter: Responder, tmp_path: Path
) -> None:
    async with following(conversation, board, starter, tmp_path / "cache"):
        before = (await answer(conversation, replies, "before")).provenance
        body = changed_presets("восторг")
        await board.publish(serving(1, []).model_copy(update={"presets": body}))
        await told(board, lambda loaded: loaded.revision == 1)
        after = (await answer(conversation, replies, "after")).provenance
        await board.publish(serving(2, []))
        await told(board, lambda loaded: loaded.revision == 2)
        back = (await answer(conversation, replies, "back")).provenance
    assert before and after and back
    assert after.sampling.temperature == 0.31 and after.sampling.max_new_tokens == 9
    assert after.prompt_version != before.prompt_version == back.prompt_version
    assert back.sampling == before.sampling


async def test_presets_of_the_same_revision_are_followed_too(
    conversation: Conversation, board: LoopBoard, replies: Replies, starter: Responder, tmp_path: Path
) -> None:
    await board.publish(serving(3, []))
    async with following(conversation, board, starter, tmp_path / "cache") as worker:
        await told(board, lambda loaded: loaded.revision == 3)
        await board.publish(serving(3, []).model_copy(update={"presets": changed_presets("восторг")}))
        async with asyncio.timeout(60):
            while worker.responder.intake.presets.get("joy").title != "восторг":  # noqa: ASYNC110 - another thread's
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("fault", ["shape", "labels"])
async def test_bad_presets_are_refused_and_reported_while_adapters_go_on(
    conversation: Conversation, board: LoopBoard, replies: Replies, starter: Responder, tmp_path: Path, fault: str
) -> None:
    (adapter,) = adapters(tmp_path, 1)
    body = changed_presets("восторг")
    if fault == "shape":
        body["presets"][0]["intensity"] = 7
    else:
        body["presets"] = [preset | {"labels": ["seasickness"]} for preset in body["presets"]]
    async with following(conversation, board, starter, tmp_path / "cache"):
        before = (await answer(conversation, replies, "before")).provenance
        told_so = serving(1, [adapter], shared=adapter.adapter_id).model_copy(update={"presets": body})
        await board.publish(told_so)
        report = await told(board, lambda loaded: loaded.revision == 1)
        assert list(report.faults) == ["presets"]
        assert ("intensity" if fault == "shape" else "labels") in report.faults["presets"]
        reply = await answer(conversation, replies, "after")
        assert adapter_of(reply) == adapter.adapter_id
        assert reply.provenance and before and reply.provenance.prompt_version == before.prompt_version


async def test_an_answer_can_be_made_again_to_the_letter_in_any_company(
    conversation: Conversation, board: LoopBoard, replies: Replies, starter: Responder, tmp_path: Path
) -> None:
    known = adapters(tmp_path, 3)
    await board.publish(serving(1, known, shared=(known[0].adapter_id, known[1].adapter_id, 0.5)))
    requests = {
        f"r{number}": make_request(
            f"r{number}", f"Расскажи что-нибудь о себе, {number}", emotion=emotion, arm=arm, candidates=2
        )
        for number, (emotion, arm) in enumerate(
            [("joy", "active"), ("auto", "canary"), ("anger", "base"), ("fear", known[2].adapter_id)]
        )
    }
    async with following(conversation, board, starter, tmp_path / "cache"):
        for request in requests.values():
            await conversation.ask(request)
        originals = await replies(4)
        # Promoted meanwhile: what was active then is named by the repetition itself.
        await board.publish(serving(2, known, shared=known[2].adapter_id))
        await told(board, lambda loaded: loaded.revision == 2)
        for name, request in requests.items():
            alone = again(request, originals[name], request_id=f"{name}-alone", deadline=request.deadline)
            await conversation.ask(alone)
            repeated = await replies(1)
            for number in range(6):
                await conversation.ask(make_request(f"{name}-company{number}", f"Другой разговор {number}"))
            crowded = again(request, originals[name], request_id=f"{name}-crowd", deadline=request.deadline)
            await conversation.ask(crowded)
            repeated |= await replies(7)
            for kind in ("alone", "crowd"):
                first, second = originals[name], repeated[f"{name}-{kind}"]
                assert first.provenance and second.provenance
                assert differences(first.provenance, second.provenance) == ()
                assert [one.text for one in first.candidates] == [one.text for one in second.candidates]
                assert first.text == second.text and first.text
