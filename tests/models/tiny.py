"""Tiny random models of every family that the product names, with a tokenizer of their own, saved as folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    BertConfig,
    BertForSequenceClassification,
    BertTokenizer,
    GPT2Config,
    GPTJConfig,
    LlamaConfig,
    MistralConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
)

TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{{ m['role'][0] }}:{{ m['content'] }}\n{% if m['role'] == 'assistant' %}"
    "{{ eos_token }}{% endif %}{% endfor %}{% if add_generation_prompt %}a:{% endif %}"
)
LETTERS = "абвгдеёжзийклмнопрстуфхцчшщъыьэюяАБВГДЕЖЗИКЛМНОПРСТУФХЦЧШЩЭЮЯ .,!?-:;()«»0123456789aus\n"
SHAPE: dict[str, Any] = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 3, "num_attention_heads": 4}


def tokenizer(template: str | None = TEMPLATE) -> PreTrainedTokenizerFast:
    """One token a character, so that equal texts mean equal tokens."""
    vocabulary = {piece: index for index, piece in enumerate(["<pad>", "<s>", "</s>", "<unk>", *LETTERS])}
    raw = Tokenizer(models.WordLevel(vocab=vocabulary, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    raw.decoder = decoders.Fuse()
    made = PreTrainedTokenizerFast(
        tokenizer_object=raw, unk_token="<unk>", pad_token="<pad>", bos_token="<s>", eos_token="</s>"
    )
    made.chat_template = template
    return made


def config(family: str) -> Any:
    """Tiny configuration of a family; 384 places of context."""
    ends: dict[str, Any] = {"vocab_size": 4 + len(LETTERS), "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    places: dict[str, Any] = {"max_position_embeddings": 384}
    if family == "llama":
        return LlamaConfig(**SHAPE, **ends, **places, num_key_value_heads=2)
    if family == "mistral":
        return MistralConfig(**SHAPE, **ends, **places, num_key_value_heads=2, sliding_window=24)
    if family == "qwen2":
        window: dict[str, Any] = {"use_sliding_window": True, "sliding_window": 16, "max_window_layers": 1}
        return Qwen2Config(**SHAPE, **ends, **places, **window, num_key_value_heads=4)
    shape: dict[str, Any] = {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": 384}
    if family == "gpt2":
        return GPT2Config(**shape, **ends)
    return GPTJConfig(**shape, **ends, rotary_dim=4)


FAMILIES = ("llama", "mistral", "qwen2", "gpt2", "gptj")
TARGETS = {"gpt2": ["c_attn", "c_fc", "c_proj"], "gptj": ["q_proj", "v_proj", "fc_in"]}


def save_model(family: str, folder: Path, template: str | None = TEMPLATE) -> Path:
    """A random model whose answers are far from uniform, so that equal texts mean something."""
    torch.manual_seed(sum(map(ord, family)))
    model = AutoModelForCausalLM.from_config(config(family), dtype=torch.float32)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            parameter.data.mul_(6)
    model.generation_config.eos_token_id = 2
    model.save_pretrained(folder)
    tokenizer(template).save_pretrained(folder)
    return folder


def save_adapter(family: str, base: Path, folder: Path, seed: int, rank: int = 4, **settings: Any) -> Path:
    """A random adapter with a visible effect."""
    torch.manual_seed(seed)
    targets = TARGETS.get(family, ["q_proj", "k_proj", "v_proj", "o_proj", "up_proj", "down_proj"])
    lora = LoraConfig(
        r=rank,
        lora_alpha=16,
        target_modules=targets,
        task_type="CAUSAL_LM",
        fan_in_fan_out=family == "gpt2",
        **settings,
    )
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base), lora)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=0.2)
    model.save_pretrained(str(folder))
    return folder


def save_classifier(
    folder: Path, labels: Sequence[str] = ("no_emotion", "Радость", "sad"), problem: Any = "multi_label_classification"
) -> Path:
    """A random BERT classifier with labels under the names that published ones use."""
    torch.manual_seed(3)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    made = BertTokenizer(vocab={word: index for index, word in enumerate(words)}, do_lower_case=False)
    shape: dict[str, Any] = {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    }
    names = dict(enumerate(labels))
    settings = BertConfig(
        **shape,
        vocab_size=len(words),
        max_position_embeddings=64,
        problem_type=problem,
        id2label=names,
        label2id={name: index for index, name in names.items()},
    )
    model = BertForSequenceClassification(settings)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            parameter.data.mul_(8)
    model.save_pretrained(folder)
    made.save_pretrained(folder)
    return folder
