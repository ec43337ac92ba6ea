"""TRL's trainers give the losses of our formulas on log-probabilities that are computed here, one answer at a time.

A change in TRL's losses, masks or special tokens is noticed here.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from storage.presets import Presets
from tests.training.preferences.conftest import recipe
from training import dpo, kto, objectives, reward, simpo, tuning
from training.data import sets
from training.data.rows import Pair
from training.kto import lenders, thumbs
from training.runs import Run
from training.tokens import Encoder, table

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")

Example = Mapping[str, Any]


@pytest.fixture(scope="module")
def tokenizer(tiny: Path) -> Any:
    return AutoTokenizer.from_pretrained(tiny / "base")


@pytest.fixture
def model(tiny: Path) -> Any:
    return PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(tiny / "base"), str(tiny / "adapter")).eval()


@pytest.fixture(scope="module")
def examples(pair_set: Path, tokenizer: Any, presets: Presets) -> list[Example]:
    return [*islice(Encoder(tokenizer, presets, 96).pairs(sets.load(pair_set).train(Pair)), 5)]


def logp(model: Any, prompt: Sequence[int], answer: Sequence[int]) -> torch.Tensor:
    """Summed log-probability of an answer's tokens, alone in its batch."""
    ids = torch.tensor([[*prompt, *answer]])
    with torch.no_grad():
        logits = model(ids).logits[0, :-1].log_softmax(-1)
    found: torch.Tensor = logits[torch.arange(len(ids[0]) - 1), ids[0, 1:]][len(prompt) - 1 :].sum()
    return found


def sums(model: Any, examples: Sequence[Example], key: str, base: bool = False) -> torch.Tensor:
    """Log-probabilities of all answers, by the adapter or by the base under it."""

    def all_of_them() -> torch.Tensor:
        return torch.stack([logp(model, one["prompt_ids"], one[key]) for one in examples])

    if not base:
        return all_of_them()
    with model.disable_adapter():
        return all_of_them()


def lengths(examples: Sequence[Example], key: str) -> torch.Tensor:
    return torch.tensor([len(one[key]) for one in examples])


def scale(model: Any, factor: float) -> None:
    """Make what the adapter does to the base so many times as strong."""
    for name, weight in model.named_parameters():
        if ".lora_B." in name:
            weight.data.mul_(factor)


def loss_of(trainer: Any) -> tuple[torch.Tensor, Mapping[str, Any]]:
    """The trainer's loss on all its rows in one batch, and the batch."""
    batch = trainer._prepare_inputs(trainer.data_collator([row for row in trainer.train_dataset]))
    trainer.model.train()
    return trainer.compute_loss(trainer.model, dict(batch)).detach(), batch


@pytest.fixture
def given(tiny: Path, pair_set: Path, examples: list[Example], tmp_path: Path) -> Iterator[Any]:
    """Recipe, keyword arguments of a configuration, and the examples as a table, for a method."""

    def make(method: str, rows: Sequence[Example] = examples, **keys: Any) -> tuple[Any, dict[str, Any], Any]:
        adapter = {} if keys.pop("fresh", False) else {"adapter": tiny / "adapter"}
        made = recipe(method, pair_set, base=str(tiny / "base"), rows=len(rows), **adapter, **keys)
        arguments = tuning.arguments(made, Run(tmp_path, method, made))
        return made, arguments, table(tmp_path / "train.arrow", rows)

    yield make


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_dpo(given: Any, model: Any, examples: list[Example], tokenizer: Any, smoothing: float) -> None:
    from trl import DPOConfig

    loss = "robust" if smoothing else "sigmoid"
    made, arguments, rows = given("dpo", reference="base", beta=0.3, loss=loss, label_smoothing=smoothing)
    config = DPOConfig(**arguments, beta=0.3, loss_type=[loss], label_smoothing=smoothing, max_length=None)
    found, batch = loss_of(dpo.build(made, config, rows, None, tokenizer))
    chosen, rejected = (sums(model, examples, key) for key in ("chosen_ids", "rejected_ids"))
    was_chosen, was_rejected = (sums(model, examples, key, base=True) for key in ("chosen_ids", "rejected_ids"))
    ours = objectives.dpo_loss(chosen, rejected, was_chosen, was_rejected, beta=0.3, label_smoothing=smoothing)
    assert abs(float(ours) - 0.693) > 0.05  # policy and reference differ, so the sums matter
    assert float(found) == pytest.approx(float(ours), rel=1e-4)
    first = batch["input_ids"][0][batch["attention_mask"][0].bool()].tolist()
    assert first == [*examples[0]["prompt_ids"], *examples[0]["chosen_ids"]]  # no token added, the end token once


def test_simpo(given: Any, model: Any, examples: list[Example], tokenizer: Any) -> None:
    made, arguments, rows = given("simpo", beta=2.5, gamma=0.7)
    found, batch = loss_of(simpo.build(made, simpo.configuration(made, **arguments), rows, None, tokenizer))
    chosen, rejected = (sums(model, examples, key) for key in ("chosen_ids", "rejected_ids"))
    tokens = lengths(examples, "chosen_ids"), lengths(examples, "rejected_ids")
    ours = objectives.simpo_loss(chosen, rejected, *tokens, beta=2.5, gamma=0.7)
    assert float(found) == pytest.approx(float(ours), rel=1e-4)
    first = batch["rejected_input_ids"][0][batch["rejected_attention_mask"][0].bool()].tolist()
    assert first == [*examples[0]["prompt_ids"], *examples[0]["rejected_ids"]]


@pytest.mark.parametrize(("strength", "above_zero"), [(0.3, True), (-0.3, False)])
def test_kto(
    given: Any, model: Any, tokenizer: Any, pair_set: Path, presets: Presets, strength: float, above_zero: bool
) -> None:
    from trl import KTOConfig

    thumbed = list(thumbs(sets.load(pair_set).train(Pair), pairs=True))[:5]
    liked = list(Encoder(tokenizer, presets, 96).feedback(thumbed))
    made, arguments, rows = given("kto", liked, reference="base", beta=0.4)
    arguments["train_sampling_strategy"] = "sequential"
    config = KTOConfig(**arguments, beta=0.4, max_length=None, desirable_weight=1.5, undesirable_weight=1.0)
    trainer = kto.build(made, config, rows, None, tokenizer)
    for one in (trainer.model, model):
        scale(one, strength)
    found, batch = loss_of(trainer)

    ratios = sums(model, liked, "completion_ids") - sums(model, liked, "completion_ids", base=True)
    borrowed = lenders([one["prompt_ids"] for one in liked])
    lent = [
        {**one, "completion_ids": liked[other]["completion_ids"]} for one, other in zip(liked, borrowed, strict=True)
    ]
    apart = sums(model, lent, "completion_ids") - sums(model, lent, "completion_ids", base=True)
    z0 = objectives.kto_reference_point(apart)
    assert (z0 > 0.01) == above_zero
    labels = torch.tensor([one["label"] for one in liked])
    assert float(found) == pytest.approx(float(objectives.kto_loss(ratios, labels, z0, 0.4, 1.5, 1.0)), rel=1e-4)
    assert batch["label"].tolist() == labels.tolist()


def test_reward(given: Any, examples: list[Example], tokenizer: Any) -> None:
    from trl import RewardConfig

    made, arguments, rows = given("reward", list(reward.joined(examples)), centre=0.1)
    config = RewardConfig(**arguments, center_rewards_coefficient=0.1, max_length=None)
    trainer = reward.build(made, config, rows, None, tokenizer)
    found, _ = loss_of(trainer)
    trainer.model.eval()
    scorer = reward.Scorer(trainer.model, tokenizer)
    chosen, rejected = (
        torch.tensor([score for one in reward.joined(examples) for score in scorer.scores([one[side]])])
        for side in ("chosen_ids", "rejected_ids")
    )
    ours = objectives.bradley_terry_loss(chosen, rejected, centre=0.1)
    assert float(found) == pytest.approx(float(ours), rel=1e-4)


def test_a_new_adapter_is_compared_with_the_base(given: Any, examples: list[Example], tokenizer: Any) -> None:
    from trl import DPOConfig

    made, arguments, rows = given("dpo", fresh=True)
    trainer = dpo.build(made, DPOConfig(**arguments, max_length=None), rows, None, tokenizer)
    assert list(trainer.model.peft_config) == ["default"] and trainer.ref_model is None
    assert float(loss_of(trainer)[0]) == pytest.approx(0.693147, abs=1e-5)
