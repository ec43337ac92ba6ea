"""Where a row's words are, whatever its kind: to read them, to change them, and to tell rows apart by them.

Knows row shapes, no step.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Literal

from storage.contracts import Turn
from training.data.rows import Answer, Dialogue, Feedback, Pair, Row, Text

Which = Literal["all", "prompt", "answer"]
WINDOW = "dialogue"  # the tag that rows cut from one dialogue share
_APART = re.compile(r"[\W_]+")
_TURNS: dict[type[Row], str] = {Answer: "prompt", Pair: "prompt", Feedback: "prompt", Dialogue: "turns"}
_TEXTS: dict[type[Row], tuple[str, ...]] = {
    Answer: ("answer",),
    Pair: ("chosen", "rejected"),
    Feedback: ("answer",),
    Dialogue: (),
    Text: ("text",),
}


def turns(row: Row) -> tuple[Turn, ...]:
    """The dialogue of a row; empty for plain texts."""
    name = _TURNS.get(type(row))
    found: tuple[Turn, ...] = getattr(row, name) if name else ()
    return found


def answers(row: Row) -> list[str]:
    """What the bot says in a row: its answer, both of a pair, the assistant's turns of a dialogue, a plain text."""
    if isinstance(row, Dialogue):
        return [turn.text for turn in row.turns if turn.role == "assistant"]
    return [getattr(row, name) for name in _TEXTS[type(row)]]


def prompts(row: Row) -> list[str]:
    """What comes before the answers: the prompt's turns, the person's turns of a dialogue; nothing for a plain text."""
    if isinstance(row, Dialogue):
        return [turn.text for turn in row.turns if turn.role == "user"]
    return [turn.text for turn in turns(row)]


def words(row: Row, which: Which) -> list[str]:
    """The texts of a row that a step looks at."""
    if which == "prompt":
        return prompts(row)
    if which == "answer":
        return answers(row)
    if isinstance(row, Dialogue):
        return [turn.text for turn in row.turns]
    return prompts(row) + answers(row)


def rewritten(row: Row, change: Callable[[str], str]) -> Row:
    """The row with every text changed, the system text too; the very same object if nothing changed."""
    update: dict[str, Any] = {}
    for name in ("system", *_TEXTS[type(row)]):
        old: str = getattr(row, name)
        if old and (new := change(old)) != old:
            update[name] = new
    name = _TURNS.get(type(row), "")
    if name:
        before: tuple[Turn, ...] = getattr(row, name)
        after = tuple(_turn(turn, change) for turn in before)
        if any(new is not old for new, old in zip(after, before, strict=True)):
            update[name] = after
    return row.model_copy(update=update) if update else row


def emptied(row: Row) -> bool:
    """Whether a text that must say something says nothing."""
    return not all(text.strip() for text in words(row, "all"))


def prompt_key(row: Row) -> str:
    """What a split by prompt goes by, folded: the dialogue that a row was cut from, or else the words before the
    answer (of a dialogue: before its last turn)."""
    if WINDOW in row.tags:
        return row.tags[WINDOW]
    if isinstance(row, Text):
        return fold(row.text)
    return fold(prompt_text(row))


def prompt_text(row: Row) -> str:
    """The words before the answer, one turn a line; a plain text itself."""
    if isinstance(row, Text):
        return row.text
    before = turns(row)
    if isinstance(row, Dialogue) and len(before) > 1:
        before = before[:-1]
    return "\n".join(turn.text for turn in before)


def fold(text: str) -> str:
    """Case, ё, punctuation and spaces aside; a text without letters and digits as it is."""
    return _APART.sub(" ", text.lower().replace("ё", "е")).strip() or text


def _turn(turn: Turn, change: Callable[[str], str]) -> Turn:
    text = change(turn.text)
    return turn if text == turn.text else Turn(role=turn.role, text=text)
