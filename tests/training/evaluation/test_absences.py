"""A Russian report says in Russian why a figure is absent."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from training.evaluation import absences

FOLDERS = ("evaluation", "comparison")


@pytest.mark.parametrize(
    ("reason", "russian"),
    [
        ("the encoder x/y cannot be loaded (no file)", "кодировщик x/y не загружается (no file)"),
        ("the package bert-score is not installed: pip install bert-score", "пакет bert-score не установлен"),
        ("not measured", "не измерялось"),
    ],
)
def test_reasons_are_told_in_russian(reason: str, russian: str) -> None:
    assert absences.told(reason, "ru").startswith(russian)
    assert absences.told(reason, "en") == reason


def test_no_fixed_reason_is_without_russian() -> None:
    root = Path(__file__).parents[3] / "training"
    texts = "\n".join(path.read_text(encoding="utf-8") for name in FOLDERS for path in (root / name).rglob("*.py"))
    fixed = re.findall(r"Absent\(\s*\"([^\"]+)\"", texts)
    assert len(fixed) >= 6
    assert not [reason for reason in fixed if absences.told(reason, "ru") == reason]
