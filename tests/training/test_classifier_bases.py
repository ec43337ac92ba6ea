"""Any encoder serves as a base: its head is found, and what calibration does to it comes out as divided logits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

from models.sequence_classifier import SequenceClassifier
from storage.presets import Presets
from tests.training import families
from training import classifier
from training.classifier import ClassifierRecipe
from training.classifier_network import cool, head_of
from training.data import sets
from training.data.rows import Answer
from training.data.seed_corpus import SeedRow

BUNDLED = Path(__file__).parents[2] / "models" / "starter" / "classifier"
SHAPE = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48, "vocab_size": 90}
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "bert": SHAPE,
    "roberta": SHAPE,
    "electra": {**SHAPE, "embedding_size": 32},
    "deberta-v2": SHAPE,
    "modernbert": {**SHAPE, "pad_token_id": 0, "cls_token_id": 1, "sep_token_id": 2, "bos_token_id": 1},
    "distilbert": {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 48, "vocab_size": 90},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 2, "vocab_size": 90},
    "llama": SHAPE,
}


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_a_temperature_in_the_head_divides_the_logits(kind: str) -> None:
    torch.manual_seed(1)
    # As many labels as the hidden width: the last layer is still told from those before it.
    config = AutoConfig.for_model(kind, num_labels=32, **{"pad_token_id": 0, **ARCHITECTURES[kind]})
    make: Any = AutoModelForSequenceClassification.from_config
    model = make(config).eval()
    ids = torch.tensor([[1, 5, 6, 7, 2], [1, 8, 2, 0, 0]])
    inputs = {"input_ids": ids, "attention_mask": (ids != 0).long()}
    with torch.inference_mode():
        before = model(**inputs).logits
    cool(head_of(model, 32), 2.5)
    with torch.inference_mode():
        after = model(**inputs).logits
    assert before.abs().max() > 1e-3
    torch.testing.assert_close(after, before / 2.5, rtol=1e-4, atol=1e-6)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory, seed_rows: list[SeedRow]) -> Path:
    """Replies in a preset, which is their label. The same on both sides: is what was taught also said?"""
    labels = {"радость": "joy", "страх": "fear"}
    short = [row for row in seed_rows if len(row.reply) < 70 and row.emotion in labels][:48]
    rows = [Answer(prompt=row.turns, answer=row.reply, emotion=labels[row.emotion]) for row in short]
    return sets.write(tmp_path_factory.mktemp("answers") / "set", rows, rows, {"steps": []}).folder


@pytest.mark.parametrize("kind", ["roberta", "electra"])
@pytest.mark.parametrize("lora", [None, {"rank": 4}], ids=["all weights", "adapter"])
def test_another_encoder_learns_from_answers_and_is_served(
    kind: str, lora: dict[str, Any] | None, answers: Path, presets: Presets, tmp_path: Path
) -> None:
    torch.manual_seed(2)
    tokenizer = AutoTokenizer.from_pretrained(BUNDLED)
    # The usual initial 0.02 lets nearly nothing through so narrow a network, and an adapter would find nothing to tune.
    shape = {
        **ARCHITECTURES[kind],
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 80,
        "initializer_range": 0.2,
    }
    make: Any = AutoModelForSequenceClassification.from_config
    model = make(AutoConfig.for_model(kind, **shape, pad_token_id=tokenizer.pad_token_id))
    model.base_model.save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    folder = classifier.main(
        _recipe(tmp_path / "base", answers, lora=lora, learning_rate=1e-2 if lora else 2e-3), tmp_path, presets
    )
    _served(folder, answers)


def test_a_language_model_can_be_a_base(answers: Path, presets: Presets, tmp_path: Path) -> None:
    base = families.save("gpt2", tmp_path / "base")
    folder = classifier.main(_recipe(base, answers, learning_rate=4e-3), tmp_path, presets)
    _served(folder, answers)


def _recipe(base: Path, data: Path, **keys: Any) -> ClassifierRecipe:
    given = {
        "name": "tiny", "base": str(base), "data": data, "task": "single", "rows": 16, "steps": 40, "longest": 48,
        "measure_rows": 0, "save_steps": 1000, "reference_rows": 0, **keys,
    }  # fmt: skip
    return ClassifierRecipe.model_validate(given)


def _served(folder: Path, data: Path) -> None:
    served = SequenceClassifier.load(str(folder))
    assert served.labels == ("fear", "joy") and set(served.thresholds) == {"fear", "joy"}
    held = list(sets.load(data).held_out(Answer))
    found = served.classify([row.answer for row in held])
    right = sum(max(one, key=lambda name: one[name]) == row.emotion for one, row in zip(found, held, strict=True))
    assert right / len(held) > 0.8
