"""A judge's opinion in the gate's evidence: asked about the corpus alone, and missed without harm."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import ValidationError

from storage.contracts import Turn
from storage.presets import load_presets
from tests.training.cycle import made
from tests.training.cycle.test_evaluating import order
from tests.training.evaluation.judging.local_server import Server, longer_wins, serving
from training.cycle import evaluating, judging
from training.cycle.places import JobFolder
from training.evaluation.samples import Sample
from training.settings import TrainingSettings


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with serving() as found:
        found.rule = longer_wins
        monkeypatch.setenv("TRAINING_JUDGE_URL", found.url)
        monkeypatch.setenv("TRAINING_JUDGE_MODEL", "judge")
        monkeypatch.setenv("TRAINING_JUDGE_RETRIES", "0")
        yield found


def answered(system: str, *answers: str) -> list[Sample]:
    return [
        Sample(
            key=f"k{number}",
            system=system,
            prompt=(Turn(role="user", text=f"Вопрос номер {number}?"),),
            emotion="joy",
            intensity=2,
            answer=answer,
            seed=0,
        )
        for number, answer in enumerate(answers)
    ]


def test_a_judge_prefers_answers_in_both_orders_and_sees_the_corpus_alone(server: Server, tmp_path: Path) -> None:
    folder = JobFolder(tmp_path)
    old = answered("incumbent", "Нет.", "Да, конечно, я очень рад этому!", "Ага.", "Угу.")
    new = answered("candidate", "Ура, какая прекрасная новость!", "Да.", "Ага.", "Секрет одного человека")
    found = judging.judged(folder, load_presets(), old, new, {"k0", "k1", "k2"}, 10)
    assert found == {"k0": 1.0, "k1": 0.0, "k2": 0.5}
    assert server.bodies and not any("Секрет" in str(body) for body in server.bodies)
    asked = len(server.bodies)
    assert judging.judged(folder, load_presets(), old, new, {"k0", "k1", "k2"}, 10) == found
    assert len(server.bodies) == asked, "an attempt after this one asks nothing again"
    assert judging.judged(folder, load_presets(), old, new, {"k0"}, 0) is None


def test_a_judge_that_does_not_answer_holds_no_refit_up(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.rule = lambda first, second, body: (401, {"error": {"message": "no such key"}})
    old, new = answered("incumbent", "Нет."), answered("candidate", "Ура!")
    assert judging.judged(JobFolder(tmp_path), load_presets(), old, new, {"k0"}, 10) is None
    assert "the judge was not asked" in capsys.readouterr().err


def test_what_people_wrote_is_not_of_the_corpus(tmp_path: Path) -> None:
    folder = JobFolder.of(tmp_path, "job")
    made.freeze(folder, thumbs=200)
    asked = evaluating.prompts(folder, order(prompts=30), load_presets())
    shown = evaluating.of_the_corpus(folder, order(prompts=30), asked)
    assert 10 <= len(shown) < len(asked)


def test_a_judge_that_is_not_set_up_is_told_at_start(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TRAINING_JUDGE_URL", "TRAINING_JUDGE_MODEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TRAINING_GATE_JUDGE", "50")
    with pytest.raises(ValidationError, match="the judge is not set up"):
        TrainingSettings()
