"""`TRAINING_…` settings are refused where they are wrong, and leave others' names alone."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from training.settings import TrainingSettings


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("TRAINING_SCHEDULE", "every night", "no cron line"),
        ("TRAINING_SCHEDULE", "0 0 31 2 *", "no cron line"),
        ("TRAINING_TIMEZONE", "Moscow/Centre", "no such time zone"),
        ("TRAINING_METHOD", "magic", "kto"),
        ("TRAINING_RECIPES", "kto", "METHOD=FILE"),
        ("TRAINING_RECIPES", "magic=a.yaml", "no refit by magic"),
        ("TRAINING_GATE", '{"least_promts": 5}', "least_promts"),
        ("TRAINING_CANARY", '{"shares": 5}', "shares"),
        ("TRAINING_FEEDBACK", '{"held": 5}', "held"),
        ("TRAINING_LAUNCH", '"--num_processes', "quotation"),
        ("TRAINING_SHEDULE", "0 3 * * *", "TRAINING_SHEDULE is not a setting"),
    ],
)
def test_wrong_values_are_refused(name: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError) as caught:
        TrainingSettings()
    assert words in str(caught.value)


def test_settings_of_other_commands_are_not_ours_to_refuse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINING_JUDGE_URL", "http://localhost:8000/v1")
    monkeypatch.setenv("TRAINING_ZOHO_TOKEN", "secret")
    assert TrainingSettings().schedule == "30 3 * * *"


def test_an_admin_decides_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    found = TrainingSettings()
    assert not found.auto_promote and not found.auto_canary and not found.drain
    monkeypatch.setenv("TRAINING_SCHEDULE", "")
    monkeypatch.setenv("TRAINING_RECIPES", "kto=a.yaml, dpo=b.yaml")
    other = TrainingSettings()
    assert other.schedule is None and set(other.recipes) == {"kto", "dpo"}
