"""How often one person may write: a rolling window in Redis, shared by all bot processes."""

from __future__ import annotations

import time
from dataclasses import dataclass

from redis.asyncio import Redis

from storage.keys import Keys

# KEYS window, told; ARGV now, seconds, limit, member → {allowed, milliseconds until more room, told before, left}
WINDOW = """
local start = tonumber(ARGV[1]) - tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', start)
if redis.call('ZSCORE', KEYS[1], ARGV[4]) then return {1, 0, 0, 0} end
local left = tonumber(ARGV[3]) - redis.call('ZCARD', KEYS[1])
if left > 0 then
  redis.call('ZADD', KEYS[1], ARGV[1], ARGV[4])
  redis.call('PEXPIRE', KEYS[1], math.ceil(tonumber(ARGV[2]) * 1000))
end
local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
local wait = math.ceil((tonumber(oldest[2]) - start) * 1000)
if left > 0 then return {1, wait, 0, left - 1} end
local told = redis.call('GET', KEYS[2])
if not told then redis.call('SET', KEYS[2], ARGV[4], 'PX', math.max(wait, 1)) end
return {0, wait, (told and told ~= ARGV[4]) and 1 or 0, 0}
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`wait`: seconds until there is room. `told`: the person has been told in this window, of another message."""

    allowed: bool
    wait: float = 0.0
    told: bool = False


class Limiter:
    """At most `limit` messages in `window` seconds a person; each `scope` counts apart."""

    def __init__(self, redis: Redis, keys: Keys, *, limit: int, window: float, scope: str = "") -> None:
        self.keys = keys
        self.scope = scope
        self.limit = limit
        self.window = window
        self._window = redis.register_script(WINDOW)

    async def check(self, user_id: int, mark: str) -> Verdict:
        """Count one message, named by `mark` so that a repeated update is not counted twice."""
        key = self.keys.limit(user_id, self.scope)
        allowed, wait, told, _ = await self._window(
            keys=[key, f"{key}:told"], args=[time.time(), self.window, self.limit, mark]
        )
        return Verdict(bool(int(allowed)), 0.0 if int(allowed) else int(wait) / 1000, bool(int(told)))
