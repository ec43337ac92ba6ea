"""Readers of the public data folder: cleaned lines and dialogues by name. The folder is given, never assumed.

Knows the folder's layout (its README lists it), nothing of tokenizers or methods.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from training.data.cleaning import teachable, tidy, usable_dialogue, windows

# Single words and hesitations tell little; the readers ask for lines that look finished.
_ENDED = re.compile(r"[.!?…»)]$")


class MissingData(FileNotFoundError):
    """The data folder lacks a file that a recipe names."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} is missing: pass the public data folder with `--set data=FOLDER`")


def rows(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSON-lines file, plain or `.xz`."""
    if not path.is_file():
        raise MissingData(path)
    with lzma.open(path, "rt", encoding="utf-8") if path.suffix == ".xz" else path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def sha256(path: Path) -> str:
    """Hash of a file, for manifests."""
    if not path.is_file():
        raise MissingData(path)
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while chunk := handle.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def short_sentences(data: Path) -> Iterator[str]:
    """Everyday sentences in the first and second person, and questions."""
    for row in rows(data / FILES["short_sentences"]):
        line = tidy(row["text"])
        if not teachable(line, 120):
            continue
        yield line if _ENDED.search(line) else line + "."


def anekdots(data: Path) -> Iterator[list[str]]:
    """Two to eight lively turns."""
    for row in rows(data / FILES["anekdots"]):
        if turns := usable_dialogue(row["turns"]):
            yield turns


def films(data: Path) -> Iterator[list[str]]:
    """Modern talk, machine-translated."""
    for row in rows(data / FILES["films"]):
        yield from windows(row["turns"])


def drama(data: Path) -> Iterator[list[str]]:
    """Scenes in prose, by plays from 1850 on: older ones speak a language that nobody types."""
    for row in rows(data / FILES["drama"]):
        if not row.get("verse") and (row.get("year") or 0) >= 1850:
            yield from windows(row["turns"])


def prose_dialogues(data: Path) -> Iterator[list[str]]:
    """Dialogues cut from classics."""
    for row in rows(data / FILES["prose_dialogues"]):
        yield from windows(row["turns"])


def prose(data: Path) -> Iterator[str]:
    """Paragraph-sized pieces of classic prose."""
    for row in rows(data / FILES["prose"]):
        if row.get("kind") != "prose":
            continue
        for paragraph in row["text"].split("\n"):
            line = tidy(paragraph)
            if len(line) >= 60 and teachable(line, 700):
                yield line


FILES = {
    "short_sentences": "text/short_sentences.jsonl.xz",
    "anekdots": "dialogue/anekdots.jsonl.xz",
    "films": "dialogue/films_mt.jsonl.xz",
    "drama": "dialogue/drama.jsonl.xz",
    "prose_dialogues": "dialogue/prose_dialogues.jsonl.xz",
    "prose": "text/prose.jsonl.xz",
}
LINES = {"short_sentences": short_sentences, "prose": prose}
DIALOGUES = {"anekdots": anekdots, "films": films, "drama": drama, "prose_dialogues": prose_dialogues}
