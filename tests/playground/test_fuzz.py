"""Whatever arguments a bot sends, the answer is a result or a refusal, never a crash."""

from __future__ import annotations

import asyncio
import inspect
import json
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.playground import actions
from bot.playground.botapi import METHODS
from bot.playground.errors import ApiError
from bot.playground.limits import Limits
from bot.playground.params import Params, Upload
from bot.playground.world import World

NAMES = re.findall(
    r"\w+",
    "chat_id text message_id reply_markup reply_parameters entities parse_mode commands scope language_code reaction "
    "callback_query_id action offset limit allowed_updates document photo file_id user_id caption",
)
KEYS = ["type", "message_id", "inline_keyboard", "keyboard", "text", "offset"]
SCALARS = st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=6)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=6,
)
VALUES = JSON | JSON.map(json.dumps) | st.sampled_from(["attach://f", "attach://x", "HTML", "typing"])


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(METHODS)), st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=6), st.booleans())
def test_any_call_is_answered(method: str, values: dict[str, object], known_chat: bool) -> None:
    async def call() -> None:
        world = World(limits=Limits.none())
        world.add_bot("42:token")
        anna = world.add_person("Аня")
        actions.say(world, anna.id, 42, "привет")
        params = Params(dict(values), {"f": Upload("f", "text/plain", b"text")})
        if known_chat:
            params.values["chat_id"] = anna.id
            params.values.setdefault("message_id", 1)
        params.values.pop("timeout", None)
        try:
            result = METHODS[method](world, world.bots["42:token"], params)
            result = await result if inspect.isawaitable(result) else result
        except ApiError as refused:
            assert 400 <= refused.code < 500
            return
        json.dumps(result)

    asyncio.run(call())
