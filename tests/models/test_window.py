"""How much of a dialogue a prompt holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from models.build import build_responder
from models.engine import Row
from models.engines.echo import EchoEngine
from models.jobs import Task
from models.settings import ModelsSettings
from models.window import newest
from storage.contracts import Turn
from storage.presets import load_presets
from tests.models.line import make_request

DIALOGUE = (
    Turn(role="user", text="Привет"),
    Turn(role="assistant", text="Привет!"),
    Turn(role="user", text="У меня новость"),
    Turn(role="user", text="Меня повысили"),
)


class Remembering(EchoEngine):
    """Keeps the rows that it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[Row] = []

    def admit(self, rows: Sequence[Row]) -> None:
        self.given += rows
        super().admit(rows)


@pytest.mark.parametrize(
    ("most", "texts"),
    [
        (None, ["Привет", "Привет!", "У меня новость\nМеня повысили"]),
        (3, ["Привет", "Привет!", "У меня новость\nМеня повысили"]),
        (2, ["У меня новость\nМеня повысили"]),  # an answer does not open a dialogue
        (1, ["У меня новость\nМеня повысили"]),
    ],
)
def test_newest_turns_are_kept_and_what_was_written_together_stays_together(most: int | None, texts: list[str]) -> None:
    assert [turn.text for turn in newest(DIALOGUE, most)] == texts


@pytest.mark.parametrize(("settings", "kept"), [({}, 3), ({"turns": 1}, 1)])
def test_prompts_hold_as_many_turns_as_the_setting_says(settings: dict[str, Any], kept: int) -> None:
    engine = Remembering()
    made = build_responder(ModelsSettings(engine="echo", window_ms=0, **settings), load_presets())
    made.engine = made.intake.engine = engine
    made.turn([Task(make_request("Меня повысили").model_copy(update={"turns": DIALOGUE}))])
    assert [len(row.prompt.turns) for row in engine.given] == [kept] * len(engine.given) and engine.given


def test_the_starter_hears_the_last_message_alone() -> None:
    assert ModelsSettings().turns_kept() == 1
    assert ModelsSettings(turns=6).turns_kept() == 6
    assert ModelsSettings(base="some/model").turns_kept() is None
    assert ModelsSettings(engine="echo").turns_kept() is None
