"""Ratings on their way: merged view for the buttons in Redis, and the stream that carries them to SQL.

Both change in one script, once per `rating_id`, so a rating is never lost and never counted twice.
"""

from __future__ import annotations

from redis.asyncio import Redis

from storage import scripts
from storage.contracts import Rating, RatingSource, RatingStars
from storage.keys import Keys
from storage.queue import StreamQueue
from storage.settings import StorageSettings

REMEMBER = 90 * 86400
# An outage of SQL redelivers ratings for as long as it lasts: that alone must never bury one.
NEVER = 2**53


def merge(earlier: Rating | None, later: Rating) -> Rating:
    """The person's judgement after `later`: what it says wins, what it leaves None stays.

    A thumb of 0 takes the thumb back; stars are merged criterion by criterion. Another answer under the same message
    (a variant, an edited question) is judged anew. The thumb remembers who gave it; the same thumb again is no news.
    """
    giver = later.source if later.thumb is not None else None
    if earlier is None or earlier.request_id != later.request_id:
        return later.model_copy(update={"thumb_source": giver})
    if later.thumb is None or later.thumb == earlier.thumb:
        giver = thumb_source(earlier)
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
            "thumb_source": giver,
            "rating_id": later.rating_id,
            "request_id": later.request_id,
            "source": later.source,
            "created_at": later.created_at,
        }
    )


def thumb_source(rating: Rating) -> RatingSource | None:
    """Where the thumb of a judgement came from; None without a thumb."""
    return None if rating.thumb is None else rating.thumb_source or rating.source


def _as_shown(merged: Rating) -> Rating:
    """For the view, which other releases read, too: nobody asks it for more of a source than who gave the thumb."""
    return merged.model_copy(update={"source": thumb_source(merged) or merged.source, "thumb_source": None})


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
        place, person = self.keys.rating(rating.chat_id, rating.message_id), str(rating.user_id)
        while True:
            # What is stored is compared as text: a release that writes it differently must not loop for ever.
            stored, aside = await self.redis.hmget(place, [person, f"{person}:{rating.request_id}"])
            last = Rating.model_validate_json(stored) if stored else None
            other = f"{person}:{last.request_id}" if last and last.request_id != rating.request_id else ""
            earlier = Rating.model_validate_json(aside) if other and aside else last
            merged = _as_shown(merge(earlier, rating))
            code = await self._rate(
                keys=[self.stream.stream, self.keys.seen("ratings", rating.rating_id), place],
                args=[
                    rating.model_dump_json(),
                    REMEMBER,
                    person,
                    merged.model_dump_json(),
                    stored or "",
                    other,
                ],
            )
            if int(code) == 1:
                return merged
            if int(code) == 0:
                return await self.of_user(rating.chat_id, rating.message_id, rating.user_id) or merged

    async def of_user(self, chat_id: int, message_id: int, user_id: int) -> Rating | None:
        """One person's merged judgement of the answer under a message that they judged last."""
        raw = await self.redis.hget(self.keys.rating(chat_id, message_id), str(user_id))
        return Rating.model_validate_json(raw) if raw else None

    async def of_message(self, chat_id: int, message_id: int) -> dict[int, Rating]:
        """The same of everybody."""
        raw = await self.redis.hgetall(self.keys.rating(chat_id, message_id))
        return {int(field): Rating.model_validate_json(value) for field, value in raw.items() if ":" not in field}

    async def of_answer(self, chat_id: int, message_id: int, request_id: str) -> dict[int, Rating]:
        """Everybody's merged judgement of one of the answers that a message showed."""
        raw = await self.redis.hgetall(self.keys.rating(chat_id, message_id))
        found: dict[int, Rating] = {}
        for field in sorted(raw, key=lambda field: ":" not in field):
            rating = Rating.model_validate_json(raw[field])
            if rating.request_id == request_id:
                found[rating.user_id] = rating
        return found

    async def forget(self, chat_id: int, message_id: int, user_id: int) -> None:
        """Drop one person's judgements from the view (their rows in SQL are the repository's business)."""
        place = self.keys.rating(chat_id, message_id)
        fields = [name for name in map(str, await self.redis.hkeys(place)) if name.partition(":")[0] == str(user_id)]
        if fields:
            await self.redis.hdel(place, *fields)
