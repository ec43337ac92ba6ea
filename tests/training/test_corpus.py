"""What the starter reads and what it learns: packing, loss on answers alone, loosely put messages."""

from __future__ import annotations

import json
import random
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from transformers import PreTrainedTokenizerFast

from storage.contracts import Turn
from storage.presets import Presets
from tests.training.test_pretrain import recipe
from training.data import conversations, corpus, seed_corpus
from training.data.conversations import Example
from training.pretrain import Trainer, main
from training.recipes import RecipeError
from training.tokenizer import train_tokenizer


def test_blocks_are_nearly_full_of_whole_documents() -> None:
    chooser = random.Random(4)
    documents = [np.full(chooser.randint(15, 70), number, dtype=np.uint16) for number in range(10, 3010)]
    blocks = list(corpus._aligned(iter(documents), 128, end=2))
    assert {len(block) for block in blocks} == {128}
    together = np.concatenate(blocks)
    found = {int(number): int(count) for number, count in zip(*np.unique(together, return_counts=True), strict=True)}
    # In two blocks a document would be found whole all the same: each block is looked at.
    assert all(found[int(one[0])] == len(one) for one in documents)
    assert sum(len(np.unique(block[block != 2])) for block in blocks) == len(documents)
    assert found.get(2, 0) < 0.06 * len(together)


def test_only_what_the_bot_says_is_learned(presets: Presets, seed_rows: list[seed_corpus.SeedRow]) -> None:
    tokenizer = train_tokenizer((row.reply for row in seed_rows[:100]), 400, presets)
    turns = (
        Turn(role="user", text="Привет, бот"),
        Turn(role="assistant", text="Добрый день"),
        Turn(role="user", text="Как дела"),
    )
    shown = conversations.render_example(tokenizer, Example(turns, "Отлично!", presets.get("joy"), 3), presets)
    ids = tokenizer("".join(shown) + "</s></s>", add_special_tokens=False)["input_ids"]
    batch = np.asarray([ids, ids], dtype=np.int64)
    special = np.asarray(tokenizer.all_special_ids)
    read = corpus.read_only(batch, special, tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids("<|user|>"))
    assert read.shape == (2, len(ids) - 1)
    for row, marks in zip(batch, read, strict=True):
        assert tokenizer.decode(row[1:][~marks]) == "Добрый день</s>Отлично!</s>"


def test_a_text_without_turns_is_learned_whole(presets: Presets) -> None:
    batch = np.asarray([[50, 51, 52, 2, 60, 61, 62]], dtype=np.int64)
    assert not corpus.read_only(batch, np.asarray([0, 1, 2, 3, 4]), end=2, person=3).any()


def test_put_loosely_a_message_keeps_all_but_one_word() -> None:
    text = "завтра иду на собеседование и трясусь"
    example = Example((Turn(role="user", text="Привет"), Turn(role="user", text=text)), "Удачи!")
    loose = {conversations.loosen(example, random.Random(seed)).turns for seed in range(40)}
    assert {turns[0].text for turns in loose} == {"Привет"}
    assert len(loose) > 10
    for turns in loose:
        words = turns[-1].text.split()
        assert set(words) <= set(text.split()) and len(words) >= len(text.split()) - 1
    short = Example((Turn(role="user", text="как дела"),), "Хорошо.")
    assert all(conversations.loosen(short, random.Random(seed)) == short for seed in range(10))


@pytest.mark.usefixtures("small_seed")
def test_pretraining_on_answers_about_other_things(data: Path, presets: Presets, tmp_path: Path) -> None:
    pytest.importorskip("pymorphy3")
    mix = {"seed_swapped": 1.0}
    folder = main(recipe(data, steps=2, answers_only=True, mix=mix, final_mix=mix), tmp_path, presets)
    assert (folder / "model.safetensors").is_file()
    manifest = json.loads((tmp_path / "runs" / "pretrain-tiny" / "manifest.json").read_text(encoding="utf-8"))
    assert set(manifest["sha256"]) == {"seed", "short_sentences"}
    tokens = np.load(tmp_path / "runs" / "pretrain-tiny" / "tokens" / "seed_swapped.npy")
    assert len(tokens) % 24 == 0


@pytest.mark.usefixtures("small_seed")
def test_pretraining_on_open_replies(data: Path, presets: Presets, tmp_path: Path) -> None:
    mix = {"seed_kinds": 0.5, "seed_narrow": 0.5}
    folder = main(recipe(data, steps=2, sequence=64, answers_only=True, mix=mix, final_mix=mix), tmp_path, presets)
    assert (folder / "model.safetensors").is_file()
    manifest = json.loads((tmp_path / "runs" / "pretrain-tiny" / "manifest.json").read_text(encoding="utf-8"))
    assert set(manifest["sha256"]) == {"seed", "seed_open", "posts"}
    assert set(manifest["tokens"]) == {"seed_kinds", "seed_narrow"}


@pytest.mark.usefixtures("small_seed")
def test_a_batch_that_is_only_read_teaches_nothing_and_harms_nothing(
    data: Path, presets: Presets, tmp_path: Path
) -> None:
    tokenizer = train_tokenizer(["Привет, как дела?"], 400, presets)
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    given = recipe(data, steps=4, answers_only=True)
    read = np.full(24 * given.rows, 50, dtype=np.uint16)
    read[::24] = tokenizer.convert_tokens_to_ids("<|user|>")
    trainer = Trainer(given, corpus.Mixture({"films": read}, 24, 3), tokenizer)
    assert trainer.advance() == 0
    assert all(weight.isfinite().all() for weight in trainer.model.parameters())
    answered = read.copy()
    answered[::24] = tokenizer.convert_tokens_to_ids("<|bot|>")
    trainer.mixture = corpus.Mixture({"films": answered}, 24, 3)
    assert trainer.advance() > 1


def marked(*tokens: str) -> Any:
    """A tokenizer that knows these tokens of the template and has one for what it does not know."""
    known = {token: number for number, token in enumerate(["<unk>", "</s>", *tokens])}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(WordLevel(known, unk_token="<unk>")), unk_token="<unk>", eos_token="</s>"
    )


@pytest.mark.parametrize(
    ("tokens", "keys", "missing"),
    [
        (["<|user|>"], {"answers_only": True}, None),
        (["<|bot|>"], {"answers_only": True}, r"answers_only: .* no token <\|user\|>$"),
        (["<|user|>"], {"hearing": {"weight": 0.5, "layer": 1}}, r"hearing: .* no token <\|bot\|>$"),
        ([], {"hearing": {"weight": 0.5, "layer": 1}}, r"hearing: .* no token <\|user\|> nor <\|bot\|>$"),
    ],
)
def test_a_tokenizer_must_know_only_the_tokens_that_are_looked_for(
    data: Path, tokens: list[str], keys: dict[str, object], missing: str | None
) -> None:
    mixture = corpus.Mixture({"films": np.zeros(100, dtype=np.uint16)}, 24, 3)
    with pytest.raises(RecipeError, match=missing) if missing else nullcontext():
        Trainer(recipe(data, **keys), mixture, marked(*tokens))
