"""Prompts as tokens: rendered, begun as the tokenizer begins texts, cut to the newest turns that fit.

Training uses `encode` too, so that a model meets the tokens in service that it was trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from models.errors import PromptTooLong
from models.prompt import Prompt, fit_window, render
from models.window import tidy
from storage.contracts import Turn
from storage.presets import Presets

# A model without a chat template does not know where its turn ends: these texts say so.
FALLBACK_STOPS = ("\nЧеловек:", "\nСобеседник:")
MARK = "метка"


def encode(tokenizer: Any, text: str) -> list[int]:
    """Tokens of a rendered prompt. A beginning-of-text token is set before it only where the tokenizer itself would
    set one and the template did not."""
    ids: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    begin = tokenizer.bos_token_id
    if begin is None or ids[:1] == [begin]:
        return ids
    return [begin, *ids] if tokenizer("")["input_ids"][:1] == [begin] else ids


def fitted(tokenizer: Any, prompt: Prompt, presets: Presets, context: int, new_tokens: int) -> list[int]:
    """Tokens of the prompt with as many of its newest turns as leave `new_tokens` of the context (half of it, if
    more are asked for). PromptTooLong if the newest turn alone does not fit."""
    budget = context - min(new_tokens, context // 2)
    ids = encode(tokenizer, render(tokenizer, prompt, presets))
    turns: Sequence[Turn] = prompt.turns
    if len(ids) > budget:
        last = len(encode(tokenizer, render(tokenizer, replace(prompt, turns=tuple(turns[-1:])), presets)))
        lengths = [len(tokenizer(turn.text, add_special_tokens=False)["input_ids"]) for turn in turns[:-1]]
        # What the template sets around a turn, on average; the loop below corrects where that is too little.
        around = (len(ids) - last - sum(lengths)) // max(1, len(lengths))
        turns = turns[-fit_window([*(length + around for length in lengths), last], budget) :]
    while len(ids) > budget:
        kept = tidy(turns)
        ids = encode(tokenizer, render(tokenizer, replace(prompt, turns=kept), presets))
        if len(ids) > budget and len(kept) <= 1:
            raise PromptTooLong(f"the message takes {len(ids)} tokens with its instructions, {budget} fit")
        turns = kept[1:]
    return ids


def special_texts(tokenizer: Any) -> tuple[str, ...]:
    """Texts that the tokenizer turns into control tokens, the longest first."""
    added = getattr(tokenizer, "added_tokens_decoder", {})
    texts = {str(token.content) for token in added.values() if token.special}
    return tuple(sorted(texts, key=len, reverse=True))


def scrubbed(prompt: Prompt, specials: Sequence[str]) -> Prompt:
    """The prompt without control tokens in what people wrote: «<|im_end|>» in a message must not end a turn."""

    turns = tuple(Turn(role=turn.role, text=without(turn.text, specials)) for turn in prompt.turns)
    return replace(prompt, turns=turns, persona=without(prompt.persona, specials))


def without(text: str, specials: Sequence[str]) -> str:
    """The text with none of the control tokens in it."""
    before = None
    while before != text:  # what is left may close up into a new one
        before = text
        for special in specials:
            text = text.replace(special, "")
    return text


def stop_texts(tokenizer: Any) -> tuple[str, ...]:
    """Texts that end an answer where no end token does."""
    return () if tokenizer.chat_template else FALLBACK_STOPS


def end_tokens(tokenizer: Any, generation_config: Any) -> frozenset[int]:
    """Tokens that end an answer: the model's own, the tokenizer's, and what its template sets after an answer."""
    own = generation_config.eos_token_id if generation_config is not None else None
    found = set(own if isinstance(own, list) else [own]) | {tokenizer.eos_token_id, _turn_end(tokenizer)}
    return frozenset(token for token in found if token is not None)


def _turn_end(tokenizer: Any) -> int | None:
    if not tokenizer.chat_template:
        return None
    dialogue = [{"role": "user", "content": MARK}, {"role": "assistant", "content": MARK}]
    values = {"emotion": "", "intensity": 2, "persona": ""}
    text = str(tokenizer.apply_chat_template(dialogue, tokenize=False, **values))
    tail: list[int] = tokenizer(text.rsplit(MARK, 1)[-1].lstrip(), add_special_tokens=False)["input_ids"]
    return tail[0] if tail and tail[0] in tokenizer.all_special_ids else None
