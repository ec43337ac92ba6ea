"""`otklik train rlhf` on the bundled model: recipes, prompts in turn, runs that rise, stop, go on and end whole."""

import json
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from models.engines.adapter_files import read_adapter
from models.engines.prompts import encode
from models.prompt import Prompt, render
from storage.contracts import Turn
from storage.presets import Presets
from tests.training.families import FAMILIES, save
from training import bases, rlhf, rlhf_ppo
from training.data.rows import Answer, Pair, Row, Text
from training.policy import Policy
from training.recipes import RecipeError
from training.rlhf import RlhfRecipe
from training.runs import Run, hash_folder
from training.scoring import Drawn, Reward
from training.tokens import Encoder
from training.watch import DivergedLoss, Interrupted

BASE = "models/starter/base"

# PEFT asks transformers by an old name.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")


def recipe(data: Path | str = "set", **keys: Any) -> RlhfRecipe:
    given = {
        "name": "tiny",
        "threads": 1,
        "base": BASE,
        "data": data,
        "reward": {"emotion": "models/starter/classifier", "label": "joy"},
        "lora": {"rank": 2, "alpha": 4},
        "rollout": 8,
        "rows": 8,
        "new_tokens": 5,
        "longest": 120,
        "steps": 3,
        "learning_rate": 1e-3,
        "measure_rows": 8,
        **keys,
    }
    return RlhfRecipe.model_validate(given)


def roundness(drawn: Sequence[Drawn]) -> list[float]:
    """Share of «о» among an answer's characters: quick to judge, and different for every answer."""
    return [one.text.count("о") / max(1, len(one.text)) for one in drawn]


@pytest.fixture
def round_answers(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Runs are rewarded for the letter «о»; `at`: SIGTERM comes while the n-th rollout is judged."""

    def reward(at: int | None = None) -> None:
        calls: list[int] = []

        def judged(drawn: Sequence[Drawn]) -> list[float]:
            calls.append(1)
            if len(calls) == at:
                os.kill(os.getpid(), signal.SIGTERM)
            return roundness(drawn)

        monkeypatch.setattr(rlhf_ppo, "load", lambda keys, presets: Reward({"round": (1.0, judged)}))

    return reward


def test_a_run_ends_in_an_adapter_that_the_worker_reads(neutral_set: Path, presets: Presets, tmp_path: Path) -> None:
    base = hash_folder(Path(BASE))
    folder = rlhf.main(recipe(neutral_set, steps=2), tmp_path, presets)
    pairs = read_adapter(folder)
    assert len(pairs) == 56 and any(bool(pair.up.abs().sum() > 0) for pair in pairs.values())
    assert hash_folder(Path(BASE)) == base
    run = tmp_path / "runs" / "rlhf-tiny"
    assert {"recipe.yaml", "manifest.json", "metrics.jsonl", "rlhf.png", "loss.png", "memory.png", "report.md"} <= {
        path.name for path in run.iterdir()
    }
    used = json.loads((run / "manifest.json").read_text(encoding="utf-8"))["used"]
    assert used["reward.emotion"]["revision"] == hash_folder(Path("models/starter/classifier"))
    report = (run / "report.md").read_text(encoding="utf-8")
    assert "| reward_emotion |" in report and "| kl | 0.0000 |" in report


def test_every_step_is_measured(
    neutral_set: Path, tiny_folder: str, presets: Presets, tmp_path: Path, round_answers: Callable[..., None]
) -> None:
    round_answers()
    given = recipe(neutral_set, base=tiny_folder, steps=2, measure_rows=0)
    rlhf.main(given, tmp_path, presets)
    lines = [one for one in Run(tmp_path, "rlhf", given, resume=True).metrics() if "reward" in one]
    assert [one["step"] for one in lines] == [1, 2]
    wanted = {"reward_round", "kl", "clip_fraction", "value_loss", "explained_variance", "length", "entropy", "moved"}
    assert all(wanted <= one.keys() and one["length"] <= 5 for one in lines)


def test_stopped_and_continued_equals_uninterrupted(
    neutral_set: Path, tiny_folder: str, presets: Presets, tmp_path: Path, round_answers: Callable[..., None]
) -> None:
    round_answers()
    whole = rlhf.main(recipe(neutral_set, base=tiny_folder, measure_rows=0), tmp_path / "whole", presets)
    round_answers(at=2)
    with pytest.raises(Interrupted, match="stopped at step 2 of 3"):
        rlhf.main(recipe(neutral_set, base=tiny_folder, measure_rows=0), tmp_path / "parts", presets)
    assert not (tmp_path / "parts" / "runs" / "rlhf-tiny" / "adapter").exists()
    round_answers()
    parts = rlhf.main(recipe(neutral_set, base=tiny_folder, measure_rows=0), tmp_path / "parts", presets, resume=True)
    assert hash_folder(parts) == hash_folder(whole)


def test_no_half_written_adapter_is_ever_seen(
    neutral_set: Path,
    tiny_folder: str,
    presets: Presets,
    tmp_path: Path,
    round_answers: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    round_answers()

    def full(self: Policy, folder: Path) -> None:
        (folder / "adapter_config.json").write_text("{}", encoding="utf-8")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Policy, "save", full)
    with pytest.raises(OSError, match="No space left"):
        rlhf.main(recipe(neutral_set, base=tiny_folder, steps=1, measure_rows=0), tmp_path, presets)
    assert not (tmp_path / "runs" / "rlhf-tiny" / "adapter").exists()
    assert (tmp_path / "runs" / "rlhf-tiny" / "checkpoint" / "state.json").exists()


def test_a_rate_that_breaks_the_model_is_told(
    neutral_set: Path, tiny_folder: str, presets: Presets, tmp_path: Path, round_answers: Callable[..., None]
) -> None:
    round_answers()
    with pytest.raises(DivergedLoss, match="lower learning_rate"):
        rlhf.main(
            recipe(neutral_set, base=tiny_folder, learning_rate=1e30, schedule="constant", measure_rows=0),
            tmp_path,
            presets,
        )


def test_ppo_in_several_processes_is_refused(
    neutral_set: Path, presets: Presets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(RecipeError, match="take rloo or grpo"):
        rlhf.main(recipe(neutral_set), tmp_path, presets)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_can_be_tuned(
    family: str, neutral_set: Path, presets: Presets, tmp_path: Path, round_answers: Callable[..., None]
) -> None:
    round_answers()
    given = recipe(
        neutral_set,
        base=str(save(family, tmp_path / "base")),
        longest=400,
        steps=2,
        warmup=0.0,
        measure_rows=0,
        prompts=20,
    )
    folder = rlhf.main(given, tmp_path, presets)
    assert any(bool(pair.up.abs().sum() > 0) for pair in read_adapter(folder).values())
    first = Run(tmp_path, "rlhf", given, resume=True).metrics()[1]
    assert first["kl"] == pytest.approx(0.0, abs=1e-3)


def test_a_four_bit_base_can_be_tuned(
    tiny_folder: str, neutral_set: Path, presets: Presets, tmp_path: Path, round_answers: Callable[..., None]
) -> None:
    round_answers()
    folder = rlhf.main(
        recipe(neutral_set, base=tiny_folder, quantization="nf4", steps=1, warmup=0.0, measure_rows=0),
        tmp_path,
        presets,
    )
    assert any(bool(pair.up.abs().sum() > 0) for pair in read_adapter(folder).values())


def test_half_precision_learns_what_full_precision_learns(
    tiny_folder: str, neutral_set: Path, presets: Presets, tmp_path: Path, round_answers: Callable[..., None]
) -> None:
    learned: list[torch.Tensor] = []
    for precision in ("float32", "float16"):
        round_answers()
        given = recipe(
            neutral_set,
            base=tiny_folder,
            name=precision,
            precision=precision,
            steps=1,
            warmup=0.0,
            measure_rows=0,
            optimizer="adamw_torch",
        )
        pairs = read_adapter(rlhf.main(given, tmp_path, presets))
        learned.append(torch.cat([pair.up.flatten() for pair in pairs.values()]))
    assert float(torch.cosine_similarity(learned[0], learned[1], dim=0)) > 0.9


def test_prompts_are_what_serving_renders_each_once(presets: Presets) -> None:
    tokenizer = bases.load_tokenizer(BASE)
    turns = (Turn(role="user", text="Привет"),)
    rows: list[Row] = [
        Answer(prompt=turns, answer="Привет!", emotion="joy"),
        Pair(prompt=turns, chosen="Ура!", rejected="Эх.", emotion="joy"),
        Answer(prompt=turns, answer="Эх.", emotion="sadness", intensity=3),
        Answer(prompt=(Turn(role="user", text="и так далее " * 40),), answer="Да.", emotion="joy"),
    ]
    encoder = Encoder(tokenizer, presets, 60)
    found = list(rlhf.asks(rows, encoder, room=40))
    assert [ask.row for ask in found] == [rows[0], rows[2]]
    assert list(found[1].ids) == encode(tokenizer, render(tokenizer, Prompt(turns, presets.get("sadness"), 3), presets))
    assert encoder.counts == {"kept": 2, "repeated": 1, "too_long": 1}


def test_rows_without_a_prompt_are_named(presets: Presets) -> None:
    with pytest.raises(RecipeError, match="b:3 has no prompt"):
        list(rlhf.asks([Text(text="Просто текст", origin="b:3")], Encoder(None, presets, 60), 40))


def test_a_set_without_room_for_answers_is_told(neutral_set: Path, presets: Presets, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no prompt of at most 1 tokens is left"):
        rlhf.main(recipe(neutral_set, longest=8, new_tokens=7), tmp_path, presets)


def test_every_prompt_is_asked_once_an_epoch_in_an_order_of_its_own() -> None:
    asked = [rlhf.turn(10, 4, step, seed=1) for step in range(5)]
    places = [place for step in asked for place in step]
    assert sorted(places[:10]) == sorted(places[10:]) == list(range(10))
    assert places[:10] != places[10:]
    assert asked[3] == rlhf.turn(10, 4, 3, seed=1) != rlhf.turn(10, 4, 3, seed=2)


def test_epochs_count_how_often_a_prompt_is_asked() -> None:
    keys: dict[str, Any] = {"rollout": 8, "rows": 4, "samples": 2, "steps": None, "epochs": 2.0}
    assert rlhf.steps(recipe(**keys), prompts=10) == 5
    assert rlhf.steps(recipe(), prompts=10) == 3


@pytest.mark.parametrize(
    ("schedule", "done", "wanted"),
    [
        ("linear", 0.05, 0.5),
        ("linear", 0.55, 0.5),
        ("cosine", 0.1, 1.0),
        ("cosine", 0.55, 0.5),
        ("constant", 0.0, 1.0),
        ("constant_with_warmup", 0.05, 0.5),
        ("constant_with_warmup", 0.9, 1.0),
    ],
)
def test_learning_rates_by_hand(schedule: str, done: float, wanted: float) -> None:
    assert rlhf.share(schedule, 0.1, done) == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"rollout": 12}, "no multiple of rows"),
        ({"rollout": 16, "samples": 3}, "no multiple of samples"),
        ({"algorithm": "rloo"}, "2 or more"),
        ({"lora": None}, "tunes an adapter"),
        ({"new_tokens": 120}, "no room for a prompt"),
        ({"optimizer": "sgd"}, "adamw_torch"),
        ({"reward": {}}, "give `emotion`"),
    ],
)
def test_contradictory_recipes_are_refused(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        recipe(**keys)


@pytest.mark.slow
def test_the_reward_rises_and_kl_stays_bounded(neutral_set: Path, presets: Presets, tmp_path: Path) -> None:
    """Calm prompts, joy rewarded by the bundled classifier, six tokens an answer."""
    given = recipe(
        neutral_set,
        seed=2,
        lora={"rank": 4, "alpha": 8},
        rollout=24,
        rows=12,
        new_tokens=6,
        longest=24,
        steps=20,
        learning_rate=3e-3,
        schedule="constant",
        kl_coefficient=0.045,  # the bundled weights answer calm prompts calmly: a stronger pull would hold them there
        measure_rows=0,
        ppo={"passes": 1},
    )
    rlhf.main(given, tmp_path, presets)
    lines = [one for one in Run(tmp_path, "rlhf", given, resume=True).metrics() if "reward" in one]
    rewards = [one["reward"] for one in lines]
    assert sum(rewards[-3:]) / 3 > sum(rewards[:3]) / 3 + 0.15
    assert max(one["kl"] for one in lines) < 20
