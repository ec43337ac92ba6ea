"""`otklik chat`: talk in the terminal through the same queue and worker as the bot's people.

Without STORAGE_REDIS_URL an embedded server and a worker are started for the conversation and stopped with it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import tempfile
import threading
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

from redis.exceptions import RedisError
from rich.console import Console
from rich.markup import escape

from bot import texts
from bot.crisis import is_crisis
from otklik.supervisor import Child, ChildFailed, ChildSpec
from storage.contracts import ChatReply, ChatRequest, ReplyState, Turn, now, request_id
from storage.conversation import Conversation
from storage.embedded import EmbeddedRedis
from storage.presets import Presets
from storage.queue import QueueFull, flatten
from storage.redis import connect
from storage.settings import StorageSettings

WINDOW = 8
PATIENCE = 120.0
HELP = "/emotion НАЗВАНИЕ — сменить эмоцию, /intensity 1|2|3 — силу, /reset — начать заново, /quit — выйти"


class NoAnswer(Exception):
    """No worker answered in time."""

    def __init__(self) -> None:
        super().__init__(f"no worker answered within {PATIENCE:g} s: is `otklik worker` running on this queue?")


class Talk:
    """One dialogue: what was said, and in which emotion to answer."""

    def __init__(self, line: Conversation, presets: Presets, emotion: str, intensity: int) -> None:
        self.line = line
        self.presets = presets
        self.emotion = emotion
        self.intensity = intensity
        self.turns: list[Turn] = []
        self.count = 0
        # A terminal has no chat id: a random one keeps its requests apart from everybody else's.
        self.chat_id = -uuid.uuid4().int % 2**40

    async def say(self, text: str) -> ChatReply:
        """Send one message and wait for its reply."""
        self.count += 1
        self.turns.append(Turn(role="user", text=text))
        request = ChatRequest(
            request_id=request_id(self.chat_id, (self.count,)),
            chat_id=self.chat_id,
            user_id=self.chat_id,
            turns=tuple(self.turns[-WINDOW:]),
            emotion=self.emotion,
            intensity=self.intensity,
            deadline=now() + timedelta(seconds=PATIENCE),
        )
        await self.line.ask(request)
        reply = await self._wait(request.request_id)
        if reply.state is ReplyState.DONE:
            self.turns.append(Turn(role="assistant", text=reply.text))
        return reply

    async def _wait(self, wanted: str) -> ChatReply:
        """The reply with this id. Replies of other chats stay in the stream for the bot that owns them."""
        last = "0-0"
        end = asyncio.get_running_loop().time() + PATIENCE + 5
        while asyncio.get_running_loop().time() < end:
            answer = await self.line.redis.xread({self.line.replies.stream: last}, block=500)
            pairs = answer.items() if isinstance(answer, dict) else (answer or [])
            for _, chunk in pairs:
                for entry, fields in flatten(chunk):
                    last = entry
                    reply = ChatReply.model_validate_json(fields["data"])
                    if reply.request_id == wanted:
                        await self.line.redis.xdel(self.line.replies.stream, entry)
                        return reply
        raise NoAnswer

    def obey(self, command: str) -> str:
        """Run a slash command; returns what to print."""
        name, _, rest = command.partition(" ")
        if name == "/emotion":
            preset = self.presets.find(rest)
            if preset is None:
                known = ", ".join(p.title for p in self.presets.presets)
                return f"Такой эмоции нет. Есть: {known}, {self.presets.auto.title}."
            self.emotion = preset.id
            return f"Теперь {preset.emoji} {preset.title}."
        if name == "/intensity" and rest in ("1", "2", "3"):
            self.intensity = int(rest)
            return f"Сила: {rest}."
        if name == "/reset":
            self.turns.clear()
            return "Начнём заново."
        return HELP


@contextlib.asynccontextmanager
async def own_line(settings: StorageSettings, console: Console) -> AsyncIterator[str]:
    """The Redis URL to talk through: the operator's, or a server and a worker of our own."""
    if settings.redis_url is not None:
        yield settings.redis()
        return
    # The dialogue lives in this folder's AOF: it goes when the conversation ends.
    with tempfile.TemporaryDirectory(prefix="otklik-chat-", ignore_cleanup_errors=True) as name:
        async with _own_server(settings, Path(name), console) as url:
            yield url


@contextlib.asynccontextmanager
async def _own_server(settings: StorageSettings, folder: Path, console: Console) -> AsyncIterator[str]:
    async with EmbeddedRedis(folder / "redis") as url:
        env = {
            "STORAGE_REDIS_URL": url,
            "STORAGE_DIR": str(settings.dir.absolute()),
            "MODELS_DRAIN_SECONDS": "1",
        }
        spec = ChildSpec("worker", [sys.executable, "-m", "otklik", "worker"], folder / "worker.log", env)
        worker = Child(spec, lambda line: console.print(escape(line)))
        task = asyncio.create_task(worker.run())
        ready = asyncio.create_task(worker.ready.wait())
        try:
            with console.status("Загружаю модель…"):
                await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
            yield url
        finally:
            ready.cancel()
            await worker.stop(5)
            task.cancel()
            await asyncio.gather(task, ready, return_exceptions=True)


async def _talk(arguments: argparse.Namespace, console: Console) -> int:
    settings = StorageSettings()
    presets = settings.load_presets()
    preset = presets.find(arguments.emotion)
    if preset is None:
        console.print(f"Такой эмоции нет: {escape(arguments.emotion)}")
        return 2
    async with own_line(settings, console) as url:
        client = connect(url, connections=4)
        line = Conversation(client, settings)
        await line.ensure()
        talk = Talk(line, presets, preset.id, arguments.intensity)
        console.print(f"{preset.emoji} {preset.title}. {HELP}")
        try:
            await _converse(talk, console)
        finally:
            await client.aclose()
    return 0


def _typed_lines() -> asyncio.Queue[str | None]:
    """Lines from the terminal, None at its end. Read in a daemon thread: Ctrl-C must not wait for Enter."""
    lines: asyncio.Queue[str | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def read() -> None:
        for line in sys.stdin:
            loop.call_soon_threadsafe(lines.put_nowait, line)
        loop.call_soon_threadsafe(lines.put_nowait, None)

    threading.Thread(target=read, daemon=True, name="terminal").start()
    return lines


async def _converse(talk: Talk, console: Console) -> None:
    lines = _typed_lines()
    while True:
        console.print("вы › ", end="")
        typed = await lines.get()
        if typed is None:
            return
        text = typed.strip()
        if text in ("/quit", "/exit"):
            return
        if text.startswith("/"):
            console.print(escape(talk.obey(text)))
        elif text and is_crisis(text):
            # As in the bot: no model is asked, and the dialogue does not remember it.
            console.print(escape(texts.CRISIS), highlight=False)
        elif text:
            try:
                show(await talk.say(text), console, talk.presets)
            except QueueFull:
                console.print("Очередь полна, попробуйте чуть позже.")


def show(reply: ChatReply, console: Console, presets: Presets) -> None:
    """Print one reply with how well it carries the emotion."""
    if reply.state is not ReplyState.DONE:
        console.print(f"[red]ответа нет:[/] {reply.reason or reply.state}")
        return
    preset = presets.find(reply.emotion)
    fit = "" if reply.fit is None else f" [dim]({preset.title if preset else reply.emotion}, {reply.fit:.0%})[/]"
    console.print(f"[bold]бот ›[/] {escape(reply.text)}{fit}", highlight=False)


def main(argv: list[str]) -> int:
    """Entry of `otklik chat`."""
    parser = argparse.ArgumentParser(prog="otklik chat", description=__doc__)
    parser.add_argument("--emotion", default="авто", help="preset id or Russian title (default: авто)")
    parser.add_argument("--intensity", type=int, choices=(1, 2, 3), default=2)
    try:
        return asyncio.run(_talk(parser.parse_args(argv), Console()))
    except (ChildFailed, NoAnswer) as error:
        print(f"otklik: {error}", file=sys.stderr)
        return 2
    except RedisError as error:
        print(f"otklik: the queue does not answer ({type(error).__name__}): check STORAGE_REDIS_URL", file=sys.stderr)
        return 2
