"""Which rows KTO learns from, how they are weighed, and whose answers estimate its reference point."""

from pathlib import Path

import pytest

from storage.contracts import Turn
from tests.training.preferences.conftest import recipe
from training.data.rows import Answer, Feedback, Pair
from training.kto import lenders, thumbs, weights
from training.recipes import RecipeError

PROMPT = (Turn(role="user", text="привет"),)
PAIR = Pair(prompt=PROMPT, emotion="joy", intensity=3, person="p1", chosen="Ура!", rejected="Эх.")


def test_a_pair_is_a_liked_and_a_disliked_answer_to_the_same_prompt() -> None:
    liked, disliked = thumbs([PAIR], pairs=True)
    assert (liked.answer, liked.desirable, disliked.answer, disliked.desirable) == ("Ура!", True, "Эх.", False)
    assert all(
        (one.prompt, one.emotion, one.intensity, one.person) == (PROMPT, "joy", 3, "p1") for one in (liked, disliked)
    )


def test_feedback_goes_through_beside_pairs() -> None:
    row = Feedback(prompt=PROMPT, answer="Привет!", desirable=True)
    assert next(thumbs([row, PAIR], pairs=True)) is row


def test_pairs_are_not_taken_unasked() -> None:
    with pytest.raises(RecipeError, match="pairs: true"):
        list(thumbs([PAIR], pairs=False))


def test_rows_without_a_thumb_are_refused() -> None:
    with pytest.raises(RecipeError, match="kind 'answer'"):
        list(thumbs([Answer(prompt=PROMPT, answer="Привет!")], pairs=True))


def test_weights_follow_the_counts_unless_they_are_given(tmp_path: Path) -> None:
    labels = [True] * 3 + [False] * 12
    assert weights(recipe("kto", tmp_path), labels) == (4.0, 1.0)
    assert weights(recipe("kto", tmp_path, desirable_weight=1.2, undesirable_weight=0.9), labels) == (1.2, 0.9)


def test_every_answer_is_lent_once_and_never_to_its_own_row() -> None:
    found = lenders([[1], [2], [3], [4]])
    assert sorted(found) == [0, 1, 2, 3]
    assert all(lender != row for row, lender in enumerate(found))


def test_halves_of_a_pair_do_not_lend_to_each_other() -> None:
    prompts = [[1], [1], [2], [2], [3], [3]]
    found = lenders(prompts)
    assert all(prompts[lender] != prompts[row] for row, lender in enumerate(found))


def test_a_lone_row_keeps_its_answer() -> None:
    assert lenders([[1]]) == [0]
