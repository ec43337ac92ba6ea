"""A human for tests: talks to a playground over HTTP as the page does. Knows nothing of the bot's insides."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from bot.playground.peopleapi import PREFIX

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360f8cfc0f01f000500"
    "01ffa0b1d5d60000000049454e44ae426082"
)


class NothingCame(AssertionError):
    """What the person waited for did not come in time."""


class Refused(Exception):
    """The app would not let the person do this."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A message as it is on the person's screen."""

    raw: dict[str, Any]
    chat: int

    @property
    def id(self) -> int:
        """Its number in the chat."""
        return int(self.raw["id"])

    @property
    def text(self) -> str:
        """Its text or caption."""
        return str(self.raw["text"])

    @property
    def from_bot(self) -> bool:
        """Whether a bot wrote it."""
        return bool(self.raw["sender"]["is_bot"])

    @property
    def edited(self) -> bool:
        """Whether it says «изменено»."""
        return self.raw["edited"] is not None

    @property
    def buttons(self) -> list[list[str]]:
        """The texts of its inline keyboard, by rows."""
        return [[str(button["text"]) for button in row] for row in self.raw["keyboard"]]

    @property
    def reply_to(self) -> int | None:
        """The number of the message that it quotes."""
        quoted = self.raw.get("reply_to")
        return int(quoted["id"]) if quoted else None

    @property
    def media(self) -> dict[str, Any] | None:
        """Its attachment."""
        return self.raw.get("media")

    @property
    def reactions(self) -> list[str]:
        """All reactions, by anyone."""
        return [str(one["emoji"]) for one in self.raw["reactions"]]

    def data(self, text: str) -> str:
        """The callback data behind the button with this text (or containing it); KeyError if there is none."""
        flat = [button for row in self.raw["keyboard"] for button in row if "callback_data" in button]
        for fits in (lambda label: label == text, lambda label: text in label):
            for button in flat:
                if fits(button["text"]):
                    return str(button["callback_data"])
        raise KeyError(f"no button {text!r} among {self.buttons}")


@dataclass(frozen=True, slots=True)
class Toast:
    """The bot's answer to a pressed button."""

    text: str
    alert: bool


class Person:
    """Someone who uses the app. `chat` everywhere is a bot's id or a group's; the default is `home`, the first bot."""

    def __init__(self, session: aiohttp.ClientSession, url: str, id: int, name: str, home: int, seq: int) -> None:
        self._session = session
        self._url = url.rstrip("/") + PREFIX
        self.id = id
        self.name = name
        self.home = home
        self._seq = seq
        self._kept: dict[str, deque[dict[str, Any]]] = {}
        self._polling = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def join(cls, url: str, name: str = "Аня", *, id: int | None = None, **about: str) -> AsyncIterator[Person]:
        """Come in as someone new, or as the person `id` who is already there."""
        async with aiohttp.ClientSession() as session:
            person = cls(session, url, id or 0, name, 0, 0)
            if id is None:
                person.id = int((await person._do("people", name=name, **about))["id"])
            world = await person._get("world")
            person.home = int(world["bots"][0]["id"]) if world["bots"] else 0
            person._seq = int(world["seq"])
            yield person

    # Doing

    async def send(self, text: str, *, chat: int | None = None, reply_to: int | None = None) -> Seen:
        """Write a text."""
        return self._seen(await self._in(chat, "send", text=text, reply_to=reply_to), chat)

    async def edit(self, message: Seen, text: str) -> Seen:
        """Edit one's own message."""
        return self._seen(await self._in(message.chat, "edit", message=message.id, text=text), message.chat)

    async def delete(self, message: Seen) -> None:
        """Delete a message; the bot is not told."""
        await self._in(message.chat, "delete", message=message.id)

    async def react(self, message: Seen, *emoji: str) -> None:
        """Replace one's reactions; none takes them away."""
        await self._in(message.chat, "react", message=message.id, emoji=list(emoji))

    async def press(self, message: Seen, button: str, *, within: float = 10.0) -> Toast:
        """Press the button with this text and wait for the bot's answer."""
        return await self.forge(message, message.data(button), within=within)

    async def forge(self, message: Seen, data: str, *, within: float = 10.0) -> Toast:
        """Press a button that is not there, with any data, as a modified app can."""
        started = await self._in(message.chat, "press", message=message.id, data=data)
        event = await self.event("callback", within, lambda e: e["id"] == started["callback"])
        return Toast(str(event["text"]), bool(event["alert"]))

    async def press_only(self, message: Seen, data: str) -> None:
        """Press without waiting for an answer."""
        await self._in(message.chat, "press", message=message.id, data=data)

    async def send_photo(self, content: bytes = PNG, *, caption: str = "", chat: int | None = None) -> Seen:
        """Send a picture."""
        return await self._attach(chat, "photo", content, "photo.png", "image/png", caption=caption)

    async def send_sticker(self, emoji: str = "🙂", *, chat: int | None = None) -> Seen:
        """Send a sticker."""
        return await self._attach(chat, "sticker", b"RIFF....WEBP", "sticker.webp", "image/webp", emoji=emoji)

    async def send_voice(self, seconds: int = 3, *, chat: int | None = None) -> Seen:
        """Send a voice message without sound."""
        return await self._attach(chat, "voice", b"OggS", "voice.ogg", "audio/ogg", duration=str(seconds))

    async def send_document(self, content: bytes, name: str = "file.txt", *, chat: int | None = None) -> Seen:
        """Send a file."""
        return await self._attach(chat, "document", content, name, "text/plain")

    async def block(self, blocked: bool = True, *, chat: int | None = None) -> None:
        """Block the bot, or unblock it with False."""
        await self._in(chat, "block", blocked=blocked)

    async def group(self, title: str, *others: Person, admins: tuple[Person, ...] = ()) -> int:
        """Found a group with every bot in it; gives its id."""
        members = [self.id, *(other.id for other in others)]
        made = await self._do("groups", name=title, members=members, admins=[one.id for one in admins])
        return int(made["id"])

    # Seeing

    async def history(self, chat: int | None = None) -> list[Seen]:
        """The chat from its first shown message to its last."""
        found = await self._get("chat", chat=str(chat or self.home))
        return [self._seen(raw, chat) for raw in found["messages"]]

    async def menu(self, chat: int | None = None) -> list[str]:
        """The commands behind «/»."""
        return [str(one["command"]) for one in (await self._get("chat", chat=str(chat or self.home)))["commands"]]

    async def ask(self, text: str, *, chat: int | None = None, within: float = 10.0) -> Seen:
        """Write a text and wait for the bot's next message."""
        await self.send(text, chat=chat)
        return await self.next_message(chat=chat, within=within)

    async def next_message(self, *, chat: int | None = None, within: float = 10.0) -> Seen:
        """The bot's next message that was not returned yet."""
        home = chat or self.home
        event = await self.event(
            "message", within, lambda e: e["chat"] == home and bool(e["message"]["sender"]["is_bot"])
        )
        return self._seen(event["message"], chat)

    async def next_change(self, message: Seen | None = None, *, within: float = 10.0) -> Seen:
        """The next edit of, or reaction to, a message (or any message) that was not returned yet."""
        event = await self.event(
            "changed",
            within,
            lambda e: message is None or (e["chat"], e["message"]["id"]) == (message.chat, message.id),
        )
        return self._seen(event["message"], int(event["chat"]))

    async def until(self, message: Seen, fits: Callable[[Seen], bool], *, within: float = 10.0) -> Seen:
        """The message as soon as it looks as it should."""
        async with self._clock(within, f"message {message.id} to change"):
            while True:
                for one in await self.history(message.chat):
                    if one.id == message.id and fits(one):
                        return one
                await asyncio.sleep(0.03)
        raise AssertionError("unreachable")

    async def typing(self, *, chat: int | None = None, within: float = 10.0) -> None:
        """Wait for «печатает…»."""
        home = chat or self.home
        await self.event("action", within, lambda e: e["chat"] == home)

    async def silence(self, seconds: float, *, chat: int | None = None) -> None:
        """Make sure that the bot writes nothing for a while; AssertionError if it does."""
        try:
            came = await self.next_message(chat=chat, within=seconds)
        except NothingCame:
            return
        raise AssertionError(f"the bot wrote message {came.id} where it should have been silent")

    async def event(self, kind: str, within: float, fits: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The next event of a kind that fits; events that are passed over stay for later."""
        async with self._clock(within, f"an event {kind!r}"):
            while True:
                kept = self._kept.setdefault(kind, deque())
                for event in kept:
                    if fits(event):
                        kept.remove(event)
                        return event
                await self._listen()
        raise AssertionError("unreachable")

    async def _listen(self) -> None:
        # A cancelled poll loses nothing: the cursor only moves once its events are kept.
        known = self._seq
        async with self._polling:
            if self._seq != known:
                return  # another waiter has just fetched what we wanted
            news = await self._get("poll", after=str(known), wait="20")
            for event in news["events"]:
                self._kept.setdefault(event["kind"], deque()).append(event)
            self._seq = int(news["seq"])

    @asynccontextmanager
    async def _clock(self, within: float, what: str) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(within):
                yield
        except TimeoutError:
            raise NothingCame(f"{self.name} waited {within} s for {what}") from None

    def _seen(self, raw: dict[str, Any], chat: int | None) -> Seen:
        return Seen(raw, chat or self.home)

    async def _in(self, chat: int | None, what: str, **body: Any) -> dict[str, Any]:
        return await self._do(what, person=self.id, chat=chat or self.home, **body)

    async def _attach(self, chat: int | None, kind: str, content: bytes, name: str, mime: str, **more: str) -> Seen:
        form = aiohttp.FormData({"person": str(self.id), "chat": str(chat or self.home), "kind": kind, **more})
        form.add_field("file", content, filename=name, content_type=mime)
        async with self._session.post(f"{self._url}/attach", data=form) as answer:
            return self._seen(await _read(answer), chat)

    async def _do(self, what: str, **body: Any) -> dict[str, Any]:
        async with self._session.post(f"{self._url}/{what}", json=body) as answer:
            return await _read(answer)

    async def _get(self, what: str, **query: str) -> dict[str, Any]:
        async with self._session.get(f"{self._url}/{what}", params={"person": str(self.id), **query}) as answer:
            return await _read(answer)


async def _read(answer: aiohttp.ClientResponse) -> dict[str, Any]:
    body: dict[str, Any] = await answer.json()
    if answer.status != 200:
        raise Refused(body.get("error", f"status {answer.status}"))
    return body
