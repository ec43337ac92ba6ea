"""The bot's ratings as opinions, read from SQL. Knows tables, no statistics, and writes nothing."""

from __future__ import annotations

from typing import Any, Literal

from sqlalchemy import select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from storage.contracts import RatingStars
from storage.database import Database
from storage.tables import RatingRow, ReplyRow
from training.evaluation.people.opinions import Opinion
from training.recipes import RecipeError


class NoRatings(RecipeError):
    """The database is not there or cannot be read; the message says what to do."""


async def opinions(url: str) -> list[Opinion]:
    """Every current judgement of an answer whose maker is known. NoRatings where the database cannot be read."""
    _must_exist(url)
    database = Database(url)
    try:
        async with database.view() as unit:
            found = (
                await unit.session.execute(
                    select(RatingRow, ReplyRow)
                    .join(ReplyRow, ReplyRow.request_id == RatingRow.request_id)
                    .order_by(RatingRow.id)
                )
            ).all()
            losers = [row.preferred_over for row, _ in found if row.preferred_over]
            beaten = await unit.session.scalars(select(ReplyRow).where(ReplyRow.request_id.in_(losers)))
            makers = {reply.request_id: maker(reply.provenance) for reply in beaten}
    except SQLAlchemyError as error:
        raise NoRatings(
            f"the database cannot be read ({type(error).__name__}); check STORAGE_DATABASE_URL, or start `otklik up` "
            "once to bring its tables up to date"
        ) from None
    finally:
        await database.close()
    told = [_opinion(row, reply, makers) for row, reply in found]
    return [one for one in told if one is not None]


def maker(provenance: dict[str, Any] | None) -> str | None:
    """Adapter that made an answer, else the base model; None where it was not kept."""
    if not provenance:
        return None
    name = provenance.get("adapter") or provenance.get("base_model")
    return str(name) if name else None


def _opinion(row: RatingRow, reply: ReplyRow, makers: dict[str, str | None]) -> Opinion | None:
    system = maker(reply.provenance)
    if system is None:
        return None
    thumb: Literal[-1, 1] | None = 1 if row.thumb == 1 else -1 if row.thumb == -1 else None
    return Opinion(
        system=system,
        person=str(row.user_id),
        answer=row.request_id,
        stars=RatingStars.model_validate(row.stars) if row.stars else None,
        thumb=thumb,
        over=makers.get(row.preferred_over) if row.preferred_over else None,
    )


def _must_exist(url: str) -> None:
    """SQLite would make an empty file of a wrong name."""
    from pathlib import Path

    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database and not Path(parsed.database).is_file():
        raise NoRatings(
            f"there is no database at {parsed.database}: nobody has rated anything yet, or STORAGE_DIR names another "
            "folder; a feedback log is read with --log FILE"
        )
