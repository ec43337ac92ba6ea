"""Which messages get the help card instead of an answer. The two lists are written for this test."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import crisis
from bot.crisis import close, is_crisis

HERE = Path(__file__).parent


def lines(name: str) -> list[str]:
    return (HERE / name).read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("text", lines("crisis_positive.txt"))
def test_people_in_danger_get_help(text: str) -> None:
    assert is_crisis(text)


@pytest.mark.parametrize("text", lines("crisis_negative.txt"))
def test_everyday_talk_is_answered(text: str) -> None:
    assert not is_crisis(text)


def test_both_lists_are_long_enough_and_different() -> None:
    positive, negative = lines("crisis_positive.txt"), lines("crisis_negative.txt")
    assert min(len(set(positive)), len(set(negative))) >= 60
    assert not set(positive) & set(negative)


@pytest.mark.parametrize(("word", "known"), [("умереьт", "умереть"), ("умерть", "умереть"), ("жтиь", "жить")])
def test_slips_of_the_finger_are_recognised(word: str, known: str) -> None:
    assert close(word, known)


@pytest.mark.parametrize(("word", "known"), [("шить", "жить"), ("дожить", "жить"), ("убрать", "убить"), ("мир", "мор")])
def test_other_words_are_not_slips(word: str, known: str) -> None:
    assert not close(word, known)


@given(st.text(max_size=300))
def test_any_text_is_judged(text: str) -> None:
    assert is_crisis(text) in (True, False)


def test_a_long_message_is_judged_quickly() -> None:
    started = time.perf_counter()
    is_crisis("мы вчера ходили в лес и видели там очень много птиц " * 40)
    assert time.perf_counter() - started < 1.0


def test_phrases_whose_words_the_text_lacks_are_not_searched_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def search(*_: object) -> None:
        raise AssertionError("searched")

    monkeypatch.setattr(crisis, "find", search)
    assert not is_crisis("." * 4000)
    with pytest.raises(AssertionError, match="searched"):
        is_crisis("не хочу жить")
