"""Kinds of messages: what is told, what is offered, and how a kind's worth and the table come about."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from models.prompt import Prompt
from storage.presets import Presets, load_presets
from training.data import seed_open
from training.data.seed_open import FIRST
from training.evaluation import kinds
from training.evaluation.starter import Drawn, load

STARTER = Path("models/starter")


@pytest.fixture(scope="module")
def presets() -> Presets:
    return load_presets()


@pytest.mark.parametrize("which", kinds.SETS)
def test_every_message_of_a_set_has_a_kind(which: str) -> None:
    found = kinds.told(which)
    assert len(found) > 100 and {kind for _, kind in found} == set(FIRST)


def test_a_missing_or_unknown_kind_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(kinds, "HERE", tmp_path)
    (tmp_path / "x_messages.txt").write_text("раз\nдва\n", encoding="utf-8")
    for lines in ("good\n", "good\nnews\n"):
        (tmp_path / "x_kinds.txt").write_text(lines, encoding="utf-8")
        with pytest.raises(ValueError, match="one of good, bad, plain, asks, advice for each line"):
            kinds.told("x")


def test_replies_of_every_preset_and_kind_are_offered(presets: Presets) -> None:
    found = kinds.offered(presets, 2)
    assert found == kinds.offered(presets, 2)
    cells = [(preset.id, kind) for preset, kind, _ in found]
    assert {cells.count((preset.id, kind)) for preset in presets.presets for kind in FIRST} == {2}
    for preset, kind, text in found[:20]:
        known = seed_open.replies(seed_open.FOLDER, preset)[kind, kinds.INTENSITY]
        assert text in {said for register, said in known if register != "в"}


def test_a_kind_is_worth_its_best_replies_averaged_over_presets(presets: Presets) -> None:
    one, other = presets.presets[:2]
    given = [(one, "good", "а"), (one, "good", "б"), (other, "good", "в"), (one, "bad", "г"), (other, "bad", "д")]
    found = kinds.worth(np.array([[1.0, 3.0, 5.0, 0.0, 2.0]]), given, ("good", "bad"))
    assert found.tolist() == [[4.0, 1.0]]


def test_what_is_sent_counts_if_it_is_an_open_reply_of_the_told_kind(presets: Presets) -> None:
    """A starter that congratulates everybody."""
    good = {
        preset.id: next(text for (kind, _), texts in replies.items() if kind == "good" for _, text in texts)
        for preset in presets.presets
        for replies in [seed_open.replies(seed_open.FOLDER, preset)]
    }

    class Congratulates:
        def __init__(self) -> None:
            self.presets = presets

        def draw(self, asked: Sequence[Prompt], count: int, overrides: dict[str, float]) -> list[Drawn]:
            assert (count, overrides) == (4, {}) and {one.intensity for one in asked} == {1, 2, 3}
            texts = [good[one.preset.id].upper() for one in asked]
            return [Drawn(one, (text,) * 4, text) for one, text in zip(asked, texts, strict=True)]

    known = [("Ура!", "good"), ("Увы.", "bad"), ("Сдал!", "good"), ("Как быть?", "advice")]
    found = kinds.sent(Congratulates(), known, 4)  # type: ignore[arg-type]
    assert found.reshape(4, -1).mean(axis=1).tolist() == [1, 0, 1, 0]


def test_the_table_counts_all_five_and_news_alone() -> None:
    actual = ["good", "bad", "advice", "good"]
    scores = np.array([[9, 0, 0, 0, 0], [5, 4, 0, 0, 0], [0, 0, 0, 0, 9], [3, 1, 9, 0, 0]], dtype=float)
    line = kinds.report({"one": scores}, actual)[-1]
    assert line.startswith("| one | 0.500 [") and "| 0.667 [" in line and line.endswith("| bad → good (1) |")
    right = kinds.report({"one": np.eye(5)[[FIRST.index(kind) for kind in actual]]}, actual)[-1]
    assert right.startswith("| one | 1.000 [") and right.endswith("| – (0) |")


def test_a_starter_and_n_grams_hear_plain_cases(presets: Presets) -> None:
    texts = ["меня повысили, ура!", "у меня умерла собака"]
    for scores in (
        kinds.heard(STARTER, presets, texts, 1),
        kinds.linear(texts, 4000),
        kinds.inside(STARTER, texts, 5, 400),
    ):
        assert scores.shape == (2, len(FIRST))
        good, bad = FIRST.index("good"), FIRST.index("bad")
        assert scores[0, good] - scores[0, bad] > scores[1, good] - scores[1, bad]


def test_a_state_is_of_its_message_alone() -> None:
    model, tokenizer = load(STARTER)
    texts = ["меня повысили, ура!", "а"]
    both, one = kinds.states(model, tokenizer, texts, 3), kinds.states(model, tokenizer, texts[1:], 3)
    assert both.shape == (2, model.config.hidden_size)
    assert np.abs(both[1] - one[0]).max() < 0.15 < np.abs(both[1] - both[0]).max()


def test_a_layer_that_is_not_there_is_told() -> None:
    with pytest.raises(ValueError, match="layers 1 to 8, not 9"):
        kinds.inside(STARTER, ["а"], 9)
