"""Russian is told from its neighbours in the same letters."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.data.scrub.language import cyrillic, log_odds, russian
from training.data.seed_corpus import SeedRow

LINES = [
    line.split("\t")
    for line in Path(__file__).with_name("languages.txt").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]


def test_neighbours_score_low_and_russian_high() -> None:
    scores = [(language, russian(text)) for language, text in LINES]
    wrong = [pair for pair in scores if (pair[1] >= 0.5) != (pair[0] == "ru")]
    assert len(wrong) / len(scores) <= 0.05, wrong
    assert all(score < 0.55 for language, score in scores if language != "ru")


@pytest.mark.parametrize("language", ["uk", "bg", "sr"])
def test_a_longer_text_of_a_neighbour_is_surely_not_russian(language: str) -> None:
    assert russian(" ".join(text for name, text in LINES if name == language)) < 0.01


def test_everyday_russian_is_kept(seed_rows: list[SeedRow]) -> None:
    lines = sorted({row.reply for row in seed_rows})[::10]
    kept = sum(russian(line) >= 0.5 for line in lines)
    assert len(lines) > 100
    assert kept / len(lines) >= 0.97


def test_no_words_are_no_language() -> None:
    assert russian("") == russian("12:30 …") == russian("https://example.ru @nick <ССЫЛКА>") == 0.0


def test_half_english_is_half_russian() -> None:
    assert 0.3 < russian("Завтра будет очень холодно и very cold as well today") < 0.7
    assert cyrillic("аб cd") == 0.5


def test_evidence_adds_up() -> None:
    even = log_odds(0.1, 0, 0, False, False)
    assert log_odds(0.1, 5, 0, False, False) > even > log_odds(0.1, 5, 3, False, False)
    assert log_odds(0.1, 0, 0, True, True) < even < log_odds(0.1, 0, 0, False, True)
