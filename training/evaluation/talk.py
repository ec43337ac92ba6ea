"""What a starter says, for people to read: first messages and short chats, alone or blindly beside another starter.

    python -m training.evaluation.talk --starter models/starter
    python -m training.evaluation.talk --starter models/starter --beside OTHER --out FOLDER
    python -m training.evaluation.talk --set wide

Presets and intensities go round. In chats the person's lines are given (`chats.txt`) and the starter's own answers
stand between them. With `--beside` FOLDER gets `pairs.txt`, in which sides are drawn by lot, and `key.json`, which
tells them apart. Sampled as served, one round. Knows starter folders; nothing of queues.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from models.prompt import Prompt
from storage.contracts import Turn
from storage.presets import Preset, Presets, load_presets
from training.evaluation.starter import Starter

HERE = Path(__file__).parent
MESSAGES, WIDE, CHATS = HERE / "first_messages.txt", HERE / "wide_messages.txt", HERE / "chats.txt"
FRESH, FRESH_CHATS = HERE / "fresh_messages.txt", HERE / "fresh_chats.txt"
LATER = HERE / "later_messages.txt"
# First messages and chats of three: common ones, those that tell of less common things, and twice half of each, written
# without sight of training data.
SETS = {"common": (MESSAGES, CHATS), "wide": (WIDE,), "fresh": (FRESH, FRESH_CHATS), "later": (LATER,)}


@dataclass
class Chat:
    """What the person says, in which emotion they are answered, and the dialogue so far."""

    lines: tuple[str, ...]
    preset: Preset
    intensity: int
    turns: tuple[Turn, ...] = ()

    def __str__(self) -> str:
        names = {"user": "человек", "assistant": "бот"}
        return "\n".join(f"  {names[turn.role]}: {turn.text}" for turn in self.turns)


def chats(presets: Presets, which: str = "common") -> list[Chat]:
    """One of `SETS`: first messages (120, wide 160, later 153), then twenty chats of three but for `wide` and `later`.

    Presets and intensities in turn.
    """
    first, *more = SETS[which]
    blocks = [(line,) for line in first.read_text(encoding="utf-8").splitlines() if line.strip()]
    longer = [
        tuple(block.splitlines()) for path in more for block in path.read_text(encoding="utf-8").strip().split("\n\n")
    ]
    every = presets.presets
    return [
        Chat(lines, every[index % len(every)], 1 + index // len(every) % 3)
        for part in (blocks, longer)
        for index, lines in enumerate(part)
    ]


def talk(starter: Starter, asked: Sequence[Chat], candidates: int = 4) -> list[Chat]:
    """The chats with the starter's answers."""
    for step in range(max(len(chat.lines) for chat in asked)):
        open_chats = [chat for chat in asked if len(chat.lines) > step]
        for chat in open_chats:
            chat.turns = (*chat.turns, Turn(role="user", text=chat.lines[step]))
        prompts = [Prompt(chat.turns, chat.preset, chat.intensity) for chat in open_chats]
        for chat, drawn in zip(open_chats, starter.draw(prompts, candidates, {}), strict=True):
            chat.turns = (*chat.turns, Turn(role="assistant", text=drawn.kept or "…"))
    return list(asked)


def pairs(one: Sequence[Chat], other: Sequence[Chat], seed: int) -> tuple[str, list[str]]:
    """Both starters' chats as text, sides by lot, and which of them («one», «other») stands at A."""
    chooser = random.Random(seed)
    key = [chooser.choice(("one", "other")) for _ in one]
    shown = []
    for number, (mine, theirs, first) in enumerate(zip(one, other, key, strict=True), start=1):
        sides = (mine, theirs) if first == "one" else (theirs, mine)
        head = f"### {number}\nэмоция: {mine.preset.title}, сила {mine.intensity} из 3"
        shown.append("\n".join([head, "A:", str(sides[0]), "B:", str(sides[1])]))
    return "\n\n".join(shown) + "\n", key


def main() -> None:
    """Let one starter talk, or two."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--starter", type=Path, default=Path("models/starter"))
    parser.add_argument("--beside", type=Path, help="another starter folder")
    parser.add_argument("--out", type=Path, default=Path("talk"), help="folder for pairs and key")
    parser.add_argument(
        "--set",
        choices=SETS,
        default="common",
        help="which messages; wide: less common; it and later have no chats",
    )
    parser.add_argument("--no-relevance", action="store_true", help="as with MODELS_RELEVANCE=false")
    parser.add_argument("--turns", type=int, default=1, help="as MODELS_TURNS; 0: all that fit")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    presets = load_presets()

    def said(folder: Path) -> list[Chat]:
        return talk(Starter(folder, presets, not given.no_relevance, given.turns or None), chats(presets, given.set))

    mine = said(given.starter)
    if given.beside is None:
        for chat in mine:
            print(f"{chat.preset.title} {chat.intensity}\n{chat}")
        return
    theirs = said(given.beside)
    text, key = pairs(mine, theirs, given.seed)
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "pairs.txt").write_text(text, encoding="utf-8")
    (given.out / "key.json").write_text(json.dumps(key), encoding="utf-8")
    print(f"{len(key)} pairs in {given.out / 'pairs.txt'}; who is who: key.json («one» is {given.starter})")


if __name__ == "__main__":
    main()
