"""The Bot API over HTTP: `/bot<token>/<method>` and `/file/bot<token>/<path>`. Knows no people's page."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from typing import Any

from aiohttp import web

from bot.playground import chatting, commands, receiving, sending
from bot.playground.errors import ApiError
from bot.playground.faults import Fault
from bot.playground.params import Params, Upload
from bot.playground.state import BotAccount
from bot.playground.world import World

METHODS: dict[str, Callable[[World, BotAccount, Params], Any]] = {
    "getme": chatting.get_me,
    "getupdates": receiving.get_updates,
    "setwebhook": receiving.set_webhook,
    "deletewebhook": receiving.delete_webhook,
    "getwebhookinfo": receiving.get_webhook_info,
    "sendmessage": sending.send_message,
    "senddocument": sending.send_document,
    "sendphoto": sending.send_photo,
    "editmessagetext": sending.edit_message_text,
    "editmessagecaption": sending.edit_message_caption,
    "editmessagereplymarkup": sending.edit_message_reply_markup,
    "deletemessage": sending.delete_message,
    "sendchataction": chatting.send_chat_action,
    "answercallbackquery": chatting.answer_callback_query,
    "setmessagereaction": chatting.set_message_reaction,
    "getchat": chatting.get_chat,
    "getchatmember": chatting.get_chat_member,
    "getchatadministrators": chatting.get_chat_administrators,
    "getfile": chatting.get_file,
    "setmycommands": commands.set_my_commands,
    "getmycommands": commands.get_my_commands,
    "deletemycommands": commands.delete_my_commands,
    "setmydescription": chatting.set_description,
    "getmydescription": chatting.get_description,
    "setmyshortdescription": chatting.set_short_description,
    "getmyshortdescription": chatting.get_short_description,
    "logout": chatting.yes,
    "close": chatting.yes,
}


class BotApi:
    """The handlers of one world."""

    def __init__(self, world: World) -> None:
        self.world = world

    def routes(self) -> list[web.RouteDef]:
        """Where it is reached; a method's name may be written in any case."""
        return [
            web.route("*", r"/bot{token:[^/]+}/{method:[A-Za-z]+}", self.handle),
            web.get(r"/file/bot{token:[^/]+}/{path:.+}", self.download),
        ]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One call, with the failure that a test may have planned for it."""
        try:
            bot = self._bot(request)
            method = request.match_info["method"]
            params = await read_params(request)
            fault = self.world.faults.take(method, params.values)
            if fault is not None and fault.drop:
                return await self._drop(request, fault, bot, params)
            result = await self._call_with(fault, bot, method, params)
            return _answer({"ok": True, "result": result})
        except ApiError as error:
            return _refusal(error)
        except web.HTTPRequestEntityTooLarge:
            return _refusal(ApiError(413, "Request Entity Too Large"))

    async def _call_with(self, fault: Fault | None, bot: BotAccount, method: str, params: Params) -> Any:
        if fault is None:
            return await self.call(bot, method, params)
        result = await self.call(bot, method, params) if fault.accepted else None
        await asyncio.sleep(fault.delay)
        if fault.error is not None:
            raise fault.error
        return result if fault.accepted else await self.call(bot, method, params)

    async def _drop(self, request: web.Request, fault: Fault, bot: BotAccount, params: Params) -> web.Response:
        if fault.accepted:
            await self.call(bot, request.match_info["method"], params)
        await asyncio.sleep(fault.delay)
        return _cut(request)

    async def call(self, bot: BotAccount, method: str, params: Params) -> Any:
        """Carry out a method by its name."""
        function = METHODS.get(method.lower())
        if function is None:
            raise ApiError(404, "Not Found: method not found")
        result = function(self.world, bot, params)
        return await result if inspect.isawaitable(result) else result

    async def download(self, request: web.Request) -> web.StreamResponse:
        """A file by the path that getFile gave."""
        try:
            self._bot(request)
        except ApiError as error:
            return _refusal(error)
        file = self.world.files.by_path(request.match_info["path"])
        if file is None or file.size > self.world.limits.download_bytes:
            return _refusal(ApiError(404, "Not Found"))
        return web.Response(body=self.world.files.read(file), content_type="application/octet-stream")

    def _bot(self, request: web.Request) -> BotAccount:
        bot = self.world.bots.get(request.match_info["token"])
        if bot is None:
            raise ApiError(401, "Unauthorized")
        return bot


async def read_params(request: web.Request) -> Params:
    """Arguments from the query and from a form, multipart or JSON body."""
    params = Params(dict(request.query))
    if request.content_type == "application/json" and request.can_read_body:
        try:
            body = await request.json()
        except ValueError:
            raise ApiError(400, "Bad Request: can't parse JSON object") from None
        if isinstance(body, dict):
            params.values.update(body)
        return params
    for name, value in (await request.post()).items():
        if isinstance(value, web.FileField):
            mime = value.content_type or "application/octet-stream"
            params.uploads[name] = Upload(value.filename, mime, value.file.read())
        elif isinstance(value, str):
            params.values[name] = value
        else:
            params.uploads[name] = Upload(name, "application/octet-stream", bytes(value))
    return params


def _answer(body: dict[str, Any], status: int = 200) -> web.Response:
    return web.json_response(body, status=status)


def _refusal(error: ApiError) -> web.Response:
    body: dict[str, Any] = {"ok": False, "error_code": error.code, "description": error.description}
    if error.parameters:
        body["parameters"] = error.parameters
    return _answer(body, error.code)


def _cut(request: web.Request) -> web.Response:
    """Cut the connection: the caller never learns what became of its call."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
