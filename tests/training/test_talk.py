"""Chats for people to read: own answers stand between the given lines, and nobody sees whose they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from models.prompt import Prompt
from storage.presets import Presets
from training.evaluation import talk
from training.evaluation.starter import Drawn, Starter


class Parrot:
    """Answers with a word of its own and how many turns it has seen."""

    def __init__(self, word: str) -> None:
        self.word = word

    def draw(self, asked: Sequence[Prompt], count: int, overrides: Mapping[str, float]) -> list[Drawn]:
        return [Drawn(one, (), f"{self.word} {len(one.turns)}") for one in asked]


def said(presets: Presets, word: str) -> list[talk.Chat]:
    return talk.talk(cast(Starter, cast(Any, Parrot(word))), talk.chats(presets))


def test_every_line_is_answered_with_what_was_said_before(presets: Presets) -> None:
    chats = said(presets, "да")
    assert [len(chat.lines) for chat in chats] == [1] * 120 + [3] * 20
    assert {(chat.preset.id, chat.intensity) for chat in chats} == {
        (p.id, i) for p in presets.presets for i in (1, 2, 3)
    }
    for chat in chats:
        assert [turn.text for turn in chat.turns[::2]] == list(chat.lines)
        assert [turn.text for turn in chat.turns[1::2]] == [f"да {2 * step + 1}" for step in range(len(chat.lines))]


def test_wide_messages_stand_alone(presets: Presets) -> None:
    chats = talk.chats(presets, "wide")
    assert [len(chat.lines) for chat in chats] == [1] * 160
    assert len({(chat.preset.id, chat.intensity) for chat in chats}) == 24
    assert not {chat.lines for chat in chats} & {chat.lines for chat in talk.chats(presets)}


def test_fresh_messages_and_chats_are_others(presets: Presets) -> None:
    chats = talk.chats(presets, "fresh")
    assert [len(chat.lines) for chat in chats] == [1] * 120 + [3] * 20
    others = {chat.lines[0] for which in ("common", "wide") for chat in talk.chats(presets, which)}
    assert not {chat.lines[0] for chat in chats} & others


def test_sides_are_drawn_by_lot_and_the_key_tells_them(presets: Presets) -> None:
    text, key = talk.pairs(said(presets, "эхо-один"), said(presets, "эхо-два"), seed=3)
    assert 50 < key.count("one") < 90
    for block, first in zip(text.split("### ")[1:], key, strict=True):
        a, b = block.split("\nB:\n")
        mine, theirs = ("эхо-один", "эхо-два") if first == "one" else ("эхо-два", "эхо-один")
        assert mine in a and theirs in b and theirs not in a and mine not in b
