"""SQL rows of help desks: questions that a program gave a name, and the articles of the knowledge base."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from storage.contracts import now
from storage.tables import Moment, Number, Row


class TaskRow(Row):
    """A question that was asked under a name: whoever is asked it again is shown the answers of `turn_id`.

    `digest` is a hash of the name and of everything that the answers depend on. `asked_by` saw the answers first, in
    the order of their variants.
    """

    __tablename__ = "tasks"

    chat_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    turn_id: Mapped[int] = mapped_column(ForeignKey("turns.id", ondelete="CASCADE"), index=True)
    asked_by: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(Moment, default=now)


class ArticleRow(Row):
    """An article of the knowledge base. `digest` of title and text: the same article twice is one row."""

    __tablename__ = "articles"

    id: Mapped[int] = mapped_column(Number, primary_key=True, autoincrement=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    title: Mapped[str] = mapped_column(String(200))
    category: Mapped[str] = mapped_column(String(200), default="")
    text: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(String(200), index=True)
    created_at: Mapped[datetime] = mapped_column(Moment, default=now)
