"""The seed corpus: parses its text files into rows and splits them by message. Knows nothing of training.

A block is `## subject · ты|вы`, the dialogue (`> ` person, `< ` bot), other wordings of its last line (`= `), then
`emotion intensity: reply` lines.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path

from storage.contracts import Turn

FOLDER = Path(__file__).with_name("seed")
EMOTIONS = ("нейтрально", "радость", "грусть", "удивление", "страх", "злость", "отвращение", "сочувствие")
HELD_OUT_PERCENT = 10
# From this file on the corpus is broad: many messages, each with few short replies.
BROAD = "34"
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
    wordings: tuple[str, ...] = ()
    """The person's last line in other words; the reply answers each of them as well."""
    first: str = ""
    """Of another wording: the message as the block has it, which the split goes by."""

    @cached_property
    def message(self) -> str:
        """The words of the dialogue; the split goes by them."""
        return "\n".join(turn.text for turn in self.turns)

    @cached_property
    def held_out(self) -> bool:
        """Whether the row's message belongs to the held-out tenth: all its replies do, or none."""
        return held_out(self.first or self.message)


def held_out(message: str) -> bool:
    """Stable split by the first eight hex digits of the SHA-256 of the folded message."""
    return int(hashlib.sha256(folded(message).encode()).hexdigest()[:8], 16) % 100 < HELD_OUT_PERCENT


def folded(message: str) -> str:
    """The message as the split sees it: lower case, ё as е, letters and digits only."""
    return re.sub(r"[^а-яa-z0-9]+", " ", message.lower().replace("ё", "е")).strip()


def reworded(rows: Iterable[SeedRow]) -> Iterator[SeedRow]:
    """Every row, and once more for each other wording of its last line."""
    for row in rows:
        yield row
        for wording in row.wordings:
            yield replace(row, turns=(*row.turns[:-1], Turn(role="user", text=wording)), wordings=(), first=row.message)


def evenly(rows: Iterable[SeedRow], most: int = 2) -> list[SeedRow]:
    """Rows so repeated that messages weigh more alike: a message with half the rows of the largest stands twice.

    `most`: no row stands more often. Other wordings count for the message that they stand for.
    """
    given = list(rows)
    counts = Counter((row.source, row.first or row.message) for row in given)
    largest = max(counts.values(), default=0)
    return [
        row for row in given for _ in range(min(most, round(largest / counts[row.source, row.first or row.message])))
    ]


def narrow(rows: Iterable[SeedRow]) -> list[SeedRow]:
    """The rows of the files before the broad ones: common messages, each with many replies."""
    return [row for row in rows if row.source < BROAD]


def load(folder: Path | None = None) -> list[SeedRow]:
    """All rows of a folder of seed files (the shipped one), in file order; SeedError names the first wrong line."""
    paths = sorted((folder or FOLDER).glob("*.txt"))
    return list(_parsed(tuple((path, path.stat().st_mtime_ns, path.stat().st_size) for path in paths)))


@lru_cache(maxsize=2)
def _parsed(files: tuple[tuple[Path, int, int], ...]) -> tuple[SeedRow, ...]:
    """The rows of files as they are now; a refit asks for the same ones several times."""
    return tuple(row for path, _, _ in files for row in parse(path.name, _text(path)))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        from training.data.reading import encodings  # which reads the corpus by this module

        found = encodings.fault(path, path.name, "utf-8").fault
        raise SeedError(found.place, found.reason) from None


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
    wordings: list[str] = []
    answered = False
    for number, line in enumerate(text.splitlines(), start=1):
        place = f"{source}:{number}"
        if not line.strip():
            continue
        if header := _HEADER.match(line):
            subject, register = header["subject"].strip(), header["register"]
            turns, wordings, answered = [], [], False
        elif line.startswith(("> ", "< ", "= ")):
            if not subject or answered:
                raise SeedError(place, "a dialogue line belongs directly under a '## subject · ты' header")
            _add(place, line, turns, wordings)
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
                tuple(wordings),
            )
        else:
            raise SeedError(place, "expected a header, '> ', '< ', '= ' or 'emotion 1–3: reply'")


def _add(place: str, line: str, turns: list[Turn], wordings: list[str]) -> None:
    """One line of the dialogue, or another wording of the person's last one."""
    text = line[2:].strip()
    if line.startswith("= "):
        if not turns or turns[-1].role != "user":
            raise SeedError(place, "another wording ('= ') stands under the person's last line ('> ')")
        wordings.append(text)
    elif wordings:
        raise SeedError(
            place, "other wordings ('= ') stand under the last line of the dialogue, directly above the replies"
        )
    else:
        turns.append(Turn(role="user" if line[0] == ">" else "assistant", text=text))
