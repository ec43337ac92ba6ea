"""Tiny bases of every family that the product names, each with its own kind of tokenizer and chat template.

Tokenizers are trained on the seed corpus; weights are random and small.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    GPTJConfig,
    LlamaConfig,
    MistralConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
)

from training.data import seed_corpus

FAMILIES = ("llama2", "llama3", "mistral", "qwen2", "gpt2", "gptj")
VOCABULARY = 600

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
HEADERS = (
    "{{ bos_token }}{% for m in messages %}{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\n\n' }}"
    "{{ m['content'] + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
INST = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'user' %}{{ '[INST] ' + m['content'] + ' [/INST]' }}"
    "{% elif m['role'] == 'assistant' %}{{ m['content'] + eos_token }}{% else %}"
    "{{ raise_exception('Only user and assistant roles are supported') }}{% endif %}{% endfor %}"
)
INST_WITH_SYSTEM = INST.replace(
    "{{ raise_exception('Only user and assistant roles are supported') }}",
    "{{ '<<SYS>>' + m['content'] + '<</SYS>>' }}",
)
SPLIT = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+|\s+"


@cache
def _texts() -> tuple[str, ...]:
    return tuple(row.reply for row in seed_corpus.load()[:400])


@cache
def _pieces(special: tuple[str, ...]) -> Tokenizer:
    """SentencePiece's kind: spaces as ▁, unknown characters as bytes."""
    raw = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    raw.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    raw.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    given = [*special, *(f"<0x{byte:02X}>" for byte in range(256))]
    raw.train_from_iterator(_texts(), trainers.BpeTrainer(vocab_size=VOCABULARY, special_tokens=given))
    return raw


@cache
def _bytes(special: tuple[str, ...], split: str | None) -> Tokenizer:
    """GPT-2's kind: BPE over bytes; Llama 3 and Qwen cut words by their own expression first."""
    raw = Tokenizer(models.BPE())
    whole = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=split is None)
    cut = [pre_tokenizers.Split(Regex(split), "isolated")] if split else []
    raw.pre_tokenizer = pre_tokenizers.Sequence([*cut, whole])
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=list(special), initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    raw.train_from_iterator(_texts(), trainer)
    return raw


def tokenizer(family: str) -> PreTrainedTokenizerFast:
    """The family's kind of tokenizer with its special tokens; only Qwen's has a padding token of its own."""
    special: tuple[str, ...]
    if family in ("llama2", "mistral"):
        made = _wrap(_pieces(("<unk>", "<s>", "</s>")), unk_token="<unk>", bos_token="<s>", eos_token="</s>")
        made.chat_template = INST if family == "mistral" else INST_WITH_SYSTEM
    elif family == "llama3":
        special = ("<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")
        made = _wrap(_bytes(special, SPLIT), bos_token="<|begin_of_text|>", eos_token="<|eot_id|>")
        made.chat_template = HEADERS
    elif family == "qwen2":
        special = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
        made = _wrap(_bytes(special, SPLIT), pad_token="<|endoftext|>", eos_token="<|im_end|>")
        made.chat_template = CHATML
    else:
        end = "<|endoftext|>"
        made = _wrap(_bytes((end,), None), unk_token=end, bos_token=end, eos_token=end)
    return made


def _wrap(raw: Tokenizer, **special: str) -> PreTrainedTokenizerFast:
    made: Any = PreTrainedTokenizerFast
    wrapped: PreTrainedTokenizerFast = made(tokenizer_object=Tokenizer.from_str(raw.to_str()), **special)
    return wrapped


def config(family: str, made: PreTrainedTokenizerFast) -> Any:
    """The family's architecture in a tiny shape."""
    ends = {"vocab_size": 640, "bos_token_id": made.bos_token_id, "eos_token_id": made.eos_token_id}
    shape = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    grouped = {**shape, **ends, "num_key_value_heads": 2, "max_position_embeddings": 512}
    if family == "mistral":
        return MistralConfig(**grouped, sliding_window=64)
    if family == "qwen2":
        return Qwen2Config(**grouped, tie_word_embeddings=True)
    if family.startswith("llama"):
        return LlamaConfig(**grouped)
    small: dict[str, Any] = {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 512, **ends}
    return GPT2Config(**small) if family == "gpt2" else GPTJConfig(**small, rotary_dim=16)


def save(family: str, folder: Path) -> Path:
    """A random base of the family as a folder."""
    torch.manual_seed(sum(map(ord, family)))
    made = tokenizer(family)
    AutoModelForCausalLM.from_config(config(family, made), dtype=torch.float32).save_pretrained(folder)
    made.save_pretrained(folder)
    return folder
