"""The one prompt renderer: serving, training, evaluation and export all call it.

Its `prompt_version` is part of an adapter's identity. Knows the reader; nothing of engines or queues.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from storage.contracts import Turn
from storage.presets import Preset, Presets

if TYPE_CHECKING:
    from models.reader import Reader

RENDERER = "1"
# `told` and `about` of a chat template.
Hints = Mapping[str, str]

# For base models that bring no chat template of their own (plain LMs of any family).
FALLBACK_TEMPLATE = (
    "{% for m in messages %}"
    "{% if m['role'] == 'system' %}{{ m['content'] }}\n"
    "{% elif m['role'] == 'user' %}Человек: {{ m['content'] }}\n"
    "{% else %}Собеседник: {{ m['content'] }}{{ eos_token }}\n{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}Собеседник: {% endif %}"
)


class ChatTokenizer(Protocol):
    """The part of a transformers tokenizer that rendering needs."""

    chat_template: Any
    eos_token: Any

    def apply_chat_template(self, conversation: Any, **kwargs: Any) -> Any: ...


@dataclass(frozen=True)
class Prompt:
    """What a reply is conditioned on. `presets`: those that its preset is of, where not the renderer's own: a request
    that was begun with some presets is finished with them."""

    turns: tuple[Turn, ...]
    preset: Preset
    intensity: int
    persona: str = ""
    presets: Presets | None = None


def messages(prompt: Prompt, presets: Presets) -> list[dict[str, str]]:
    """The prompt as role/content messages (system first), the shape that chat APIs and templates take."""
    system = (prompt.presets or presets).system_text(prompt.preset, prompt.intensity)
    if prompt.persona:
        system += f" Твоя роль: {prompt.persona}"
    return [{"role": "system", "content": system}] + [
        {"role": turn.role, "content": turn.text} for turn in prompt.turns
    ]


def render(tokenizer: ChatTokenizer, prompt: Prompt, presets: Presets, hints: Hints | None = None) -> str:
    """The prompt as the text that the model continues, ending where the answer begins. `hints`: what to tell the
    template instead of what the reader says, while a base is pre-trained or where there is no reader.

    The template also receives `emotion` (Russian title), `intensity` (1–3) and `persona`, so that a small model
    such as the starter can condition on a few tokens instead of the long system text, and `told`: the kind of thing
    that the last turn tells (one of KINDS), `about`: its subject (one of `models.subjects.ABOUT`), where the
    tokenizer's folder has a reader that is sure of it, else "".
    """
    values = {"emotion": prompt.preset.title, "intensity": prompt.intensity, "persona": prompt.persona}
    reader = _reader(tokenizer) if hints is None else None
    if reader is not None:
        hints = reader.hints(prompt.turns[-1].text)
    values.update(hints or {})
    return _apply(tokenizer, messages(prompt, presets), values)


def render_plain(tokenizer: ChatTokenizer, turns: Sequence[Turn], system: str = "") -> str:
    """Talk without a preset, ending where the answer begins: instruction sets and the like."""
    head = [{"role": "system", "content": system}] if system else []
    return _apply(tokenizer, head + [{"role": turn.role, "content": turn.text} for turn in turns], {})


def render_with_reply(
    tokenizer: ChatTokenizer, prompt: Prompt, reply: str, presets: Presets, hints: Hints | None = None
) -> tuple[str, str]:
    """`(prompt_text, reply_text)` for training: what serving would render, and the continuation with its end token."""
    return render(tokenizer, prompt, presets, hints), reply + str(tokenizer.eos_token)


def prompt_version(tokenizer: ChatTokenizer, presets: Presets) -> str:
    """Short hash of everything that shapes a prompt: renderer, template, system texts, reader. ClassifierBroken if the
    tokenizer's folder has a reader that is damaged."""
    parts = [RENDERER, str(_template(tokenizer)), json.dumps(presets.model_dump(mode="json"), sort_keys=True)]
    reader = _reader(tokenizer)
    parts += [reader.id] if reader else []
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()[:12]


def fit_window(lengths: Sequence[int], budget: int) -> int:
    """How many of the newest turns fit into `budget` tokens (at least one). `lengths`: tokens a turn, oldest first."""
    total = 0
    kept = 0
    for length in reversed(lengths):
        if kept and total + length > budget:
            break
        total += length
        kept += 1
    return kept


def _apply(tokenizer: ChatTokenizer, dialogue: list[dict[str, str]], values: dict[str, Any]) -> str:
    from jinja2 import TemplateError

    def applied(these: list[dict[str, str]]) -> str:
        template = _template(tokenizer)
        return str(
            tokenizer.apply_chat_template(
                these, chat_template=template, tokenize=False, add_generation_prompt=True, **values
            )
        )

    try:
        return applied(dialogue)
    except TemplateError:
        # Some families' templates refuse a system message: it then opens the person's first turn.
        if dialogue[0]["role"] != "system" or len(dialogue) < 2 or dialogue[1]["role"] != "user":
            raise
        system, first, *others = dialogue
        return applied([{"role": "user", "content": f"{system['content']}\n\n{first['content']}"}, *others])


def _template(tokenizer: ChatTokenizer) -> str:
    return str(tokenizer.chat_template or FALLBACK_TEMPLATE)


def _reader(tokenizer: ChatTokenizer) -> Reader | None:
    """The reader in the folder of a tokenizer whose template asks what is told."""
    if "told" not in _template(tokenizer):
        return None
    from models.reader import reader_of

    return reader_of(str(getattr(tokenizer, "name_or_path", "")))
