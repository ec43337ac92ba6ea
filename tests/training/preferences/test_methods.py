"""Each method raises what it is for, on real pairs and the starter's weights, and leaves what its users load."""

import json
from pathlib import Path
from typing import Any

import pytest

from models.engine import Finished, Row
from models.engines.transformers import TransformersEngine, load_base
from models.prompt import Prompt
from models.settings import ModelsSettings
from storage.contracts import Sampling, Turn
from storage.presets import Presets
from tests.training.preferences.conftest import ADAPTER, BASE, held_out, recipe, train
from training import reward
from training.data import sets
from training.data.rows import Pair
from training.tokens import Encoder

# PEFT 0.21 asks transformers 5.23 by an old name.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")


def rose(figures: dict[str, tuple[float, float]], name: str, least: float) -> bool:
    before, after = figures[name]
    return after > before + least


def assert_plain_lora(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}
    config = json.loads((folder / "adapter_config.json").read_text())
    assert config["peft_type"] == "LORA" and not config["modules_to_save"] and not config["use_dora"]


def greedy(presets: Presets, adapter: Path | None) -> list[tuple[str, float | None]]:
    """Answers of the worker's engine to a message in four emotions, and how likely each token was to it."""
    engine = TransformersEngine(load_base(ModelsSettings(base=str(BASE), device="cpu", classifier="none")), presets)
    if adapter:
        engine.load_adapter("tuned", adapter)
    sampling = Sampling(temperature=0, max_new_tokens=12)
    engine.admit(
        [
            Row(
                str(number),
                Prompt((Turn(role="user", text="Меня сегодня повысили."),), preset, 2),
                sampling,
                0,
                "tuned" if adapter else None,
            )
            for number, preset in enumerate(presets.presets[1:5])
        ]
    )
    found: dict[str, tuple[str, float | None]] = {}
    while engine.running:
        ended = [event for event in engine.step() if isinstance(event, Finished)]
        found |= {event.row_id: (event.text, event.likelihood) for event in ended}
    return [found[key] for key in sorted(found)]


def test_dpo_grows_the_margin_and_the_worker_serves_it(pair_set: Path, presets: Presets, tmp_path: Path) -> None:
    folder = train(recipe("dpo", pair_set, steps=16), "dpo", tmp_path, presets)
    figures = held_out(tmp_path / "runs" / "dpo-small")
    assert figures["loss"][0] == pytest.approx(0.6931, abs=1e-3)  # nothing is preferred yet
    assert figures["loss"][1] < 0.65
    assert rose(figures, "rewards/margins", 0.1) and figures["rewards/accuracies"][1] > 0.6
    assert_plain_lora(folder)
    tuned, untuned = greedy(presets, folder), greedy(presets, None)
    assert [text for text, _ in tuned] != [text for text, _ in untuned]


def test_simpo_grows_the_margin_a_token(pair_set: Path, presets: Presets, tmp_path: Path) -> None:
    folder = train(recipe("simpo", pair_set, steps=16), "simpo", tmp_path, presets)
    figures = held_out(tmp_path / "runs" / "simpo-small")
    assert figures["loss"][1] < figures["loss"][0] - 0.02
    assert rose(figures, "rewards/margins", 0.05)
    assert_plain_lora(folder)


def test_kto_likes_what_was_liked(pair_set: Path, presets: Presets, tmp_path: Path) -> None:
    folder = train(recipe("kto", pair_set, learning_rate=1e-3, steps=48), "kto", tmp_path, presets)
    figures = held_out(tmp_path / "runs" / "kto-small")
    assert figures["loss"][0] == pytest.approx(0.5, abs=1e-3)
    assert figures["loss"][1] < 0.495
    assert figures["rewards/chosen"][1] > figures["rewards/rejected"][1] + 0.05
    assert "kl" in figures
    assert_plain_lora(folder)


def test_reward_learns_to_tell_the_better_answer(pair_set: Path, presets: Presets, tmp_path: Path) -> None:
    given = recipe(
        "reward", pair_set, adapter=ADAPTER, steps=80, rows=4, measure_rows=96, centre=0.01, learning_rate=5e-4
    )
    folder = train(given, "reward", tmp_path, presets)
    figures = held_out(tmp_path / "runs" / "reward-small")
    assert figures["loss"][1] < figures["loss"][0]
    assert figures["accuracy"][1] > max(0.6, figures["accuracy"][0])
    assert rose(figures, "margin", 0.1)
    assert_same_scores(folder, pair_set, presets, figures["accuracy"][1])


def assert_same_scores(folder: Path, pair_set: Path, presets: Presets, accuracy: float) -> None:
    """The saved scorer, its head included, ranks the held-out pairs as the run reported."""
    scorer = reward.load(folder)
    held = sets.load(pair_set).held_out(Pair)
    examples = list(reward.joined(Encoder(scorer.tokenizer, presets, 96).pairs(held)))
    better, worse = (scorer.scores([one[side] for one in examples], batch=5) for side in ("chosen_ids", "rejected_ids"))
    right = sum(one > other for one, other in zip(better, worse, strict=True)) / len(examples)
    assert right == pytest.approx(accuracy, abs=1e-3)


@pytest.mark.parametrize(
    ("method", "keys", "said"),
    [
        ("kto", {"rows": 1}, "at least 2"),
        ("kto", {"desirable_weight": 1.5}, "auto for both"),
        ("dpo", {"label_smoothing": 0.1}, "loss: robust"),
        ("dpo", {"adapter": ADAPTER, "lora": {"rank": 4}}, "leave out `lora`"),
        ("simpo", {"reference": "base"}, "Extra inputs"),
    ],
)
def test_contradictory_recipes_are_refused(pair_set: Path, method: str, keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        recipe(method, pair_set, **keys)
