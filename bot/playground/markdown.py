"""Telegram's MarkdownV2. The older «Markdown» is not known here, nor are message limits."""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.playground.html import units, unparsable
from bot.playground.state import Json

RESERVED = frozenset("_*[]()~`>#+-=|{}.!")
MARKS = {"||": "spoiler", "__": "underline", "*": "bold", "_": "italic", "~": "strikethrough", "![": "custom_emoji"}
NAMES = {"text_link": "TextUrl", "custom_emoji": "CustomEmoji", "pre": "Pre", "code": "Code"}


@dataclass(slots=True)
class _Open:
    kind: str
    start: int
    at_byte: int


@dataclass(slots=True)
class _Reader:
    source: str
    at: int = 0
    text: list[str] = field(default_factory=list)
    length: int = 0
    open: list[_Open] = field(default_factory=list)
    entities: list[Json] = field(default_factory=list)
    quote: int | None = None

    def byte(self) -> int:
        return len(self.source[: self.at].encode())

    def sees(self, piece: str) -> bool:
        return self.source.startswith(piece, self.at)

    def write(self, piece: str) -> None:
        self.text.append(piece)
        self.length += units(piece)

    def begin(self, kind: str, skip: int) -> None:
        self.open.append(_Open(kind, self.length, self.byte()))
        self.at += skip

    def finish(self, **extra: str) -> None:
        mark = self.open.pop()
        if self.length > mark.start:
            self.entities.append({"type": mark.kind, "offset": mark.start, "length": self.length - mark.start, **extra})


def parse_markdown(source: str) -> tuple[str, list[Json]]:
    """(plain text, entities with UTF-16 offsets); ApiError with the place of the first mistake."""
    reader = _Reader(source)
    while reader.at < len(source):
        if _line_start(reader):
            continue
        if reader.open and reader.open[-1].kind in ("code", "pre"):
            _verbatim(reader)
        else:
            _step(reader)
    _end_quote(reader)
    if reader.open:
        last = reader.open[-1]
        name = NAMES.get(last.kind, last.kind.capitalize())
        raise unparsable(f"Can't find end of {name} entity at byte offset {last.at_byte}")
    return "".join(reader.text), reader.entities


def _line_start(reader: _Reader) -> bool:
    """Begin or end a quotation; True if something was read."""
    if reader.at and reader.source[reader.at - 1] != "\n":
        return False
    if reader.open and reader.open[-1].kind in ("code", "pre"):
        return False
    if reader.sees(">"):
        if reader.quote is None:
            reader.quote = reader.length
        reader.at += 1
        return True
    _end_quote(reader)
    return False


def _end_quote(reader: _Reader) -> None:
    if reader.quote is None:
        return
    kind = "blockquote"
    last = reader.open[-1] if reader.open else None
    if last is not None and last.kind == "spoiler" and reader.length - last.start <= 1:
        reader.open.pop()
        kind = "expandable_blockquote"
    if reader.length > reader.quote:
        reader.entities.append({"type": kind, "offset": reader.quote, "length": reader.length - reader.quote})
    reader.quote = None


def _verbatim(reader: _Reader) -> None:
    kind = reader.open[-1].kind
    fence = "```" if kind == "pre" else "`"
    if reader.sees(fence):
        reader.at += len(fence)
        reader.finish()
        return
    if reader.sees("\\") and reader.at + 1 < len(reader.source):
        reader.at += 1
    reader.write(reader.source[reader.at])
    reader.at += 1


def _step(reader: _Reader) -> None:
    char = reader.source[reader.at]
    following = reader.source[reader.at + 1 : reader.at + 2]
    if char == "\\" and following and ord(following) < 128:
        reader.write(following)
        reader.at += 2
    elif char not in RESERVED:
        reader.write(char)
        reader.at += 1
    elif char == "`":
        _code(reader)
    elif char == "[":
        reader.begin("text_link", 1)
    elif char == "]":
        _link_end(reader)
    else:
        _mark(reader, char)


def _code(reader: _Reader) -> None:
    if not reader.sees("```"):
        reader.begin("code", 1)
        return
    reader.begin("pre", 3)
    end = reader.source.find("\n", reader.at)
    word = reader.source[reader.at : end] if end > 0 else ""
    if word and "`" not in word and " " not in word:
        reader.at = end + 1
    elif reader.sees("\n"):
        reader.at += 1


def _mark(reader: _Reader, char: str) -> None:
    for mark, kind in MARKS.items():
        if not reader.sees(mark):
            continue
        if reader.open and reader.open[-1].kind == kind and mark != "![":
            reader.at += len(mark)
            reader.finish()
        elif any(one.kind == kind for one in reader.open):
            break
        else:
            reader.begin(kind, len(mark))
        return
    raise unparsable(f"Character '{char}' is reserved and must be escaped with the preceding '\\'")


def _link_end(reader: _Reader) -> None:
    if not reader.open or reader.open[-1].kind not in ("text_link", "custom_emoji"):
        raise unparsable("Character ']' is reserved and must be escaped with the preceding '\\'")
    kind, begin = reader.open[-1].kind, reader.byte()
    reader.at += 1
    if not reader.sees("("):
        reader.finish(url="") if kind == "custom_emoji" else reader.open.pop()
        return
    url: list[str] = []
    reader.at += 1
    while not reader.sees(")"):
        if reader.at >= len(reader.source):
            raise unparsable(f"Can't find end of a URL at byte offset {begin}")
        if reader.sees("\\"):
            reader.at += 1
        url.append(reader.source[reader.at : reader.at + 1])
        reader.at += 1
    reader.at += 1
    address = "".join(url)
    reader.finish(**({"url": address} if kind == "text_link" else {"custom_emoji_id": address.rpartition("=")[2]}))
