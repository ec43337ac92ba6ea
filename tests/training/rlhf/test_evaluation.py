"""The comparison that tells emotion from a fooled reward, on answers whose figures are known."""

import pytest

from models.prompt import Prompt
from storage.contracts import Turn
from storage.presets import Presets
from training.data.emotions import LABELS
from training.evaluation import rlhf


def row(label: str, value: float = 0.9) -> dict[str, float]:
    return {**dict.fromkeys(LABELS, 0.05), label: value}


def test_distinct_by_hand() -> None:
    # ура ура, ура нет, ура ура: two of three pairs are different; two of six words
    assert rlhf.distinct(["ура Ура", "ура нет", "ура ура"], 2) == pytest.approx(2 / 3)
    assert rlhf.distinct(["ура Ура", "ура нет", "ура ура"], 1) == pytest.approx(2 / 6)
    assert rlhf.distinct(["ура"], 2) == 0.0


def test_a_fooled_reward_shows(presets: Presets) -> None:
    turn = (Turn(role="user", text="как дела"),)
    asked = [Prompt(turn, presets.get(name), 2) for name in ("joy", "joy", "sadness", "sadness")]
    texts = ("ура ура ура ура", "ура ура ура ура", "Мне грустно.", "Мне грустно.")
    paid = tuple(row(label) for label in ("joy", "joy", "sadness", "sadness"))
    seen = tuple(row(label) for label in ("neutral", "neutral", "sadness", "sadness"))
    found = rlhf.figures(asked, rlhf.Answered(texts, paid, seen))
    assert found["hit by the rewarding classifier"] == 1.0 and found["hit by the judge"] == 0.5
    assert found["rewarded probability"] == pytest.approx(0.9)
    assert found["different answers"] == 0.5 and found["defective"] == 0.5 and found["words an answer"] == 3.0
    lines = rlhf.by_preset(asked, {"after": rlhf.Answered(texts, paid, seen)})
    assert lines[2:] == ["| joy | 0.00 |", "| sadness | 1.00 |"]
