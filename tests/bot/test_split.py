"""Cutting long texts into messages that Telegram takes."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from bot.split import LIMIT, split, units

LETTERS = st.sampled_from("абв 🙂.\n!?…»«a") | st.characters(exclude_categories=["Cs"])
# Drawn texts are short unless they must not be.
TEXTS = st.text(LETTERS, max_size=400) | st.text(LETTERS, min_size=80, max_size=400)


def squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


@given(TEXTS, st.integers(2, 60))
def test_every_part_fits_and_nothing_but_white_space_is_lost(text: str, limit: int) -> None:
    parts = split(text, limit)
    assert all(0 < units(part) <= limit for part in parts)
    assert squeezed("".join(parts)) == squeezed(text)


@given(TEXTS)
def test_short_texts_stay_whole(text: str) -> None:
    assert split(text) == ([text.strip()] if text.strip() else [])


@given(st.lists(st.text("абвгд", min_size=1, max_size=30), min_size=1, max_size=30), st.integers(80, 200))
def test_cuts_are_at_sentence_ends_where_sentences_fit(sentences: list[str], limit: int) -> None:
    parts = split(" ".join(sentence + "." for sentence in sentences), limit)
    assert all(part.endswith(".") for part in parts)


def test_units_are_what_telegram_counts() -> None:
    assert units("да🙂") == 4
    assert len(split("🙂" * LIMIT)) == 2


def test_a_paragraph_is_a_better_place_than_a_sentence() -> None:
    text = "Первое предложение. Второе предложение.\n\nТретье. " + "Четвёртое предложение."
    assert split(text, 55)[0] == "Первое предложение. Второе предложение."
