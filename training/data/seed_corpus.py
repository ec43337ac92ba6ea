"""The seed corpus: parses its text files into rows and splits them by message. Knows nothing of training.

A block is `## subject · ты|вы`, the dialogue (`> ` person, `< ` bot), then `emotion intensity: reply` lines.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from storage.contracts import Turn

FOLDER = Path(__file__).with_name("seed")
EMOTIONS = ("нейтрально", "радость", "грусть", "удивление", "страх", "злость", "отвращение", "сочувствие")
HELD_OUT_PERCENT = 10
_HEADER = re.compile(r"^## (?P<subject>[^·]+) · (?P<register>ты|вы)$")
_REPLY = re.compile(rf"^(?P<emotion>{'|'.join(EMOTIONS)}) (?P<intensity>[123]): (?P<text>\S.*)$")


class SeedError(ValueError):
    """A line of the seed corpus does not follow the format."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}")


@dataclass(frozen=True)
class SeedRow:
    """One reply to one message (or short dialogue), in one emotion at one intensity."""

    source: str
    line: int
    subject: str
    register: str
    turns: tuple[Turn, ...]
    emotion: str
    intensity: int
    reply: str

    @property
    def message(self) -> str:
        """The person's words that the split goes by."""
        return "\n".join(turn.text for turn in self.turns)

    @property
    def held_out(self) -> bool:
        """Whether the row's message belongs to the held-out tenth: all its replies do, or none."""
        return held_out(self.message)


def held_out(message: str) -> bool:
    """Stable split by the first eight hex digits of the SHA-256 of the folded message."""
    folded = re.sub(r"[^а-яa-z0-9]+", " ", message.lower().replace("ё", "е")).strip()
    return int(hashlib.sha256(folded.encode()).hexdigest()[:8], 16) % 100 < HELD_OUT_PERCENT


def load(folder: Path | None = None) -> list[SeedRow]:
    """All rows of a folder of seed files (the shipped one), in file order; SeedError names the first wrong line."""
    folder = folder or FOLDER
    return [row for path in sorted(folder.glob("*.txt")) for row in parse(path.name, path.read_text(encoding="utf-8"))]


def split(rows: Iterable[SeedRow]) -> tuple[list[SeedRow], list[SeedRow]]:
    """`(train, held_out)`, by message."""
    train: list[SeedRow] = []
    held: list[SeedRow] = []
    for row in rows:
        (held if row.held_out else train).append(row)
    return train, held


def parse(source: str, text: str) -> Iterator[SeedRow]:
    """The rows of one file."""
    subject = register = ""
    turns: list[Turn] = []
    answered = False
    for number, line in enumerate(text.splitlines(), start=1):
        place = f"{source}:{number}"
        if not line.strip():
            continue
        if header := _HEADER.match(line):
            subject, register = header["subject"].strip(), header["register"]
            turns, answered = [], False
        elif line.startswith(("> ", "< ")):
            if not subject or answered:
                raise SeedError(place, "a dialogue line belongs directly under a '## subject · ты' header")
            turns.append(Turn(role="user" if line[0] == ">" else "assistant", text=line[2:].strip()))
        elif reply := _REPLY.match(line):
            if not turns or turns[-1].role != "user":
                raise SeedError(place, "a reply follows a dialogue whose last line is the person's ('> ')")
            answered = True
            yield SeedRow(
                source,
                number,
                subject,
                register,
                tuple(turns),
                reply["emotion"],
                int(reply["intensity"]),
                reply["text"],
            )
        else:
            raise SeedError(place, "expected a header, '> ', '< ' or 'emotion 1–3: reply'")
