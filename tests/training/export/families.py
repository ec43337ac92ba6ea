"""Tiny random models as the published families are shaped, each with a real tokenizer of its kind and its chat format.

The tokenizers are trained on the seed corpus, so that they cut Russian as large ones do.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    LlamaTokenizer,
    MistralConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2Tokenizer,
)
from transformers.convert_slow_tokenizer import generate_merges

from training.data import seed_corpus

LLAMA2 = (
    "{% if messages[0]['role'] == 'system' %}{% set rest = messages[1:] %}{% set sys = messages[0]['content'] %}"
    "{% else %}{% set rest = messages %}{% set sys = false %}{% endif %}{% for m in rest %}"
    "{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}"
    "{% if loop.index0 == 0 and sys != false %}"
    "{% set text = '<<SYS>>\\n' + sys + '\\n<</SYS>>\\n\\n' + m['content'] %}{% else %}{% set text = m['content'] %}"
    "{% endif %}{% if m['role'] == 'user' %}{{ bos_token + '[INST] ' + text.strip() + ' [/INST]' }}"
    "{% else %}{{ ' ' + text.strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
)
LLAMA3 = (
    "{{ bos_token }}{% for m in messages %}{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\\n\\n' }}"
    "{{ m['content'] | trim }}<|eot_id|>{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
)
CHATML = (
    "{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\nYou are helpful.<|im_end|>\\n' }}{% endif %}"
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' }}"
    "{%- if m['role'] == 'assistant' %}{% generation %}{{ m['content'] + '<|im_end|>' }}{% endgeneration %}"
    "{% else %}{{ m['content'] + '<|im_end|>' }}{% endif %}{{ '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
# Mistral's first releases take no system message at all, so serving sets it before the person's first words.
MISTRAL = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}{{ '[INST] ' + m['content'] + ' [/INST]' }}"
    "{% elif m['role'] == 'assistant' %}{{ ' ' + m['content'] + eos_token }}"
    "{% else %}{{ raise_exception('only user and assistant') }}{% endif %}{% endfor %}"
)
TEMPLATES = {"llama2": LLAMA2, "llama3": LLAMA3, "mistral": MISTRAL, "qwen2": CHATML}
FAMILIES = tuple(TEMPLATES)

ENGLISH = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SHAPE = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 3, "num_attention_heads": 4}


def corpus() -> Iterator[str]:
    """Russian sentences of the seed corpus."""
    return (row.reply for row in seed_corpus.load()[:1500])


@cache
def _pieces() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Vocabulary and merges of a SentencePiece model, as published Llama-2 and Mistral tokenizers have them."""
    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=corpus(),
        model_writer=written,
        vocab_size=700,
        model_type="bpe",
        byte_fallback=True,
        character_coverage=0.9995,
        normalization_rule_name="identity",
        remove_extra_whitespaces=False,
        split_digits=True,
        num_threads=1,
        minloglevel=2,
    )
    made = sentencepiece.SentencePieceProcessor(model_proto=written.getvalue())
    vocabulary = {made.id_to_piece(at): at for at in range(made.get_piece_size())}
    scores = [(made.id_to_piece(at), made.get_score(at)) for at in range(3 + 256, made.get_piece_size())]
    return vocabulary, generate_merges(vocabulary, scores)


@cache
def _bytes(pattern: str) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Vocabulary and merges of a byte-level BPE with this splitting rule."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = _split(pattern)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    raw.train_from_iterator(
        corpus(), trainers.BpeTrainer(vocab_size=600, show_progress=False, initial_alphabet=alphabet)
    )
    import json

    model = json.loads(raw.to_str())["model"]
    return model["vocab"], [tuple(one) for one in model["merges"]]


def _split(pattern: str) -> Any:
    rule = pre_tokenizers.Split(Regex(pattern), "isolated")
    return pre_tokenizers.Sequence([rule, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def llama2_tokenizer() -> Any:
    vocabulary, merges = _pieces()
    return LlamaTokenizer(vocab=dict(vocabulary), merges=list(merges), add_bos_token=True)


def mistral_tokenizer() -> Any:
    """The older form of the same kind: a normalizer that puts a space before every part of a text."""
    vocabulary, merges = _pieces()
    raw = Tokenizer(models.BPE(dict(vocabulary), list(merges), unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    raw.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    raw.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    made: Any = PreTrainedTokenizerFast(tokenizer_object=raw, unk_token="<unk>", bos_token="<s>", eos_token="</s>")
    made._tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return made


def llama3_tokenizer() -> Any:
    vocabulary, merges = _bytes(ENGLISH)
    raw = Tokenizer(models.BPE(dict(vocabulary), list(merges), ignore_merges=True))
    raw.pre_tokenizer = _split(ENGLISH)
    raw.decoder = decoders.ByteLevel()
    made: Any = PreTrainedTokenizerFast(
        tokenizer_object=raw,
        bos_token="<|begin_of_text|>",
        eos_token="<|eot_id|>",
        pad_token="<|pad|>",
        additional_special_tokens=["<|start_header_id|>", "<|end_header_id|>", "<|end_of_text|>"],
    )
    begin = ("<|begin_of_text|>", made.bos_token_id)
    made._tokenizer.post_processor = processors.TemplateProcessing(
        single="<|begin_of_text|> $A", special_tokens=[begin]
    )
    return made


def qwen2_tokenizer() -> Any:
    from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

    vocabulary, merges = _bytes(PRETOKENIZE_REGEX)
    paired: Any = list(merges)
    return Qwen2Tokenizer(
        vocab=dict(vocabulary), merges=paired, additional_special_tokens=["<|im_start|>", "<|im_end|>"]
    )


def config(family: str, tokenizer: Any) -> Any:
    """A configuration with the family's peculiarities: grouped keys, long rotary waves, heads of their own width."""
    size = len(tokenizer) + 5  # published models have more rows than tokens
    ids = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": None}
    common: dict[str, Any] = {**SHAPE, **ids, "vocab_size": size, "num_key_value_heads": 2}
    if family == "llama2":
        return LlamaConfig(**common, max_position_embeddings=256)
    if family == "llama3":
        rope = {
            "rope_type": "llama3",
            "rope_theta": 500.0,
            "factor": 8.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 64,
        }
        return LlamaConfig(**common, max_position_embeddings=512, rope_parameters=rope, tie_word_embeddings=True)
    if family == "mistral":
        return MistralConfig(**common, head_dim=32, max_position_embeddings=512, sliding_window=256)
    return Qwen2Config(**common, max_position_embeddings=256, tie_word_embeddings=True)


@cache
def tokenizer(family: str) -> Any:
    """The family's tokenizer with its chat template."""
    made = {
        "llama2": llama2_tokenizer,
        "llama3": llama3_tokenizer,
        "mistral": mistral_tokenizer,
        "qwen2": qwen2_tokenizer,
    }[family]()
    made.chat_template = TEMPLATES[family]
    return made


def save_model(family: str, folder: Path, **changed: Any) -> Path:
    """A random model whose next token is far from a tie, so that two programs must agree on it. `changed`: settings of
    its configuration that differ from the family's usual ones."""
    torch.manual_seed(sum(map(ord, family)))
    words = tokenizer(family)
    settings = type(config(family, words))(**{**config(family, words).to_dict(), **changed})
    model = AutoModelForCausalLM.from_config(settings, dtype=torch.float32)
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:
            parameter.data.mul_(6)
        elif name.endswith("bias"):
            torch.nn.init.normal_(parameter, std=0.5)
    ends = [words.eos_token_id]
    if family == "qwen2":
        ends.append(words.convert_tokens_to_ids("<|im_end|>"))
    model.generation_config.eos_token_id = ends
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder
