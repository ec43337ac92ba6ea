"""Metrics that load networks, on real and on tiny ones: BERTScore, BLEURT in its three forms, acceptability."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification, BertModel, RemBertConfig
from transformers import RemBertForSequenceClassification as RemBert

from models.settings import STARTER
from tests.training.evaluation.answers import different, sample
from training.evaluation.metrics import Absent, Options, Values, measure
from training.evaluation.metrics import bleurt as rating
from training.evaluation.metrics.bertscore import Encoder

CLASSIFIER = STARTER / "classifier"
TINY: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 48,
    "max_position_embeddings": 128,
    "num_labels": 1,
}


def values(name: str, samples: list[Any], where: Path, **more: object) -> Values:
    found = measure(samples, [name], Options.model_validate({name: str(where), **more}))[name]
    assert not isinstance(found, Absent), found
    return found


def test_bertscore_knows_a_text_from_its_paraphrase_and_from_another() -> None:
    reference = "Мне сегодня очень грустно и одиноко."
    texts = [reference, "Мне сегодня так печально и одиноко.", "Мне сегодня очень тревожно и страшно.", ""]
    same, close, far, empty = values("bertscore", [sample(one, reference) for one in texts], CLASSIFIER)
    assert same == pytest.approx(1.0, abs=1e-5)
    assert same and close and far and same > close > far
    assert empty == 0.0
    assert values("bertscore", [sample("да")], CLASSIFIER) == [None]


def test_bertscore_is_the_papers_greedy_matching() -> None:
    encoder = Encoder(str(CLASSIFIER), None, "cpu")
    assert encoder.model.dtype == torch.float32  # saved in bfloat16, whose steps are larger than many differences
    assert encoder.layer == 2  # three quarters of two layers
    one, two = "Кот спит", "Собака громко лает"
    states = []
    for text in (one, two):
        given = encoder.tokenizer(text, return_tensors="pt")
        with torch.no_grad():
            hidden = encoder.model(**given, output_hidden_states=True).hidden_states[2][0]
        states.append(hidden / hidden.norm(dim=-1, keepdim=True))
    likeness = states[0] @ states[1].T  # the marks at both ends may be matched to
    precision, recall = likeness.amax(1)[1:-1].mean(), likeness.amax(0)[1:-1].mean()
    wanted = float(2 * precision * recall / (precision + recall))
    assert encoder.f1([one, one, two], [two, one, two])[0] == pytest.approx(wanted, abs=1e-5)


def test_a_layer_that_the_encoder_lacks_is_told() -> None:
    found = measure([sample("а", "б")], ["bertscore"], Options(bertscore=str(CLASSIFIER), bertscore_layer=9))
    assert isinstance(found["bertscore"], Absent)
    assert "2 layers, layer 9" in found["bertscore"].reason


def small_bert(folder: Path) -> BertForSequenceClassification:
    tokenizer = AutoTokenizer.from_pretrained(CLASSIFIER)
    torch.manual_seed(3)
    model = BertForSequenceClassification(BertConfig(vocab_size=len(tokenizer), **TINY))
    model.eval()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return model


def test_bleurt_as_a_classifier_with_one_output(tmp_path: Path) -> None:
    model = small_bert(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(CLASSIFIER)
    pairs = [("Кот спит.", "Кот дремлет на окне."), ("Как дела?", "Хорошо!")]
    with torch.no_grad():
        wanted = [float(model(**tokenizer(*pair, return_tensors="pt")).logits) for pair in pairs]
    found = values("bleurt", [*(sample(answer, reference) for reference, answer in pairs), sample("да")], tmp_path)
    assert found[:2] == [pytest.approx(one, abs=1e-5) for one in wanted]
    assert found[2] is None


def test_an_encoder_without_a_head_is_no_bleurt(tmp_path: Path) -> None:
    BertModel(BertConfig(vocab_size=50, **TINY)).save_pretrained(tmp_path)
    found = measure([sample("а", "б")], ["bleurt"], Options(bleurt=str(tmp_path)))["bleurt"]
    assert isinstance(found, Absent) and "ratings would be random" in found.reason


def test_an_emotion_classifier_is_no_bleurt() -> None:
    found = measure([sample("а", "б")], ["bleurt"], Options(bleurt=str(CLASSIFIER)))["bleurt"]
    assert isinstance(found, Absent) and "8 outputs, a rating is one" in found.reason


def test_the_original_checkpoints_are_refused_with_advice(tmp_path: Path) -> None:
    (tmp_path / "variables").mkdir()
    found = measure([sample("а", "б")], ["bleurt"], Options(bleurt=str(tmp_path)))["bleurt"]
    assert isinstance(found, Absent) and "port of it to PyTorch" in found.reason


@pytest.mark.parametrize("factorised", [False, True], ids=["bert", "rembert"])
def test_ports_of_bleurt_give_what_their_network_gives(factorised: bool, tmp_path: Path) -> None:
    """The port names its parts in its own way; written so, the weights must come back in the right places."""
    torch.manual_seed(4)
    kept: dict[str, Any] = {**TINY, "vocab_size": 120, "model_type": "bleurt"}
    if factorised:
        model: Any = RemBert(RemBertConfig(vocab_size=120, input_embedding_size=16, **TINY)).eval()
        kept["embedding_size"] = 16
    else:
        model = BertForSequenceClassification(BertConfig(vocab_size=120, **TINY)).eval()
    model.save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    renamed = {
        name.replace("rembert.encoder.embedding_hidden_mapping_in", "bleurt.encoder.embedding_projection")
        .replace("rembert.", "bleurt.")
        .removeprefix("bert."): one
        for name, one in weights.items()
    }
    if not factorised:
        renamed = {name if name.startswith("classifier") else f"bleurt.{name}": one for name, one in renamed.items()}
    save_file(renamed, tmp_path / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "config.json").write_text(json.dumps(kept), encoding="utf-8")
    ids = torch.randint(5, 120, (2, 12))
    loaded, told = rating._ported(str(tmp_path), kept)
    assert not told["missing_keys"]
    with torch.no_grad():
        assert torch.allclose(loaded(input_ids=ids).logits, model(input_ids=ids).logits, atol=1e-5)


def test_pairs_of_pieces_are_marked_as_bleurt_20_marks_them(tmp_path: Path) -> None:
    import sentencepiece

    texts = tmp_path / "texts.txt"
    texts.write_text("\n".join(f"кот номер {n} спит на окне и видит сны" for n in range(60)), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(texts),
        model_prefix=str(tmp_path / "spm"),
        vocab_size=60,
        hard_vocab_limit=False,
        control_symbols=["[CLS]", "[SEP]", "[PAD]"],
        minloglevel=2,
    )
    encode, pad = rating._by_pieces(str(tmp_path / "spm.model"))
    ids, types = encode("кот спит", "кот видит сны")
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(tmp_path / "spm.model"))
    shown = [pieces.id_to_piece(one) for one in ids]
    assert (shown[0], shown[-1], shown.count("[SEP]")) == ("[CLS]", "[SEP]", 2)
    assert types == [0] * (shown.index("[SEP]") + 1) + [1] * (len(ids) - shown.index("[SEP]") - 1)
    assert pieces.id_to_piece(pad) == "[PAD]"


def test_acceptability_is_the_mean_over_sentences(tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(CLASSIFIER)
    shape = {**TINY, "num_labels": 2, "id2label": {0: "0", 1: "1"}, "label2id": {"0": 0, "1": 1}}
    torch.manual_seed(1)
    model: BertForSequenceClassification = BertForSequenceClassification(
        BertConfig(vocab_size=len(tokenizer), **shape)
    ).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(0, 0.3)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    texts = ["Кот спит.", "Мама мыла раму!", "Кот спит. Мама мыла раму!", "Ну!", ""]
    one, two, both, short, empty = values("acceptability", different(texts), tmp_path)
    assert one is not None and two is not None and both is not None
    assert not math.isclose(one, two, abs_tol=1e-3)
    assert both == pytest.approx((one + two) / 2, abs=1e-4)
    assert (short, empty) == (None, 0.0)


def test_a_classifier_of_other_things_is_told() -> None:
    found = measure([sample("да")], ["acceptability"], Options(acceptability=str(CLASSIFIER)))["acceptability"]
    assert isinstance(found, Absent) and "no label for acceptable (joy" in found.reason
