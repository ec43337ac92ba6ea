"""Response selection: which questions are asked, and that a reply's likelihood is the model's own."""

import math
from pathlib import Path

import pytest

from storage.presets import Presets, load_presets
from training.data import conversations, seed_corpus
from training.data.conversations import Example
from training.evaluation.likelihoods import likelihoods
from training.evaluation.relevance import OTHERS, choices, first

STARTER = Path("models/starter")


@pytest.fixture(scope="module")
def presets() -> Presets:
    return load_presets()


@pytest.fixture(scope="module")
def held(presets: Presets, seed_rows: list[seed_corpus.SeedRow]) -> list[Example]:
    return conversations.from_seed(seed_corpus.split(seed_rows)[1], presets)


def test_a_question_is_one_reply_and_nine_to_other_messages(held: list[Example]) -> None:
    asked = choices(held, 50)
    assert len(asked) == 50 and all(len(question) == OTHERS + 1 for question in asked)
    said = {(row.turns, row.reply) for row in held}
    for own, *others in asked:
        assert (own.turns, own.reply) in said
        assert {one.turns for one in others} == {own.turns}
        assert not {(one.turns, one.reply) for one in others} & said
        assert all(one.preset is own.preset and one.intensity == own.intensity for one in others)
    assert choices(held, 50) == asked


def test_likelihood_of_a_batch_is_that_of_each_alone(held: list[Example], presets: Presets) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(STARTER / "base", dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(STARTER / "base")
    rows = held[:5]
    together = likelihoods(model, tokenizer, rows, presets)
    for row, value in zip(rows, together, strict=True):
        prompt, reply = conversations.render_example(tokenizer, row, presets)
        start, said = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in (prompt, reply))
        labels = torch.tensor([[-100] * len(start) + said])
        with torch.inference_mode():
            loss = model(input_ids=torch.tensor([start + said]), labels=labels).loss
        assert value == pytest.approx(-float(loss), abs=1e-4)
        assert value < -math.log(2)


def test_first_wants_to_be_above_all_others() -> None:
    assert first([0.0, -1.0, -2.0]) == 1.0
    assert first([-1.0, -1.0]) == first([-2.0, -1.0]) == 0.0
