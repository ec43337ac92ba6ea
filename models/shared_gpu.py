"""Leaves the GPU to training and comes back: what waits is answered first, claims pause, what runs finishes, the models
go, and are loaded again.

Requests that come later wait in the queue: whoever asks then knows of it and gives them more time. It comes back when
the trainer says so, when the announced time is over, and whatever else happens, a silent Redis included. Knows nothing
of what is trained.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import structlog
from redis.exceptions import RedisError

from models.adapter_watch import AdapterWatch
from models.classifier import Classifier
from models.engine import Engine, Event, Row
from models.errors import EngineBroken, EngineUnavailable
from models.prompt import Prompt
from models.responder import Responder
from storage.contracts import ChatRequest, Sampling, now
from storage.loop_board import LoopBoard
from storage.presets import Presets
from storage.queue import StreamQueue

log = structlog.get_logger(__name__)

T = TypeVar("T")

EVERY = 1.0
# Training gives its memory back a moment after it says so.
PAUSE, LONGEST_PAUSE, TRIES = 1.0, 15.0, 20
# Who asked when nobody knew of the training yet would wait past the deadline. The trainer waits for a minute at most.
BACKLOG_SECONDS = 45.0
REPORT_SECONDS = 3.0
Load = Callable[[], tuple[Engine, Classifier | None]]


class SharedGpu:
    """One worker's manners on a GPU that training uses too. `load` makes engine and classifier as at the start.

    `idle` tells whether nothing is claimed, being claimed or running; while `paused` the worker claims nothing.
    """

    def __init__(
        self,
        board: LoopBoard,
        responder: Responder,
        thread: ThreadPoolExecutor,
        load: Load,
        watch: AdapterWatch,
        *,
        worker_id: str,
        requests: StreamQueue[ChatRequest],
        every: float = EVERY,
        pause: float = PAUSE,
        backlog: float = BACKLOG_SECONDS,
    ) -> None:
        self.requests = requests
        self.backlog = backlog
        self.board = board
        self.responder = responder
        self.thread = thread
        self.load = load
        self.watch = watch
        self.worker_id = worker_id
        self.every = every
        self.pause = pause
        self.paused = False
        self.away = False
        self.idle: Callable[[], bool] = lambda: True
        self._told = 0.0

    async def run(self, finished: asyncio.Event) -> None:
        """Make room whenever it is asked for, until `finished`. EngineBroken: the models cannot be loaded again."""
        await self.watch.begun.wait()
        while not finished.is_set():
            await self._tell()
            until = await self._asked()
            if until is not None and until > now():
                await self._make_room(until)
            await asyncio.sleep(self.every)

    async def _make_room(self, until: datetime) -> None:
        """From the pause to the return."""
        log.info("making room for training", worker=self.worker_id, until=until.isoformat())
        await self._catch_up(until)
        self.paused = True
        try:
            while not self.idle():
                if await self._over(until):
                    return
                await asyncio.sleep(min(0.05, self.every))
                await self._tell_again()
            async with self.watch.held:
                await self._in_thread(leave, self.responder)
                await self._say(True)
                while not await self._over(until):
                    until = await self._asked() or until
                    await asyncio.sleep(self.every)
                    await self._tell_again()
                await self._come_back()
        finally:
            self.paused = False

    async def _catch_up(self, until: datetime) -> None:
        """Go on until what was queued before the call is answered, by whichever worker; not for ever."""
        try:
            async with asyncio.timeout(self.backlog):
                newest = await self.requests.newest()
                while newest is not None and not await self.requests.done_up_to(newest):
                    if await self._over(until):
                        return
                    await asyncio.sleep(min(0.1, self.every))
                    await self._tell_again()
        except TimeoutError:
            log.warning("training begins with requests waiting", worker=self.worker_id)
        except (RedisError, OSError) as error:
            log.warning("redis does not answer", what="backlog", error=type(error).__name__)

    async def _come_back(self) -> None:
        """Load everything as it was; the memory may not be free yet, so several times."""
        for attempt in range(TRIES):
            try:
                engine, classifier = await self._in_thread(self.load)
                break
            except Exception as error:
                if attempt + 1 == TRIES:
                    raise EngineBroken(f"the models cannot be loaded again after training ({error})") from error
                log.warning("models not loaded yet", worker=self.worker_id, error=type(error).__name__)
            await asyncio.sleep(min(LONGEST_PAUSE, self.pause * 2**attempt))
            await self._tell_again()
        await self._in_thread(enter, self.responder, engine, classifier)
        await self.watch.anew()
        await self._say(False)

    async def _over(self, until: datetime) -> bool:
        """Whether to come back; a Redis server that does not answer does not keep anyone away."""
        if now() >= until:
            return True
        try:
            return await self.board.draining() is None
        except (RedisError, OSError):
            return False

    async def _asked(self) -> datetime | None:
        try:
            return await self.board.draining()
        except (RedisError, OSError, ValueError):
            return None

    async def _say(self, away: bool) -> None:
        self.away = away
        self.responder.metrics.away.set(away)
        log.info("left the GPU" if away else "back on the GPU", worker=self.worker_id)
        await self._tell()
        try:
            # The watch tries until Redis answers; the way back must not wait for that. It reports again later.
            async with asyncio.timeout(REPORT_SECONDS):
                await self.watch.report()
        except TimeoutError:
            log.warning("redis does not answer", what="report")

    async def _tell_again(self) -> None:
        """Whoever read the board while a heartbeat was late has struck this worker off; holding the GPU it must not be
        taken for gone."""
        if time.monotonic() - self._told >= self.every:
            await self._tell()

    async def _tell(self) -> None:
        self._told = time.monotonic()
        try:
            await self.board.share(self.worker_id, away=self.away)
        except (RedisError, OSError) as error:
            log.warning("redis does not answer", what="share", error=type(error).__name__)

    async def _in_thread(self, call: Callable[..., T], *args: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.thread, call, *args)


def leave(responder: Responder) -> None:
    """In the model's thread, with nothing running: drop engine and classifier and give their memory back."""
    engine = responder.engine
    responder.engine = responder.intake.engine = Absent(engine)
    responder.judge.classifier = None
    engine.close()
    del engine
    gc.collect()
    free_device()


def enter(responder: Responder, engine: Engine, classifier: Classifier | None) -> None:
    """In the model's thread: take freshly loaded models into service, with the presets of now."""
    engine.use_presets(responder.intake.presets)
    responder.judge.classifier = classifier
    responder.engine = responder.intake.engine = engine


def free_device() -> None:
    """Give cached device memory back to the driver; nothing to do where no GPU is used."""
    import sys

    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


class Absent:
    """Stands where the engine was; nothing can be asked of it."""

    running = 0
    remote = False
    adapters: frozenset[str] = frozenset()

    def __init__(self, engine: Engine) -> None:
        self.base_model: str = engine.base_model
        self.prompt_version: str = engine.prompt_version
        self.sampling: Sampling = engine.sampling

    def measure(self, prompt: Prompt, new_tokens: int) -> int:
        raise EngineUnavailable("the models are unloaded while training uses the GPU")

    def admit(self, rows: Sequence[Row]) -> None:
        raise EngineUnavailable("the models are unloaded while training uses the GPU")

    def step(self) -> list[Event]:
        return []

    def cancel(self, row_ids: Sequence[str]) -> None:
        return

    def reset(self) -> None:
        return

    def use_presets(self, presets: Presets) -> None:
        return

    def load_adapter(self, adapter_id: str, folder: Path) -> None:
        raise EngineUnavailable("the models are unloaded while training uses the GPU")

    def unload_adapter(self, adapter_id: str) -> None:
        return

    def close(self) -> None:
        return
