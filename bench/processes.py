"""Starting and ending the processes that a benchmark compares. Knows nothing of what is measured."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path


@asynccontextmanager
async def process(*arguments: str, log: Path, env: Mapping[str, str] | None = None) -> AsyncIterator[int]:
    """A Python process of ours (`-m module …` or `-c code …`), ended with the block; its id."""
    with log.open("ab") as output:
        child = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, env=os.environ | dict(env or {}), stdout=output, stderr=output
        )
    try:
        yield child.pid
    finally:
        if child.returncode is None:
            child.terminate()
            try:
                await asyncio.wait_for(child.wait(), 10)
            except TimeoutError:
                child.kill()
                await child.wait()
