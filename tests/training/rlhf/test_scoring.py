"""What answers are worth: by the bundled classifier, by a reward model, by length and ending."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from storage.contracts import Turn
from storage.presets import Presets
from training import scoring
from training.data.rows import Answer
from training.scoring import Drawn, Reward, RewardError, RewardKeys
from training.tokens import answer_ids, prompt_ids

CLASSIFIER = "models/starter/classifier"


def drawn(text: str, emotion: str | None = "joy", tokens: int = 5, ended: bool = True) -> Drawn:
    row = Answer(prompt=(Turn(role="user", text="Сегодня дали премию"),), answer="Ага.", emotion=emotion, origin="a:7")
    return Drawn(row, text, tokens, ended)


def test_a_joyful_answer_is_worth_more_where_joy_is_asked(presets: Presets) -> None:
    reward = scoring.load(RewardKeys(emotion=CLASSIFIER), presets)
    texts = ("Ура, как же я рада, это просто счастье!", "Мне так грустно и одиноко, хочется плакать.")
    glad, sad = (scoring.total(one) for one in reward([drawn(text) for text in texts]))
    assert glad > 0.7 > 0.2 > sad
    glad, sad = (scoring.total(one) for one in reward([drawn(text, "sadness") for text in texts]))
    assert sad > 0.7 > 0.2 > glad


def test_one_label_for_all_answers(presets: Presets) -> None:
    reward = scoring.load(RewardKeys(emotion=CLASSIFIER, label="joy", weights={"emotion": 2.0}), presets)
    (parts,) = reward([drawn("Ура, как же я рада, это просто счастье!", emotion=None)])
    assert 1.4 < parts["emotion"] <= 2.0


def test_nothing_is_gained_by_silence(presets: Presets) -> None:
    reward = scoring.load(RewardKeys(emotion=CLASSIFIER, defect_cost=0.5), presets)
    assert reward([drawn("")]) == [{"emotion": 0.0, "defect": -0.5}]


def test_plain_terms_by_hand(presets: Presets) -> None:
    keys = RewardKeys(emotion=CLASSIFIER, free_tokens=10, token_cost=0.01, end_bonus=0.1, defect_cost=0.5)
    reward = scoring.load(keys, presets)
    loop = "да нет да нет да нет да нет"
    found = reward([drawn("Ура!", tokens=8), drawn("Ура!", tokens=14, ended=False), drawn(loop)])
    assert [one["length"] for one in found] == pytest.approx([0.0, -0.04, 0.0])
    assert [one["end"] for one in found] == [0.1, 0.0, 0.1]
    assert [one["defect"] for one in found] == [0.0, 0.0, -0.5]
    assert scoring.total(found[1]) == pytest.approx(found[1]["emotion"] - 0.04)


def test_rows_without_an_emotion_are_named(presets: Presets) -> None:
    reward = scoring.load(RewardKeys(emotion=CLASSIFIER), presets)
    with pytest.raises(RewardError, match="a:7 names no preset"):
        reward([drawn("Ура!", emotion=None)])


def test_a_label_that_the_classifier_lacks_is_refused(presets: Presets) -> None:
    with pytest.raises(RewardError, match="not 'bliss'"):
        scoring.load(RewardKeys(emotion=CLASSIFIER, label="bliss"), presets)


def test_a_missing_classifier_is_named(presets: Presets, tmp_path: Path) -> None:
    with pytest.raises(RewardError, match=r"reward\.emotion: the emotion classifier"):
        scoring.load(RewardKeys(emotion=str(tmp_path / "none")), presets)


def test_a_reward_that_is_no_number_is_named() -> None:
    reward = Reward({"odd": (1.0, lambda some: [float("nan")] * len(some))})
    with pytest.raises(RewardError, match=r"reward\.odd gave nan"):
        reward([drawn("Ура!")])


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({}, "give `emotion`"),
        ({"model": "m", "label": "joy"}, "`label` is a label of"),
        ({"emotion": "c", "weights": {"model": 1.0}}, "nothing is given for model"),
    ],
)
def test_contradictory_keys_are_refused(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        RewardKeys.model_validate(keys)


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny reward model of random weights with the starter's tokenizer."""
    from transformers import AutoTokenizer, LlamaConfig, LlamaForSequenceClassification

    folder = tmp_path_factory.mktemp("reward") / "model"
    torch.manual_seed(2)
    tokenizer = AutoTokenizer.from_pretrained("models/starter/base")
    config = LlamaConfig(  # type: ignore[call-arg]
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=96,
        pad_token_id=tokenizer.pad_token_id,
        num_labels=1,
    )
    LlamaForSequenceClassification(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_a_reward_model_reads_what_serving_renders(scorer: Path, presets: Presets) -> None:
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    answers = [drawn("Ура!"), drawn("Как же я рада за тебя, вот это праздник!", "sadness"), drawn("Ну и ну")]
    found = [one["model"] for one in scoring.load(RewardKeys(model=scorer), presets)(answers)]
    model, tokenizer = (kind.from_pretrained(scorer) for kind in (AutoModelForSequenceClassification, AutoTokenizer))
    for one, score in zip(answers, found, strict=True):
        ids = prompt_ids(tokenizer, one.row, one.row.prompt, presets) + answer_ids(tokenizer, one.text)
        with torch.no_grad():
            assert score == pytest.approx(float(model(input_ids=torch.tensor([ids])).logits), abs=1e-5)
    assert len(set(found)) == 3


def test_a_text_beyond_the_context_keeps_its_answer(scorer: Path, presets: Presets) -> None:
    long = Turn(role="user", text="и ещё раз " * 60)
    rows = [Answer(prompt=(long,), answer="Да.", emotion="joy")] * 2
    reward = scoring.load(RewardKeys(model=scorer), presets)
    first, second = reward([Drawn(rows[0], "Ура!", 3, True), Drawn(rows[1], "Беда, всё пропало.", 5, True)])
    assert first["model"] != second["model"]


def test_an_adapter_with_a_head_is_a_reward_model(scorer: Path, presets: Presets, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForSequenceClassification

    config = LoraConfig(r=2, target_modules="all-linear", task_type="SEQ_CLS")
    tuned: Any = get_peft_model(AutoModelForSequenceClassification.from_pretrained(scorer, num_labels=1), config)
    tuned.base_model.model.score.modules_to_save["default"].weight.data.fill_(0.0)
    tuned.save_pretrained(str(tmp_path / "adapter"))
    assert scoring.load(RewardKeys(model=tmp_path / "adapter"), presets)([drawn("Ура!")]) == [{"model": 0.0}]


@pytest.mark.parametrize("folder", ["models/starter/base", "models/starter/adapter"])
def test_weights_without_a_head_are_no_reward_model(folder: str, presets: Presets) -> None:
    with pytest.raises(RewardError, match="no scoring head"):
        scoring.load(RewardKeys(model=Path(folder)), presets)


def test_a_folder_without_a_model_is_named(presets: Presets, tmp_path: Path) -> None:
    with pytest.raises(RewardError, match="holds no model"):
        scoring.load(RewardKeys(model=tmp_path), presets)


def test_terms_come_from_whatever_is_given(presets: Presets, scorer: Path) -> None:
    both: Callable[..., Any] = scoring.load(
        RewardKeys(emotion=CLASSIFIER, model=scorer, weights={"emotion": 0.5, "model": 0.0}), presets
    )
    (parts,) = both([drawn("Ура!")])
    assert set(parts) == {"emotion", "model"} and parts["model"] == 0.0 and 0 < parts["emotion"] <= 0.5
