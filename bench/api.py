"""The HTTP API against a bare FastAPI echo, streamed first pieces, and how many may watch a refit at once.

    python -m bench.api [--only readers] [--clients 16] [--requests 40] [--repeats 5] [--readers 10000] [--within 180]

Both servers run in processes of their own on one uvicorn each and are asked by the same clients; rounds alternate and
medians over rounds are printed. Ours answers through Redis by an `echo` worker, checks the key, counts the call and
keeps nothing. Ratios are what counts: server, worker, Redis and clients share the machine. Readers: connections to
/v1/jobs/ID/events held open at once, as many as open within `--within` seconds, then one change of the refit told to
all of them; memory is the server process's resident set. Server and readers are two processes: each needs a file
descriptor a reader (`ulimit -n`).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import psutil

from bench.processes import process
from storage.contracts import JobState, TrainJob
from storage.database import Database, upgrade
from storage.embedded import EmbeddedRedis

BARE = """
import sys
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
class Said(BaseModel):
    model: str
    messages: list[dict[str, str]]
app = FastAPI()
@app.get("/healthz")
async def healthy() -> dict[str, bool]:
    return {"ok": True}
@app.post("/v1/chat/completions")
async def echo(said: Said) -> dict[str, str]:
    return {"content": said.messages[-1]["content"]}
host, port = sys.argv[1].split(":")
uvicorn.run(app, host=host, port=int(port), log_level="error", access_log=False)
"""
SAID = {"model": "otklik", "emotion": "joy", "messages": [{"role": "user", "content": "Меня сегодня повысили"}]}
PATIENCE = 60.0
Reader = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def main(given: argparse.Namespace) -> None:
    """Run everything and print."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        redis = EmbeddedRedis(folder / "redis")
        await redis.start()
        stack.push_async_callback(redis.stop)
        database, key = await _prepare(folder)
        log = folder / "log"
        stack.push_async_callback(database.close)
        env = {"STORAGE_DIR": str(folder), "STORAGE_REDIS_URL": redis.url, "MODELS_ENGINE": "echo"}
        bare, ours = [f"http://127.0.0.1:{port}" for port in (given.port, given.port + 1)]
        await stack.enter_async_context(process("-c", BARE, bare.removeprefix("http://"), log=log))
        await stack.enter_async_context(process("-m", "otklik", "worker", log=log, env=env))
        listen = ours.removeprefix("http://")
        api = process("-m", "otklik", "api", log=log, env=env | {"API_LISTEN": listen})
        server = psutil.Process(await stack.enter_async_context(api))
        await asyncio.gather(_until(f"{bare}/healthz"), _until(f"{ours}/readyz"))
        if given.only != "readers":
            await _compare(given, bare, ours, key)
            await _streams(given, ours, key)
        await _readers(given, database, ours, key, server)


async def _prepare(folder: Path) -> tuple[Database, str]:
    url = f"sqlite+aiosqlite:///{folder / 'otklik.sqlite3'}"
    await upgrade(url)
    database = Database(url)
    async with database.unit() as unit:
        _, key = await unit.api_keys.make("bench", ["chat", "admin"], rate=10_000_000)
        await unit.jobs.add(TrainJob(job_id="watched", method="kto"), trigger="command")
        await unit.commit()
    return database, key


async def _until(url: str) -> None:
    async with httpx.AsyncClient() as client:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            try:
                if (await client.get(url)).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.2)
    raise SystemExit(f"{url} does not answer")


async def _round(url: str, key: str, clients: int, each: int) -> tuple[float, list[float]]:
    """Requests a second, and the seconds of every request."""
    seconds: list[float] = []
    headers = {"Authorization": f"Bearer {key}"}
    limits = httpx.Limits(max_connections=clients, max_keepalive_connections=clients)
    async with httpx.AsyncClient(base_url=url, headers=headers, limits=limits, timeout=PATIENCE) as client:

        async def one() -> None:
            for _ in range(each):
                begun = time.perf_counter()
                answer = await client.post("/v1/chat/completions", json=SAID)
                seconds.append(time.perf_counter() - begun)
                assert answer.status_code == 200, answer.text

        begun = time.perf_counter()
        await asyncio.gather(*(one() for _ in range(clients)))
        return clients * each / (time.perf_counter() - begun), seconds


async def _compare(given: argparse.Namespace, bare: str, ours: str, key: str) -> None:
    speeds: dict[str, list[float]] = {"bare": [], "ours": []}
    waits: dict[str, list[float]] = {"bare": [], "ours": []}
    alone: dict[str, list[float]] = {"bare": [], "ours": []}
    for number in range(given.repeats + 1):
        for name, url in (("bare", bare), ("ours", ours)):
            speed, seconds = await _round(url, key, given.clients, given.requests)
            _, single = await _round(url, key, 1, given.requests)
            if number:  # the first round warms up
                speeds[name].append(speed)
                waits[name] += seconds
                alone[name] += single
    fast = {name: statistics.median(values) for name, values in speeds.items()}
    print(f"{given.clients} clients: bare {fast['bare']:.0f}/s, ours {fast['ours']:.0f}/s, ", end="")
    print(f"ratio {fast['ours'] / fast['bare']:.2f}")
    for label, found in (("under load", waits), ("one client", alone)):
        for share in (50, 99):
            low, high = _percentile(found["bare"], share), _percentile(found["ours"], share)
            print(f"p{share} {label}: bare {1000 * low:.1f} ms, ours {1000 * high:.1f} ms, ratio {high / low:.1f}")


async def _streams(given: argparse.Namespace, url: str, key: str) -> None:
    """First byte, first words and end of streams, beside whole answers of the same client."""
    headers = {"Authorization": f"Bearer {key}"}
    times: dict[str, list[float]] = {"first byte": [], "first words": [], "end": [], "whole answer": []}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=PATIENCE) as client:
        for _ in range(given.requests):
            begun = time.perf_counter()
            await client.post("/v1/chat/completions", json=SAID)
            times["whole answer"].append(time.perf_counter() - begun)
            begun, seen = time.perf_counter(), False
            async with client.stream("POST", "/v1/chat/completions", json=SAID | {"stream": True}) as stream:
                times["first byte"].append(time.perf_counter() - begun)
                async for line in stream.aiter_lines():
                    if (
                        not seen
                        and line.startswith("data: {")
                        and json.loads(line[6:])["choices"][0]["delta"].get("content")
                    ):
                        times["first words"].append(time.perf_counter() - begun)
                        seen = True
            times["end"].append(time.perf_counter() - begun)
    middle = {name: 1000 * statistics.median(values) for name, values in times.items()}
    print("streams, medians: " + ", ".join(f"{name} {value:.1f} ms" for name, value in middle.items()))
    print(f"first words of a stream / whole answer: {middle['first words'] / middle['whole answer']:.2f}")


async def _readers(given: argparse.Namespace, database: Database, url: str, key: str, server: psutil.Process) -> None:
    host, port = url.removeprefix("http://").split(":")
    head = f"GET /v1/jobs/watched/events HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
    open_: list[Reader] = []
    before, begun = server.memory_info().rss, time.perf_counter()
    try:
        while len(open_) < given.readers and time.perf_counter() - begun < given.within:
            wanted = min(100, given.readers - len(open_))
            batch = await asyncio.gather(
                *(_connect(host, int(port), head) for _ in range(wanted)), return_exceptions=True
            )
            open_ += [one for one in batch if not isinstance(one, BaseException)]
            if faults := [one for one in batch if isinstance(one, BaseException)]:
                print(f"a connection failed at {len(open_)}: {faults[0]!r}")
                break
        opened, held = time.perf_counter() - begun, server.memory_info().rss
        print(f"readers of one refit: {len(open_)} open after {opened:.0f} s, ", end="")
        print(f"{(held - before) / 1024 / max(1, len(open_)):.0f} KiB each, {held / 2**20:.0f} MiB in all")
        await _change(database, open_)
        print(f"memory afterwards {server.memory_info().rss / 2**20:.0f} MiB")
    finally:
        for _, writer in open_:
            writer.close()


async def _change(database: Database, readers: Sequence[Reader]) -> None:
    """One change of the refit, until the last of those who watch has heard of it."""
    async with database.unit() as unit:
        await unit.jobs.move("watched", JobState.TRAINING, step=7, steps=9)
        await unit.commit()
    begun = time.perf_counter()
    told = await asyncio.gather(*(_told(reader) for reader, _ in readers))
    print(f"{sum(told)} of {len(told)} told of a change, the last after {time.perf_counter() - begun:.1f} s")


async def _connect(host: str, port: int, head: bytes) -> Reader:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(head)
    status = await asyncio.wait_for(reader.readline(), PATIENCE)
    if b" 200 " not in status:
        writer.close()
        raise ConnectionError(status.decode().strip())
    return reader, writer


async def _told(reader: asyncio.StreamReader) -> bool:
    try:
        await asyncio.wait_for(reader.readuntil(b'"step": 7'), PATIENCE)
    except (TimeoutError, asyncio.IncompleteReadError):
        return False
    return True


def _percentile(values: Sequence[float], share: int) -> float:
    return sorted(values)[min(len(values) - 1, len(values) * share // 100)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--requests", type=int, default=40, help="of each client a round")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--readers", type=int, default=10_000)
    parser.add_argument("--within", type=float, default=180.0, help="seconds that opening them may take")
    parser.add_argument("--only", choices=["readers"], help="leave the rest out")
    parser.add_argument("--port", type=int, default=18190, help="this and the next one are used")
    asyncio.run(main(parser.parse_args()))
