"""Readers of talk: chats with roles, dialogues of alternating turns. Knows their usual spellings, no file format."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from typing import Any

from storage.contracts import Turn
from training.data.reading.fields import Fields
from training.data.reading.records import name_type
from training.data.rows import Answer, Dialogue, Row

ROLES = {
    "user": "user", "human": "user", "person": "user", "client": "user", "пользователь": "user",
    "assistant": "assistant", "gpt": "assistant", "bot": "assistant", "model": "assistant", "ассистент": "assistant",
    "system": "system", "developer": "system",
}  # fmt: skip
Said = tuple[str, str]


def chat(fields: Fields) -> list[Row]:
    """`messages` with roles → the last assistant's answer, or the whole dialogue with kind `dialogue`.

    What follows the last answer is dropped. Neighbouring messages of one role become one.
    """
    given = said(fields, "messages", unpacked(fields.take("messages", "conversations", "conversation")))
    fields.done()
    system, turns = parted(given)
    while turns and turns[-1].role == "user" and fields.options.kind != "dialogue":
        turns = turns[:-1]
    if fields.options.kind == "dialogue":
        return _dialogue(fields, "messages", turns, system)
    if len(turns) < 2:
        fields.fault("messages", "expected an assistant's message after a user's")
    fields.done()
    return [_answer(fields, "messages", turns[:-1], turns[-1].text, system)]


def dialogue(fields: Fields) -> list[Row]:
    """`turns` of two who take turns, as texts or as objects with a role or a speaker → a dialogue.

    With a `reply` beside them (the seed corpus's export) → an answer.
    """
    turns = _turns(fields, unpacked(fields.take("turns", "dialogue", "dialog", "utterances")))
    reply = fields.take("reply")
    if reply is None:
        fields.done()
        return _dialogue(fields, "turns", turns, "")
    answer = fields.clean("reply", reply)
    if turns and turns[-1].role != "user":
        fields.fault("turns", "expected a person's turn before the reply")
    fields.done()
    return [_answer(fields, "turns", turns, answer, "")]


def said(fields: Fields, name: str, value: Any) -> list[Said]:
    """`(role, text)` of a list of messages; faults are gathered in `fields`."""
    if not isinstance(value, list) or not value:
        got = "an empty list" if value == [] else name_type(value)
        fields.fault(name, f"expected a list of messages with role and content, got {got}")
        return []
    found: list[Said] = []
    for number, message in enumerate(value):
        place = f"{name}[{number}]"
        if not isinstance(message, dict):
            fields.fault(place, f"expected a message with role and content, got {name_type(message)}")
            continue
        role = message.get("role", message.get("from"))
        known = ROLES.get(role.strip().casefold()) if isinstance(role, str) else None
        if known is None:
            fields.fault(f"{place}.role", "expected system, user or assistant")
        text = _content(fields, f"{place}.content", message)
        if known and text:
            found.append((known, text))
    return found


def unpacked(value: Any) -> Any:
    """A list that a table's cell holds as JSON; anything else as it is."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        with contextlib.suppress(ValueError, RecursionError):
            return json.loads(value)
    return value


def parted(messages: Sequence[Said]) -> tuple[str, list[Turn]]:
    """The system text, and the turns with neighbours of one role joined."""
    system = "\n\n".join(text for role, text in messages if role == "system")
    turns: list[Turn] = []
    for role, text in messages:
        if role == "system":
            continue
        if turns and turns[-1].role == role:
            turns[-1] = Turn.model_validate({"role": role, "text": f"{turns[-1].text}\n{text}"})
        else:
            turns.append(Turn.model_validate({"role": role, "text": text}))
    return system, turns


def _content(fields: Fields, place: str, message: dict[str, Any]) -> str:
    value = message.get("content", message.get("value", message.get("text")))
    if isinstance(value, list):
        parts = [part.get("text") if isinstance(part, dict) and part.get("type") == "text" else None for part in value]
        if not all(isinstance(part, str) for part in parts):
            fields.fault(place, "expected text only, got a part of another kind (an image?)")
            return ""
        value = "\n".join(map(str, parts))
    return fields.clean(place, value)


def _turns(fields: Fields, value: Any) -> list[Turn]:
    if not isinstance(value, list) or len(value) < 2:
        got = f"a list of {len(value)}" if isinstance(value, list) else name_type(value)
        if not (isinstance(value, list) and value and fields.has("reply")):
            fields.fault("turns", f"expected a list of two turns or more, got {got}")
            return []
    if not all(isinstance(one, dict) for one in value):
        texts = [fields.clean(f"turns[{number}]", one) for number, one in enumerate(value)]
        other = "assistant" if fields.options.first == "user" else "user"
        roles = [fields.options.first, other]
        return [Turn.model_validate({"role": roles[n % 2], "text": text}) for n, text in enumerate(texts)]
    return parted(said(fields, "turns", _by_speaker(fields, value)))[1]


def _by_speaker(fields: Fields, value: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Messages whose two speakers, in order of appearance, got roles; unchanged if they have roles."""
    if any("role" in one or "from" in one for one in value):
        return value
    other = "assistant" if fields.options.first == "user" else "user"
    roles: dict[str, str] = {}
    for one in value:
        roles.setdefault(str(one.get("speaker")), fields.options.first if not roles else other)
    if len(roles) > 2:
        fields.fault("turns", f"expected two speakers, got {len(roles)}")
    return [{**one, "role": roles[str(one.get("speaker"))]} for one in value]


def _dialogue(fields: Fields, name: str, turns: Sequence[Turn], system: str) -> list[Row]:
    common = fields.common()
    if not turns:
        fields.fault(name, "expected a turn of a user or an assistant")
    fields.done()
    return [Dialogue(turns=tuple(turns), **{**common, "system": system or common["system"]})]


def _answer(fields: Fields, name: str, prompt: Sequence[Turn], answer: str, system: str) -> Answer:
    common = fields.common()
    if not prompt:
        fields.fault(name, "expected a person's turn")
    fields.done()
    return Answer(prompt=tuple(prompt), answer=answer, **{**common, "system": system or common["system"]})
