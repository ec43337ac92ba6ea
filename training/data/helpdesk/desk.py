"""What an exporter needs of a help desk, and the shapes that it writes. Knows no desk's API.

Another desk is one file: a class with `name` and the two listings.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Item = TypeVar("Item")


class Shape(BaseModel):
    """Frozen, and closed: what is not named here is not exported."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Position(Shape):
    """Where a listing, oldest first, has come to.

    `start` counts records that lie behind. `time` and `ids` name the newest of them, so that a record deleted in the
    meantime moves nothing out of sight.
    """

    start: int = 0
    time: str = ""
    ids: tuple[str, ...] = Field(default=(), description="Records of that very time which are done.")


class Article(Shape):
    """A published article in one language, as plain text."""

    id: str
    locale: str
    title: str
    category: str = ""
    body: str
    modified: str = ""


class Message(Shape):
    """One public message of a ticket; `people` are names that its head gives, for the scrubber."""

    role: Literal["customer", "agent"]
    time: str
    text: str


class Ticket(Shape):
    """A ticket with its public messages, oldest first. `solved` is None while it is open."""

    id: str
    subject: str
    category: str = ""
    status: str
    solved: bool | None
    created: str = ""
    messages: tuple[Message, ...]
    person: str = Field(default="", description="The customer as an opaque hash: sets are split by it.")
    people: tuple[str, ...] = Field(default=(), description="Names of those who wrote, to be scrubbed; not written.")


class Batch(Shape, Generic[Item]):
    """Records of one page and where the next one begins; `left_out` by reason. `last`: the listing ends here."""

    items: tuple[Item, ...]
    left_out: dict[str, int] = {}
    position: Position
    last: bool


class HelpDesk(Protocol):
    """A desk to be exported. Batches come in an order that stays the same from start to start."""

    name: str

    def articles(self, position: Position) -> Iterator[Batch[Article]]: ...

    def tickets(self, position: Position) -> Iterator[Batch[Ticket]]: ...
