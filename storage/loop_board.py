"""What trainer, workers and bot tell each other of the loop, in Redis: short-lived news, nothing that must not be lost.

SQL holds jobs, slots and adapters; this board says what is happening now. Knows nothing of training or Telegram.
"""

from __future__ import annotations

import base64
import time
from datetime import datetime

from redis.asyncio import Redis

from storage.contracts import DataSummary, JobEvent, Loaded, Serving
from storage.keys import Keys
from storage.settings import StorageSettings

DAY = 86400
# A newer revision is never overwritten by a slower writer.
PUBLISH = """
local known = redis.call('GET', KEYS[1])
if known and cjson.decode(known).revision > tonumber(ARGV[2]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1])
return 1
"""


class LoopBoard:
    """Reads and writes the board."""

    def __init__(self, redis: Redis, settings: StorageSettings) -> None:
        self.redis = redis
        self.keys = Keys(settings.namespace)
        self._publish = redis.register_script(PUBLISH)

    async def publish(self, serving: Serving) -> bool:
        """Say what workers are to serve; False if something newer is said already."""
        return bool(await self._publish(keys=[self.keys.serving()], args=[serving.model_dump_json(), serving.revision]))

    async def serving(self) -> Serving | None:
        """What workers are to serve; None if nobody ever said."""
        raw = await self.redis.get(self.keys.serving())
        return Serving.model_validate_json(raw) if raw else None

    async def report(self, loaded: Loaded) -> None:
        """Worker: what it serves."""
        await self.redis.hset(self.keys.loaded(), loaded.worker, loaded.model_dump_json())

    async def loaded(self) -> dict[str, Loaded]:
        """What each worker said that it serves; those that are gone are left out."""
        alive = set(await self.redis.zrange(self.keys.workers(), 0, -1))
        raw = await self.redis.hgetall(self.keys.loaded())
        if gone := [worker for worker in raw if worker not in alive]:
            await self.redis.hdel(self.keys.loaded(), *gone)
        return {str(worker): Loaded.model_validate_json(one) for worker, one in raw.items() if worker in alive}

    async def tell(self, event: JobEvent) -> None:
        """Trainer: a job's newest sign of life."""
        await self.redis.set(self.keys.job(event.job_id), event.model_dump_json(), ex=7 * DAY)

    async def event(self, job_id: str) -> JobEvent | None:
        """A job's newest sign of life."""
        raw = await self.redis.get(self.keys.job(job_id))
        return JobEvent.model_validate_json(raw) if raw else None

    async def put_picture(self, job_id: str, png: bytes) -> None:
        """Trainer: a job's picture, for people on other machines."""
        await self.redis.set(self.keys.picture(job_id), base64.b64encode(png).decode(), ex=30 * DAY)

    async def picture(self, job_id: str) -> bytes | None:
        """A job's picture as PNG."""
        raw = await self.redis.get(self.keys.picture(job_id))
        return base64.b64decode(raw) if raw else None

    async def put_summary(self, summary: DataSummary) -> None:
        """Trainer: what a refit would learn from now."""
        await self.redis.set(self.keys.summary(), summary.model_dump_json(), ex=7 * DAY)

    async def summary(self) -> DataSummary | None:
        """What a refit would learn from now; None if no trainer has looked yet."""
        raw = await self.redis.get(self.keys.summary())
        return DataSummary.model_validate_json(raw) if raw else None

    async def ask_drain(self, until: datetime) -> None:
        """Trainer: workers on the shared GPU are to make room until then, at the latest; `end_drain` ends it."""
        seconds = max(1, int((until - datetime.now(until.tzinfo)).total_seconds()))
        await self.redis.set(self.keys.drain(), until.isoformat(), ex=seconds)

    async def end_drain(self) -> None:
        """Trainer: workers may come back."""
        await self.redis.delete(self.keys.drain())

    async def draining(self) -> datetime | None:
        """Until when workers make room for training; None: they do not."""
        raw = await self.redis.get(self.keys.drain())
        return datetime.fromisoformat(str(raw)) if raw else None

    async def share(self, worker: str, *, away: bool) -> None:
        """Worker that shares a GPU with training: whether it has left it."""
        await self.redis.hset(self.keys.sharing(), worker, int(away))

    async def sharing(self) -> dict[str, bool]:
        """Workers that share a GPU with training, and whether each has left it; those that are gone are left out."""
        alive = set(await self.redis.zrange(self.keys.workers(), int(time.time()), "+inf", byscore=True))
        raw = await self.redis.hgetall(self.keys.sharing())
        if gone := [worker for worker in raw if worker not in alive]:
            await self.redis.hdel(self.keys.sharing(), *gone)
        return {str(worker): str(away) == "1" for worker, away in raw.items() if worker in alive}
