"""Bot overhead: the whole line (bot → queue → `echo` worker → reply) against a bare aiogram echo bot.

    python -m bench.bot [--chats 8] [--messages 15] [--alone 200] [--repeats 5]

Both talk to the same local Bot API server without flood control, each in processes of its own. Rounds of the two
alternate, each going first in every other pair. Printed are medians over rounds with the least and the greatest:
messages a second with all chats writing at once (each writes again as soon as it is answered), and the latency of one
chat alone, whose p99 over all rounds is the eleventh largest of a thousand. Ratios are what counts: the load generator
and the Bot API server share the machine with both.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.figures import percentile
from bench.processes import process
from bot.playground.person import Person
from storage.embedded import EmbeddedRedis

SERVER = """
import asyncio, sys
from bot.playground.app import serve
from bot.playground.limits import Limits
from bot.playground.world import World
async def main():
    world = World(limits=Limits.none())
    world.add_bot("700701:bare", "bare_bot", "Bare")
    world.add_bot("700702:whole", "whole_bot", "Whole")
    async with serve(sys.argv[1], world):
        await asyncio.sleep(3600)
asyncio.run(main())
"""
BARE = """
import asyncio, sys
from aiogram import Bot, Dispatcher
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from aiogram.types import Message
async def main():
    bot = Bot("700701:bare", session=AiohttpSession(api=TelegramAPIServer.from_base(sys.argv[1])))
    dispatcher = Dispatcher()
    @dispatcher.message()
    async def echo(message: Message) -> None:
        await message.answer(message.text or "")
    await dispatcher.start_polling(bot, handle_signals=False)
asyncio.run(main())
"""
BOTS = {"bare": 700701, "whole": 700702}


@dataclass(frozen=True)
class Round:
    """One round of one bot."""

    throughput: float
    latencies: tuple[float, ...]


async def talk(person: Person, bot: int, messages: int) -> list[float]:
    """Seconds from sending to the bot's next message, one message after another."""
    times = []
    for number in range(messages):
        started = time.perf_counter()
        await person.ask(f"сообщение {number}", chat=bot, within=60)
        times.append(time.perf_counter() - started)
    return times


async def measure(people: Sequence[Person], bot: int, messages: int, alone: int) -> Round:
    """One chat alone for latency, then all at once for throughput."""
    latencies = await talk(people[0], bot, alone)
    started = time.perf_counter()
    await asyncio.gather(*(talk(person, bot, messages) for person in people))
    return Round(len(people) * messages / (time.perf_counter() - started), tuple(latencies))


async def run(chats: int, messages: int, alone: int, repeats: int, port: int) -> dict[str, list[Round]]:
    """Start everything, warm both up, then alternate."""
    url = f"http://127.0.0.1:{port}"
    results: dict[str, list[Round]] = {name: [] for name in BOTS}
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="otklik-bench-")))
        log = folder / "log"
        redis = await stack.enter_async_context(EmbeddedRedis(folder / "redis"))
        env = {
            "STORAGE_REDIS_URL": redis,
            "STORAGE_DIR": str(folder),
            "MODELS_ENGINE": "echo",
            "BOT_TOKEN": "700702:whole",
            "BOT_API_URL": url,
            "BOT_RATE_LIMIT": "1000000",
        }
        await stack.enter_async_context(process("-c", SERVER, f"127.0.0.1:{port}", log=log))
        await asyncio.sleep(2)
        await stack.enter_async_context(process("-c", BARE, url, log=log))
        await stack.enter_async_context(process("-m", "otklik", "worker", log=log, env=env))
        await stack.enter_async_context(process("-m", "otklik", "bot", log=log, env=env))
        people = [await stack.enter_async_context(Person.join(url, f"Человек {n}")) for n in range(chats)]
        for bot in BOTS.values():
            await asyncio.gather(*(talk(person, bot, 1) for person in people))
        for number in range(repeats):
            for name, bot in list(BOTS.items())[:: 1 if number % 2 == 0 else -1]:
                results[name].append(await measure(people, bot, messages, alone))
                print(f"round {number + 1} {name}: {results[name][-1].throughput:.0f} messages/s", flush=True)
    return results


def summary(results: Mapping[str, Sequence[Round]]) -> dict[str, float | list[float]]:
    """Medians over rounds, each with [least, greatest], their ratios, and p99 of all latencies of a bot together;
    seconds become milliseconds."""
    figures: dict[str, float] = {}
    spreads: dict[str, list[float]] = {}
    for name, rounds in results.items():
        tails = {share: [1000 * percentile(one.latencies, share) for one in rounds] for share in (0.5, 0.99)}
        measured = {"per_second": [one.throughput for one in rounds], "p50_ms": tails[0.5], "p99_ms": tails[0.99]}
        figures |= {f"{name}_{what}": statistics.median(values) for what, values in measured.items()}
        spreads |= {f"{name}_{what}_spread": [min(values), max(values)] for what, values in measured.items()}
        every = [latency for one in rounds for latency in one.latencies]
        figures[f"{name}_round_trips"] = len(every)
        figures[f"{name}_p99_of_all_ms"] = 1000 * percentile(every, 0.99)
    figures["throughput_ratio"] = figures["whole_per_second"] / figures["bare_per_second"]
    for tail in ("p50", "p99", "p99_of_all"):
        figures[f"added_{tail}_ms"] = figures[f"whole_{tail}_ms"] - figures[f"bare_{tail}_ms"]
    rounded = {name: round(value, 3) for name, value in figures.items()}
    return rounded | {name: [round(value, 3) for value in values] for name, values in spreads.items()}


def main() -> None:
    """Run and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chats", type=int, default=8)
    parser.add_argument("--messages", type=int, default=15)
    parser.add_argument("--alone", type=int, default=200, help="round trips of one chat alone, a round")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--port", type=int, default=8791)
    given = parser.parse_args()
    results = asyncio.run(run(given.chats, given.messages, given.alone, given.repeats, given.port))
    print(json.dumps(summary(results), indent=2))


if __name__ == "__main__":
    main()
