"""Rows for supervised tuning: the seed corpus and public dialogue turns, with and without an emotion.

Knows readers and the classifier's folder shape; nothing of networks that generate.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from models.prompt import Hints, Prompt, render_with_reply
from storage.contracts import Turn
from storage.presets import Preset, Presets
from training.data import seed_corpus, sources
from training.data.emotions import LABELS

# A public turn carries no intensity: the classifier's certainty stands for it, since strong wording is easier to tell.
CERTAINTY = ((0.92, 3), (0.78, 2), (0.6, 1))


@dataclass(frozen=True)
class Example:
    """A reply to learn; without `preset` it is plain chat."""

    turns: tuple[Turn, ...]
    reply: str
    preset: Preset | None = None
    intensity: int = 2
    hints: Hints | None = None
    """What the template is told instead of what the reader says of the message."""


def from_seed(rows: Iterable[seed_corpus.SeedRow], presets: Presets) -> list[Example]:
    """Seed rows with their emotion; ValueError names an emotion that no preset is called by."""
    found: list[Example] = []
    for row in rows:
        preset = presets.find(row.emotion)
        if not isinstance(preset, Preset):
            raise ValueError(f"{row.source}:{row.line}: no preset is titled '{row.emotion}'")
        found.append(Example(row.turns, row.reply, preset, row.intensity))
    return found


def plain(examples: Iterable[Example], presets: Presets) -> list[Example]:
    """Calm and friendly seed replies as plain chat."""
    wanted = {"neutral", "joy", "sympathy"}
    return [
        replace(one, preset=None) for one in examples if one.preset and one.preset.id in wanted and one.intensity < 3
    ]


def public(data: Path, names: Sequence[str]) -> Iterator[Example]:
    """Every answer of the public dialogues with up to three turns before it."""
    for name in names:
        for lines in sources.DIALOGUES[name](data):
            for end in range(1, len(lines)):
                before = lines[max(0, end - 3) : end]
                roles = ["user" if (len(before) - index) % 2 else "assistant" for index in range(len(before))]
                if roles[0] == "assistant":
                    before, roles = before[1:], roles[1:]
                turns = tuple(Turn.model_validate({"role": r, "text": t}) for r, t in zip(roles, before, strict=True))
                yield Example(turns, lines[end])


def with_emotion(
    examples: Sequence[Example], probabilities: Sequence[dict[str, float]], presets: Presets
) -> list[Example]:
    """The examples whose reply the classifier gives to exactly one emotion, certainty read as intensity."""
    by_label = {preset.labels[0]: preset for preset in presets.presets}
    found: list[Example] = []
    for example, row in zip(examples, probabilities, strict=True):
        label = max(LABELS, key=lambda one: row.get(one, 0.0))
        step = next((step for least, step in CERTAINTY if row[label] >= least), 0)
        preset = by_label.get(label)
        if step and preset and label != "neutral" and not _others(row, preset):
            found.append(replace(example, preset=preset, intensity=step))
    return found


def _others(row: dict[str, float], preset: Preset) -> list[str]:
    """Labels present that are none of the preset's: a sympathetic answer may well be sad."""
    return [label for label, value in row.items() if value >= 0.5 and label not in preset.labels]


def classify(folder: Path, texts: Sequence[str]) -> list[dict[str, float]]:
    """Probabilities of a classifier folder for texts, by its labels: just what serving computes."""
    from models.sequence_classifier import SequenceClassifier

    return SequenceClassifier.load(str(folder)).classify(texts)


def render_example(tokenizer: Any, example: Example, presets: Presets) -> tuple[str, str]:
    """`(prompt, completion)`; with a preset exactly what serving renders (but for `hints`), without one the plain
    chat."""
    if example.preset is not None:
        prompt = Prompt(example.turns, example.preset, example.intensity)
        return render_with_reply(tokenizer, prompt, example.reply, presets, example.hints)
    messages = [{"role": turn.role, "content": turn.text} for turn in example.turns]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return str(text), example.reply + str(tokenizer.eos_token)


def retype(example: Example, chooser: random.Random) -> Example:
    """The same example with the person's words as somebody else might type them: case, end mark and ё vary."""
    return replace(
        example,
        turns=tuple(
            turn if turn.role != "user" else Turn(role="user", text=_retype(turn.text, chooser))
            for turn in example.turns
        ),
    )


def _retype(text: str, chooser: random.Random) -> str:
    if chooser.random() < 0.25:
        text = text[:1].lower() + text[1:]
    elif chooser.random() < 0.3:
        text = text[:1].upper() + text[1:]
    if chooser.random() < 0.25:
        text = re.sub(r"[.!]+$", "", text) or text
    if chooser.random() < 0.15:
        text = text.replace("ё", "е")
    return text


def loosen(example: Example, chooser: random.Random) -> Example:
    """The same example with the person's last words put loosely: one is left out, two neighbours change places."""
    *before, last = example.turns
    words = last.text.split()
    if len(words) > 2 and chooser.random() < 0.5:
        del words[chooser.randrange(len(words))]
    if len(words) > 2 and chooser.random() < 0.5:
        place = chooser.randrange(len(words) - 1)
        words[place : place + 2] = reversed(words[place : place + 2])
    return replace(example, turns=(*before, Turn(role="user", text=" ".join(words))))
