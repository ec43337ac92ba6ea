"""Deleting what is stored of a person, for Telegram's /forget and for programs alike. Knows neither."""

from __future__ import annotations

from collections.abc import Callable

from storage.database import Database, Unit
from storage.ratings import RatingBook


async def erase(
    user_id: int, database: Database, book: RatingBook, *, note: Callable[[Unit, list[str]], None] | None = None
) -> list[str]:
    """Delete a person's dialogue and judgements; ids of the adapters that learned from them, tainted from now on.

    Redis first, SQL last: a crash in between leaves the list of what to delete. `note` writes into the same unit.
    """
    async with database.view() as unit:
        places = set(await unit.ratings.places(user_id))
        rows = list(await unit.turns.of_user(user_id))
        chats = {row.chat_id for row in await unit.inbox.of_user(user_id)} - {user_id}
    for turn in rows:
        for message_id in turn.message_ids:
            places |= {(turn.chat_id, message_id, rater) for rater in await book.of_message(turn.chat_id, message_id)}
    for chat_id, message_id, rater in places:
        await book.forget(chat_id, message_id, rater)
    async with database.unit() as unit:
        tainted = await unit.adapters.taint(user_id)
        await unit.ratings.forget(user_id)
        await unit.turns.forget(user_id)
        await unit.inbox.forget(user_id)
        await unit.replies.blank_requests(sorted(chats))
        await unit.chats.forget(user_id)
        await unit.people.forget(user_id)
        if note is not None:
            note(unit, tainted)
        await unit.commit()
    return tainted
