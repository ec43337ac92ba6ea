"""From what a bot or a person wrote to text and entities as a message keeps them. Knows no chats."""

from __future__ import annotations

import json
import re
from typing import Any

from bot.playground.errors import bad_request
from bot.playground.html import parse_html, units
from bot.playground.markdown import parse_markdown
from bot.playground.state import Json

DETECTED = re.compile(
    r"(?P<url>\bhttps?://[^\s<>«»\"]+[^\s<>«»\".,;:!?)\]]|\bwww\.[\w-]+\.[\w./-]+\w)"
    r"|(?P<email>\b[\w.+-]+@[\w-]+\.[\w.-]*\w)"
    r"|(?P<bot_command>(?<![\w/<>@])/[A-Za-z0-9_]{1,64}(?:@\w{3,32})?(?![\w/]))"
    r"|(?P<mention>(?<![\w@])@[A-Za-z]\w{3,31}\b)"
    r"|(?P<hashtag>(?<![\w#&])#\w*[^\W\d]\w*)"
)
VERBATIM = frozenset({"code", "pre", "text_link"})
KINDS = frozenset(
    [
        "bold",
        "italic",
        "underline",
        "strikethrough",
        "spoiler",
        "code",
        "pre",
        "text_link",
        "text_mention",
        "blockquote",
        "expandable_blockquote",
        "custom_emoji",
        "mention",
        "hashtag",
        "cashtag",
        "bot_command",
        "url",
        "email",
        "phone_number",
        "date_time",
    ]
)


def formatted(text: str, parse_mode: str | None, given: Any) -> tuple[str, list[Json]]:
    """Text and all its entities, trimmed; ApiError where Telegram refuses the markup."""
    text = text.replace("\r", "").replace("\0", "")
    mode = (parse_mode or "").lower()
    if mode == "html":
        text, entities = parse_html(text)
    elif mode == "markdownv2":
        text, entities = parse_markdown(text)
    elif mode:
        raise bad_request("unsupported parse_mode")
    else:
        entities = _given(text, given)
    text, entities = _trim(text, entities)
    return text, _ordered(_without_nested_code(entities) + detect(text, entities))


def detect(text: str, taken: list[Json] | None = None) -> list[Json]:
    """Links, mentions, hashtags and commands that Telegram finds by itself outside of code and links."""
    closed = [e for e in taken or [] if e["type"] in VERBATIM]
    found: list[Json] = []
    for match in DETECTED.finditer(text):
        entity = {
            "type": str(match.lastgroup),
            "offset": units(text[: match.start()]),
            "length": units(match.group()),
        }
        if not any(_overlap(entity, other) for other in closed):
            found.append(entity)
    return found


def _given(text: str, given: Any) -> list[Json]:
    if given is None:
        return []
    try:
        listed = json.loads(given) if isinstance(given, str) else given
        entities = [dict(one) for one in listed]
        for one in entities:
            one["offset"], one["length"] = int(one["offset"]), int(one["length"])
            if one["type"] not in KINDS:
                raise ValueError(one["type"])
    except (ValueError, TypeError, KeyError):
        raise bad_request("can't parse MessageEntity: Type of an entity is unsupported") from None
    total = units(text)
    for one in entities:
        if one["offset"] < 0 or one["length"] < 0 or one["offset"] + one["length"] > total:
            raise bad_request(
                f"entity beginning at UTF-16 offset {one['offset']} ends after the end of the text "
                f"at UTF-16 offset {total}"
            )
    return [one for one in entities if one["length"]]


def _trim(text: str, entities: list[Json]) -> tuple[str, list[Json]]:
    lead = units(text) - units(text.lstrip())
    text = text.strip()
    total = units(text)
    kept = []
    for one in entities:
        start = min(max(one["offset"] - lead, 0), total)
        end = min(max(one["offset"] - lead + one["length"], 0), total)
        if end > start:
            kept.append({**one, "offset": start, "length": end - start})
    return text, kept


def _overlap(one: Json, other: Json) -> bool:
    return bool(one["offset"] < other["offset"] + other["length"] and other["offset"] < one["offset"] + one["length"])


def _without_nested_code(entities: list[Json]) -> list[Json]:
    blocks = [e for e in entities if e["type"] == "pre"]
    kept: list[Json] = []
    for one in entities:
        block = next((b for b in blocks if b is not one and _overlap(one, b)), None)
        if block is None:
            kept.append(one)
        elif "language" in one and (one["offset"], one["length"]) == (block["offset"], block["length"]):
            block["language"] = one["language"]
    return [e if e["type"] == "pre" else {k: v for k, v in e.items() if k != "language"} for e in kept]


def _ordered(entities: list[Json]) -> list[Json]:
    return sorted(entities, key=lambda e: (e["offset"], -e["length"]))
