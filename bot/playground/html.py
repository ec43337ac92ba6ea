"""Telegram's HTML: the few tags it knows, checked for nesting. Knows no other markup and no message limits."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from bot.playground.errors import ApiError, bad_request
from bot.playground.state import Json

SIMPLE = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "span": "spoiler",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "a": "text_link",
    "tg-emoji": "custom_emoji",
}
NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
REFERENCE = re.compile(r"&(?:#(\d{1,7})|#x([0-9a-fA-F]{1,6})|([a-z]+));?")
ATTRIBUTE = re.compile(r"""\s*([^\s=>]*)\s*(=?)\s*("[^"]*"|'[^']*'|[^\s>"']*)""")
LANGUAGE = "language-"


def units(text: str) -> int:
    """Length in UTF-16 units, in which Telegram counts."""
    return len(text.encode("utf-16-le")) // 2


def unparsable(what: str) -> ApiError:
    """The refusal of markup that cannot be read."""
    return bad_request(f"can't parse entities: {what}")


@dataclass(slots=True)
class _Tag:
    name: str
    attributes: dict[str, str]
    start: int
    at_byte: int


@dataclass(slots=True)
class _Reader:
    source: str
    at: int = 0
    text: list[str] = field(default_factory=list)
    length: int = 0
    open: list[_Tag] = field(default_factory=list)
    entities: list[Json] = field(default_factory=list)

    def byte(self, at: int) -> int:
        return len(self.source[:at].encode())

    def write(self, piece: str) -> None:
        self.text.append(piece)
        self.length += units(piece)


def parse_html(source: str) -> tuple[str, list[Json]]:
    """(plain text, entities with UTF-16 offsets); ApiError with the place of the first mistake."""
    reader = _Reader(source)
    while reader.at < len(source):
        char = source[reader.at]
        if char == "<":
            _tag(reader)
        elif char == "&":
            _reference(reader)
        else:
            end = re.compile(r"[<&]").search(source, reader.at)
            stop = end.start() if end else len(source)
            reader.write(source[reader.at : stop])
            reader.at = stop
    if reader.open:
        raise unparsable(f'Can\'t find end tag corresponding to start tag "{reader.open[-1].name}"')
    return "".join(reader.text), reader.entities


def _reference(reader: _Reader) -> None:
    found = REFERENCE.match(reader.source, reader.at)
    char = _character(found) if found else None
    if found is None or char is None:
        reader.write("&")
        reader.at += 1
        return
    reader.write(char)
    reader.at = found.end()


def _character(found: re.Match[str]) -> str | None:
    decimal, hexadecimal, name = found.groups()
    if name:
        return NAMED.get(name)
    code = int(decimal) if decimal else int(hexadecimal, 16)
    if code == 0 or code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        return None
    return chr(code)


def _tag(reader: _Reader) -> None:
    if reader.source.startswith("</", reader.at):
        _end_tag(reader)
    else:
        _start_tag(reader)


def _start_tag(reader: _Reader) -> None:
    begin, source = reader.at, reader.source
    found = re.compile(r"[^\s>]*").match(source, begin + 1)
    name = found.group().lower() if found else ""
    at = found.end() if found else begin + 1
    if at >= len(source):
        raise unparsable(f"Unclosed start tag at byte offset {reader.byte(begin)}")
    if name not in SIMPLE:
        raise unparsable(f'Unsupported start tag "{name}" at byte offset {reader.byte(begin)}')
    attributes: dict[str, str] = {}
    while True:
        while at < len(source) and source[at].isspace():
            at += 1
        if at >= len(source):
            raise unparsable(f"Unclosed start tag at byte offset {reader.byte(begin)}")
        if source[at] == ">":
            break
        at = _attribute(reader, at, name, attributes)
    if name == "span" and attributes.get("class") != "tg-spoiler":
        raise unparsable(f'Tag "span" must have class "tg-spoiler" at byte offset {reader.byte(begin)}')
    reader.open.append(_Tag(name, attributes, reader.length, reader.byte(begin)))
    reader.at = at + 1


def _attribute(reader: _Reader, at: int, tag: str, attributes: dict[str, str]) -> int:
    found = ATTRIBUTE.match(reader.source, at)
    if found is None or not found.group(1):
        raise unparsable(f'Empty attribute name in the tag "{tag}" at byte offset {reader.byte(at)}')
    name, equals, value = found.groups()
    if not equals and name.lower() != "expandable":
        raise unparsable(
            f'Expected equal sign in declaration of an attribute of the tag "{tag}" at byte offset {reader.byte(at)}'
        )
    if value[:1] in ("'", '"'):
        value = value[1:-1]
    attributes[name.lower()] = REFERENCE.sub(lambda match: _character(match) or match.group(), value)
    return found.end()


def _end_tag(reader: _Reader) -> None:
    begin = reader.at
    close = reader.source.find(">", begin)
    if not reader.open:
        raise unparsable(f"Unexpected end tag at byte offset {reader.byte(begin)}")
    if close < 0:
        raise unparsable(f"Unclosed end tag at byte offset {reader.byte(begin)}")
    name = reader.source[begin + 2 : close].strip().lower()
    tag = reader.open.pop()
    if name and name != tag.name:
        raise unparsable(
            f'Unmatched end tag at byte offset {reader.byte(begin)}, expected "</{tag.name}>", found "</{name}>"'
        )
    reader.at = close + 1
    length = reader.length - tag.start
    if length:
        entity = _entity(reader, tag, length)
        if entity is not None:
            reader.entities.append(entity)


def _entity(reader: _Reader, tag: _Tag, length: int) -> Json | None:
    entity: Json = {"type": SIMPLE[tag.name], "offset": tag.start, "length": length}
    if tag.name == "a":
        url = tag.attributes.get("href") or "".join(reader.text)[-length:]
        return {**entity, "url": url} if re.match(r"(https?|tg|tonsite|mailto|tel):", url) else None
    if tag.name == "tg-emoji":
        return {**entity, "custom_emoji_id": tag.attributes.get("emoji-id", "")}
    if tag.name == "blockquote" and "expandable" in tag.attributes:
        entity["type"] = "expandable_blockquote"
    if tag.name == "code" and tag.attributes.get("class", "").startswith(LANGUAGE):
        entity["language"] = tag.attributes["class"].removeprefix(LANGUAGE)
    return entity
