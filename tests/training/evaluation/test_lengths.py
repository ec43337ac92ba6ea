"""Lengths against a target, and quality against length."""

from __future__ import annotations

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from storage.contracts import Turn
from training.evaluation.lengths import Lengths, binned, draw, measure, relation, summary
from training.evaluation.samples import Sample
from training.evaluation.statistics import Interval


def sample(key: int, tokens: int, answer: str = "Да.", seed: int = 0, finished: bool = True) -> Sample:
    prompt = (Turn(role="user", text="Привет"),)
    return Sample(
        key=str(key), system="lora", prompt=prompt, answer=answer, tokens=tokens, seed=seed, finished=finished
    )


def lengths(*tokens: int, **more: float) -> Lengths:
    found = summary([sample(key, one) for key, one in enumerate(tokens)], **more)  # type: ignore[arg-type]
    assert isinstance(found, Lengths)
    return found


def test_mean_distribution_and_shares_around_the_target() -> None:
    found = lengths(*[540] * 10, *[486, 594] * 5, *[485] * 10, *[595] * 20)
    assert found.mean.mean == pytest.approx((540 * 10 + 486 * 5 + 594 * 5 + 485 * 10 + 595 * 20) / 50)
    # The window's edges, a tenth of 540 away, belong to it.
    assert (found.within.mean, found.under.mean, found.over.mean) == (0.4, 0.2, 0.4)
    assert found.mean.low < found.mean.mean < found.mean.high
    # Half of the answers are at most 540, half at least 594.
    assert (found.quantiles[0], found.quantiles[2], found.quantiles[4]) == (485, 567, 595)
    assert sum(found.counts) == 50 and len(found.edges) == len(found.counts) + 1


def test_another_target_and_window() -> None:
    assert lengths(20, 25, 40, target=25, window=0.2).within.mean == pytest.approx(2 / 3)


def test_answers_cut_by_the_limit_are_told() -> None:
    found = summary([sample(key, 100, finished=key % 4 > 0) for key in range(40)])
    assert isinstance(found, Lengths) and found.cut.mean == 0.25


def test_several_answers_to_a_prompt_are_one_prompt() -> None:
    found = summary([sample(key, 100 + 10 * seed, seed=seed) for key in range(5) for seed in range(3)])
    assert isinstance(found, Lengths)
    assert (found.mean.n, found.mean.mean, sum(found.counts)) == (5, 110, 15)


def test_an_empty_answer_is_zero_long_and_one_not_counted_is_unknown() -> None:
    found = measure([sample(0, 0, "  "), sample(1, 0, "Да."), sample(2, 550)])
    assert found == {"off_target": [-540.0, None, 10.0], "within": [0.0, None, 1.0]}
    assert summary([sample(1, 0, "Да.")]) == "no answer's tokens were counted"
    assert summary([]) == "no answers"


def test_quality_that_grows_with_length_is_seen_and_noise_is_not() -> None:
    numbers = np.random.default_rng(0)
    samples = [sample(key, int(numbers.integers(50, 600))) for key in range(80)]
    grows = relation(samples, [one.tokens / 100 + float(numbers.normal(0, 1)) for one in samples])
    noise = relation(samples, numbers.normal(0, 1, 80).tolist())
    assert isinstance(grows, Interval) and isinstance(noise, Interval)
    assert grows.low > 0.5 and noise.low < 0 < noise.high
    exact = relation(samples, [float(one.tokens**3) for one in samples])
    assert isinstance(exact, Interval) and exact.mean == pytest.approx(1.0)


def test_a_relation_that_cannot_be_told_has_a_reason() -> None:
    samples = [sample(key, 10 + key) for key in range(30)]
    assert "too few prompts to tell: 10" in str(relation(samples, [1.0] * 10 + [None] * 20))
    assert "the same" in str(relation(samples, [1.0] * 30))
    with pytest.raises(ValueError, match="cannot have"):
        relation(samples, [1.0])


def test_bins_hold_about_as_many_answers_each() -> None:
    points = [(float(one), float(one % 2)) for one in range(80)]
    found = binned(points)
    assert len(found) == 8 and all(quality == 0.5 for _, quality in found)
    assert binned([(5.0, 1.0)] * 50) == [(5.0, 1.0)]
    assert binned([]) == []


@pytest.mark.parametrize("language", ["en", "ru"])
def test_the_picture_shows_every_system(tmp_path: Path, language: str) -> None:
    numbers = np.random.default_rng(0)
    systems = {}
    for name, middle in (("base", 300), ("LoRA «радость»", 520)):
        samples = [sample(key, max(1, int(numbers.normal(middle, 80)))) for key in range(60)]
        systems[name] = samples, [3 + one.tokens / 400 + float(numbers.normal(0, 0.4)) for one in samples]
    draw(systems, tmp_path / "plot.png", "judge", language=language)
    picture = matplotlib.image.imread(tmp_path / "plot.png")[..., :3]
    for colour in ((0, 0x72, 0xB2), (0xD5, 0x5E, 0)):
        near = np.abs(picture * 255 - np.asarray(colour)).max(axis=-1) < 30
        assert near.sum() > 300
    draw({}, tmp_path / "empty.png", "judge")
    assert (tmp_path / "empty.png").stat().st_size > 1000
