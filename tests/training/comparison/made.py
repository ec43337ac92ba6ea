"""A comparison made by hand: three systems on the same prompts, without a model."""

from __future__ import annotations

import random

from storage.contracts import Turn
from storage.presets import Presets
from training.comparison.costs import Cost
from training.comparison.judging import Judged
from training.comparison.report import Told
from training.evaluation import compare
from training.evaluation.compare import Table
from training.evaluation.evaluating import Found
from training.evaluation.metrics import Absent, Column, Measured
from training.evaluation.samples import Sample

HIT = Column("emotion_hit", "Emotion hit (gate)", "Попадание в эмоцию", "higher")
SURE = Column("emotion_p", "Probability", "Вероятность", "higher")
TOKENS = Column("tokens", "Tokens", "Токены", None, 1)
BLEURT = Column("bleurt", "BLEURT", "BLEURT", "higher")
NASTY = '<script>alert("x")</script> & <b>да</b>'
RATES = {"base": 0.4, "sft": 0.9, "dpo": 0.85}


def samples(name: str, count: int) -> list[Sample]:
    """Answers with markup in them, as a model may write it."""
    return [
        Sample(
            key=f"k{place}",
            system=name,
            prompt=(Turn(role="user", text=f"Вопрос {place} {NASTY}"),),
            emotion="joy",
            reference="Ответ человека",
            answer=f"{name}: {NASTY}",
            tokens=10 + place % 7,
        )
        for place in range(count)
    ]


def judged(count: int = 60) -> Judged:
    """sft and dpo better than base, and alike."""
    draw = random.Random(0)
    answers = {name: samples(name, count) for name in RATES}
    values: dict[str, Measured] = {}
    for name, rate in RATES.items():
        sure: list[float | None] = [min(1.0, max(0.0, draw.gauss(rate, 0.2))) for _ in range(count)]
        values[name] = {
            "emotion_p": sure,
            "emotion_hit": [float((one or 0) > 0.5) for one in sure],
            "tokens": [float(one.tokens) for one in answers[name]],
            "bleurt": Absent("no checkpoint is named"),
        }
    table = Table(list(RATES))
    for column in (HIT, SURE, TOKENS, BLEURT):
        table.add(column, compare.per_sample(answers, values, column.name))
    found = Found(table, values)
    found.alarms["sft"] = {"verdict": "higher", "en": "ALARM, reward hacking <i>", "ru": "ТРЕВОГА <i>"}
    return Judged(found, answers, {"id": "gate", "accuracy": {}}, "picker")


def costs() -> dict[str, Cost]:
    """One entry finished, one went on after a kill, one failed."""
    return {
        "sft": Cost(identity="1", minutes=2.5, peak_mib=2048, trainable=10, parameters=200, loss=1.5),
        "dpo": Cost(identity="2", minutes=4.0, peak_mib=1024, trainable=10, parameters=200, at_least=True),
        "kto": Cost(identity="3", failed="loss is no number any more at step 3"),
    }


def told(presets: Presets, language: str = "en", published: str | None = None) -> Told:
    """All that a report takes."""
    return Told(
        name="made",
        language=language,
        costs=costs(),
        judged=judged(),
        presets=presets,
        about={"weights": "tiny & small", "data": "by hand", "machine": "none"},
        runs=[{"entry": "sft", "title": "", "method": "sft", "recipe": "a.yaml", "rows": "", "laid": "steps: 3"}],
        curves={"sft": {"loss": [(1.0, 2.0), (2.0, 1.5)]}, "kto": {}},
        published=published,
    )
