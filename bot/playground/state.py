"""Everything that is remembered, as plain dataclasses that go to JSON and back. Has no behaviour and knows no HTTP."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]
ChatKind = Literal["private", "supergroup"]
MediaKind = Literal["photo", "sticker", "voice", "document"]


@dataclass(slots=True)
class User:
    """A person, or the face of a bot."""

    id: int
    first_name: str
    last_name: str = ""
    username: str = ""
    language_code: str = "ru"
    is_bot: bool = False

    @property
    def name(self) -> str:
        """What is written over a message in a group."""
        return f"{self.first_name} {self.last_name}".strip()


@dataclass(slots=True)
class StoredFile:
    """What is known of an uploaded file; its bytes are kept apart (`files.py`)."""

    file_id: str
    unique_id: str
    path: str
    size: int
    mime: str
    name: str


@dataclass(slots=True)
class Media:
    """What hangs on a message besides its text."""

    kind: MediaKind
    file_id: str
    width: int = 0
    height: int = 0
    duration: int = 0
    emoji: str = ""


@dataclass(slots=True)
class Message:
    """One message of one chat; `text` is the caption where there is `media`."""

    id: int
    sender: int
    date: float
    text: str = ""
    entities: list[Json] = field(default_factory=list)
    media: Media | None = None
    reply_to: int | None = None
    keyboard: list[list[Json]] = field(default_factory=list)
    edited: float | None = None
    reactions: dict[int, list[str]] = field(default_factory=dict)


@dataclass(slots=True)
class Chat:
    """A private chat of one person with one bot (`id` is the person's, as the bot sees it) or a group."""

    id: int
    kind: ChatKind
    title: str = ""
    bot_id: int = 0
    members: list[int] = field(default_factory=list)
    owner: int = 0
    admins: list[int] = field(default_factory=list)
    bots: dict[int, str] = field(default_factory=dict)
    messages: dict[int, Message] = field(default_factory=dict)
    last_id: int = 0
    started: bool = False
    blocked: bool = False
    reply_keyboard: Json | None = None


@dataclass(slots=True)
class Webhook:
    """Where a bot wants its updates and how that went lately."""

    url: str
    secret: str = ""
    max_connections: int = 40
    error_date: int = 0
    error: str = ""


@dataclass(slots=True)
class CommandSet:
    """The «/» menu for one scope and language."""

    scope: Json
    language: str
    commands: list[Json]


@dataclass(slots=True)
class Update:
    """An update that its bot has not confirmed yet."""

    id: int
    kind: str
    payload: Json


@dataclass(slots=True)
class BotAccount:
    """A bot with its token and its updates."""

    token: str
    user: User
    reads_all: bool = False
    updates: list[Update] = field(default_factory=list)
    next_update: int = 700_000_001
    last_message: int = 0
    allowed: list[str] | None = None
    webhook: Webhook | None = None
    commands: list[CommandSet] = field(default_factory=list)
    description: dict[str, str] = field(default_factory=dict)
    short_description: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Snapshot:
    """The whole world as it is written to disk."""

    version: int = 1
    bots: list[BotAccount] = field(default_factory=list)
    people: list[User] = field(default_factory=list)
    chats: list[Chat] = field(default_factory=list)
    files: list[StoredFile] = field(default_factory=list)
    next_person: int = 501_001_001
    next_group: int = -1_001_000_000_001
    next_file: int = 1
