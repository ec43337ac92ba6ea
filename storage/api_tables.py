"""SQL rows of the HTTP front end: its keys. What is said and rated through it lies in the same tables as Telegram's."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from storage.contracts import now
from storage.tables import Moment, Row


class ApiKeyRow(Row):
    """A key of a program. Its secret is never stored: `digest` is what the presented secret must hash to (SHA-256).

    `chat_id` is this key's place among the chats, a negative number that Telegram does not use. `learn`: whether what
    comes through it may be learned from. `rate`: requests a minute.
    """

    __tablename__ = "api_keys"

    key_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    digest: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[list[str]] = mapped_column(JSON)
    rate: Mapped[int] = mapped_column(default=60)
    learn: Mapped[bool] = mapped_column(default=False)
    chat_id: Mapped[int] = mapped_column(BigInteger, unique=True)
    created_at: Mapped[datetime] = mapped_column(Moment, default=now)
    revoked_at: Mapped[datetime | None] = mapped_column(Moment, default=None)
    used_at: Mapped[datetime | None] = mapped_column(Moment, default=None)
