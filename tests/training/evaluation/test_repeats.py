"""Counting what is said twice in a chat."""

from __future__ import annotations

import pytest

from models.build import build_responder
from models.settings import ModelsSettings
from storage.contracts import Turn
from storage.presets import load_presets
from training.evaluation.repeats import Talk, answer, repeated, talks


@pytest.mark.parametrize(
    ("said", "again"),
    [
        (("Рад за тебя!", "Ну и ну.", "рад за тебя"), ["рад за тебя"]),
        (("Ура!", "Ура! Ура!"), []),
        (("Да.", "Да.", "Да."), ["Да.", "Да."]),
    ],
)
def test_an_answer_counts_that_its_chat_had_before(said: tuple[str, ...], again: list[str]) -> None:
    turns = tuple(Turn(role=role, text=text) for one in said for role, text in (("user", "Да."), ("assistant", one)))
    assert repeated(Talk("joy", (), turns)) == again


def test_chats_are_answered_line_by_line_in_every_emotion() -> None:
    presets = load_presets()
    chats = talks(presets, 18, 2, seed=1)
    assert [chat.emotion for chat in chats[:8]] == [preset.id for preset in presets.presets]
    assert {chat.emotion for chat in chats[9:]} == {presets.auto.id}
    responder = build_responder(ModelsSettings(engine="echo", window_ms=0), presets)
    for step in range(2):
        answer(responder, chats, step)
    assert all([turn.role for turn in chat.turns] == ["user", "assistant"] * 2 for chat in chats)
    assert all(tuple(turn.text for turn in chat.turns[::2]) == tuple(chat.lines) for chat in chats)
