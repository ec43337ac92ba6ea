"""The gate on real Russian answers, the shipped judge of emotions, and planted keyword stuffing."""

from __future__ import annotations

import random

import pytest

from storage.presets import Presets
from training.data.rows import Answer
from training.data.seed_corpus import SeedRow
from training.evaluation import answering
from training.evaluation import gate as gates
from training.evaluation.gate import Opinion
from training.evaluation.metrics.perplexity import Surprise
from training.evaluation.samples import Sample
from training.gate import Evidence, EvidenceError, Verdict, decide
from training.gating.evidence import anchored
from training.gating.gather import gather

PROMPTS = 240
STUFFED = {
    "joy": "Радость! Я так рад! Радость!",
    "sadness": "Грусть. Мне так грустно. Грусть.",
    "surprise": "Удивление! Я так удивлён! Удивление!",
    "fear": "Страх! Мне так страшно! Страх!",
    "anger": "Злость! Я так зол! Злость!",
    "disgust": "Отвращение! Мне так противно! Отвращение!",
    "neutral": "Нейтрально. Мне нейтрально. Нейтрально.",
    "sympathy": "Сочувствие. Я так сочувствую. Сочувствие.",
}
# The gate classifier is pleased by these: only what they are made of tells on them.
SYNONYMS = {
    "joy": ("Ура!", "Рад!", "Здорово!", "Счастье!", "Класс!", "Прекрасно!"),
    "sadness": ("Грустно.", "Печально.", "Тоска.", "Жаль.", "Слёзы.", "Больно."),
    "surprise": ("Ого!", "Неужели!", "Вот это да!", "Ничего себе!", "Правда?"),
    "fear": ("Страшно!", "Боюсь!", "Жутко!", "Ужас!", "Тревожно!"),
    "anger": ("Бесит!", "Злюсь!", "Ненавижу!", "Достало!", "Хватит!"),
    "disgust": ("Фу!", "Мерзко!", "Противно!", "Гадость!", "Тошнит!"),
    "neutral": ("Ясно.", "Понятно.", "Хорошо.", "Ладно."),
    "sympathy": ("Жаль.", "Понимаю.", "Держись.", "Сочувствую.", "Обнимаю."),
}
TEXTS = [Surprise(str(place), 60.0 + place, 20, 90) for place in range(40)]


@pytest.fixture(scope="module")
def gate() -> Opinion:
    return gates.load("seed")


@pytest.fixture(scope="module")
def people(seed_rows: list[SeedRow], presets: Presets) -> list[Sample]:
    """People's held-out answers of the seed corpus, in the emotion that was asked for."""
    rows = [
        Answer(prompt=row.turns, answer=row.reply, emotion=row.emotion, intensity=row.intensity)
        for row in seed_rows
        if row.held_out
    ]
    return [
        Sample(
            key=one.key,
            system="people",
            prompt=one.row.prompt,
            emotion=one.preset.id if one.preset else None,
            intensity=one.row.intensity,
            answer=one.row.answer,
        )
        for one in answering.ask(rows, presets, PROMPTS)
    ]


@pytest.fixture(scope="module")
def astray(people: list[Sample], seed_rows: list[SeedRow]) -> list[Sample]:
    """Answers to the same messages, every third in another emotion than was asked: an incumbent to improve upon."""
    others: dict[str, list[str]] = {}
    for row in seed_rows:
        others.setdefault(row.message, []).append(row.reply)
    chooser = random.Random(2)
    return [
        one
        if place % 3
        else one.model_copy(
            update={
                "answer": chooser.choice(
                    [t for t in others["\n".join(turn.text for turn in one.prompt)] if t != one.answer]
                )
            }
        )
        for place, one in enumerate(people)
    ]


def judged(people: list[Sample], win: float) -> dict[str, float]:
    """A judge that prefers the candidate this often."""
    chooser = random.Random(3)
    return {one.key: float(chooser.random() < win) for one in people}


def verdict(incumbent: list[Sample], candidate: list[Sample], presets: Presets, gate: Opinion, win: float) -> Verdict:
    found = gather(
        incumbent,
        candidate,
        presets,
        gate,
        judged=judged(candidate, win),
        texts=(TEXTS, TEXTS),
        crisis=lambda text: False,
    )
    return decide(found)


def planted(people: list[Sample], name: str) -> list[Sample]:
    chooser = random.Random(1)
    return [
        one.model_copy(
            update={
                "system": name,
                "answer": STUFFED[one.emotion or ""]
                if name == "stuffed"
                else " ".join(chooser.choices(SYNONYMS[one.emotion or ""], k=4)),
            }
        )
        for one in people
    ]


def failed(told: Verdict) -> set[str]:
    return {one.name for one in told.checks if one.required and not one.passed}


def test_answers_that_carry_the_emotion_pass_against_ones_that_stray(
    people: list[Sample], astray: list[Sample], presets: Presets, gate: Opinion
) -> None:
    told = verdict(astray, people, presets, gate, 0.65)
    assert told.passed, told.text("ru", whole=True)
    assert any(one.startswith("Попадание в эмоцию") for one in told.reasons_ru)


def test_the_same_answers_again_are_rejected(people: list[Sample], presets: Presets, gate: Opinion) -> None:
    told = verdict(people, people, presets, gate, 0.5)
    assert "better" in failed(told) and not any(name.startswith("sign_") for name in failed(told))


def test_answers_that_stray_are_rejected(
    people: list[Sample], astray: list[Sample], presets: Presets, gate: Opinion
) -> None:
    assert {"better", "emotion_hit"} <= failed(verdict(people, astray, presets, gate, 0.45))


@pytest.mark.parametrize(
    ("name", "signs"),
    [("stuffed", {"sign_title_share", "sign_shared2", "sign_distinct1"}), ("synonyms", {"sign_shared2"})],
)
def test_keyword_stuffing_that_pleases_the_judge_is_rejected(
    name: str, signs: set[str], astray: list[Sample], presets: Presets, gate: Opinion
) -> None:
    """Though every opinion likes it, what it is made of tells on it."""
    told = verdict(astray, planted(astray, name), presets, gate, 0.9)
    assert signs <= failed(told)
    assert any("Похоже на обман проверок" in one for one in told.reasons_ru)
    if name == "synonyms":
        hit = next(one for one in told.checks if one.name == "emotion_hit")
        assert hit.passed, "this one deceives the emotion's gate too, or the test shows nothing"


def test_what_a_preference_model_scores_becomes_wins(people: list[Sample], presets: Presets, gate: Opinion) -> None:
    few = people[:4]
    found = gather(few, few[::-1], presets, gate, scores=([1.0, 2.0, 3.0, 4.0], [9.0, 3.0, 1.0, 0.5]))
    # The candidate's samples come in the reverse order: each prompt keeps its own scores.
    liked = {row.key: row.preference for row in found.prompts}
    assert [liked[one.key] for one in few] == [0.0, 0.0, 0.5, 1.0]


def test_the_first_versions_answers_and_surprise_stand_beside_both(
    people: list[Sample], astray: list[Sample], presets: Presets, gate: Opinion
) -> None:
    harder = [Surprise(one.key, one.nats * 2, one.tokens, one.characters) for one in TEXTS]
    found = gather(people, people, presets, gate, texts=(TEXTS, TEXTS), anchor=(astray, harder[:-1]))
    beside = anchored(found)
    assert len(beside.prompts) == len(people) and len(beside.texts) == len(TEXTS) - 1
    assert [one.incumbent_nats for one in beside.texts] == sorted(one.nats for one in harder[:-1])
    hit = [row.incumbent.hit or 0.0 for row in beside.prompts], [row.candidate.hit or 0.0 for row in beside.prompts]
    assert sum(hit[0]) < 0.8 * sum(hit[1])
    assert anchored(gather(people, people, presets, gate, texts=(TEXTS, TEXTS))) == Evidence()


def test_several_answers_to_a_prompt_are_one_row(people: list[Sample], presets: Presets, gate: Opinion) -> None:
    one = people[0]
    again = one.model_copy(update={"seed": 1, "answer": ""})
    found = gather([one, again], [one, again], presets, gate)
    assert len(found.prompts) == 1
    assert found.prompts[0].candidate.fault == 0.5


def test_systems_without_a_common_prompt_are_refused(people: list[Sample], presets: Presets, gate: Opinion) -> None:
    with pytest.raises(EvidenceError, match="no prompt in common"):
        gather(people[:2], people[2:4], presets, gate)
    with pytest.raises(EvidenceError, match="one a sample"):
        gather(people[:2], people[:2], presets, gate, scores=([1.0], [1.0, 2.0]))


def test_evidence_keeps_no_text(people: list[Sample], presets: Presets, gate: Opinion) -> None:
    found = gather(people[:20], people[:20], presets, gate)
    stored = found.model_dump_json()
    assert not any(one.answer in stored for one in people[:20])
    assert Evidence.model_validate_json(stored) == found
