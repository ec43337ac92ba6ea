"""How much a bot may send, and when it is told to wait. Does not know who asks or what the time is."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Limits:
    """Telegram's limits; tests make them tighter or take them away with `Limits.none()`."""

    chat_per_second: float = 1.0
    chat_burst: int = 5
    group_per_minute: int = 20
    overall_per_second: float = 30.0
    text_units: int = 4096
    caption_units: int = 1024
    callback_bytes: int = 64
    callback_seconds: float = 15.0
    photo_bytes: int = 10 * 1024 * 1024
    upload_bytes: int = 50 * 1024 * 1024
    download_bytes: int = 20 * 1024 * 1024
    delete_seconds: float = 48 * 3600.0
    webhook_retry_seconds: float = 0.2
    webhook_retry_max_seconds: float = 30.0
    history: int = 5000

    @classmethod
    def none(cls) -> Limits:
        """No flood control at all, for load tests; every other limit stays."""
        return cls(chat_per_second=math.inf, group_per_minute=10**9, overall_per_second=math.inf)


@dataclass(slots=True)
class Bucket:
    """A token bucket as a single number: the time at which it will be full again (GCRA)."""

    full_at: float = -math.inf

    def wait(self, now: float, rate: float, burst: float) -> float:
        """Seconds until one more is allowed; 0 when it is allowed now."""
        if math.isinf(rate):
            return 0.0
        return max(0.0, max(self.full_at, now) - now - (burst - 1) / rate)

    def take(self, now: float, rate: float) -> None:
        """Count one."""
        if not math.isinf(rate):
            self.full_at = max(self.full_at, now) + 1 / rate


@dataclass(slots=True)
class Flood:
    """The flood control of one bot over all its chats."""

    overall: Bucket = field(default_factory=Bucket)
    chats: dict[int, Bucket] = field(default_factory=dict)
    groups: dict[int, deque[float]] = field(default_factory=dict)

    def retry_after(self, limits: Limits, now: float, chat_id: int, *, group: bool) -> int:
        """0 and the message is counted, or the whole seconds to wait and nothing is counted."""
        chat = self.chats.setdefault(chat_id, Bucket())
        recent = self.groups.setdefault(chat_id, deque()) if group else deque[float]()
        while recent and recent[0] <= now - 60:
            recent.popleft()
        wait = max(
            chat.wait(now, limits.chat_per_second, limits.chat_burst),
            self.overall.wait(now, limits.overall_per_second, limits.overall_per_second),
            recent[0] + 60 - now if len(recent) >= limits.group_per_minute else 0.0,
        )
        if wait > 1e-9:
            return max(1, math.ceil(wait))
        chat.take(now, limits.chat_per_second)
        self.overall.take(now, limits.overall_per_second)
        recent.append(now)
        return 0
