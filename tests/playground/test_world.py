"""Groups, privacy, flood arithmetic, saving, and who may open the page."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
import tempfile
from pathlib import Path

import aiohttp
import pytest
from aiogram import Bot
from aiogram.types import ReplyParameters

from bot.playground.app import NotLoopback, serve
from bot.playground.guard import allowed
from bot.playground.limits import Flood, Limits
from bot.playground.person import PNG, Person
from bot.playground.storage import open_world
from bot.playground.world import World
from tests.playground.conftest import TOKEN, connect


async def texts(api: Bot) -> list[str]:
    """What the bot has been sent, confirmed at once."""
    updates = await api.get_updates()
    if updates:
        await api.get_updates(offset=updates[-1].update_id + 1)
    return [str(u.message.text) for u in updates if u.message]


async def test_privacy_mode_hides_what_is_not_for_the_bot(api: Bot, url: str, anna: Person, world: World) -> None:
    async with Person.join(url, "Борис") as boris:
        group = await anna.group("Друзья", boris)
        await boris.send("для админа", chat=group)
        assert await texts(api) == ["для админа"]
        world.chats[0, group].bots[api.id] = "member"
        await boris.send("просто так", chat=group)
        await boris.send("@echo_bot привет", chat=group)
        await anna.send("/help", chat=group)
        answer = await api.send_message(group, "слушаю", reply_parameters=ReplyParameters(message_id=1))
        await anna.send("отвечаю", chat=group, reply_to=answer.message_id)
        await anna.send("/help@other_bot", chat=group)
        assert await texts(api) == ["@echo_bot привет", "/help", "отвечаю"]
        assert [one.raw["sender"]["name"] for one in await boris.history(group)][:2] == ["Борис", "Борис"]


async def test_a_group_is_not_seen_by_strangers(url: str, anna: Person) -> None:
    group = await anna.group("Друзья")
    await anna.send("тайна", chat=group)
    async with Person.join(url, "Чужой") as stranger:
        with pytest.raises(Exception, match="Нет такого чата"):
            await stranger.history(group)
        await anna.send("ещё тайна", chat=group)
        with pytest.raises(AssertionError, match="waited"):
            await stranger.event("message", 0.1, lambda event: True)


def test_flood_arithmetic() -> None:
    limits = Limits(chat_burst=3, group_per_minute=5, overall_per_second=10)
    flood = Flood()
    assert [flood.retry_after(limits, 0, 1, group=False) for _ in range(4)] == [0, 0, 0, 1]
    assert flood.retry_after(limits, 1, 1, group=False) == 0
    group = Flood()
    assert [group.retry_after(limits, 10.0 * n, -1, group=True) for n in range(5)] == [0] * 5
    assert group.retry_after(limits, 41, -1, group=True) == 19
    everyone = Flood()
    assert [everyone.retry_after(limits, 0, chat, group=False) for chat in range(11)] == [0] * 10 + [1]
    free = Limits.none()
    assert {everyone.retry_after(free, 0, 1, group=True) for _ in range(1000)} == {0}


async def test_a_restart_shows_the_same_chat_and_loses_no_update(tmp_path: Path) -> None:
    path = tmp_path / "var" / "playground.json"
    world = open_world(path, limits=Limits.none())
    world.add_bot(TOKEN, "echo_bot")
    async with serve(world=world) as url, Person.join(url, "Аня") as anna:
        api = connect(url)
        await anna.send("раз")
        await anna.send_photo(PNG, caption="картинка")
        await api.send_message(anna.id, "<b>два</b>", parse_mode="HTML")
        before = [one.raw for one in await anna.history()]
        await api.session.close()
    again = open_world(path)
    again.add_bot(TOKEN, "echo_bot")
    async with serve(world=again) as url, Person.join(url, "Аня", id=anna.id) as anna:
        assert [one.raw for one in await anna.history()] == before
        api = connect(url)
        first, second = await api.get_updates()
        assert first.message is not None
        assert second.message is not None
        assert (first.message.text, second.message.caption) == ("раз", "картинка")
        assert second.message.photo is not None
        got = await api.download(second.message.photo[-1].file_id)
        assert got is not None
        assert got.read() == PNG
        await api.session.close()
    assert [file.name for file in path.parent.iterdir() if file.name.endswith(".new")] == []


async def test_a_playground_that_closes_sends_a_waiting_bot_off_without_a_conflict(world: World) -> None:
    async with serve(world=world) as url:
        api = connect(url)
        waiting = asyncio.create_task(api.get_updates(timeout=20))
        assert await world.runtime[api.id].updates.wait(5)
    assert await asyncio.wait_for(waiting, 5) == []
    await api.session.close()


async def test_changes_are_saved_while_running(tmp_path: Path) -> None:
    path = tmp_path / "playground.json"
    world = open_world(path)
    world.add_bot(TOKEN)
    async with serve(world=world) as url, Person.join(url, "Аня") as anna:
        await anna.send("не потеряйся")
        await asyncio.sleep(1.2)
        assert "не потеряйся" in path.read_text(encoding="utf-8")


async def test_only_loopback_unless_asked() -> None:
    with pytest.raises(NotLoopback):
        async with serve("0.0.0.0:0"):
            raise AssertionError("it was opened")
    async with serve("0.0.0.0:0", allow_network=True) as url:
        assert url.startswith("http://0.0.0.0:")


@pytest.mark.parametrize(
    ("host", "origin", "site", "fine"),
    [
        ("127.0.0.1:8765", None, None, True),
        ("localhost:8765", "http://localhost:8765", "same-origin", True),
        ("[::1]:8765", None, None, True),
        ("evil.example:8765", None, None, False),
        ("127.0.0.1.evil.example", None, None, False),
        ("127.0.0.1:8765", "http://evil.example", None, False),
        ("127.0.0.1:8765", "http://127.0.0.1:9999", None, False),
        ("127.0.0.1:8765", "null", None, False),
        ("127.0.0.1:8765", None, "cross-site", False),
        ("playground:8765", None, None, True),
    ],
)
def test_who_may_come_in(host: str, origin: str | None, site: str | None, fine: bool) -> None:
    assert allowed(host, origin, site, frozenset({"playground"})) is fine


async def test_the_page_forbids_foreign_and_inline_scripts(url: str) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(url) as answer:
            policy = answer.headers["Content-Security-Policy"]
            page = await answer.text()
        assert "default-src 'none'" in policy
        assert "unsafe-inline" not in policy
        assert "<script>" not in page and "style=" not in page and "//cdn" not in page
        async with session.get(url, headers={"Host": "evil.example"}) as answer:
            assert answer.status == 403
        async with session.post(f"{url}/playground/api/send", data=b"{broken") as answer:
            assert answer.status == 400


async def test_a_hostile_file_is_a_download_not_a_page(url: str, anna: Person) -> None:
    sent = await anna.send_document(b"<script>alert(1)</script>", "x.html")
    assert sent.media is not None
    address = f"{url}/playground/files/{sent.media['file_id']}"
    async with aiohttp.ClientSession() as session, session.get(address) as answer:
        assert answer.content_type == "application/octet-stream"
        assert answer.headers["Content-Disposition"] == "attachment"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_the_command_opens_a_furnished_world_and_stops_when_told(tmp_path: Path) -> None:
    """As `otklik up` starts it: says when it is ready, keeps its state, ends on SIGTERM."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))  # the name of a Unix socket must be short
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(folder / "n"))
        channel.setblocking(False)
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "import sys; from bot.playground.app import main; sys.exit(main(sys.argv[1:]))",
            *("--listen", "127.0.0.1:0", "--state", str(tmp_path / "state.json"), "--token", "100001:playground"),
            env={**os.environ, "NOTIFY_SOCKET": str(folder / "n")},
            stdout=asyncio.subprocess.DEVNULL,
        )
        words = (await asyncio.wait_for(asyncio.get_running_loop().sock_recv(channel, 4096), 20)).decode()
    url = words.partition("STATUS=")[2].split("\n")[0]
    async with Person.join(url, "Гость") as guest:
        await guest.send("привет")
    api = connect(url, "100001:playground")
    messages = [u.message.text for u in await api.get_updates() if u.message]
    await api.session.close()
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 10) == 0
    assert messages == ["привет"]
    names = [person.first_name for person in open_world(tmp_path / "state.json").people.values()]
    assert names == ["Аня", "Борис", "Вера", "Гость"]
    shutil.rmtree(folder)
