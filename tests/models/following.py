"""A worker with the starter that follows the registry, for the tests of what it does then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from models.adapter_watch import AdapterWatch, Fetch
from models.responder import Responder
from models.shared_gpu import Load, SharedGpu
from models.worker import Worker
from storage.adapter_files import fetch
from storage.contracts import ChatReply, Loaded, ReplyState
from storage.conversation import Conversation
from storage.loop_board import LoopBoard
from tests.models.conftest import Replies
from tests.models.line import make_request

SMALL: dict[str, Any] = {"classifier": "lexicon", "device": "cpu", "threads": 1, "candidates": 1, "max_new_tokens": 12}


@asynccontextmanager
async def following(
    conversation: Conversation,
    board: LoopBoard,
    responder: Responder,
    cache: Path,
    *,
    source: Fetch | None = None,
    load: Load | None = None,
    name: str = "w",
    **settings: Any,
) -> AsyncIterator[Worker]:
    """A worker that follows, with a quick eye, until the end of the block; the engine is left as it was found.

    `load`: it shares its GPU with training and loads its models so when it comes back.
    """
    own, routes, presets = responder.engine.adapters, responder.intake.routes, responder.intake.presets
    stop = asyncio.Event()
    quick = {"worker_id": name, "every": 0.03}
    with ThreadPoolExecutor(1) as thread:
        watch = AdapterWatch(
            board, responder, thread, source or (lambda served: fetch(served, cache)), **{**quick, **settings}
        )
        sharing: dict[str, Any] = {"requests": conversation.requests, "pause": 0.05, **quick}
        gpu = SharedGpu(board, responder, thread, load, watch, **sharing) if load else None
        worker = Worker(conversation, responder, thread, worker_id=name, rows=32, rows_each=1, watch=watch, gpu=gpu)
        running = asyncio.create_task(worker.run(stop))
        try:
            yield worker
        finally:
            stop.set()
            await running
            for adapter in responder.engine.adapters - own:
                responder.engine.unload_adapter(adapter)
            responder.follow(routes, presets)


async def told(board: LoopBoard, enough: Callable[[Loaded], bool], patience: float = 60.0, name: str = "w") -> Loaded:
    """What the worker reports, once it is enough."""
    async with asyncio.timeout(patience):
        while True:
            found = (await board.loaded()).get(name)
            if found is not None and enough(found):
                return found
            await asyncio.sleep(0.02)


async def answer(conversation: Conversation, replies: Replies, request_id: str, **changes: Any) -> ChatReply:
    """One request and its reply."""
    await conversation.ask(make_request(request_id, **changes))
    return (await replies(1))[request_id]


def adapter_of(reply: ChatReply) -> str | None:
    """The adapter that a good answer says it is of."""
    assert reply.state is ReplyState.DONE and reply.provenance is not None, reply
    return reply.provenance.adapter
