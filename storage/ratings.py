"""Ratings on their way: merged view for the buttons in Redis, and the stream that carries them to SQL.

Both change in one script, once per `rating_id`, so a rating is never lost and never counted twice.
"""

from __future__ import annotations

from redis.asyncio import Redis

from storage import scripts
from storage.contracts import Rating, RatingStars
from storage.keys import Keys
from storage.queue import StreamQueue
from storage.settings import StorageSettings

REMEMBER = 90 * 86400
# An outage of SQL redelivers ratings for as long as it lasts: that alone must never bury one.
NEVER = 2**53


def merge(earlier: Rating | None, later: Rating) -> Rating:
    """The person's judgement after `later`: what it says wins, what it leaves None stays.

    A thumb of 0 takes the thumb back; stars are merged criterion by criterion. Another answer under the same message
    (a variant, an edited question) is judged anew.
    """
    if earlier is None or earlier.request_id != later.request_id:
        return later
    said = {
        name: value
        for name in ("thumb", "reason", "preferred_over", "correction")
        if (value := getattr(later, name)) is not None
    }
    stars = _merge_stars(earlier.stars, later.stars)
    base = earlier.model_dump(exclude={"rating_id", "source", "created_at", "request_id", "stars"})
    return Rating.model_validate(
        base
        | said
        | {
            "stars": stars,
            "rating_id": later.rating_id,
            "request_id": later.request_id,
            "source": later.source,
            "created_at": later.created_at,
        }
    )


def _merge_stars(earlier: RatingStars | None, later: RatingStars | None) -> RatingStars | None:
    if earlier is None or later is None:
        return later or earlier
    return RatingStars(**(earlier.model_dump() | later.model_dump(exclude_none=True)))


class RatingBook:
    """Takes ratings from people and shows what each said of an answer."""

    def __init__(self, redis: Redis, settings: StorageSettings) -> None:
        self.redis = redis
        self.keys = Keys(settings.namespace)
        self.stream = StreamQueue(
            redis, self.keys, "ratings", Rating, group="storage", lease=settings.lease_seconds, max_deliveries=NEVER
        )
        self._rate = redis.register_script(scripts.RATE)

    async def submit(self, rating: Rating) -> Rating:
        """Store one judgement and return the person's merged one. The same `rating_id` again changes nothing."""
        place = self.keys.rating(rating.chat_id, rating.message_id)
        while True:
            # What is stored is compared as text: a release that writes it differently must not loop for ever.
            stored = await self.redis.hget(place, str(rating.user_id)) or ""
            merged = merge(Rating.model_validate_json(stored) if stored else None, rating)
            code = await self._rate(
                keys=[self.stream.stream, self.keys.seen("ratings", rating.rating_id), place],
                args=[rating.model_dump_json(), REMEMBER, rating.user_id, merged.model_dump_json(), stored],
            )
            if int(code) == 1:
                return merged
            if int(code) == 0:
                return await self.of_user(rating.chat_id, rating.message_id, rating.user_id) or merged

    async def of_user(self, chat_id: int, message_id: int, user_id: int) -> Rating | None:
        """One person's merged judgement of one answer."""
        raw = await self.redis.hget(self.keys.rating(chat_id, message_id), str(user_id))
        return Rating.model_validate_json(raw) if raw else None

    async def of_message(self, chat_id: int, message_id: int) -> dict[int, Rating]:
        """Everybody's merged judgement of one answer."""
        raw = await self.redis.hgetall(self.keys.rating(chat_id, message_id))
        return {int(user): Rating.model_validate_json(value) for user, value in raw.items()}

    async def forget(self, chat_id: int, message_id: int, user_id: int) -> None:
        """Drop one person's judgement from the view (their rows in SQL are the repository's business)."""
        await self.redis.hdel(self.keys.rating(chat_id, message_id), str(user_id))
