"""Swaps of adapters under steady traffic against the same traffic without: what is lost, what is late.

    python -m bench.swap                        # 4 phases of 8 s, 3 requests a second: about 45 s
    python -m bench.swap --phases 12 --rate 5

A real queue (embedded server), a worker in this process with the starter (CPU, one thread, 2 candidates of at most 24
tokens, unchecked), requests at a steady rate. Phases without and with promotions alternate; with them a new adapter is
promoted as soon as the last one is served: fetched, hash checked, loaded, smoke-tested, switched. Printed are p50 and
p95 of whole answers, their ratios, requests without an answer, failed or past their deadline, and the time from
promotion to service. Loopback is a unix socket; nothing else is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import shutil
import statistics
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import structlog

from models.adapter_watch import AdapterWatch
from models.build import build_responder
from models.settings import STARTER, ModelsSettings
from models.worker import Worker
from storage.adapter_files import fetch, store
from storage.contracts import ChatReply, ChatRequest, ReplyState, ServedAdapter, ServedSlot, Serving, Turn, now
from storage.conversation import Conversation
from storage.embedded import EmbeddedRedis
from storage.loop_board import LoopBoard
from storage.presets import load_presets
from storage.redis import connect
from storage.settings import StorageSettings

DEADLINE = 30.0
CHANCE = ("joy", "sadness", "anger", "neutral")


def make_adapter(folder: Path, number: int) -> ServedAdapter:
    """The starter's adapter, a little weaker by `number`, in the store."""
    from safetensors.torch import load_file, save_file

    made = folder / f"made-{number}"
    made.mkdir()
    shutil.copy(STARTER / "adapter" / "adapter_config.json", made)
    weights = load_file(STARTER / "adapter" / "adapter_model.safetensors")
    weaker = {name: one * (1 - 0.01 * (number + 1)) for name, one in weights.items()}
    save_file(weaker, made / "adapter_model.safetensors")
    kept = store(made, str(folder / "store"))
    return ServedAdapter(adapter_id=kept.adapter_id, location=kept.location, sha256=kept.sha256)


class Traffic:
    """Requests at a steady rate, and when their answers came."""

    def __init__(self, conversation: Conversation, rate: float) -> None:
        self.conversation = conversation
        self.rate = rate
        self.asked: dict[str, tuple[float, bool]] = {}
        self.answered: dict[str, tuple[float, ChatReply]] = {}

    async def talk(self, seconds: float, swaps: bool) -> None:
        """One phase."""
        for _ in range(int(seconds * self.rate)):
            name = f"r{len(self.asked)}"
            self.asked[name] = time.perf_counter(), swaps
            turns = (Turn(role="user", text=f"Расскажи, как прошёл твой день номер {len(self.asked)}"),)
            deadline = now() + timedelta(seconds=DEADLINE)
            emotion = CHANCE[len(self.asked) % len(CHANCE)]
            await self.conversation.ask(
                ChatRequest(request_id=name, chat_id=1, user_id=1, turns=turns, emotion=emotion, deadline=deadline)
            )
            await asyncio.sleep(1 / self.rate)

    async def listen(self, stop: asyncio.Event) -> None:
        """Read replies until `stop`."""
        while not stop.is_set():
            deliveries, _ = await self.conversation.replies.claim("bench", count=100, block=0.1)
            for delivery in deliveries:
                self.answered.setdefault(delivery.message.request_id, (time.perf_counter(), delivery.message))
                await self.conversation.replies.ack(delivery.entry)

    async def settle(self) -> None:
        """Wait until all is answered, or would be past its deadline."""
        until = time.perf_counter() + DEADLINE + 2
        while len(self.answered) < len(self.asked) and time.perf_counter() < until:  # noqa: ASYNC110 - the queue is another process
            await asyncio.sleep(0.02)

    def latencies(self, swaps: bool) -> list[float]:
        """Seconds of the answers asked for in one kind of phase."""
        return sorted(
            self.answered[name][0] - begun
            for name, (begun, kind) in self.asked.items()
            if kind is swaps and name in self.answered
        )


async def promote(
    board: LoopBoard, watch: AdapterWatch, known: list[ServedAdapter], done: list[float], over: asyncio.Event
) -> None:
    """Promote one adapter after the other until `over`; `done` gets the seconds from promotion to service."""
    while not over.is_set():
        number = watch.revision + 1
        begun, adapter = time.perf_counter(), known[number % len(known)]
        slot = ServedSlot(name="shared", active=adapter.adapter_id)
        # Only this one is listed, so that the last one is unloaded and each swap has to load.
        await board.publish(Serving(revision=number, slots=(slot,), adapters=(adapter,)))
        while watch.revision < number:  # noqa: ASYNC110 - nobody signals it
            await asyncio.sleep(0.01)
        if watch.faults:
            raise RuntimeError(f"a promotion failed: {watch.faults}")
        done.append(time.perf_counter() - begun)
        watch.tested.discard(adapter.adapter_id)


async def measure(folder: Path, url: str, phases: int, seconds: float, rate: float) -> tuple[Traffic, list[float]]:
    """All phases on one worker."""
    redis, settings = connect(url), StorageSettings()
    conversation, board = Conversation(redis, settings), LoopBoard(redis, settings)
    known = [make_adapter(folder, number) for number in range(6)]
    models = ModelsSettings(classifier="none", device="cpu", threads=1, max_new_tokens=24)
    responder = build_responder(models, load_presets())
    responder.intake.candidates = 2
    traffic, swaps, stop = Traffic(conversation, rate), list[float](), asyncio.Event()
    with ThreadPoolExecutor(1) as thread:
        watch = AdapterWatch(board, responder, thread, lambda one: fetch(one, folder / "cache"), worker_id="bench")
        worker = Worker(conversation, responder, thread, worker_id="bench", rows=32, rows_each=2, watch=watch)
        running = asyncio.create_task(worker.run(stop))
        await conversation.ensure()
        listening = asyncio.create_task(traffic.listen(stop))
        for phase in range(phases):
            swapping = phase % 2 == 1
            over = asyncio.Event()
            promoting = asyncio.create_task(promote(board, watch, known, swaps, over)) if swapping else None
            await traffic.talk(seconds, swapping)
            over.set()
            if promoting is not None:
                await promoting
        await traffic.settle()
        stop.set()
        await asyncio.gather(running, listening)
    await redis.aclose()
    return traffic, swaps


def report(traffic: Traffic, swaps: list[float]) -> None:
    """Both kinds of phases side by side."""
    lost = len(traffic.asked) - len(traffic.answered)
    failed = sum(reply.state is not ReplyState.DONE for _, reply in traffic.answered.values())
    print(f"{'':16}{'requests':>10}{'p50, s':>10}{'p95, s':>10}")
    quantiles = []
    for swapping in (False, True):
        found = traffic.latencies(swapping)
        pair = statistics.median(found), found[min(len(found) - 1, int(0.95 * len(found)))]
        quantiles.append(pair)
        print(f"{'with swaps' if swapping else 'without':16}{len(found):10}{pair[0]:10.3f}{pair[1]:10.3f}")
    ratios = [with_swaps / without for without, with_swaps in zip(*quantiles, strict=True)]
    print(f"{'ratio':26}{ratios[0]:10.2f}{ratios[1]:10.2f}")
    print(f"lost {lost}, failed or late {failed}, of {len(traffic.asked)}")
    if swaps:
        middle, most = statistics.median(swaps), max(swaps)
        print(f"swaps {len(swaps)}; promotion to service: median {middle:.2f} s, most {most:.2f} s")


async def run(options: argparse.Namespace) -> None:
    """The benchmark in a temporary folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with EmbeddedRedis(folder / "redis") as url:
            report(*await measure(folder, url, options.phases, options.seconds, options.rate))


def main() -> None:
    """See the module's text."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--phases", type=int, default=4, help="alternating: without, with swaps")
    parser.add_argument("--seconds", type=float, default=8, help="of one phase")
    parser.add_argument("--rate", type=float, default=3, help="requests a second")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
