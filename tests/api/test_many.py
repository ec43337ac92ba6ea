"""Two hundred clients at once, one of whom hardly reads: everybody is answered, and memory stays bounded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

import httpx
import psutil
import pytest

from bot.api.settings import ApiSettings
from models.worker import Worker
from tests.api.conftest import Serve

CLIENTS = 200
MIB = 2**20


@pytest.mark.slow
async def test_two_hundred_clients_and_one_slow_reader(serve: Serve, worker: Worker) -> None:
    desk = await serve(ApiSettings())
    before = psutil.Process().memory_info().rss
    sent = {"model": "otklik", "messages": [{"role": "user", "content": "Как дела?"}], "emotion": "joy"}
    limits = httpx.Limits(max_connections=CLIENTS)
    headers = {"Authorization": f"Bearer {desk.key}"}
    async with httpx.AsyncClient(base_url=desk.url, headers=headers, timeout=120, limits=limits) as client:

        async def ask(number: int) -> str:
            if number % 2:
                answer = await client.post("/v1/chat/completions", json=sent)
                assert answer.status_code == 200, answer.text
                return str(answer.json()["choices"][0]["message"]["content"])
            return await streamed(client, sent)

        slow = asyncio.create_task(streamed(client, sent | {"n": 8}, pause=0.02))
        texts = await asyncio.gather(*(ask(number) for number in range(CLIENTS - 1)))
        slow_text = await slow
    assert all(texts) and slow_text
    assert desk.conversation.requests.limit >= await desk.conversation.requests.outstanding() == 0
    assert psutil.Process().memory_info().rss - before < 150 * MIB


async def streamed(client: httpx.AsyncClient, sent: Mapping[str, object], pause: float = 0.0) -> str:
    """A stream's text; `pause` seconds are waited at every line."""
    text, ended = "", False
    async with client.stream("POST", "/v1/chat/completions", json={**sent, "stream": True}) as stream:
        assert stream.status_code == 200
        async for line in stream.aiter_lines():
            await asyncio.sleep(pause)
            if line == "data: [DONE]":
                ended = True
            elif line.startswith("data: "):
                for choice in json.loads(line[6:])["choices"]:
                    text += choice["delta"].get("content", "")
    assert ended
    return text
