"""The state of the local Telegram: bots, people, chats, updates on their way. Knows no HTTP and draws nothing.

A `World` belongs to one event loop. Everything here is synchronous: what reads or changes several things does so
without another task in between.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.playground import views
from bot.playground.errors import PersonError, TooManyRequests, bad_request, forbidden
from bot.playground.faults import Fault, Faults
from bot.playground.files import FileStore
from bot.playground.limits import Flood, Limits
from bot.playground.signals import EventLog, Signal
from bot.playground.state import BotAccount, Chat, Json, Message, Snapshot, Update, User

UNASKED = frozenset({"chat_member", "message_reaction", "message_reaction_count"})


@dataclass(slots=True)
class Callback:
    """A pressed button that waits for the bot's answer."""

    id: str
    person: int
    chat: Chat
    at: float


@dataclass(slots=True)
class Runtime:
    """What of a bot does not outlive the process."""

    updates: Signal = field(default_factory=Signal)
    poll: int = 0
    flood: Flood = field(default_factory=Flood)
    callbacks: dict[str, Callback] = field(default_factory=dict)


class World:
    """All that one playground holds. `clock` gives Unix seconds and may be replaced in tests."""

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.time,
        snapshot: Snapshot | None = None,
        files: FileStore | None = None,
        path: Path | None = None,
    ) -> None:
        state = snapshot or Snapshot()
        self.limits = limits or Limits()
        self.clock = clock
        self.path = path
        self.files = files or FileStore()
        self.bots = {bot.token: bot for bot in state.bots}
        self.people = {person.id: person for person in state.people}
        self.chats = {(chat.bot_id, chat.id): chat for chat in state.chats}
        self.runtime = {bot.user.id: Runtime() for bot in state.bots}
        self.events = EventLog()
        self.faults = Faults()
        self.webhooks = Signal()
        self.changes = Signal()
        self.next_person = state.next_person
        self.next_group = state.next_group
        self._callbacks = 0

    # Who is there

    def add_bot(
        self, token: str, username: str = "otklik_bot", name: str = "Отклик", *, reads_all: bool = False
    ) -> User:
        """Register a bot under its token; a token that is already known keeps its bot."""
        known = self.bots.get(token)
        if known is not None:
            return known.user
        head, _, tail = token.partition(":")
        if not head.isdigit() or not tail:
            raise ValueError("a bot token looks like 123456:secret")
        if int(head) in self.people or any(bot.user.id == int(head) for bot in self.bots.values()):
            raise ValueError(f"the id {head} of this bot token is taken; use another token")
        user = User(int(head), name, username=username, is_bot=True)
        self.bots[token] = BotAccount(token, user, reads_all=reads_all)
        self.runtime[user.id] = Runtime()
        self.emit("world", {})
        return user

    def add_person(
        self, first_name: str, *, last_name: str = "", username: str = "", language_code: str = "ru"
    ) -> User:
        """Someone new to be."""
        if not first_name.strip():
            raise PersonError("У человека должно быть имя")
        while any(bot.user.id == self.next_person for bot in self.bots.values()):
            self.next_person += 1
        person = User(self.next_person, first_name.strip()[:64], last_name[:64], username, language_code)
        self.next_person += 1
        self.people[person.id] = person
        self.emit("world", {})
        return person

    def add_group(
        self, title: str, members: Iterable[int], *, admins: Iterable[int] = (), bot_admin: bool = True
    ) -> Chat:
        """A group of people with every bot in it; the first person owns it. An admin bot reads everything."""
        people = list(members)
        if not title.strip() or not people or any(id_ not in self.people for id_ in people):
            raise PersonError("Группе нужны название и люди")
        status = "administrator" if bot_admin else "member"
        chat = Chat(self.next_group, "supergroup", title.strip()[:128], members=people, owner=people[0])
        chat.admins = [id_ for id_ in admins if id_ in people]
        chat.bots = {bot.user.id: status for bot in self.bots.values()}
        self.next_group -= 1
        self.chats[0, chat.id] = chat
        for bot in self.bots.values():
            self.push_membership(bot, chat, self.people[people[0]], "left", status)
        self.emit("world", {})
        return chat

    def bot(self, bot_id: int) -> BotAccount:
        """The bot with this id; PersonError if there is none."""
        for bot in self.bots.values():
            if bot.user.id == bot_id:
                return bot
        raise PersonError("Нет такого бота", 404)

    def user(self, user_id: int) -> User:
        """A person or a bot; someone who is gone keeps a name."""
        person = self.people.get(user_id)
        if person is not None:
            return person
        for bot in self.bots.values():
            if bot.user.id == user_id:
                return bot.user
        return User(user_id, "Удалённый аккаунт")

    # Chats as people and as bots name them

    def peer_chat(self, person: int, peer: int) -> Chat:
        """The chat that `person` calls `peer`: a bot's id, or a group's."""
        if person not in self.people:
            raise PersonError("Нет такого человека", 404)
        if peer > 0:
            self.bot(peer)
            return self.chats.setdefault((peer, person), Chat(person, "private", bot_id=peer))
        chat = self.chats.get((0, peer))
        if chat is None or person not in chat.members:
            raise PersonError("Нет такого чата", 404)
        return chat

    def bot_chat(self, bot: BotAccount, chat_id: int) -> Chat:
        """The chat that a bot names; refuses what Telegram refuses to a bot that may not write there."""
        if chat_id < 0:
            chat = self.chats.get((0, chat_id))
            if chat is None:
                raise bad_request("chat not found")
            if chat.bots.get(bot.user.id, "left") in ("left", "kicked"):
                raise forbidden("bot was kicked from the supergroup chat")
            return chat
        chat = self.chats.get((bot.user.id, chat_id))
        if chat is None or not chat.started:
            if any(chat_id in group.members and bot.user.id in group.bots for group in self.chats.values()):
                raise forbidden("bot can't initiate conversation with a user")
            raise bad_request("chat not found")
        return chat

    def bots_in(self, chat: Chat) -> list[BotAccount]:
        """The bots that are in a chat now."""
        if chat.kind == "private":
            return [self.bot(chat.bot_id)]
        return [b for b in self.bots.values() if chat.bots.get(b.user.id, "left") not in ("left", "kicked")]

    def audience(self, chat: Chat) -> frozenset[int]:
        """Whose screens show the chat."""
        return frozenset([chat.id] if chat.kind == "private" else chat.members)

    # Messages

    def append(self, chat: Chat, message: Message) -> Message:
        """Give the message its number and put it into the chat.

        Private chats of one bot share one counter, as at Telegram: a number alone does not name a chat there,
        and a group counts for itself, so that the same number exists twice.
        """
        if chat.kind == "private":
            bot = self.bot(chat.bot_id)
            bot.last_message += 1
            message.id = bot.last_message
        else:
            chat.last_id += 1
            message.id = chat.last_id
        chat.messages[message.id] = message
        while len(chat.messages) > self.limits.history:
            chat.messages.pop(next(iter(chat.messages)))
        self.emit_chat("message", chat, message=views.seen(self, chat, message))
        return message

    def changed(self, chat: Chat, message: Message) -> None:
        """Show an edit or a reaction on the screens."""
        self.emit_chat("changed", chat, message=views.seen(self, chat, message))

    # Updates

    def push(self, bot: BotAccount, kind: str, payload: Json) -> None:
        """Queue an update for a bot unless the bot has asked not to get this kind."""
        wanted = kind in bot.allowed if bot.allowed else kind not in UNASKED
        if wanted:
            bot.updates.append(Update(bot.next_update, kind, payload))
            bot.next_update += 1
            self.runtime[bot.user.id].updates.notify()
        self.touch()

    def push_membership(self, bot: BotAccount, chat: Chat, by: User, old: str, new: str) -> None:
        """Tell a bot that its own standing in a chat has changed."""
        self.push(
            bot,
            "my_chat_member",
            {
                "chat": views.chat(self, chat),
                "from": views.user(by),
                "date": int(self.clock()),
                "old_chat_member": views.member(bot.user, old),
                "new_chat_member": views.member(bot.user, new),
            },
        )

    def open_callback(self, bot: BotAccount, chat: Chat, person: int) -> Callback:
        """A new callback query to be answered."""
        self._callbacks += 1
        callback = Callback(f"{int(self.clock() * 1000)}{self._callbacks:06d}", person, chat, self.clock())
        self.runtime[bot.user.id].callbacks[callback.id] = callback
        return callback

    def count_message(self, bot: BotAccount, chat: Chat) -> None:
        """Flood control; TooManyRequests when the bot must wait."""
        flood = self.runtime[bot.user.id].flood
        wait = flood.retry_after(self.limits, self.clock(), chat.id, group=chat.kind != "private")
        if wait:
            raise TooManyRequests(wait)

    # Tests and screens

    def fail_next(
        self, method: str, error_code: int | None = None, description: str | None = None, **how: Any
    ) -> Fault:
        """Make the next call(s) of a method go wrong; `how` as in `faults.Fault`, and `retry_after`."""
        return self.faults.add(method, error_code, description, **how)

    def emit(self, kind: str, data: Json, audience: frozenset[int] | None = None) -> None:
        """Show something on screens and have it saved."""
        self.events.append(kind, data, audience)
        self.touch()

    def emit_chat(self, kind: str, chat: Chat, **data: Any) -> None:
        """Show something on the screens of a chat."""
        peer = chat.bot_id if chat.kind == "private" else chat.id
        self.emit(kind, {"chat": peer, **data}, self.audience(chat))

    def touch(self) -> None:
        """Something that is saved has changed."""
        self.changes.notify()

    def snapshot(self) -> Snapshot:
        """All that is kept on disk."""
        return Snapshot(
            bots=list(self.bots.values()),
            people=list(self.people.values()),
            chats=list(self.chats.values()),
            files=list(self.files.known.values()),
            next_person=self.next_person,
            next_group=self.next_group,
            next_file=self.files.next_number,
        )
