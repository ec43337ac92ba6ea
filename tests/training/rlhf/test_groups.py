"""RLOO and GRPO: TRL's advantages are ours, its prompts are the ones that serving renders, runs end and go on."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from models.engines.adapter_files import read_adapter
from storage.presets import Presets
from training import bases, estimators, rlhf, rlhf_groups, tuning
from training.recipes import RecipeError
from training.rlhf import RlhfRecipe
from training.runs import Run, hash_folder
from training.scoring import Drawn, Reward
from training.watch import Interrupted

# PEFT asks transformers by an old name.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")


def recipe(base: str, data: Path, algorithm: str, **keys: Any) -> RlhfRecipe:
    given = {
        "name": algorithm,
        "algorithm": algorithm,
        "threads": 1,
        "base": base,
        "data": data,
        "reward": {"emotion": "models/starter/classifier", "label": "joy"},
        "lora": {"rank": 2, "alpha": 4},
        "rollout": 8,
        "samples": 4,
        "rows": 8,
        "new_tokens": 5,
        "longest": 120,
        "steps": 3,
        "learning_rate": 1e-3,
        "warmup": 0.0,
        "log_steps": 1,
        "measure_rows": 8,
        "kl_coefficient": 0.0,
        **keys,
    }
    return RlhfRecipe.model_validate(given)


@pytest.fixture
def rewards(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Every reward that was given, in order: the share of «о» in an answer."""
    given: list[float] = []

    def judged(drawn: Sequence[Drawn]) -> list[float]:
        found = [one.text.count("о") / max(1, len(one.text)) for one in drawn]
        given.extend(found)
        return found

    monkeypatch.setattr(rlhf_groups, "load", lambda keys, presets: Reward({"round": (1.0, judged)}))
    return given


@pytest.mark.parametrize("algorithm", ["rloo", "grpo"])
def test_advantages_and_prompts_are_ours(
    algorithm: str, tiny_folder: str, neutral_set: Path, presets: Presets, tmp_path: Path, rewards: list[float]
) -> None:
    given = recipe(tiny_folder, neutral_set, algorithm)
    run, tokenizer = Run(tmp_path, "rlhf", given), bases.load_tokenizer(tiny_folder)
    asked, held = rlhf.gather(given, run, tuning.rows(given, tmp_path, presets), tokenizer, presets)
    config = rlhf_groups.configuration(given, run, len(asked))
    reward = rlhf_groups.load(given.reward, presets)  # type: ignore[attr-defined]
    trainer = rlhf_groups.build(given, config, tokenizer, reward, asked, held)
    trainer.model.train()
    batch = trainer._generate_and_score_completions(
        [{"prompt": f"train:{place}"} for place in (3, 5) for _ in range(4)]
    )
    scores = torch.tensor(rewards).view(2, 4)
    ours: Callable[[torch.Tensor], torch.Tensor]
    ours = estimators.leave_one_out if algorithm == "rloo" else estimators.group_relative
    torch.testing.assert_close(batch["advantages"].cpu().view(2, 4), ours(scores), atol=1e-5, rtol=1e-4)
    assert scores.std() > 0
    shown = [ids[mask.bool()].tolist() for ids, mask in zip(batch["prompt_ids"], batch["prompt_mask"], strict=True)]
    assert shown == [list(asked[place].ids) for place in (3, 5) for _ in range(4)]


@pytest.mark.parametrize("algorithm", ["rloo", "grpo"])
def test_a_run_ends_in_an_adapter_and_continues_to_the_same_one(
    algorithm: str, tiny_folder: str, neutral_set: Path, presets: Presets, tmp_path: Path, rewards: list[float],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    given = recipe(tiny_folder, neutral_set, algorithm, measure_rows=0, kl_coefficient=0.05)
    whole = rlhf.main(given, tmp_path / "whole", presets)
    assert any(bool(pair.up.abs().sum() > 0) for pair in read_adapter(whole).values())
    assert (tmp_path / "whole" / "runs" / f"rlhf-{algorithm}" / "rlhf.png").exists()
    lines = [one for one in Run(tmp_path / "whole", "rlhf", given, resume=True).metrics() if "reward" in one]
    assert [one["step"] for one in lines] == [1, 2, 3]
    assert all({"kl", "entropy", "reward_round", "ended"} <= one.keys() for one in lines)

    from training.watch import Watch

    stops: list[int] = []
    end = Watch.on_step_end

    def stopping(self: Watch, args: Any, state: Any, control: Any, **named: Any) -> None:
        self.asked = state.global_step == 2 and not stops
        stops.extend([state.global_step] if self.asked else [])
        end(self, args, state, control, **named)

    monkeypatch.setattr(Watch, "on_step_end", stopping)
    with pytest.raises(Interrupted, match="stopped at step 2 of 3"):
        rlhf.main(given, tmp_path / "parts", presets)
    parts = rlhf.main(given, tmp_path / "parts", presets, resume=True)
    assert hash_folder(parts) == hash_folder(whole)


def test_steps_are_rollouts_whatever_trl_counts(tiny_folder: str, neutral_set: Path, tmp_path: Path) -> None:
    given = recipe(tiny_folder, neutral_set, "rloo", rollout=16, rows=4, accumulate=2, passes=3, save_steps=2)
    config = rlhf_groups.configuration(given, Run(tmp_path, "rlhf", given), prompts=100)
    assert (config.max_steps, config.save_steps) == (18, 12)
    assert (config.generation_batch_size, config.num_iterations) == (16, 3)


def test_fewer_prompts_than_a_rollout_asks_are_told(
    tiny_folder: str, neutral_set: Path, presets: Presets, tmp_path: Path
) -> None:
    given = recipe(tiny_folder, neutral_set, "rloo", rollout=64, prompts=10)
    with pytest.raises(RecipeError, match="10 different prompts are fewer than the 16 of a rollout"):
        rlhf.main(given, tmp_path, presets)
