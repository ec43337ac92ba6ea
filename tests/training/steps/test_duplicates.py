"""Exact and near duplicates: the first stays, and real texts that differ do too."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from storage.contracts import Turn
from tests.training.steps.conftest import Apply
from training.data.rows import Answer, Feedback
from training.data.steps.duplicates import ExactDuplicates
from training.data.steps.keys import KeySet
from training.data.steps.near import NearDuplicates, NearIndex, shingles


def test_the_first_of_equal_rows_stays(seed_answers: list[Answer], apply: Apply) -> None:
    first = seed_answers[:50]
    shouted = [row.model_copy(update={"answer": row.answer.upper() + "!!", "origin": "again"}) for row in first]
    rows, counts = apply(ExactDuplicates(), [*first, *shouted, *first])
    assert rows == first and counts.dropped == {"duplicate": 100}
    assert len(apply(ExactDuplicates(fold=False), [*first, *shouted, *first])[0]) == 100


def test_another_emotion_or_thumb_is_another_row(apply: Apply) -> None:
    prompt = (Turn(role="user", text="Как дела?"),)
    rows = [Answer(prompt=prompt, answer="Ну так.", emotion=emotion) for emotion in ("joy", "sadness", None)]
    assert apply(ExactDuplicates(), list(rows))[0] == rows
    assert apply(ExactDuplicates(of="prompt"), list(rows))[0] == rows[:1]
    judged = [Feedback(prompt=prompt, answer="Ну так.", desirable=desirable) for desirable in (True, False)]
    assert apply(ExactDuplicates(), list(judged))[0] == judged


@settings(max_examples=50)
@given(st.lists(st.integers(0, 2**64 - 1) | st.integers(0, 50), max_size=3000))
def test_the_compact_set_is_a_set(keys: list[int]) -> None:
    compact, plain = KeySet(), set[int]()
    for key in keys:
        assert compact.add(key) is (key not in plain)
        plain.add(key)
    assert len(compact) == len(plain)
    assert all(key in compact for key in keys) and (12345678901 in compact) is (12345678901 in plain)


def test_small_edits_are_near_duplicates(seed_answers: list[Answer], apply: Apply) -> None:
    first = [row for row in seed_answers if len(row.answer) > 110][:100]
    edited = [row.model_copy(update={"answer": row.answer[:-1] + ", вот."}) for row in first]
    rows, counts = apply(NearDuplicates(of="answer", threshold=0.8), [*first, *edited])
    assert rows[: len(first)] == first
    assert counts.dropped["near_duplicate"] >= 98
    words, _ = apply(NearDuplicates(of="answer", threshold=0.8, shingle=1, unit="words"), [*first, *edited])
    assert len(words) <= 104


def test_different_real_texts_all_stay(seed_answers: list[Answer], apply: Apply) -> None:
    """Every pair of seed answers, compared exactly, decides what the step may drop."""
    rows = [row for row in seed_answers if len(row.answer) > 40][:500]
    texts = {row.answer: set(shingles(row.answer, 5, False).tolist()) for row in rows}
    kept, _ = apply(NearDuplicates(of="answer", threshold=0.8), list(rows))
    for row in (one for one in rows if one not in kept):
        mine = texts[row.answer]
        assert max(len(mine & other) / len(mine | other) for text, other in texts.items() if text != row.answer) > 0.6
    assert len(kept) >= 495


def test_the_same_rows_stay_every_time(seed_answers: list[Answer], apply: Apply) -> None:
    doubled = seed_answers[:200] + [
        row.model_copy(update={"answer": row.answer + " Да."}) for row in seed_answers[:200]
    ]
    assert apply(NearDuplicates(), list(doubled)) == apply(NearDuplicates(), list(doubled))


def test_a_book_is_like_itself_with_another_ending(tmp_path: Path, seed_answers: list[Answer]) -> None:
    book = "\n".join(row.answer for row in seed_answers[:1000])
    index = NearIndex(tmp_path / "near.sqlite", 0.9)
    assert len(book) > 50_000 and index.add(book) and not index.add(book + " Конец.") and index.add(book[:40_000])
    index.close()


def test_short_and_empty_texts_have_shingles(tmp_path: Path) -> None:
    index = NearIndex(tmp_path / "near.sqlite", 0.8)
    assert [index.add(text) for text in ("да", "нет", "да", "", "")] == [True, True, False, True, False]
    assert index.find("нет") == 2 and index.find("может быть") is None
    index.close()
