"""Tokenizers as GGUF states them: splitting rule's name, types, special tokens, spaces; refused where it cannot."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from models.settings import STARTER
from tests.training.export.families import ENGLISH, corpus, llama2_tokenizer, mistral_tokenizer, tokenizer
from training.export import vocabulary
from training.export.errors import SourceUnusable, Unsupported
from training.export.sentencepiece import SentencePiece
from training.export.templates import sample_prompts
from training.export.vocabulary import BYTE, CONTROL, NORMAL, UNKNOWN, UNUSED, USER_DEFINED


def spec_with(splitter: Any, ignore: bool = False) -> dict[str, Any]:
    """The file form of a BPE tokenizer that cuts texts by `splitter`."""
    raw = Tokenizer(models.BPE(vocab={"a": 0}, merges=[], ignore_merges=ignore))
    raw.pre_tokenizer = splitter
    return json.loads(raw.to_str())  # type: ignore[no-any-return]


def split(pattern: str) -> Any:
    rule = pre_tokenizers.Split(Regex(pattern), "isolated")
    return pre_tokenizers.Sequence([rule, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


@pytest.mark.parametrize(
    ("splitter", "ignore", "name"),
    [
        (pre_tokenizers.ByteLevel(add_prefix_space=False), False, "gpt-2"),
        (split(ENGLISH), True, "llama-bpe"),
        (split(ENGLISH), False, "smaug-bpe"),
        (split(ENGLISH.replace("{1,3}", "")), False, "qwen2"),
        (
            pre_tokenizers.Sequence(
                [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
            ),
            False,
            "starcoder",
        ),
    ],
)
def test_splitting_rule_has_llama_cpps_name(splitter: Any, ignore: bool, name: str) -> None:
    assert vocabulary.splitter_of(spec_with(splitter, ignore)) == name


@pytest.mark.parametrize(
    "splitter",
    [
        pre_tokenizers.Whitespace(),
        pre_tokenizers.ByteLevel(add_prefix_space=True),
        split(r"\p{L}+|\p{N}"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ],
)
def test_unknown_splitting_is_refused(splitter: Any) -> None:
    with pytest.raises(Unsupported, match="splitting"):
        vocabulary.splitter_of(spec_with(splitter))


def test_starter_is_byte_level_with_its_control_tokens() -> None:
    words = vocabulary.read(AutoTokenizer.from_pretrained(STARTER / "base"), 6144, [2])
    assert (words.kind, words.splitter, words.begins) == ("gpt2", "gpt-2", False)
    assert words.special == {"bos": 1, "eos": 2, "pad": 0}
    assert words.pieces[3:5] == ("<|user|>", "<|bot|>")
    assert set(words.types[:16]) == {CONTROL}
    assert set(words.types[16:]) == {NORMAL}
    assert words.merges[0] == "Ġ Ð"


def test_rows_without_a_token_are_unused_and_second_ends_are_named() -> None:
    made = tokenizer("qwen2")
    end = made.convert_tokens_to_ids("<|im_end|>")
    words = vocabulary.read(made, len(made) + 2, [made.eos_token_id, end])
    assert words.special["eot"] == end
    assert words.types[-2:] == (UNUSED, UNUSED)
    assert len(set(words.pieces)) == len(made) + 2
    assert words.notes  # Qwen composes Unicode, llama.cpp does not


def test_more_tokens_than_embeddings_are_refused() -> None:
    with pytest.raises(SourceUnusable, match="different models"):
        vocabulary.read(tokenizer("qwen2"), 100, [0])


def test_added_words_that_are_no_control_tokens_stay_text() -> None:
    made = llama2_tokenizer()
    made.add_tokens(["<smile>"])
    words = vocabulary.read(made, len(made), [2])
    assert words.types[words.pieces.index("<smile>")] == USER_DEFINED


def test_sentencepiece_kind_has_byte_and_unknown_tokens_and_scores() -> None:
    words = vocabulary.read(llama2_tokenizer(), 700, [2])
    assert (words.kind, words.splitter, words.begins) == ("llama", "default", True)
    assert words.types[:3] == (UNKNOWN, CONTROL, CONTROL)
    assert words.types.count(BYTE) == 256
    first, later = (words.scores[words.pieces.index(piece)] for piece in ("то", "▁ещё"))
    assert first > later


def test_scores_give_back_the_tokens_of_the_merges() -> None:
    for made in (llama2_tokenizer(), mistral_tokenizer()):
        words = vocabulary.read(made, 700, [2])
        ids = {piece: at for at, piece in enumerate(words.pieces)}
        ours = SentencePiece(ids, words.scores, ("<s>", "</s>"), True)
        for text in list(corpus())[:300]:
            assert ours.encode(text) == made(text, add_special_tokens=False)["input_ids"]


def test_space_before_texts_follows_the_rendered_dialogues() -> None:
    """Newer tokenizers set no space after a special token, where llama.cpp would: its switch must go off for them."""
    for family, prefix in (("llama2", False), ("mistral", True)):
        made = tokenizer(family)
        words = vocabulary.read(made, 705, [2], sample_prompts(made))
        assert words.prefix is prefix
        assert words.notes == ()


def test_dialogues_that_cannot_be_read_alike_are_noted() -> None:
    made = llama2_tokenizer()  # with our own template, where the text begins without a special token and has them later
    words = vocabulary.read(made, 700, [2], sample_prompts(made))
    assert words.prefix is True
    assert "2 of 4" in words.notes[0]


def test_merges_that_scores_cannot_express_are_refused() -> None:
    made = llama2_tokenizer()
    raw = json.loads(made.backend_tokenizer.to_str())
    raw["model"]["merges"] = raw["model"]["merges"][::7]
    broken = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(json.dumps(raw)), eos_token="</s>")
    with pytest.raises(Unsupported, match="scores"):
        vocabulary.read(broken, 700, [2])


def test_normalizers_that_llama_cpp_lacks_are_refused() -> None:
    made: Any = AutoTokenizer.from_pretrained(STARTER / "base")
    made._tokenizer.normalizer = normalizers.Lowercase()
    with pytest.raises(Unsupported, match="Lowercase"):
        vocabulary.read(made, 6144, [2])


def test_other_kinds_of_tokenizers_are_refused() -> None:
    raw = Tokenizer(models.WordLevel(vocab={"<unk>": 0, "</s>": 1}, unk_token="<unk>"))
    made = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="</s>", unk_token="<unk>")
    with pytest.raises(Unsupported, match="WordLevel"):
        vocabulary.read(made, 2, [1])
