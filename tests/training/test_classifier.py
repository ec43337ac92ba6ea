"""Classifiers tuned on real replies: single and several labels, served, resumed, refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from safetensors.torch import load_file

from models.classifier import present, strongest
from models.sequence_classifier import SequenceClassifier
from storage.presets import Presets
from training import calibration, classifier, classifier_network, cli, recipes, tuning
from training.bases import BaseMissing
from training.calibration import Truth
from training.classifier import ClassifierRecipe
from training.data import seed_corpus, sets
from training.data.emotions import f1
from training.data.rows import Text
from training.data.seed_corpus import SeedRow
from training.labels import LabelError, Labels
from training.watch import DivergedLoss

BUNDLED = Path(__file__).parents[2] / "models" / "starter" / "classifier"
UNPLEASANT = ("грусть", "страх", "злость", "отвращение")

# PEFT asks transformers by an old name.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")


def by_emotion(row: SeedRow) -> tuple[str, ...]:
    return (row.emotion,)


def by_name(row: SeedRow) -> tuple[str, ...]:
    """Labels that no base knows."""
    return (f"тон: {row.emotion}",)


def by_traits(row: SeedRow) -> tuple[str, ...]:
    """What can be told of a reply: any number of labels, also none."""
    traits = {"asks": "?" in row.reply, "unpleasant": row.emotion in UNPLEASANT, "exclaims": "!" in row.reply}
    return tuple(name for name, there in traits.items() if there)


def texts(rows: list[SeedRow], labels: Callable[[SeedRow], tuple[str, ...]]) -> list[Text]:
    return [Text(text=row.reply, labels=labels(row), origin=f"{row.source}:{row.line}") for row in rows]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, seed_rows: list[SeedRow]) -> dict[str, Path]:
    """Prepared sets of short replies: `single` (eight presets, which the base knows), `named` (the same under other
    names), `multi`."""
    folder = tmp_path_factory.mktemp("sets")
    short = [row for row in seed_rows if len(row.reply) < 90]
    train, held = (part[:most] for part, most in zip(seed_corpus.split(short), (480, 240), strict=True))
    made = {
        "single": (texts(train, by_emotion), texts(held, by_emotion)),
        "multi": (texts(train, by_traits), texts(held, by_traits)),
        "named": (texts(train, by_name), texts(held, by_name)),
    }
    return {name: sets.write(folder / name, *parts, {"steps": []}).folder for name, parts in made.items()}


def recipe(data: Path, **keys: Any) -> ClassifierRecipe:
    given = {
        "name": "tiny", "base": str(BUNDLED), "data": data, "task": "single", "rows": 16, "steps": 30, "longest": 32,
        "learning_rate": 5e-4, "measure_rows": 64, "save_steps": 1000, "reference_rows": 0, **keys,
    }  # fmt: skip
    return ClassifierRecipe.model_validate(given)


def measured(storage: Path, name: str = "tiny") -> list[dict[str, Any]]:
    lines = (storage / "runs" / f"classifier-{name}" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_one_label_a_text_is_learned_served_and_reported(
    data: dict[str, Path], presets: Presets, tmp_path: Path
) -> None:
    folder = classifier.main(recipe(data["named"], reference_rows=480), tmp_path, presets)
    held = list(sets.load(data["named"]).held_out(Text))
    served = SequenceClassifier.load(str(folder))
    found = served.classify([row.text for row in held])
    rows = list(Labels("single", served.labels).read(held))
    right = np.mean([strongest(one) in row.labels for one, row in zip(found, rows, strict=True)])
    assert right > 0.6  # One of eight by chance.
    assert "тон: сочувствие" in served.labels and not served.multi_label
    evaluations = [line for line in measured(tmp_path) if "eval_loss" in line]
    assert evaluations[-1]["eval_loss"] < evaluations[0]["eval_loss"] - 0.5
    # What was written is what the worker's own probabilities ask for.
    probabilities = np.array([[one[name] for name in served.labels] for one in found])
    asked = calibration.thresholds(probabilities, Truth.of(rows, served.labels))
    assert [served.thresholds[name] for name in served.labels] == pytest.approx(asked.tolist(), abs=1e-4)
    assert calibration.temperature(probabilities, Truth.of(rows, served.labels), "single") == pytest.approx(1, abs=0.01)
    report = (tmp_path / "runs" / "classifier-tiny" / "report.md").read_text(encoding="utf-8")
    for told in ("| this |", "| TF-IDF |", "learned from 480 rows", "| carries |", "| тон: сочувствие |"):
        assert told in report


def test_several_labels_are_learned_by_an_adapter_that_is_merged(
    data: dict[str, Path], presets: Presets, tmp_path: Path
) -> None:
    keys: dict[str, Any] = {"task": "multi", "lora": {"rank": 8, "alpha": 16}, "learning_rate": 4e-3}
    folder = classifier.main(recipe(data["multi"], **keys), tmp_path, presets)
    assert {path.name for path in folder.iterdir()} == {
        "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "thresholds.json",
    }  # fmt: skip
    served = SequenceClassifier.load(str(folder))
    assert served.multi_label and served.labels == ("asks", "exclaims", "unpleasant")
    held = list(sets.load(data["multi"]).held_out(Text))
    labels = [present(one, served.thresholds) for one in served.classify([row.text for row in held])]
    for name in served.labels:
        there = [name in (row.labels or ()) for row in held]
        share = sum(there) / len(there)
        # Giving the label to every text would get 2p / (1 + p).
        assert f1([name in given for given in labels], there) > 2 * share / (1 + share) + 0.1
    trained = next(line for line in reversed(measured(tmp_path)) if "trainable_parameters" in line)
    assert trained["trainable_parameters"] < trained["parameters"] / 20


def test_a_base_that_knows_these_labels_goes_on_with_its_own_head(
    data: dict[str, Path], presets: Presets, tmp_path: Path
) -> None:
    folder = classifier.main(recipe(data["single"], steps=1, learning_rate=1e-6), tmp_path, presets)
    assert SequenceClassifier.load(str(folder)).labels == SequenceClassifier.load(str(BUNDLED)).labels
    assert measured(tmp_path)[0]["eval_macro_f1"] > 0.75


@pytest.mark.parametrize(
    "lora", [None, pytest.param({"rank": 4, "dropout": 0.1}, marks=pytest.mark.slow)], ids=["all weights", "adapter"]
)
def test_a_run_that_broke_resumes_to_the_very_same_weights(
    data: dict[str, Path],
    presets: Presets,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lora: dict[str, Any] | None,
) -> None:
    given = recipe(data["single"], steps=4, save_steps=2, lora=lora, measure_rows=0)
    straight = classifier.main(given, tmp_path / "straight", presets)
    whole = classifier_network.weighted_loss

    def broken(*some: Any) -> Callable[..., Any]:
        loss, calls = whole(*some), iter(range(3))

        def until(*batch: Any, **more: Any) -> Any:
            if next(calls, None) is None:
                raise ConnectionAbortedError
            return loss(*batch, **more)

        return until

    monkeypatch.setattr(classifier_network, "weighted_loss", broken)
    with pytest.raises(ConnectionAbortedError):
        classifier.main(given, tmp_path / "broken", presets)
    assert not (tmp_path / "broken" / "runs" / "classifier-tiny" / "classifier").exists()
    monkeypatch.setattr(classifier_network, "weighted_loss", whole)
    resumed = classifier.main(given, tmp_path / "broken", presets, resume=True)
    one, other = (load_file(folder / "model.safetensors") for folder in (straight, resumed))
    assert all((one[name] == other[name]).all() for name in one)
    assert (straight / "thresholds.json").read_text() == (resumed / "thresholds.json").read_text()


@pytest.mark.slow
def test_two_processes_do_what_one_does_with_twice_the_rows(
    data: dict[str, Path], presets: Presets, tmp_path: Path
) -> None:
    base = tmp_path / "base"  # Without dropout: each process would draw its own.
    shutil.copytree(BUNDLED, base)
    shape = json.loads((base / "config.json").read_text(encoding="utf-8"))
    (base / "config.json").write_text(json.dumps({**shape, "classifier_dropout": 0.0}), encoding="utf-8")
    keys: dict[str, Any] = {
        "base": str(base), "task": "multi", "steps": 6, "measure_rows": 0, "log_steps": 1, "learning_rate": 1e-4,
    }  # fmt: skip
    one = classifier.main(recipe(data["multi"], name="one", rows=8, **keys), tmp_path, presets)
    given = recipe(data["multi"], name="two", rows=4, **keys)
    path = tmp_path / "two.yaml"
    path.write_text(yaml.safe_dump(given.model_dump(mode="json", exclude_unset=True)), encoding="utf-8")
    several = Path(tuning.__file__).parent / "accelerate" / "processes.yaml"
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(several)]
    command = ["-m", "training.cli", "train", "classifier", "--recipe", str(path)]
    environment = {**os.environ, "STORAGE_DIR": str(tmp_path), "OMP_NUM_THREADS": "1"}
    subprocess.run([*launch, *command], env=environment, check=True, timeout=240)
    losses = [[line["loss"] for line in measured(tmp_path, name) if "loss" in line] for name in ("one", "two")]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
    two = load_file(tmp_path / "runs" / "classifier-two" / "classifier" / "model.safetensors")
    far = max(float((weight - two[name]).abs().max()) for name, weight in load_file(one / "model.safetensors").items())
    assert far < 1e-3


def test_a_loss_that_is_no_number_ends_the_run_with_nothing_finished(
    data: dict[str, Path], presets: Presets, tmp_path: Path
) -> None:
    with pytest.raises(DivergedLoss, match="lower learning_rate"):
        classifier.main(recipe(data["single"], learning_rate=1e30, log_steps=1, warmup=0.0), tmp_path, presets)
    assert not (tmp_path / "runs" / "classifier-tiny" / "classifier").exists()


def test_the_command_names_a_label_with_too_few_rows(
    data: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = list(sets.load(data["multi"]).train(Text))
    sets.write(tmp_path / "rare", [*rows, Text(text="Ну и ну", labels=("ворчит",))], rows[:20], {"steps": []})
    path = tmp_path / "rare.yaml"
    given = {"name": "rare", "base": str(BUNDLED), "task": "multi", "data": str(tmp_path / "rare"), "steps": 1}
    path.write_text(yaml.safe_dump(given), encoding="utf-8")
    monkeypatch.setenv("STORAGE_DIR", str(tmp_path / "var"))
    assert cli.train(["classifier", "--recipe", str(path)]) == 2
    assert "'ворчит' has 1, 8 are needed" in capsys.readouterr().err


def test_nothing_held_out_is_refused(data: dict[str, Path], presets: Presets, tmp_path: Path) -> None:
    sets.write(tmp_path / "all", sets.load(data["single"]).train(Text), [], {"steps": []})
    with pytest.raises(LabelError, match=r"raise split\.held_out"):
        classifier.main(recipe(tmp_path / "all"), tmp_path, presets)


def test_a_text_longer_than_the_base_reads_is_refused(data: dict[str, Path], presets: Presets, tmp_path: Path) -> None:
    with pytest.raises(recipes.RecipeError, match="reads at most 128 tokens, not 300"):
        classifier.main(recipe(data["single"], longest=300), tmp_path, presets)


def test_a_base_that_is_not_there_is_named(data: dict[str, Path], presets: Presets, tmp_path: Path) -> None:
    with pytest.raises(BaseMissing, match="absent"):
        classifier.main(recipe(data["single"], base=str(tmp_path / "absent")), tmp_path, presets)


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"labels": ["грусть", "sadness"]}, "mean the same"),
        ({"quantization": "nf4", "lora": {"rank": 4}}, "full precision"),
        ({"unsaid": {"cedr": ["disgust"]}}, "task: multi"),
        ({"class_weights": {"joy": -1}}, "greater than 0"),
    ],
)
def test_recipes_that_make_no_sense_are_refused(tmp_path: Path, keys: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        recipe(tmp_path, **keys)
