"""Who is believed: agreement with others on the same answers, and with what others like."""

from __future__ import annotations

import numpy as np

from training.data.feedback import peers
from training.data.feedback.reliability import Reliability, reliability
from training.data.feedback.rules import FeedbackRules

RULES = FeedbackRules()
FOLDS = np.arange(60) % peers.FOLDS


def judge(rights: list[float], answers: int, seed: int = 0) -> Reliability:
    """Raters who are right so often, each on the same answers."""
    chance = np.random.default_rng(seed)
    truth = chance.choice([1, -1], answers)
    group, rater = np.meshgrid(np.arange(answers), np.arange(len(rights)), indexing="ij")
    right = chance.random((answers, len(rights))) < np.array(rights)
    sign = np.where(right, truth[:, None], -truth[:, None])
    return reliability(group.ravel().astype(np.uint64), rater.ravel(), sign.ravel(), len(rights), RULES)


def test_the_inverted_one_is_found_and_votes_weigh_by_agreement() -> None:
    found = judge([0.9, 0.9, 0.9, 0.6, 0.1], 60)
    assert found.left_out.tolist() == [4]
    assert found.weights[0] > found.weights[3] > found.weights[4] == 0


def test_few_shared_answers_prove_nothing() -> None:
    assert judge([0.9, 0.9, 0.9, 0.0], RULES.shared_least - 1).left_out.size == 0


def test_who_says_yes_to_everything_agrees_by_chance_and_is_not_called_inverted() -> None:
    chance = np.random.default_rng(1)
    truth = chance.choice([1, -1], 80)
    sign = np.stack([truth, truth, truth, np.ones(80, dtype=np.int64)], axis=1)
    group, rater = np.meshgrid(np.arange(80), np.arange(4), indexing="ij")
    found = reliability(group.ravel().astype(np.uint64), rater.ravel(), sign.ravel(), 4, RULES)
    assert found.left_out.size == 0


def test_raters_who_guess_are_rarely_called_inverted() -> None:
    lost = sum(judge([0.9, 0.9, 0.9, 0.5], 40, seed).left_out.size for seed in range(100))
    assert lost <= 5


def test_alone_with_their_answers_everybody_weighs_the_same() -> None:
    rater = np.repeat(np.arange(5), 20)
    sign = np.tile([1, -1], 50)
    found = reliability(np.arange(100, dtype=np.uint64), rater, sign, 5, RULES)
    assert (found.weights == 1).all() and found.left_out.size == 0


def private(people: int, each: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """People who like answers in the emotion and of a length of their own, and say so with noise; a tenth says the
    opposite, a fifth likes everything. Features, thumbs, raters, who is inverted, who is honest."""
    chance = np.random.default_rng(seed)
    rater = np.repeat(np.arange(people), each)
    fit, length = chance.beta(1, 1, len(rater)), chance.lognormal(2.2, 0.5, len(rater))
    wish = chance.uniform(8, 16, people)[rater]
    liking = 0.4 + 2 * (fit - 0.5) - 0.8 * np.abs(np.log(length / wish)) + chance.normal(0, 0.5, len(rater))
    likes = chance.random(len(rater)) < 1 / (1 + np.exp(-liking))
    kind = chance.random(people)
    inverted, agreeable = kind < 0.1, (kind >= 0.1) & (kind < 0.3)
    likes = np.where(agreeable[rater], True, likes ^ inverted[rater])
    features = np.column_stack([fit, np.log(length), np.log(length) ** 2])
    return features, np.where(likes, 1, -1), rater, inverted, ~inverted & ~agreeable


def test_in_private_chats_inverted_raters_are_found_by_what_others_like() -> None:
    """As stated with the rule `peer_certainty`."""
    found = lost = inverted = honest = 0
    for seed in range(10):
        features, thumb, rater, wrong, fair = private(60, 50, seed)
        out = peers.scores(features, thumb, rater, FOLDS) < -1.2816
        found, inverted = found + int((out & wrong).sum()), inverted + int(wrong.sum())
        lost, honest = lost + int((out & fair).sum()), honest + int(fair.sum())
    assert found / inverted > 0.5
    assert lost / honest < 0.01


def test_without_a_common_taste_nobody_is_left_out() -> None:
    chance = np.random.default_rng(0)
    rater = np.repeat(np.arange(30), 30)
    features = chance.random((len(rater), 2))
    thumb = chance.choice([1, -1], len(rater))
    assert not peers.scores(features, thumb, rater, np.arange(30) % peers.FOLDS).any()


def test_who_always_says_the_same_has_no_score() -> None:
    features, thumb, rater, _, _ = private(60, 50, 1)
    thumb = np.where(rater == 7, 1, thumb)
    assert peers.scores(features, thumb, rater, FOLDS)[7] == 0
