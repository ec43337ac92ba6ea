"""Keeps a worker at what the registry says: fetches adapters, loads and tests them, switches, unloads, reports.

Files are fetched in threads of their own, weights loaded in the model's thread between two turns, tests run as a few
rows more in everybody's batch; only then the pointer moves. Knows nothing of SQL or of how texts are made.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import structlog
from pydantic import ValidationError

from models.attempts import Attempts
from models.build import check_labels
from models.errors import ClassifierBroken, ModelsError, first_line
from models.jobs import Task
from models.outages import persist
from models.responder import Responder
from models.serving import PRESETS, other_base, routes, superfluous, untold, wanted
from models.waiting import in_daemon
from storage.contracts import Loaded, ServedAdapter, Serving
from storage.loop_board import LoopBoard
from storage.presets import Presets

log = structlog.get_logger(__name__)

T = TypeVar("T")

EVERY = 1.0
AGAIN, AGAIN_AT_MOST = 60.0, 600.0
FETCH_SECONDS, FETCH_SECONDS_AT_START = 300.0, 60.0
Fetch = Callable[[ServedAdapter], Path]


@dataclass
class Ties:
    """What the worker lends: `wake` makes it take a turn, `put` hands it a request, `queued` names the adapters that
    its untaken requests want."""

    wake: Callable[[], None] = lambda: None
    put: Callable[[Task], None] = lambda task: None
    queued: Callable[[], set[str]] = field(default=set)


class AdapterWatch:
    """One worker's follower of `Serving`.

    `fetch` gives the folder that the engine is to load, on this machine or as the engine's server sees it.
    """

    def __init__(
        self,
        board: LoopBoard,
        responder: Responder,
        thread: ThreadPoolExecutor,
        fetch: Fetch,
        *,
        worker_id: str,
        attempts: Attempts | None = None,
        limit: int = 8,
        every: float = EVERY,
        again: float = AGAIN,
    ) -> None:
        self.board = board
        self.responder = responder
        self.thread = thread
        self.fetch = fetch
        self.attempts = attempts or Attempts()
        self.worker_id = worker_id
        self.limit = limit
        self.every = every
        self.again = again
        self.ties = Ties()
        self.own = frozenset(responder.engine.adapters)
        self.presets = responder.intake.presets
        self.serving: Serving | None = None
        # What was followed to its end; `serving` may be on its way.
        self.revision = 0
        self.faults: dict[str, str] = {}
        self.tested: set[str] = set(self.own)
        # Adapters of the registry that are loaded, by when they were last asked for.
        self.loaded: dict[str, float] = {}
        self.wanted: asyncio.Queue[Task] = asyncio.Queue()
        self.begun = asyncio.Event()
        # Who holds it may load and unload.
        self.held = asyncio.Lock()
        self._due = 0.0
        self._failures = 0

    async def run(self, finished: asyncio.Event) -> None:
        """Follow until `finished`. `begun` is set when the first round is over: then requests may be taken."""
        while not finished.is_set():
            await self._look()
            self.begun.set()
            await asyncio.sleep(self.every * random.uniform(0.8, 1.2))

    async def supply(self, finished: asyncio.Event) -> None:
        """Bring adapters that single requests name, then hand these to the worker; without luck they fail there."""
        while not finished.is_set():
            task = await self.wanted.get()
            adapter = self._listed(task.request.arm)
            if adapter is not None:
                async with self.held:
                    fault = await self._bring(adapter, test=False)
                    if fault:
                        log.warning("adapter not loaded", adapter=adapter.adapter_id, why=fault)
                    self.ties.put(task)
                    await self._unload()
                await self.report()
            else:
                self.ties.put(task)

    def lacks(self, arm: str) -> bool:
        """Whether a request of this arm has to wait for an adapter to be brought."""
        if arm in self.loaded:
            self.loaded[arm] = time.monotonic()
        return arm not in self.responder.engine.adapters and self._listed(arm) is not None

    async def report(self) -> None:
        """Tell others what is loaded."""
        metrics = self.responder.metrics
        adapters = tuple(sorted(self.responder.engine.adapters))
        metrics.revision.set(self.revision)
        metrics.loaded.set(len(adapters))
        metrics.faults.set(len(self.faults))
        loaded = Loaded(worker=self.worker_id, revision=self.revision, adapters=adapters, faults=self.faults)
        await persist("report", lambda: self.board.report(loaded))

    async def anew(self) -> None:
        """The engine was loaded anew: bring back what it served. The caller holds `held`."""
        self.loaded.clear()
        if self.serving is not None:
            await self._follow(self.serving, True)

    async def _look(self) -> None:
        try:
            found = await persist("serving", self.board.serving)
        except ValidationError:
            if "serving" not in self.faults:
                log.error("what is to be served cannot be read; update this worker")
                self.faults["serving"] = "this worker does not understand what it is to serve; update it"
                await self.report()
            return
        if found is None:
            return
        changed = found != self.serving
        if changed or (self.faults and time.monotonic() >= self._due):
            async with self.held:
                await self._follow(found, changed)
            await self.report()
        elif self.loaded.keys() - {adapter.adapter_id for adapter in found.adapters}:
            async with self.held:
                gone = await self._unload()
            if gone:
                await self.report()

    async def _follow(self, serving: Serving, changed: bool) -> None:
        """One round: bring what is missing, test it, switch what works, unload what nobody needs."""
        self.serving = serving
        faults = {name: "the registry does not say where it is" for name in untold(serving) - self._usable()}
        for adapter in wanted(serving):
            if adapter.adapter_id in self._usable():
                continue
            if fault := await self._bring(adapter, test=True):
                faults[adapter.adapter_id] = fault
        presets = self._presets(serving, faults)
        before = self.responder.intake.routes
        after = routes(serving, self._usable(), before)
        await self._in_thread(self.responder.follow, after, presets)
        self.revision = serving.revision
        self._settle(faults, changed)
        if after != before:
            self.responder.metrics.swaps.inc()
        if after != before or changed:
            log.info("serving", revision=serving.revision, adapters=sorted(after.pointed), faults=sorted(faults))
        await self._unload()

    def _settle(self, faults: dict[str, str], changed: bool) -> None:
        """Remember what failed and when to try again: in a minute, then less and less often until something changes."""
        for adapter, fault in faults.items():
            if self.faults.get(adapter) != fault:
                log.error("not served", adapter=adapter, why=fault)
        self.faults = faults
        self._failures = 0 if changed or not faults else self._failures + 1
        self._due = time.monotonic() + min(AGAIN_AT_MOST, self.again * 2**self._failures)

    def _presets(self, serving: Serving, faults: dict[str, str]) -> Presets:
        """The presets to go by; the present ones where those that are told are wrong."""
        if serving.presets is None:
            return self.presets
        try:
            found = Presets.model_validate(serving.presets)
            if self.responder.judge.classifier is not None:
                check_labels(self.responder.judge.classifier, found)
        except ValidationError as error:
            wrong = error.errors(include_input=False, include_url=False)[0]
            faults[PRESETS] = f"{'.'.join(map(str, wrong['loc'])) or 'presets'}: {wrong['msg']}"
        except ClassifierBroken as error:
            faults[PRESETS] = str(error)
        else:
            current = self.responder.intake.presets
            return current if found == current else found
        return self.responder.intake.presets

    async def _bring(self, adapter: ServedAdapter, *, test: bool) -> str | None:
        """Have an adapter fetched, loaded and, for everybody's requests, tested; what is wrong with it, or None."""
        name, engine = adapter.adapter_id, self.responder.engine
        if other_base(adapter.base, engine.base_model):
            return f"it was trained for {adapter.base}, this worker serves {engine.base_model}"
        patience = FETCH_SECONDS if self.begun.is_set() else FETCH_SECONDS_AT_START
        try:
            async with asyncio.timeout(patience):
                folder = await in_daemon(self.fetch, adapter)
            with self.attempts.one(name):
                await self._load(name, folder)
                return await self._test(name) if test else None
        except TimeoutError:
            return f"its files did not come within {patience:.0f} seconds"
        except (ModelsError, ValueError) as error:
            return str(error)
        except Exception as error:  # a lack of memory has another exception on every device
            await self._in_thread(self._forget, name)
            return f"it cannot be loaded ({type(error).__name__}: {first_line(error)})"

    async def _load(self, name: str, folder: Path) -> None:
        engine = self.responder.engine
        if name in engine.adapters:
            return
        if engine.remote:
            await in_daemon(engine.load_adapter, name, folder)
        else:
            await self._in_thread(engine.load_adapter, name, folder)
        self.loaded[name] = time.monotonic()

    async def _test(self, name: str) -> str | None:
        """Run the smoke test of a loaded adapter; one that fails is unloaded."""
        if name in self.tested:
            return None
        reference = self.responder.intake.routes.adapter("active", "")
        running: Future[str | None] = await self._in_thread(self.responder.trials.ask, name, reference)
        self.ties.wake()
        fault = await asyncio.wrap_future(running)
        if fault is None:
            self.tested.add(name)
        else:
            queued = self.ties.queued()
            await self._in_thread(lambda: None if name in self.responder.in_use | queued else self._forget(name))
        return fault and f"smoke test: {fault}"

    async def _unload(self) -> list[str]:
        """Unload what nobody needs. What runs or waits with an adapter keeps it."""
        serving = self.serving
        listed = {adapter.adapter_id for adapter in serving.adapters} if serving else set()
        order = sorted(self.loaded, key=lambda name: self.loaded[name])
        pointed = self.responder.intake.routes.pointed
        # Read now: requests that the worker takes from its queue later run after what is put into the thread here.
        queued = self.ties.queued()
        gone = await self._in_thread(self._drop, order, pointed, listed, queued)
        for name in gone:
            self.loaded.pop(name, None)
        if gone:
            log.info("adapters unloaded", adapters=gone)
        return gone

    def _drop(self, order: Sequence[str], pointed: frozenset[str], listed: set[str], queued: set[str]) -> list[str]:
        needed = self.responder.in_use | queued
        gone = superfluous(order, pointed=pointed, listed=listed, needed=needed, limit=self.limit)
        for name in gone:
            self._forget(name)
        return gone

    def _forget(self, name: str) -> None:
        """In the model's thread: unload one adapter."""
        self.responder.engine.unload_adapter(name)
        self.loaded.pop(name, None)

    def _usable(self) -> set[str]:
        return self.tested & self.responder.engine.adapters

    def _listed(self, arm: str) -> ServedAdapter | None:
        known = self.serving.adapters if self.serving else ()
        return next((adapter for adapter in known if adapter.adapter_id == arm), None)

    async def _in_thread(self, call: Callable[..., T], *args: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.thread, call, *args)
