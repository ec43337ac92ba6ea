"""The bundled emotion classifier: a small BERT from nothing, in two stages, and a wide part beside it.

1. Pretext: masked words and, at the same time, a linear teacher's soft labels on many unlabelled lines.
2. Fine-tuning on human labels (multi-label, what a source never labels is masked), an average of the weights kept.
3. `wide`: linear weights over hashed n-grams, learned from the same rows.
4. What each part weighs in the sum and one threshold a label, from a validation tenth; the wide part learns that, too,
   in the end.

Knows the emotion sets and the data folder; nothing of the language model or of presets.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from models.wide import Wide
from storage.presets import Presets
from training import recipes, wide_part
from training.data import emotions, posts, seed_corpus, sources
from training.data.emotion_sets import augment, gather, unlabelled
from training.data.emotions import LABELS, Labelled
from training.emotion_network import Network, load_wordpieces, train_wordpieces
from training.evaluation.dev_sets import MEASURED
from training.evaluation.tfidf import TfIdf
from training.runs import Run, hash_folder, whole

if TYPE_CHECKING:
    from models.sequence_classifier import SequenceClassifier


class Shape(BaseModel):
    """The network."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    vocabulary: int = Field(default=12288, ge=100)
    hidden: int = Field(default=256, ge=16)
    layers: int = Field(default=4, ge=1)
    heads: int = Field(default=4, ge=1)
    inner: int = Field(default=768, ge=16)


class WideShape(BaseModel):
    """The wide part."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    words: int = Field(default=2, ge=1, description="Texts that a word or a pair of words must stand in.")
    letters: int = Field(default=3, ge=1, description="Texts that a run of letters must stand in.")
    regularisation: float = Field(default=4.0, gt=0, description="Inverse strength, as in scikit-learn's C.")
    smoothing: float = Field(default=0.3, gt=0, description="Of counts in the log-count ratios.")
    weights: dict[str, float] = Field(
        default_factory=dict, description="Of a source's rows; 1 if unnamed, 0: left out."
    )


class StarterClassifierRecipe(recipes.Recipe):
    """Keys of `recipes/starter_classifier.yaml` and `starter_classifier_posts.yaml`."""

    data: Path | None = Field(default=None, description="The public data folder; unset: the seed corpus alone.")
    init: Path | None = Field(default=None, description="Continue from this classifier (and its tokenizer).")
    shape: Shape = Shape()
    longest: int = Field(default=64, ge=8, description="Tokens of a text; the rest is cut.")
    rows: int = Field(default=64, ge=1, description="Texts a step.")
    unlabelled: int = Field(default=0, ge=0, description="Lines of each public source for the pretext stage.")
    augmented: int = Field(default=0, ge=0, description="Texts made from labelled ones for the pretext stage.")
    pretext_minutes: float = Field(default=0, ge=0)
    pretext_rate: float = Field(default=7e-4, gt=0)
    word_weight: float = Field(default=0.3, ge=0, description="Of the masked words, guessed in every second step.")
    teacher_weight: float = Field(default=3.0, ge=0, description="Of the soft labels, beside the masked words.")
    teacher: Literal["tfidf", "wide"] = Field(default="tfidf", description="Who gives the soft labels.")
    epochs: int = Field(default=8, ge=0, description="0: the network of `init` stays as it is.")
    learning_rate: float = Field(default=2e-4, gt=0)
    posts: bool = Field(default=False, description="Learn from the shipped posts, too.")
    repeat: dict[str, int] = Field(default_factory=dict, description="How often a source's rows stand in an epoch.")
    wide: WideShape | None = Field(default=None, description="Also learn a wide part; unset: the network alone.")
    reference: bool = Field(default=True, description="Fit TF-IDF on the same rows for the report.")
    seed_share: float = Field(
        default=0.7, gt=0, le=1, description="Of the seed corpus; the rest is the second judge's."
    )


def main(recipe: StarterClassifierRecipe, storage: Path, presets: Presets, resume: bool = False) -> Path:
    """Train, calibrate, measure; returns the classifier's folder."""
    import torch

    from models.sequence_classifier import SequenceClassifier

    if recipe.init:
        check_labels(recipe.init)
    torch.set_num_threads(recipe.threads or 1)
    torch.manual_seed(recipe.seed)
    run = Run(storage, "starter_classifier", recipe, resume)
    sets = gather(recipe.data, recipe.seed_share, recipe.posts)
    lines = unlabelled(recipe.data, recipe.unlabelled, recipe.seed) if recipe.data and recipe.unlabelled else []
    files = [emotions.FILES[name] for name in ("cedr", "brighter", "brighter_dev", "track_b")] if recipe.data else []
    run.manifest(
        {
            "rows": {name: len(rows) for name, rows in sets.items()},
            "unlabelled": len(lines),
            "sha256": {one: sources.sha256(recipe.data / one) for one in files if recipe.data}
            | {"seed": hash_folder(seed_corpus.FOLDER, "*.txt")}
            | ({"posts": hash_folder(posts.FOLDER, "*.tsv")} if recipe.posts else {}),
        }
    )
    folder = recipe.output or run.folder / "classifier"
    learned = _learned(recipe.wide or WideShape(), sets["train"]) if recipe.wide or recipe.teacher == "wide" else None
    network = _network(recipe, run, sets, lines, learned)
    with whole(folder) as fresh:
        network.export(fresh)
        shares = _widen(learned, fresh, sets) if recipe.wide and learned else None
        validation = SequenceClassifier.load(str(fresh)).classify([row.text for row in sets["validation"]])
        thresholds = emotions.calibrate(validation, sets["validation"])
        (fresh / "thresholds.json").write_text(json.dumps(thresholds, indent=1) + "\n", encoding="utf-8")
        if recipe.wide and shares:
            # Shares and thresholds are found: now the wide part may learn from the validation rows, too.
            sets["train"] += sets["validation"]
            shares.of(_learned(recipe.wide, sets["train"])).save(fresh, LABELS)
    run.report(_report(SequenceClassifier.load(str(folder)), sets, thresholds, recipe.reference))
    return folder


def _network(
    recipe: StarterClassifierRecipe, run: Run, sets: dict[str, list[Labelled]], lines: list[str], learned: Wide | None
) -> Network:
    """The network through its stages, taught by `learned` where the recipe says so."""
    texts = [*(row.text for row in sets["train"]), *lines]
    tokenizer = load_wordpieces(recipe.init) if recipe.init else train_wordpieces(texts, recipe.shape.vocabulary)
    network = Network(recipe, tokenizer)
    if recipe.pretext_minutes and (lines or recipe.augmented):
        texts = lines + augment(sets["train"], recipe.augmented, recipe.seed)
        network.pretext(run, texts, _taught(learned if recipe.teacher == "wide" else None, sets["train"], texts))
    if recipe.epochs:
        network.tune(run, sets["train"], sets["validation"])
    return network


def check_labels(init: Path) -> None:
    """RecipeError unless the classifier to go on from has just our labels."""
    try:
        theirs = tuple(json.loads((init / "config.json").read_text(encoding="utf-8"))["id2label"].values())
    except (OSError, ValueError, KeyError) as error:
        raise recipes.RecipeError(f"init: {init} holds no classifier ({type(error).__name__})") from error
    if theirs != LABELS:
        raise recipes.RecipeError(
            f"init: {init} has the labels {', '.join(theirs)}, not {', '.join(LABELS)}; leave `init` out to train a "
            "network from nothing"
        )


def _taught(learned: Wide | None, rows: list[Labelled], texts: list[str]) -> NDArray[np.float32]:
    """(texts, labels): what a teacher gives the texts, the wide part or plain TF-IDF fitted on rows."""
    if learned is None:
        return TfIdf.fit(rows).predict(texts)
    return (1 / (1 + np.exp(-learned.logits(texts)))).astype(np.float32)


def _widen(learned: Wide, folder: Path, sets: dict[str, list[Labelled]]) -> wide_part.Shares:
    """Weigh the wide part against the network on validation rows, and write it beside the network."""
    from models.sequence_classifier import SequenceClassifier

    deep = SequenceClassifier.load(str(folder)).network_logits([row.text for row in sets["validation"]]).numpy()
    shares = wide_part.shares(learned, deep, sets["validation"])
    shares.of(learned).save(folder, LABELS)
    return shares


def _learned(shape: WideShape, rows: list[Labelled]) -> Wide:
    rows = [row for row in rows if shape.weights.get(row.source, 1.0)]
    how = wide_part.Learning((shape.words, shape.letters), shape.regularisation, shape.smoothing)
    return wide_part.fit(rows, [shape.weights.get(row.source, 1.0) for row in rows], how)


def _report(
    served: SequenceClassifier, sets: dict[str, list[Labelled]], thresholds: dict[str, float], compare: bool
) -> list[str]:
    """Macro-F1 on every dev set beside TF-IDF fitted on the same training rows."""
    reference = TfIdf.fit(sets["train"]) if compare else None
    plain = dict.fromkeys(LABELS, 0.5)
    lines = ["| dev set | labels | this | TF-IDF, same rows | by label |", "| --- | --- | --- | --- | --- |"]
    for name, labels in MEASURED.items():
        if name not in sets:
            continue
        texts = [row.text for row in sets[name]]
        scores = emotions.macro_f1(served.classify(texts), sets[name], thresholds, labels)
        other = emotions.macro_f1(reference.rows(texts), sets[name], plain, labels)["macro"] if reference else 0.0
        each = ", ".join(f"{label} {scores[label]:.2f}" for label in labels)
        lines.append(f"| {name} ({len(texts)}) | {len(labels)} | {scores['macro']:.3f} | {other:.3f} | {each} |")
    return lines
