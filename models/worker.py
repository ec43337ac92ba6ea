"""The worker process: claims requests, runs the responder in one thread, completes replies, keeps leases alive.

The event loop never waits for the model. Knows nothing of how texts are made.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import structlog

from models.adapter_watch import AdapterWatch, Ties
from models.errors import EngineBroken
from models.jobs import Task
from models.leases import Claimed, Leases, refusal
from models.outages import persist
from models.responder import Responder
from models.shared_gpu import SharedGpu
from models.waiting import end, within
from storage import ready
from storage.contracts import ChatReply, FailReason, ReplyState
from storage.conversation import Conversation
from storage.queue import Spoiled

log = structlog.get_logger(__name__)

# Exit status of a process whose model thread hangs: nothing in the process can end that thread.
HUNG = 70


class Worker:
    """One consumer of the request stream. `thread` is the only thread that touches the responder."""

    def __init__(
        self,
        conversation: Conversation,
        responder: Responder,
        thread: ThreadPoolExecutor,
        *,
        worker_id: str,
        rows: int,
        rows_each: int,
        drain_seconds: float = 8.0,
        stuck_seconds: float = 120.0,
        watch: AdapterWatch | None = None,
        gpu: SharedGpu | None = None,
        on_ready: Callable[[], None] = lambda: None,
    ) -> None:
        self.conversation = conversation
        self.responder = responder
        self.thread = thread
        self.worker_id = worker_id
        self.rows = rows
        self.rows_each = rows_each
        self.drain_seconds = drain_seconds
        self.stuck_seconds = stuck_seconds
        self.turn_began: float | None = None
        self.leases = Leases(conversation.requests, worker_id)
        self.inbox: list[Task] = []
        self.submitted: set[str] = set()
        self.suspect: str | None = None
        self.stops: dict[str, ReplyState] = {}
        self.outbox: asyncio.Queue[ChatReply | None] = asyncio.Queue()
        self.finished = asyncio.Event()
        self.wake = asyncio.Event()
        self.freed = asyncio.Event()
        self.broken: Exception | None = None
        self.watch = watch
        self.gpu = gpu
        self.claiming = False
        self.on_ready = on_ready
        if watch is not None:
            watch.ties = Ties(self.wake.set, self._put, lambda: {task.request.arm for task in self.inbox})
        if gpu is not None:
            gpu.idle = lambda: not (self.claiming or self.leases.held or self.inbox or responder.busy)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop`, then finish what was begun within `drain_seconds` and give the rest back.

        EngineBroken, or whatever else a turn raised: nothing can be answered here; what was held is others' already.
        """
        await persist("ensure", self.conversation.ensure)
        async with asyncio.TaskGroup() as group:
            background = [
                group.create_task(self._generate(stop)),
                group.create_task(self._complete_all()),
                group.create_task(self._heartbeat()),
                group.create_task(self._watch()),
            ]
            if self.watch is not None:
                background += [
                    group.create_task(self.watch.run(self.finished)),
                    group.create_task(self.watch.supply(self.finished)),
                ]
            if self.gpu is not None:
                background.append(group.create_task(self._share(self.gpu, stop)))
            claims = group.create_task(self._claim(stop))
            try:
                await stop.wait()
                # A claim cut short may own messages that nobody knows of until their lease ends: let it return.
                await within(asyncio.shield(claims), 1.0)
                await self._drain()
            finally:
                self.finished.set()
                self.wake.set()
                self.outbox.put_nowait(None)
            await end([claims, *background])
            await self._give_back()
        log.info("worker stopped", worker=self.worker_id)
        if self.broken is not None:
            raise self.broken

    async def _claim(self, stop: asyncio.Event) -> None:
        """Take as many requests as the batch has room for, no more: what waits here no other worker can take."""
        if self.watch is not None:
            await self.watch.begun.wait()
        self.on_ready()
        queue = self.conversation.requests
        block = min(0.5, queue.lease / 4)
        while not stop.is_set():
            room = self._room()
            if room <= 0:
                await self._submit_suspect()
                self.freed.clear()
                await within(self.freed.wait(), 0.5)
                continue
            self.claiming = True
            deliveries, spoiled = await persist(
                "claim",
                lambda room=room: queue.claim(self.worker_id, count=room, block=block),  # type: ignore[misc]
            )
            for entry in spoiled:
                await self._refuse(entry, refusal(entry))
            for delivery in await self.leases.take(deliveries):
                self._submit(delivery)
            self.claiming = False

    def _room(self) -> int:
        """How many requests to claim; none while a suspect waits for its turn or runs, lest it take others with it,
        and none while the GPU is left to training."""
        if self.gpu is not None and self.gpu.paused:
            return 0
        if self.leases.suspects or self.suspect is not None:
            return 0
        held = sum(item.message.candidates or self.rows_each for item in self.leases.held.values())
        return 0 if held >= self.rows else max(1, (self.rows - held) // self.rows_each)

    def _submit(self, delivery: Claimed, *, solo: bool = False) -> None:
        if delivery.deliveries > 1:
            self.responder.metrics.left.inc()
        task = Task(delivery.message, solo)
        self.submitted.add(delivery.message.request_id)
        if self.watch is not None and self.watch.lacks(task.request.arm):
            self.watch.wanted.put_nowait(task)
        else:
            self._put(task)

    def _put(self, task: Task) -> None:
        self.inbox.append(task)
        self.wake.set()

    async def _submit_suspect(self) -> None:
        """One suspect at a time, and only when nothing else is being worked on."""
        if self.leases.suspects and not self.submitted:
            suspect = await self.leases.next_suspect()
            if suspect is not None:
                self.suspect = suspect.message.request_id
                self._submit(suspect, solo=True)

    async def _generate(self, stop: asyncio.Event) -> None:
        """Turn after turn of the responder in its thread; sets `stop` when the engine is beyond help."""
        loop = asyncio.get_running_loop()
        while not self.finished.is_set():
            if not self.inbox and not self.responder.busy:
                self.wake.clear()
                await self.wake.wait()
            tasks, self.inbox = self.inbox, []
            stops, self.stops = self.stops, {}
            self.turn_began = time.monotonic()
            try:
                replies = await loop.run_in_executor(self.thread, self.responder.turn, tasks, stops)
            except Exception as error:
                what = str(error) if isinstance(error, EngineBroken) else type(error).__name__
                log.critical("the engine is broken; this worker ends", worker=self.worker_id, error=what)
                self.broken = error
                stop.set()
                return
            finally:
                self.turn_began = None
            for reply in replies:
                self.outbox.put_nowait(reply)
            if not replies and not self.responder.running:
                await asyncio.sleep(0.001)

    async def _share(self, gpu: SharedGpu, stop: asyncio.Event) -> None:
        """Leave the GPU to training when asked; sets `stop` when the models cannot be had back."""
        try:
            await gpu.run(self.finished)
        except EngineBroken as error:
            log.critical("the models do not come back; this worker ends", worker=self.worker_id, error=str(error))
            self.broken = error
            stop.set()

    async def _complete_all(self) -> None:
        while not self.finished.is_set():
            replies = [await self.outbox.get()]
            while not self.outbox.empty():
                replies.append(self.outbox.get_nowait())
            await asyncio.gather(*(self._complete(reply) for reply in replies if reply is not None))

    async def _complete(self, reply: ChatReply) -> None:
        delivery = self.leases.held.get(reply.request_id)
        if delivery is None:
            return
        if reply.reason is FailReason.POISONED:
            payload = delivery.message.model_dump_json()
            spoiled = Spoiled(delivery.entry, payload, delivery.deliveries, "cannot be answered")
            await self._refuse(spoiled, reply)
        else:
            fresh = await persist("complete", lambda: self.conversation.complete(delivery, reply))
            if fresh:
                self.responder.metrics.replied(reply)
            else:
                log.warning("request had its reply already", request_id=reply.request_id)
        self._forget(reply.request_id)

    def _forget(self, request_id: str) -> None:
        self.leases.held.pop(request_id, None)
        self.submitted.discard(request_id)
        self.suspect = None if self.suspect == request_id else self.suspect
        self.freed.set()

    async def _refuse(self, spoiled: Spoiled, reply: ChatReply | None) -> None:
        moved = await persist("refuse", lambda: self.conversation.refuse(spoiled, reply))
        if moved and reply is not None:
            self.responder.metrics.replied(reply)

    async def _heartbeat(self) -> None:
        """Sign of life, leases renewed, and whoever wants their request stopped."""
        lease = self.conversation.requests.lease
        beat = 0.0
        while not self.finished.is_set():
            if time.monotonic() - beat >= lease / 3:
                beat = time.monotonic()
                ready.beat("worker")
                await persist("beat", lambda: self.conversation.beat(self.worker_id, seconds=max(1.0, 2 * lease)))
                if self.watch is not None:
                    await self.watch.report()
                await self.leases.renew()
            wanted = list(self.leases.held)
            for request_id in await persist("cancelled", lambda ids=wanted: self.conversation.cancelled(ids)):  # type: ignore[misc]
                await self._cancel(request_id)
            await within(self.finished.wait(), min(0.25, lease / 6))

    async def _watch(self) -> None:
        """End the process when the model's thread hangs: a worker that only keeps its leases helps nobody."""
        while not self.finished.is_set():
            began = self.turn_began
            if began is not None and time.monotonic() - began > self.stuck_seconds:
                log.critical(
                    "the model's thread hangs; this process ends", worker=self.worker_id, held=len(self.leases.held)
                )
                os._exit(HUNG)
            await within(self.finished.wait(), min(1.0, self.stuck_seconds / 4))

    async def _drain(self) -> None:
        """Finish what is held, suspects aside, within the bound."""
        for suspect in list(self.leases.suspects):
            await within(self.leases.release(suspect), 1.0)
        self.leases.suspects.clear()
        until = time.monotonic() + self.drain_seconds
        while self.leases.held and self.broken is None and time.monotonic() < until:
            self.freed.clear()
            await within(self.freed.wait(), 0.25)

    async def _give_back(self) -> None:
        for delivery in list(self.leases.held.values()):
            log.warning("request given back", request_id=delivery.message.request_id)
            await within(self.leases.release(delivery, counted=self.broken is not None), 1.0)

    async def _cancel(self, request_id: str) -> None:
        if request_id in self.submitted:
            self.stops[request_id] = ReplyState.CANCELLED
            self.wake.set()
