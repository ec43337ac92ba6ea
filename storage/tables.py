"""SQL rows. «Row» names are tables; the word «models» means language models in this repository.

Columns only: what may change when is decided by the repositories and by the bot. States are small strings, so that a
newer release can add one without a migration.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from storage.contracts import now

# SQLite numbers rows by itself only for INTEGER primary keys.
Number = BigInteger().with_variant(Integer, "sqlite")


class Moment(TypeDecorator[datetime]):
    """A timezone-aware UTC moment in every database (SQLite forgets the zone)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Only aware moments go in."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("moments need a timezone")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        """Only UTC comes out."""
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


class Row(DeclarativeBase):
    """Base of all tables."""


class PersonRow(Row):
    """A person, by Telegram id; no names are kept. `consent` is None until the person has answered."""

    __tablename__ = "people"

    user_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    consent: Mapped[bool | None] = mapped_column(default=None)
    consent_at: Mapped[datetime | None] = mapped_column(Moment, default=None)
    blocked: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(Moment, default=now)


class ChatRow(Row):
    """A chat's settings. `epoch` counts resets: turns of earlier epochs are outside the dialogue window."""

    __tablename__ = "chats"

    chat_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(16), default="private")
    emotion: Mapped[str] = mapped_column(String(32))
    intensity: Mapped[int] = mapped_column(default=2)
    persona: Mapped[str] = mapped_column(Text, default="")
    epoch: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(Moment, default=now)


class TurnRow(Row):
    """The person's messages that are answered together, and what Telegram shows as the answer.

    `revision` counts edits of the messages. `shown` is the request id of the visible reply, `message_ids` the bot
    messages that show it (several for a long text), `note_id` a «you are in the queue» message to remove.
    State: active → done, failed, dropped (never asked), cancelled.
    """

    __tablename__ = "turns"
    __table_args__ = (Index("turns_chat_order", "chat_id", "id"),)

    id: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=True)
    chat_id: Mapped[int] = mapped_column(BigInteger)
    user_id: Mapped[int] = mapped_column(BigInteger, index=True)
    epoch: Mapped[int] = mapped_column(default=0)
    revision: Mapped[int] = mapped_column(default=0)
    state: Mapped[str] = mapped_column(String(16), default="active")
    message_ids: Mapped[list[int]] = mapped_column(JSON, default=list)
    shown: Mapped[str | None] = mapped_column(String(64), default=None)
    note_id: Mapped[int | None] = mapped_column(BigInteger, default=None)
    created_at: Mapped[datetime] = mapped_column(Moment, default=now)


class InboxRow(Row):
    """Every incoming message once. State: waiting → taken (belongs to a turn), or crisis, dropped, refused,
    persona.

    A crisis message keeps no text and belongs to no turn, so no training set can contain it. A refused one (too long)
    keeps none either, until an edit brings it in; nor does one that was taken for a persona.
    """

    __tablename__ = "inbox"
    __table_args__ = (UniqueConstraint("chat_id", "message_id"), Index("inbox_waiting", "chat_id", "state"))

    id: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=True)
    chat_id: Mapped[int] = mapped_column(BigInteger)
    message_id: Mapped[int] = mapped_column(BigInteger)
    user_id: Mapped[int] = mapped_column(BigInteger, index=True)
    text: Mapped[str] = mapped_column(Text)
    revision: Mapped[int] = mapped_column(default=0)
    state: Mapped[str] = mapped_column(String(16), default="waiting")
    turn_id: Mapped[int | None] = mapped_column(ForeignKey("turns.id", ondelete="CASCADE"), default=None, index=True)
    created_at: Mapped[datetime] = mapped_column(Moment, default=now)


class ReplyRow(Row):
    """One request and its reply. `request` is the ChatRequest as asked: pushed again after a crash, prompt in training.

    State: asked → done, failed, cancelled, expired. Delivery: waiting (for the worker) → pending → sending → sent;
    or dropped (nobody wants it any more), blocked (the person does not want the bot). `origin` is the callback that
    asked for this variant, so that the same tap never asks twice. `arm` is what was asked of the worker, `adapter` what
    it answered with. `doubtful` counts sends that may be duplicates.
    """

    __tablename__ = "replies"
    __table_args__ = (
        Index("replies_chat_delivery", "chat_id", "delivery"),
        Index("replies_created", "created_at"),
    )

    request_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    turn_id: Mapped[int] = mapped_column(ForeignKey("turns.id", ondelete="CASCADE"), index=True)
    chat_id: Mapped[int] = mapped_column(BigInteger)
    revision: Mapped[int] = mapped_column(default=0)
    variant: Mapped[int] = mapped_column(default=0)
    origin: Mapped[str | None] = mapped_column(String(64), default=None, unique=True)
    request: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True), default=None)
    state: Mapped[str] = mapped_column(String(16), default="asked")
    reason: Mapped[str | None] = mapped_column(String(32), default=None)
    text: Mapped[str] = mapped_column(Text, default="")
    emotion: Mapped[str] = mapped_column(String(32))
    intensity: Mapped[int] = mapped_column(default=2)
    arm: Mapped[str] = mapped_column(String(64), default="active")
    adapter: Mapped[str | None] = mapped_column(String(64), default=None, index=True)
    fit: Mapped[float | None] = mapped_column(default=None)
    fit_ok: Mapped[bool | None] = mapped_column(default=None)
    candidates: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list)
    provenance: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True), default=None)
    delivery: Mapped[str] = mapped_column(String(16), default="waiting")
    message_ids: Mapped[list[int]] = mapped_column(JSON, default=list)
    doubtful: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(Moment, default=now)
    answered_at: Mapped[datetime | None] = mapped_column(Moment, default=None)


class RatingRow(Row):
    """One person's judgement of one answer as it stands: by (chat, message, user) and the answer shown there."""

    __tablename__ = "ratings"
    __table_args__ = (
        UniqueConstraint("chat_id", "message_id", "user_id", "request_id"),
        Index("ratings_updated", "updated_at"),
    )

    id: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=True)
    chat_id: Mapped[int] = mapped_column(BigInteger)
    message_id: Mapped[int] = mapped_column(BigInteger)
    user_id: Mapped[int] = mapped_column(BigInteger, index=True)
    request_id: Mapped[str] = mapped_column(String(64), index=True)
    thumb: Mapped[int | None] = mapped_column(default=None)
    stars: Mapped[dict[str, int | None] | None] = mapped_column(JSON(none_as_null=True), default=None)
    reason: Mapped[str | None] = mapped_column(String(64), default=None)
    preferred_over: Mapped[str | None] = mapped_column(String(64), default=None)
    correction: Mapped[str | None] = mapped_column(Text, default=None)
    source: Mapped[str] = mapped_column(String(16))
    updated_at: Mapped[datetime] = mapped_column(Moment)


class RatingHistoryRow(Row):
    """Every judgement as it came in, once per `rating_id`; `RatingRow` is their sum in the order of `created_at`."""

    __tablename__ = "rating_history"
    __table_args__ = (Index("rating_history_answer", "chat_id", "message_id", "user_id"),)

    rating_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    chat_id: Mapped[int] = mapped_column(BigInteger)
    message_id: Mapped[int] = mapped_column(BigInteger)
    user_id: Mapped[int] = mapped_column(BigInteger, index=True)
    request_id: Mapped[str] = mapped_column(String(64), index=True)
    rating: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(Moment)


class ForgottenRow(Row):
    """Somebody asked to be forgotten at this moment: older ratings on their way are not stored, and adapters that
    were trained on data of theirs are tainted."""

    __tablename__ = "forgotten"

    user_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(Moment, default=now)


class CounterRow(Row):
    """Counts that must survive a restart, such as possible duplicates."""

    __tablename__ = "counters"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger, default=0)
