"""The bundled starter, as somebody meets it who has only cloned the repository."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

import models
from models.prompt import Prompt, render
from models.selection import defect
from storage.contracts import Turn
from storage.presets import Presets
from training.data.conversations import classify
from training.data.emotions import LABELS
from training.evaluation.starter import load

STARTER = Path(models.__file__).parent / "starter"
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")


@pytest.fixture(scope="module")
def starter() -> tuple[Any, Any]:
    return load(STARTER)


def answer(starter: tuple[Any, Any], presets: Presets, text: str, preset: str, intensity: int) -> str:
    import torch

    model, tokenizer = starter
    torch.manual_seed(3)
    rendered = render(tokenizer, Prompt((Turn(role="user", text=text),), presets.get(preset), intensity), presets)
    ids = tokenizer(rendered, add_special_tokens=False, return_tensors="pt")
    out = model.generate(**ids, do_sample=True, temperature=0.7, top_p=0.9, top_k=0, max_new_tokens=72)
    return str(tokenizer.decode(out[0, ids["input_ids"].shape[1] :], skip_special_tokens=True)).strip()


def test_it_is_small_and_carries_no_pickles() -> None:
    files = [path for path in STARTER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 60_000_000
    assert max(path.stat().st_size for path in files) < 20_000_000
    assert {path.suffix for path in files} <= {".safetensors", ".json", ".jinja", ".md"}


@pytest.mark.parametrize("preset", ["neutral", "joy", "sadness", "surprise", "fear", "anger", "disgust", "sympathy"])
def test_it_answers_in_russian_in_every_preset(starter: tuple[Any, Any], presets: Presets, preset: str) -> None:
    text = answer(starter, presets, "Привет! Как дела?", preset, 2)
    assert len(re.findall(r"[а-яё]+", text.lower())) >= 2
    assert defect(text, "Привет! Как дела?") is None


def test_the_emotion_asked_for_changes_the_answer(starter: tuple[Any, Any], presets: Presets) -> None:
    answers = {answer(starter, presets, "Завтра экзамен", preset, 3) for preset in ("joy", "fear", "anger", "disgust")}
    assert len(answers) == 4


def test_the_classifier_knows_plain_cases_and_its_thresholds() -> None:
    thresholds = json.loads((STARTER / "classifier" / "thresholds.json").read_text(encoding="utf-8"))
    assert tuple(thresholds) == LABELS
    assert all(0 < value < 1 for value in thresholds.values())
    cases = {
        "joy": "Ура, как же я рад, это просто чудесно!",
        "sadness": "Мне так грустно, хочется плакать.",
        "fear": "Мне страшно, я очень боюсь.",
        "disgust": "Фу, какая гадость, меня тошнит!",
    }
    for (label, _), row in zip(cases.items(), classify(STARTER / "classifier", list(cases.values())), strict=True):
        assert max(row, key=lambda one: row[one]) == label


def test_the_card_gives_the_hash_of_every_weight_file() -> None:
    card = (STARTER / "README.md").read_text(encoding="utf-8")
    for path in STARTER.rglob("*.safetensors"):
        assert hashlib.sha256(path.read_bytes()).hexdigest() in card, path.name
