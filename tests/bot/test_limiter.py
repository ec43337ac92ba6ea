"""How often one person may write, and who is told of it."""

from __future__ import annotations

from redis.asyncio import Redis

from bot.limiter import Limiter
from storage.keys import Keys


async def test_a_person_in_a_hurry_is_told_of_one_message_and_again_only_if_it_is_repeated(redis: Redis) -> None:
    limiter = Limiter(redis, Keys(), limit=1, window=60)
    assert (await limiter.check(7, "first")).allowed
    # A process killed before it says «too often» leaves that to the next one, which gets the same message.
    for mark, told in (("second", False), ("second", False), ("third", True), ("second", False)):
        verdict = await limiter.check(7, mark)
        assert (verdict.allowed, verdict.told) == (False, told), mark
    assert (await limiter.check(7, "first")).allowed
