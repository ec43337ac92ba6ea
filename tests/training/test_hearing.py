from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from models.subjects import ABOUT, NONE
from storage.presets import Presets
from training import pretrain
from training.data import conversations, corpus, hearing, seed_open
from training.data.hearing import UNKNOWN, Hearing
from training.data.seed_open import KINDS, MESSAGES, TYPED, UNTOLD, Message
from training.pretrain import PretrainRecipe, Trainer
from training.recipes import RecipeError
from training.tokenizer import BOT, USER

KNOWN = (
    Message(MESSAGES, 1, "bad", "pets", "т", "Ёжик убежал!"),
    Message(TYPED, 2, "asks", UNTOLD, "т", "Кто ты такой?"),
    Message(MESSAGES, 3, "thanks", NONE, "т", "спасибо"),
)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return AutoTokenizer.from_pretrained("models/starter/base")


@pytest.fixture(scope="module")
def ears(tokenizer: Any) -> Hearing:
    person, bot = tokenizer.convert_tokens_to_ids([USER, BOT])
    return Hearing(tokenizer, tokenizer.eos_token_id, person, bot, KNOWN)


def rows(tokenizer: Any, *texts: str, length: int = 40) -> np.ndarray[Any, Any]:
    ids = [tokenizer(text, add_special_tokens=False)["input_ids"][:length] for text in texts]
    return np.array([one + [tokenizer.pad_token_id] * (length - len(one)) for one in ids])


def places(tokenizer: Any, row: Any, told: Any) -> list[str]:
    return [str(tokenizer.decode([token])) for token, label in zip(row, told, strict=True) if label != UNKNOWN]


def test_labels_stand_between_a_message_and_its_answer(tokenizer: Any, ears: Hearing) -> None:
    batch = rows(tokenizer, "<s><|user|>Ёжик убежал!</s><|bot|><|joy|><|2|>Найдётся.</s>")
    kinds, about = ears.labels(batch)[:, 0]
    assert places(tokenizer, batch[0], kinds) == ["</s>", "<|bot|>", "<|joy|>", "<|2|>"]
    assert {KINDS[label] for label in kinds if label != UNKNOWN} == {"bad"}
    assert {ABOUT[label] for label in about if label != UNKNOWN} == {"pets"}
    assert ((kinds == UNKNOWN) == (about == UNKNOWN)).all()


@pytest.mark.parametrize("typed", ["ежик убежал", "Ежик, убежал...", "ЁЖИК УБЕЖАЛ"])
def test_however_it_is_typed_it_is_the_same_message(tokenizer: Any, ears: Hearing, typed: str) -> None:
    kinds, _ = ears.labels(rows(tokenizer, f"<|user|>{typed}</s><|bot|>Да.</s>"))[:, 0]
    assert {KINDS[label] for label in kinds if label != UNKNOWN} == {"bad"}


def test_a_message_without_a_subject_has_its_kind_alone(tokenizer: Any, ears: Hearing) -> None:
    batch = rows(tokenizer, "<|user|>кто ты такой</s><|bot|>Бот.</s>", "<|user|>Спасибо!</s><|bot|>Ура.</s>")
    kinds, about = ears.labels(batch)
    assert [{KINDS[label] for label in row if label != UNKNOWN} for row in kinds] == [{"asks"}, {"thanks"}]
    assert (about == UNKNOWN).all()


@pytest.mark.parametrize(
    "text",
    [
        "<|user|>Кошка убежала!</s><|bot|>Да.</s>",
        "Ёжик убежал!</s><|bot|>Да.</s>",
        "<|user|>Ёжик убежал!</s>Да.</s>",
        "<|user|>Ёжик убежал!</s>",
        "<|user|>Ёжик убежал!",
        "<|bot|>Ёжик убежал!</s><|user|>Да.</s>",
    ],
    ids=["unknown", "nobody's", "not answered", "cut", "open", "the bot's"],
)
def test_nothing_else_is_labelled(tokenizer: Any, ears: Hearing, text: str) -> None:
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert (ears.labels(np.array([ids])) == UNKNOWN).all()


def test_every_message_of_a_row_has_its_own(tokenizer: Any, ears: Hearing) -> None:
    text = "<s><|user|>ёжик убежал</s><|bot|>Ох.</s><s><|user|>спасибо</s><|bot|>Да.</s>"
    kinds, _ = ears.labels(rows(tokenizer, text))[:, 0]
    assert [KINDS[label] for label in kinds if label != UNKNOWN] == ["bad"] * 2 + ["thanks"] * 2


def test_what_the_seed_corpus_holds_out_is_not_heard(tokenizer: Any) -> None:
    given = hearing.every()
    held = next(one for one in given if one.held_out)
    person, bot = tokenizer.convert_tokens_to_ids([USER, BOT])
    ears = Hearing(tokenizer, tokenizer.eos_token_id, person, bot, [held])
    assert not ears.known
    assert {one.source for one in given} == {MESSAGES, TYPED, seed_open.BROAD, seed_open.POSTS}


def test_the_rows_that_are_learned_are_heard(tokenizer: Any, presets: Presets) -> None:
    person, bot = tokenizer.convert_tokens_to_ids([USER, BOT])
    ears = Hearing(tokenizer, tokenizer.eos_token_id, person, bot)
    learned = seed_open.rows(presets, share="seed_kinds")[::5000]
    texts = [
        "".join(conversations.render_example(tokenizer, replace(one, hints={}), presets))
        for one in conversations.from_seed(learned, presets)
    ]
    kinds, _ = ears.labels(rows(tokenizer, *texts, length=120))
    assert len(texts) > 20
    assert all((row != UNKNOWN).sum() == 4 for row in kinds)


@pytest.mark.usefixtures("small_seed")
class TestTraining:
    def recipe(self, data: Path, **keys: object) -> PretrainRecipe:
        given = {
            "name": "heard",
            "seed": 3,
            "threads": 1,
            "data": data,
            "shape": {"vocabulary": 400, "hidden": 32, "layers": 2, "heads": 2, "inner": 64, "context": 64},
            "sequence": 64,
            "rows": 8,
            "steps": 60,
            "learning_rate": 0.01,
            "optimizer": "adamw",
            "tokenizer_lines": 100,
            "hearing": {"weight": 1.0, "layer": 1},
            "mix": {"seed_open": 1.0},
            "final_mix": {"seed_open": 1.0},
            **keys,
        }
        return PretrainRecipe.model_validate(given)

    def trainer(self, data: Path, presets: Presets, tokenizer: Any, **keys: object) -> Trainer:
        recipe = self.recipe(data, init="models/starter/base", **keys)
        texts = corpus.documents(data, "seed_open", tokenizer, presets)
        tokens = {"seed_open": corpus.encode(tokenizer, texts, 3, recipe.sequence)}
        return Trainer(recipe, corpus.Mixture(tokens, recipe.sequence, 3), tokenizer)

    def test_it_learns_to_hear_and_keeps_no_head(self, data: Path, presets: Presets, tmp_path: Path) -> None:
        heard: list[float] = []
        measure = Trainer._heard

        def measured(*given: Any) -> Any:
            found = measure(*given)
            heard.append(float(found.detach()))
            return found

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Trainer, "_heard", staticmethod(measured))
            folder = pretrain.main(self.recipe(data), tmp_path, presets)
        assert len(heard) == 60
        assert np.mean(heard[-10:]) < np.mean(heard[:10]) / 2
        model = AutoModelForCausalLM.from_pretrained(folder)
        assert not [name for name in model.state_dict() if "ear" in name.split(".")]

    def test_both_losses_count_by_their_weight(self, data: Path, presets: Presets, tokenizer: Any) -> None:
        told, losses = None, []
        for weight in (1e-9, 1.0, 3.0):
            trainer = self.trainer(data, presets, tokenizer, hearing={"weight": weight, "layer": 2})
            assert trainer.hearing is not None
            batch = torch.from_numpy(trainer.mixture.batch(0, 4, trainer.recipe.mix))
            told = torch.from_numpy(trainer.hearing.labels(batch.numpy())[:, :, :-1])
            with torch.no_grad():
                losses.append(float(trainer._plain_loss(batch, trainer._labels(batch), told)))
        assert told is not None and (told[0] != UNKNOWN).any()
        assert losses[2] - losses[0] == pytest.approx(3 * (losses[1] - losses[0]), rel=1e-3)
        assert losses[1] - losses[0] > 1

    def test_a_batch_without_known_messages_has_a_loss(self, data: Path, presets: Presets, tokenizer: Any) -> None:
        trainer = self.trainer(data, presets, tokenizer)
        batch = torch.full((2, 16), 100)
        told = torch.full((2, 2, 15), UNKNOWN)
        assert torch.isfinite(trainer._plain_loss(batch, batch[:, 1:].clone(), told))

    def test_a_layer_that_is_not_there_is_told(self, data: Path, presets: Presets, tokenizer: Any) -> None:
        with pytest.raises(RecipeError, match="layer 9 is more than the network's 8"):
            self.trainer(data, presets, tokenizer, hearing={"weight": 1.0, "layer": 9})

    def test_a_tokenizer_without_turns_is_told(self, data: Path, presets: Presets, tokenizer: Any) -> None:
        class Other:
            all_special_ids = (0,)
            eos_token_id = 2

            def get_vocab(self) -> dict[str, int]:
                return {"привет": 0}

        mixture = corpus.Mixture({"seed_open": np.zeros(200, dtype=np.uint16)}, 64, 3)
        with pytest.raises(RecipeError, match="hearing: the tokenizer"):
            Trainer(self.recipe(data, init="models/starter/base"), mixture, Other())
