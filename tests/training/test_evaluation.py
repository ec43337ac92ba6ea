from collections.abc import Sequence

import pytest

from models.judging import Judge
from models.prompt import Prompt
from storage.contracts import Candidate, Turn
from storage.presets import Presets
from training.data import emotions, seed_corpus
from training.data.emotions import LABELS
from training.evaluation import starter
from training.evaluation.tfidf import TfIdf


class Sure:
    """A classifier whose answers the candidates carry already."""

    id, labels, thresholds = "sure", ("joy",), {"joy": 0.5}

    def classify(self, texts: Sequence[str]) -> list[dict[str, float]]:
        return [{"joy": 0.0} for _ in texts]


@pytest.mark.parametrize(("relevance", "kept"), [(None, "Ура, победа!"), (0.5, "Рад за тебя!")])
def test_what_serving_would_send_is_kept(presets: Presets, relevance: float | None, kept: str) -> None:
    prompt = Prompt((Turn(role="user", text="Как дела?"),), presets.get("joy"), 2)
    rows = (
        ("", 0.9, None),
        ("Ну.", 0.4, 9.0),
        ("Ура, победа!", 0.8, relevance and 0.1),
        ("Рад за тебя!", 0.7, relevance),
    )
    candidates = [
        Candidate(text=text, fit=fit, probabilities={"joy": fit}, relevance=value) for text, fit, value in rows
    ]
    assert starter.pick(Judge(Sure()), prompt, candidates) == kept
    assert starter.pick(Judge(Sure()), prompt, candidates[:1]) == ""


def test_prompts_are_held_out_and_balanced(presets: Presets) -> None:
    asked = starter.prompts(presets, 48)
    cells = [(one.preset.id, one.intensity) for one in asked]
    assert {cells.count(cell) for cell in cells} == {2}
    assert all(seed_corpus.held_out("\n".join(turn.text for turn in one.turns)) for one in asked)


def test_hits_count_by_preset_and_intensity(presets: Presets) -> None:
    turns = (Turn(role="user", text="Привет"),)
    drawn = [starter.Drawn(Prompt(turns, presets.get("joy"), step), ("а",), "а") for step in (1, 3)]
    zero = dict.fromkeys(LABELS, 0.0)
    found = starter.hits(drawn, [{**zero, "fear": 0.9}, {**zero, "joy": 0.6}])
    assert dict(found) == {("joy", 1): [False], ("joy", 3): [True]}


def test_the_reference_learns_the_seed_corpus(seed_rows: list[seed_corpus.SeedRow]) -> None:
    train, held = (list(emotions.seed_with_sympathy(part)) for part in seed_corpus.split(seed_rows[:1500]))
    model = TfIdf.fit(train)
    scores = emotions.macro_f1(model.rows([row.text for row in held]), held, dict.fromkeys(LABELS, 0.5), LABELS)
    assert scores["macro"] > 0.6
