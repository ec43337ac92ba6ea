"""A trainer played by the test: moves jobs, takes adapters in, tells progress. Its verdicts look like the gate's."""

from __future__ import annotations

import struct
import zlib
from typing import Any

from bot.playground.person import Person, Seen
from storage.contracts import JobEvent, JobState, TrainJob
from storage.loop_board import LoopBoard
from storage.loop_tables import JobRow
from storage.registry import Registry
from tests.bot.stage import Stage
from tests.storage.adapter_folders import lora


def verdict(passed: bool = True) -> dict[str, Any]:
    """As `training.gate.Verdict` is written down."""
    return {
        "passed": passed,
        "reasons_ru": ["эмоция попадает чаще: 41 % → 58 %, не меньше +9 %"] if passed else ["эмоция попадает не чаще"],
        "reasons_en": ["…"],
        "checks": [
            {
                "name": "emotion_hit",
                "about": "better",
                "passed": passed,
                "required": False,
                "incumbent": 0.41,
                "candidate": 0.58 if passed else 0.4,
                "n": 500,
                "ru": "…",
                "en": "…",
            },
            {
                "name": "preference",
                "about": "better",
                "passed": passed,
                "required": False,
                "incumbent": 0.5,
                "candidate": 0.57,
                "n": 500,
                "ru": "…",
                "en": "…",
            },
        ],
    }


def png(width: int = 40, height: int = 20) -> bytes:
    """A picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = (b"\x00" + b"\x80\xa0\xc0" * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


class Trainer:
    """What `otklik trainer` does, at the test's word."""

    def __init__(self, scene: Stage) -> None:
        self.scene = scene
        self.board = LoopBoard(scene.redis, scene.storage)
        self.registry = Registry(scene.database, self.board, scene.storage)

    async def order(self, job_id: str, *, slot: str = "shared", trigger: str = "schedule") -> None:
        """A refit that no operator asked for."""
        async with self.scene.database.unit() as unit:
            await unit.jobs.add(TrainJob(job_id=job_id, method="auto"), trigger=trigger, slot=slot)
            await unit.commit()

    async def job(self, job_id: str) -> JobRow:
        """The job as it stands."""
        async with self.scene.database.view() as unit:
            job = await unit.jobs.get(job_id)
        assert job is not None
        return job

    async def open(self) -> JobRow:
        """The one open job."""
        async with self.scene.database.view() as unit:
            (job,) = await unit.jobs.open()
        return job

    async def move(self, job_id: str, state: JobState, **values: Any) -> None:
        """The next state."""
        async with self.scene.database.unit() as unit:
            await unit.jobs.move(job_id, state, **values)
            await unit.commit()

    async def tell(self, job_id: str, **values: Any) -> None:
        """A sign of life while training."""
        await self.board.tell(JobEvent(job_id=job_id, state="training", **values))

    async def adapter(self, name: str, **said: Any) -> str:
        """An adapter whose content is its name."""
        folder = self.scene.storage.dir / "made" / name
        lora(folder, name.encode())
        values = {"kind": "lora", "base": "starter", "method": "kto", "verdict": verdict(), **said}
        return (await self.registry.add(folder, **values)).adapter_id

    async def finish(self, job_id: str, *, passed: bool = True) -> str:
        """Trained and judged: an adapter, a picture, a verdict."""
        told = verdict(passed)
        adapter = await self.adapter(f"of-{job_id}", job_id=job_id, verdict=told)
        await self.board.put_picture(job_id, png())
        if not passed:
            await self.registry.reject(adapter)
        await self.move(job_id, JobState.EVALUATING)
        state = JobState.GATED if passed else JobState.REJECTED
        await self.move(job_id, state, adapter_id=adapter, verdict=told, method="kto")
        return adapter


async def tap(person: Person, message: Seen, button: str, shows: str) -> Seen:
    """Press, and wait until the message shows something (in its text or on a button)."""
    await person.press(message, button)
    return await person.until(message, lambda seen: shows in seen.text or shows in str(seen.buttons))


async def show(person: Person, command: str, begins: str) -> Seen:
    """The answer to an operator's command, whatever news come between."""
    await person.send(command)
    while True:
        message = await person.next_message()
        if message.text.startswith(begins):
            return message
