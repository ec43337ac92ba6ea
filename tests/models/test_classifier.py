"""Classifiers: labels mapped to ours, the right head, thresholds, batches, and damage that is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from models.build import build_responder, check_labels
from models.classifier import LexiconClassifier, fit, fits, normalise, present, strongest
from models.engines.echo import echo
from models.errors import ClassifierBroken
from models.prompt import Prompt
from models.sequence_classifier import SequenceClassifier
from models.settings import ModelsSettings
from storage.contracts import Turn
from storage.presets import Preset, load_presets
from tests.models.tiny import save_classifier

PRESETS = load_presets()
TEXTS = ["Ура", "Мне очень грустно сегодня, и дождь не кончается " * 8, "а", "Ну и ну! Вот это да", ""]


def test_labels_of_published_classifiers_become_ours(tmp_path: Path) -> None:
    classifier = SequenceClassifier.load(str(save_classifier(tmp_path)))
    assert classifier.labels == ("neutral", "joy", "sadness")
    assert normalise(" Удивление ") == "surprise" and normalise("стыд") == "стыд"


def test_a_multi_label_head_gets_a_sigmoid_and_others_a_softmax(tmp_path: Path) -> None:
    several = SequenceClassifier.load(str(save_classifier(tmp_path / "a"))).classify(TEXTS)
    single = SequenceClassifier.load(
        str(save_classifier(tmp_path / "b", problem="single_label_classification"))
    ).classify(TEXTS)
    assert all(abs(sum(values.values()) - 1) < 1e-5 for values in single)
    assert any(abs(sum(values.values()) - 1) > 0.05 for values in several)
    assert all(0 <= value <= 1 for values in several for value in values.values())


def test_a_text_means_the_same_alone_and_in_a_batch(tmp_path: Path) -> None:
    classifier = SequenceClassifier.load(str(save_classifier(tmp_path)))
    together = classifier.classify(TEXTS * 9)
    for index, text in enumerate(TEXTS):
        alone = classifier.classify([text])[0]
        assert alone == pytest.approx(together[index], abs=1e-5)
        assert together[index] == pytest.approx(together[index + len(TEXTS)], abs=1e-5)
    assert classifier.classify([]) == []


def test_thresholds_beside_the_weights_decide_what_is_present(tmp_path: Path) -> None:
    save_classifier(tmp_path)
    (tmp_path / "thresholds.json").write_text(json.dumps({"Радость": 0.2, "sad": 0.9}))
    classifier = SequenceClassifier.load(str(tmp_path))
    assert classifier.thresholds == {"joy": 0.2, "sadness": 0.9}
    found = {"joy": 0.3, "sadness": 0.8, "neutral": 0.6}
    assert present(found, classifier.thresholds) == ["neutral", "joy"]
    assert fits(PRESETS.get("joy"), found, classifier.thresholds)
    assert not fits(PRESETS.get("sadness"), found, classifier.thresholds)


@pytest.mark.parametrize("damage", ["missing", "weights", "thresholds", "labels"])
def test_damage_is_named_with_the_setting_to_change(tmp_path: Path, damage: str) -> None:
    if damage != "missing":
        save_classifier(tmp_path)
    if damage == "weights":
        (tmp_path / "model.safetensors").write_bytes(b"broken")
    if damage == "thresholds":
        (tmp_path / "thresholds.json").write_text("[1]")
    if damage == "labels":
        (tmp_path / "thresholds.json").write_text('{"anger": 0.5}')
    with pytest.raises(ClassifierBroken, match="MODELS_CLASSIFIER"):
        SequenceClassifier.load(str(tmp_path))


@pytest.mark.parametrize("labels", [("LABEL_0", "LABEL_1"), ("toxic", "fine")])
def test_a_classifier_of_something_else_is_refused(labels: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    other = LexiconClassifier()
    other.labels = labels
    monkeypatch.setattr("models.build.build_classifier", lambda settings: other)
    with pytest.raises(ClassifierBroken, match="MODELS_CLASSIFIER") as raised:
        build_responder(ModelsSettings(engine="echo"), PRESETS)
    assert labels[0] in str(raised.value)


def test_presets_that_a_classifier_cannot_check_are_named() -> None:
    partial = LexiconClassifier()
    partial.labels = ("joy", "sadness", "neutral")
    with capture_logs() as said:
        check_labels(partial, PRESETS)
    assert {line["preset"] for line in said} == {"surprise", "fear", "anger", "disgust"}
    with capture_logs() as said:
        check_labels(LexiconClassifier(), PRESETS)
    assert said == []


def test_weights_of_another_version_have_another_name(tmp_path: Path) -> None:
    first = SequenceClassifier.load(str(save_classifier(tmp_path / "a" / "rubert")))
    second = SequenceClassifier.load(
        str(save_classifier(tmp_path / "b" / "rubert", labels=("joy", "sad", "fear", "x")))
    )
    assert first.id.startswith("rubert-") and first.id != second.id


def test_fit_is_the_best_of_the_presets_known_labels() -> None:
    sympathy = PRESETS.get("sympathy").model_copy(update={"labels": ("sympathy", "sadness")})
    assert fit(sympathy, {"sadness": 0.4, "joy": 0.9}) == 0.4
    assert fit(sympathy, {"sadness": 0.4, "sympathy": 0.6}) == 0.6
    assert fit(PRESETS.get("anger"), {"joy": 0.9}) is None


@pytest.mark.parametrize("preset", PRESETS.presets, ids=lambda preset: preset.id)
def test_the_lexicon_finds_the_emotion_of_every_echo(preset: Preset) -> None:
    chosen = preset
    text = echo(Prompt((Turn(role="user", text="Мне грустно и страшно"),), chosen, 2))
    found = LexiconClassifier().classify([text])[0]
    assert fits(chosen, found, {}) and strongest(found) in chosen.labels
