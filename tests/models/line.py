"""Requests and worker processes, for the worker's tests."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from storage.contracts import ChatRequest, Turn, now


def make_request(request_id: str, text: str = "Меня сегодня повысили", **changes: Any) -> ChatRequest:
    values: dict[str, Any] = {
        "request_id": request_id,
        "chat_id": 7,
        "user_id": 8,
        "turns": (Turn(role="user", text=text),),
        "emotion": "joy",
        "deadline": now() + timedelta(seconds=60),
        **changes,
    }
    return ChatRequest(**values)


async def start_worker_process(
    redis_url: str, name: str, log: Path, *program: str, **settings: str
) -> asyncio.subprocess.Process:
    """`otklik worker` as a process of its own (or another program that ends in it), with the echo engine."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MODELS_", "STORAGE_"))}
    environment |= {
        "MODELS_ENGINE": "echo",
        "STORAGE_REDIS_URL": redis_url,
        "STORAGE_LEASE_SECONDS": "0.6",
        **settings,
    }
    command = program or ("-m", "models.app")
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            sys.executable, *command, "--id", name, env=environment, stdout=output, stderr=output
        )
