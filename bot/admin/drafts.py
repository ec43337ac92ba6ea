"""An operator's unsaved preset, in Redis for half an hour. A preview's button means that one draft."""

from __future__ import annotations

import hashlib
import json

from redis.asyncio import Redis

from storage.keys import Keys
from storage.presets import Preset

PATIENCE = 1800


class Drafts:
    """One draft an operator."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self.redis = redis
        self.keys = keys

    async def put(self, admin: int, preset: Preset, before: Preset | None) -> str:
        """Keep it; its short name."""
        body = {
            "preset": preset.model_dump(mode="json"),
            "before": before.model_dump(mode="json") if before is not None else None,
        }
        raw = json.dumps(body, ensure_ascii=False, sort_keys=True)
        await self.redis.set(self.keys.fsm("admin-draft", admin), raw, ex=PATIENCE)
        return name(raw)

    async def take(self, admin: int, draft: str) -> tuple[Preset, Preset | None] | None:
        """The draft and what it changes, once; None if it is another one now, or gone."""
        key = self.keys.fsm("admin-draft", admin)
        raw = await self.redis.get(key)
        if raw is None or name(str(raw)) != draft or not await self.redis.delete(key):
            return None
        body = json.loads(str(raw))
        before = body["before"]
        return Preset.model_validate(body["preset"]), Preset.model_validate(before) if before is not None else None


def name(raw: str) -> str:
    """What a button carries for a draft."""
    return hashlib.blake2b(raw.encode(), digest_size=4).hexdigest()
