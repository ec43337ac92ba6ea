"""The starter's tokenizer: byte-level BPE trained on the corpus, with the chat template inside.

The template conditions on a few tokens instead of the long system text: right where the answer begins it puts one
token for the emotion and one for the intensity, and none when no emotion is asked for, so that the base model is a
plain chat model without its adapter. What kind of thing the last message tells and what it is about the template says
after it, where a reader tells that: a model of this size mistakes less then (ADR 44 to 46). It ignores `persona` and
system turns, which such a model cannot follow.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from storage.presets import Presets

# What is said after a message of a kind.
PLAINLY = {
    "good": "Я так рада!", "bad": "Мне так плохо.", "plain": "(разговор)", "asks": "(вопрос)", "advice": "(совет)",
}  # fmt: skip
# What is said after a message about a subject.
TOPICS = {
    "pets": "питомцы", "health": "здоровье", "sleep": "сон", "food": "еда", "work": "работа", "study": "учёба",
    "money": "деньги", "things": "вещи", "home": "дом", "road": "дорога", "travel": "поездка", "weather": "погода",
    "garden": "сад", "parents": "родители", "kids": "дети", "love": "любовь", "friends": "друзья",
    "strangers": "люди", "feast": "праздник", "screen": "кино", "music": "музыка", "sport": "спорт",
    "tech": "техника", "hobby": "увлечение", "looks": "внешность", "mood": "настроение", "past": "прошлое",
    "grief": "утрата", "services": "услуги", "hello": "привет", "bye": "пока", "thanks": "спасибо",
    "scold": "упрёк", "howare": "как дела", "whoare": "кто ты", "can": "что умеешь", "feel": "чувства",
    "taste": "вкусы", "tell": "расскажи",
}  # fmt: skip

PAD, BOS, EOS, USER, BOT = "<pad>", "<s>", "</s>", "<|user|>", "<|bot|>"


def control_token(name: str) -> str:
    """The token of a preset id or an intensity step."""
    return f"<|{name}|>"


def special_tokens(presets: Presets) -> list[str]:
    """All special tokens, in the order of their ids."""
    controls = [control_token(preset.id) for preset in presets.presets]
    return [PAD, BOS, EOS, USER, BOT, *controls, *(control_token(str(step)) for step in (1, 2, 3))]


def chat_template(presets: Presets) -> str:
    """The Jinja template; presets that the model has never seen render as a plain chat."""
    table = ", ".join(f"'{preset.title}': '{control_token(preset.id)}'" for preset in presets.presets)
    # What a person types must not become a control token.
    clean = (
        "m['content'] | replace('<|', '< |') | replace('</s>', '') | replace('<s>', '') | replace('<pad>', '') | trim"
    )
    plainly = ", ".join(f"'{kind}': ' {words}'" for kind, words in PLAINLY.items())
    topics = ", ".join(f"'{subject}': ' ({word})'" for subject, word in TOPICS.items())
    return (
        f"{{%- set tokens = {{{table}}} -%}}"
        f"{{%- set plainly = {{{plainly}}} -%}}"
        f"{{%- set topics = {{{topics}}} -%}}"
        "{{- '<s>' -}}"
        "{%- for m in messages -%}"
        f"{{%- if m['role'] == 'user' -%}}{{{{- '<|user|>' + ({clean}) -}}}}"
        "{%- if loop.last and told is defined and told in plainly -%}{{- plainly[told] -}}{%- endif -%}"
        "{%- if loop.last and about is defined and about in topics -%}{{- topics[about] -}}{%- endif -%}{{- '</s>' -}}"
        f"{{%- elif m['role'] == 'assistant' -%}}{{{{- '<|bot|>' + ({clean}) + '</s>' -}}}}{{%- endif -%}}"
        "{%- endfor -%}"
        "{%- if add_generation_prompt -%}{{- '<|bot|>' -}}"
        "{%- if emotion is defined and emotion in tokens -%}"
        "{{- tokens[emotion] + '<|' + (intensity | default(2) | string) + '|>' -}}"
        "{%- endif -%}{%- endif -%}"
    )


def train_tokenizer(lines: Iterable[str], size: int, presets: Presets) -> Any:
    """A `PreTrainedTokenizerFast` with at most `size` tokens, learned from `lines`."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    specials = special_tokens(presets)
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=specials,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    raw.train_from_iterator(lines, trainer)
    make: Any = PreTrainedTokenizerFast
    tokenizer = make(
        tokenizer_object=raw,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        additional_special_tokens=specials[3:],
        padding_side="left",
        clean_up_tokenization_spaces=False,
        model_max_length=512,
    )
    tokenizer.chat_template = chat_template(presets)
    return tokenizer
