"""The HTTP side of people: what the chat page and tests' `Person` call. Knows no Bot API.

A chat is named as in the app: by the bot's id for the private chat with it, by the group's id for a group.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web
from pydantic import BaseModel, Field, ValidationError

from bot.playground import actions, views
from bot.playground.chatting import REACTIONS, by_language, standing
from bot.playground.commands import menu
from bot.playground.errors import PersonError
from bot.playground.signals import Event
from bot.playground.state import Chat, Json, Message
from bot.playground.world import World

PREFIX = "/playground/api"
SHOWN = 200
INLINE_IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})


class Action(BaseModel):
    """The body of everything that a person does."""

    person: int = 0
    chat: int = 0
    message: int = 0
    text: str = ""
    reply_to: int | None = None
    data: str = ""
    emoji: list[str] = Field(default_factory=list)
    blocked: bool = True
    status: str = ""
    bot: int = 0
    name: str = ""
    last_name: str = ""
    username: str = ""
    language_code: str = "ru"
    members: list[int] = Field(default_factory=list)
    admins: list[int] = Field(default_factory=list)


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class PeopleApi:
    """The handlers of one world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.closing = False

    def routes(self) -> list[web.RouteDef]:
        """Where it is reached."""
        does: dict[str, Callable[[Action], Any]] = {
            "send": self._send,
            "edit": lambda a: self._seen(a, actions.edit(self.world, a.person, a.chat, a.message, a.text)),
            "react": lambda a: self._seen(a, actions.react(self.world, a.person, a.chat, a.message, a.emoji)),
            "delete": lambda a: actions.delete(self.world, a.person, a.chat, a.message),
            "press": lambda a: {"callback": actions.press(self.world, a.person, a.chat, a.message, a.data).id},
            "block": lambda a: actions.block(self.world, a.person, a.chat, a.blocked),
            "membership": lambda a: actions.membership(self.world, a.chat, a.person, a.bot, a.status),
            "people": self._add_person,
            "groups": lambda a: {"id": self.world.add_group(a.name, a.members, admins=a.admins).id},
        }
        return [
            *(web.post(f"{PREFIX}/{name}", self._doing(function)) for name, function in does.items()),
            web.post(f"{PREFIX}/attach", self._safe(self.attach)),
            web.get(f"{PREFIX}/world", self._safe(self.describe)),
            web.get(f"{PREFIX}/chat", self._safe(self.chat)),
            web.get(f"{PREFIX}/poll", self._safe(self.poll)),
            web.get(f"{PREFIX}/events", self._safe(self.stream)),
            web.get("/playground/files/{file_id}", self._safe(self.file)),
        ]

    def close(self) -> None:
        """Let go of the screens that listen, so that the server can stop."""
        self.closing = True
        self.world.events.signal.notify()

    def _doing(self, function: Callable[[Action], Any]) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            action = Action.model_validate(await request.json())
            result = function(action)
            return web.json_response(result if result is not None else {"ok": True})

        return self._safe(handle)

    def _safe(self, handler: Handler) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            try:
                return await handler(request)
            except PersonError as error:
                return web.json_response({"error": error.description}, status=error.code)
            except (ValidationError, ValueError, KeyError):
                return web.json_response({"error": "Непонятный запрос"}, status=400)

        return handle

    def _send(self, action: Action) -> Json:
        message = actions.say(self.world, action.person, action.chat, action.text, action.reply_to)
        return self._seen(action, message)

    def _seen(self, action: Action, message: Message) -> Json:
        return views.seen(self.world, self.world.peer_chat(action.person, action.chat), message)

    def _add_person(self, action: Action) -> Json:
        person = self.world.add_person(
            action.name, last_name=action.last_name, username=action.username, language_code=action.language_code
        )
        return {**views.face(person), "seq": self.world.events.seq}

    async def attach(self, request: web.Request) -> web.StreamResponse:
        """A file from a person, as multipart."""
        form = await request.post()
        upload = form.get("file")
        content, name, mime = b"sticker or voice stub", "file", "application/octet-stream"
        if isinstance(upload, web.FileField):
            content, name, mime = upload.file.read(), upload.filename, upload.content_type
        what = actions.Attachment(
            str(form.get("kind", "document")),
            content,
            name,
            mime,
            str(form.get("emoji", "")),
            int(str(form.get("duration", 0))),
        )
        person, peer = int(str(form["person"])), int(str(form["chat"]))
        message = actions.attach(self.world, person, peer, what, str(form.get("caption", "")))
        return web.json_response(views.seen(self.world, self.world.peer_chat(person, peer), message))

    async def describe(self, request: web.Request) -> web.StreamResponse:
        """Everyone and every group; no message."""
        groups = [
            {"id": c.id, "title": c.title, "members": c.members, "owner": c.owner, "admins": c.admins, "bots": c.bots}
            for c in self.world.chats.values()
            if c.kind != "private"
        ]
        bots = [
            {
                **views.face(b.user),
                "description": by_language(b.description, "ru"),
                "about": by_language(b.short_description, "ru"),
            }
            for b in self.world.bots.values()
        ]
        people = [views.face(p) for p in self.world.people.values()]
        return web.json_response(
            {"people": people, "bots": bots, "groups": groups, "reactions": REACTIONS, "seq": self.world.events.seq}
        )

    async def chat(self, request: web.Request) -> web.StreamResponse:
        """One chat as a person sees it now."""
        person, peer = int(request.query["person"]), int(request.query["chat"])
        chat = self.world.peer_chat(person, peer)
        shown = list(chat.messages.values())[-SHOWN:]
        return web.json_response(
            {
                "messages": [views.seen(self.world, chat, message) for message in shown],
                "blocked": chat.blocked,
                "reply_keyboard": chat.reply_keyboard,
                "commands": self._menu(chat, person),
                "status": standing(chat, person),
                "seq": self.world.events.seq,
            }
        )

    def _menu(self, chat: Chat, person: int) -> list[Json]:
        language = self.world.user(person).language_code
        found: list[Json] = []
        for bot in self.world.bots_in(chat):
            for command in menu(bot, chat, person, language):
                found.append({**command, "bot": bot.user.username})
        return found

    async def poll(self, request: web.Request) -> web.StreamResponse:
        """Events after `after`, waiting up to `wait` seconds for the first."""
        person, after = int(request.query["person"]), int(request.query["after"])
        loop = asyncio.get_running_loop()
        until = loop.time() + min(float(request.query.get("wait", "0")), 30.0)
        while not (events := self.world.events.since(after, person)):
            if self.closing or loop.time() >= until:
                break
            await self.world.events.signal.wait(until - loop.time())
        last = events[-1].seq if events else max(after, 0)
        return web.json_response({"events": [_event(e) for e in events], "seq": last})

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """The same events as server-sent events, from `after` or the browser's Last-Event-ID on."""
        person = int(request.query["person"])
        after = int(request.headers.get("Last-Event-ID") or request.query.get("after", "0"))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        await response.write(b"retry: 700\n\n")
        with contextlib.suppress(ConnectionResetError):
            await self._tell(response, person, after)
        return response

    async def _tell(self, response: web.StreamResponse, person: int, after: int) -> None:
        while not self.closing:
            events = self.world.events.since(after, person)
            for event in events:
                after = event.seq
                line = json.dumps(_event(event), ensure_ascii=False)
                await response.write(f"id: {event.seq}\ndata: {line}\n\n".encode())
            if not events and not await self.world.events.signal.wait(15):
                await response.write(b": still here\n\n")

    async def file(self, request: web.Request) -> web.StreamResponse:
        """An attachment; only plain pictures are shown in place, everything else is a download."""
        file = self.world.files.known.get(request.match_info["file_id"])
        if file is None:
            raise PersonError("Нет такого файла", 404)
        shown = file.mime in INLINE_IMAGES
        return web.Response(
            body=self.world.files.read(file),
            content_type=file.mime if shown else "application/octet-stream",
            headers={"Content-Disposition": "inline" if shown else "attachment", "Cache-Control": "private"},
        )


def _event(event: Event) -> Json:
    return {"seq": event.seq, "kind": event.kind, **event.data}
