"""Updates by webhook: only with the secret, confirmed only when handled, none lost over a restart."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import aiohttp

from bot.webhook import HEADER
from tests.bot.stage import stage

SECRET = "s3cret_-"


def webhook() -> dict[str, Any]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return {
        "updates": "webhook",
        "webhook_url": f"http://127.0.0.1:{port}/hook",
        "webhook_secret": SECRET,
        "webhook_listen": f"127.0.0.1:{port}",
    }


async def test_a_conversation_by_webhook_survives_a_restart(tmp_path: Path) -> None:
    async with stage(tmp_path, **webhook()) as scene, scene.person() as anna:
        assert (await anna.ask("раз")).text == "[joy 2] раз"
        await scene.stop()
        await anna.send("два")
        await asyncio.sleep(0.3)
        await scene.start()
        assert (await anna.next_message(within=20)).text == "[joy 2] два"
        await anna.silence(0.3)


async def test_only_telegram_may_bring_updates(tmp_path: Path) -> None:
    settings = webhook()
    async with stage(tmp_path, **settings) as scene, scene.person() as anna, aiohttp.ClientSession() as session:
        await anna.ask("раз")
        forged = {"update_id": 1, "message": {"message_id": 99, "date": 1, "chat": {"id": anna.id, "type": "private"}}}

        async def post(body: str | dict[str, Any], secret: str | None) -> int:
            headers = {HEADER: secret} if secret is not None else {}
            what: dict[str, Any] = {"data": body} if isinstance(body, str) else {"json": body}
            async with session.post(settings["webhook_url"], headers=headers, **what) as answer:
                return answer.status

        assert await post(forged, None) == 401
        assert await post(forged, "wrong") == 401
        assert await post(forged, "кириллица") == 401
        assert await post("not json", SECRET) == 200
        assert await post("[]", SECRET) == 200
        assert await post({"update_id": "x"}, SECRET) == 200
        assert await post({"update_id": 5, "message": {"chat": 7}}, SECRET) == 200


async def test_an_update_is_not_confirmed_while_redis_is_away(tmp_path: Path) -> None:
    async with stage(tmp_path, **webhook()) as scene, scene.person() as anna:
        await anna.ask("раз")
        await scene.worker.pause()
        await asyncio.sleep(0.2)
        await scene.server.kill()
        await anna.send("два")
        await asyncio.sleep(0.5)
        assert scene.world.bots[scene.settings.token.get_secret_value()].updates  # type: ignore[union-attr]
        await scene.server.start()
        scene.worker.resume()
        assert (await anna.next_message(within=20)).text == "[joy 2] два"
