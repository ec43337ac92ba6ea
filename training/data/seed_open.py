"""Open replies: what fits any message of a kind, for messages that the bot would otherwise answer with nonsense.

`<preset id>.txt` holds lines `kind|intensity|register|reply`, `messages.txt` lines `kind|register|message`. A row joins
a message with a reply of its kind, so that a small model learns to tell kinds of messages apart and, where it knows
nothing better, to answer openly. Knows no model.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from storage.contracts import Turn
from storage.presets import Preset, Presets
from training.data.seed_corpus import SeedError, SeedRow, held_out

FOLDER = Path(__file__).with_name("seed_open")
MESSAGES = "messages.txt"
KINDS = ("good", "bad", "plain", "asks", "advice")
# Of a message and of a reply: ты, вы, or without an address.
REGISTERS = {"т": "ты", "в": "вы", "-": ""}


@dataclass(frozen=True)
class Message:
    """A person's message, of a kind."""

    line: int
    kind: str
    register: str
    text: str


Replies = Mapping[tuple[str, int], Sequence[tuple[str, str]]]  # (kind, intensity) → (register, reply)


def rows(presets: Presets, folder: Path | None = None) -> list[SeedRow]:
    """A reply to every message in every preset at every intensity, but for messages that the seed corpus holds out.

    A message with «вы» meets no reply with «ты», nor the other way round. A preset without a file has no rows.
    SeedError names a wrong line.
    """
    folder = folder or FOLDER
    asked = [one for one in messages(folder) if not held_out(one.text)]
    found: list[SeedRow] = []
    for preset in presets.presets:
        known = replies(folder, preset)
        for message in asked if known else ():
            chooser = random.Random(f"{preset.id}:{message.text}")
            for intensity in (1, 2, 3):
                fit = [text for register, text in known[message.kind, intensity] if register in (message.register, "-")]
                found.append(
                    SeedRow(
                        MESSAGES,
                        message.line,
                        message.kind,
                        REGISTERS[message.register],
                        (Turn(role="user", text=message.text),),
                        preset.title,
                        intensity,
                        chooser.choice(fit),
                    )
                )
    return found


def messages(folder: Path | None = None) -> list[Message]:
    """All messages; SeedError names the first wrong line."""
    found = []
    for line, (kind, register, text) in _lines((folder or FOLDER) / MESSAGES, 3):
        if kind not in KINDS or register not in ("т", "в") or not text:
            raise SeedError(f"{MESSAGES}:{line}", f"expected kind|т or в|message, kind one of {', '.join(KINDS)}")
        found.append(Message(line, kind, register, text))
    return found


def replies(folder: Path, preset: Preset) -> Replies:
    """The replies of a preset, none for an operator's own one without a file; SeedError names the first wrong line."""
    name = f"{preset.id}.txt"
    if not (folder / name).is_file():
        return {}
    found: dict[tuple[str, int], list[tuple[str, str]]] = defaultdict(list)
    for line, (kind, intensity, register, text) in _lines(folder / name, 4):
        if kind not in KINDS or intensity not in ("1", "2", "3") or register not in REGISTERS or not text:
            raise SeedError(f"{name}:{line}", "expected kind|1–3|т, в or -|reply")
        found[kind, int(intensity)].append((register, text))
    return found


def _lines(path: Path, parts: int) -> list[tuple[int, list[str]]]:
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        fields = [field.strip() for field in line.split("|")]
        if len(fields) != parts:
            raise SeedError(f"{path.name}:{number}", f"expected {parts} fields between '|'")
        found.append((number, fields))
    return found
