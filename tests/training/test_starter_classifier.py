import json
from collections.abc import Sequence
from pathlib import Path

import pytest

import models
from models.sequence_classifier import SequenceClassifier
from models.wide import Wide
from storage.presets import Presets
from training import starter_classifier, wide_part
from training.data import emotions
from training.data.conversations import classify
from training.data.emotion_sets import gather
from training.data.emotions import LABELS, Labelled
from training.data.seed_corpus import SeedRow
from training.emotion_network import Network
from training.recipes import RecipeError
from training.wide_part import Learning


def test_a_tiny_one_learns_two_emotions_of_the_seed_corpus(
    presets: Presets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = {"joy", "disgust"}
    sets = {name: [row for row in rows if row.labels & two] for name, rows in gather(None, 0.7).items()}
    monkeypatch.setattr(starter_classifier, "gather", lambda data, share, with_posts: sets)
    recipe = starter_classifier.StarterClassifierRecipe.model_validate(
        {
            "name": "tiny", "threads": 1, "seed": 1, "rows": 16, "epochs": 4, "learning_rate": 0.001, "longest": 32,
            "reference": False, "shape": {"vocabulary": 2000, "hidden": 64, "layers": 1, "heads": 2, "inner": 64},
        }
    )  # fmt: skip
    folder = starter_classifier.main(recipe, tmp_path, presets)
    names = {path.name for path in folder.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "thresholds.json"} <= names
    thresholds = json.loads((folder / "thresholds.json").read_text(encoding="utf-8"))
    assert tuple(thresholds) == LABELS
    dev = sets["seed_dev"]
    found = classify(folder, [row.text for row in dev])
    right = sum(max(row, key=lambda label: row[label]) in one.labels for row, one in zip(found, dev, strict=True))
    assert right / len(dev) > 0.7


def test_a_wide_part_is_learned_beside_a_finished_network(
    presets: Presets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = {"joy", "disgust"}
    sets = {name: [row for row in rows if row.labels & two][:300] for name, rows in gather(None, 0.7).items()}
    monkeypatch.setattr(starter_classifier, "gather", lambda data, share, with_posts: sets)
    bundled = Path(models.__file__).parent / "starter" / "classifier"
    keys = {"name": "w", "threads": 1, "epochs": 0, "init": str(bundled), "reference": False}
    make = starter_classifier.StarterClassifierRecipe.model_validate
    folder = starter_classifier.main(make({**keys, "wide": {"weights": {"seed": 0.5}}}), tmp_path, presets)
    assert (folder / "model.safetensors").read_bytes() == (bundled / "model.safetensors").read_bytes()
    assert (folder / "wide.safetensors").is_file()
    dev = sets["seed_dev"]
    found = classify(folder, [row.text for row in dev])
    right = sum(max(row, key=lambda label: row[label]) in one.labels for row, one in zip(found, dev, strict=True))
    assert right / len(dev) > 0.8
    alone = starter_classifier.main(make({**keys, "name": "x", "output": str(folder)}), tmp_path, presets)
    assert alone == folder and not (folder / "wide.safetensors").exists(), "a part of other weights must not stay"


def test_the_wide_part_teaches_the_network_and_learns_no_source_that_weighs_nothing(
    presets: Presets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rows(source: str, count: int) -> list[Labelled]:
        words = {"joy": ("ура", "праздник"), "disgust": ("фу", "слизь")}
        return [
            Labelled(f"{source} {words[label][n % 2]} {n}", frozenset({label}), source)
            for n in range(count)
            for label in words
        ]

    sets = {"train": rows("seed", 40) + rows("posts", 40), "validation": rows("tenth", 10), "seed_dev": rows("dev", 10)}
    monkeypatch.setattr(starter_classifier, "gather", lambda data, share, with_posts: sets)
    monkeypatch.setattr(starter_classifier, "augment", lambda rows, count, seed: [row.text for row in rows])
    fitted: list[set[str]] = []
    fit = wide_part.fit

    def seen(rows: Sequence[Labelled], masses: Sequence[float], how: Learning) -> Wide:
        fitted.append({row.source for row in rows})
        return fit(rows, masses, how)

    monkeypatch.setattr(wide_part, "fit", seen)
    monkeypatch.setattr("training.starter_classifier.TfIdf.fit", None)
    recipe = starter_classifier.StarterClassifierRecipe.model_validate(
        {
            "name": "tiny", "threads": 1, "seed": 1, "rows": 16, "epochs": 0, "longest": 16, "reference": False,
            "shape": {"vocabulary": 300, "hidden": 32, "layers": 1, "heads": 2, "inner": 32},
            "teacher": "wide", "augmented": 10, "pretext_minutes": 0.05, "pretext_rate": 0.005,
            "posts": True, "wide": {"weights": {"posts": 0}},
        }
    )  # fmt: skip
    folder = starter_classifier.main(recipe, tmp_path, presets)
    assert fitted == [{"seed"}, {"seed", "tenth"}], (
        "once to teach and to be weighed, once more with the validation rows"
    )
    found = SequenceClassifier.load(str(folder)).network_logits([row.text for row in sets["seed_dev"]]).numpy()
    joy, disgust = LABELS.index("joy"), LABELS.index("disgust")
    right = [
        (line[joy] > line[disgust]) == ("joy" in row.labels) for line, row in zip(found, sets["seed_dev"], strict=True)
    ]
    assert sum(right) / len(right) > 0.8, "the network was tuned on nothing: its teacher taught it"


def test_a_classifier_with_other_labels_cannot_be_gone_on_from(presets: Presets, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"id2label": dict(enumerate(LABELS[:7]))}), encoding="utf-8")
    recipe = starter_classifier.StarterClassifierRecipe(name="w", init=tmp_path)
    with pytest.raises(RecipeError, match=r"neutral, not joy, .*, sympathy; leave `init` out"):
        starter_classifier.main(recipe, tmp_path / "storage", presets)
    recipe = starter_classifier.StarterClassifierRecipe(name="w", init=tmp_path / "none")
    with pytest.raises(RecipeError, match="holds no classifier"):
        starter_classifier.main(recipe, tmp_path / "storage", presets)
    assert not (tmp_path / "storage").exists()


def test_labels_that_a_source_never_gives_teach_nothing() -> None:
    import torch

    network = object.__new__(Network)

    class Model(torch.nn.Module):
        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> object:
            return type("Output", (), {"logits": torch.zeros(len(input_ids), 2)})()

    network.model = Model()
    known_of_both = network._tune_loss([[5, 6]], torch.tensor([[1.0, 1.0]]), torch.tensor([[1.0, 0.0]]))
    assert float(known_of_both) == pytest.approx(0.6931, abs=1e-3)


def test_sympathy_is_a_label_of_its_own_and_says_nothing_against_sadness(seed_rows: list[SeedRow]) -> None:
    sympathetic = [row for row in seed_rows if row.emotion == "сочувствие"]
    assert list(emotions.seed(sympathetic)) == []
    labelled = list(emotions.seed_with_sympathy(seed_rows))
    assert len(labelled) == len(seed_rows)
    own = [one for one in labelled if one.labels == {"sympathy"}]
    assert [one.text for one in own] == [row.reply for row in sympathetic]
    assert all(one.known == set(LABELS) - {"sadness", "fear", "joy"} for one in own)
    assert all("sympathy" in one.known for one in labelled)
    assert "sympathy" not in Labelled("а", frozenset({"joy"}), "cedr").known, (
        "the public sets as read here do not speak of it"
    )


def test_nothing_of_a_dev_set_is_trained_on() -> None:
    sets = gather(None, 0.7)
    texts = {name: {row.text for row in rows} for name, rows in sets.items()}
    assert not texts["train"] & texts["seed_dev"]
    assert not texts["train"] & texts["validation"]


def row(text: str, *labels: str) -> Labelled:
    return Labelled(text, frozenset(labels), "test")


def test_without_drops_repeats_and_banned_texts() -> None:
    kept = emotions.without([row("Ура!"), row("ура!"), row("Фу")], [row(" фу ")])
    assert [one.text for one in kept] == ["Ура!"]


def test_thresholds_take_the_best_cut_of_each_label() -> None:
    rows = [row("a", "joy"), row("b", "joy"), row("c"), row("d")]
    shares = [{**dict.fromkeys(LABELS, 0.0), "joy": value} for value in (0.35, 0.4, 0.2, 0.1)]
    assert 0.2 < emotions.calibrate(shares, rows)["joy"] <= 0.35


def test_macro_f1_is_the_mean_over_labels() -> None:
    rows = [row("a", "joy"), row("b", "fear"), row("c", "fear")]
    shares = [{"joy": 0.9, "fear": 0.1}, {"joy": 0.1, "fear": 0.9}, {"joy": 0.1, "fear": 0.2}]
    scores = emotions.macro_f1(shares, rows, {"joy": 0.5, "fear": 0.5}, ("joy", "fear"))
    assert scores == pytest.approx({"joy": 1.0, "fear": 2 / 3, "macro": 5 / 6})
