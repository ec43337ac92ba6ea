"""Requests and answers of an OpenAI-compatible chat API as plain data. Pure: no connection here."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from models.engine import Finish, Row
from models.prompt import RENDERER, Prompt, fit_window, messages
from models.window import tidy
from storage.contracts import Sampling
from storage.presets import Presets

# No tokenizer here: Russian takes about three characters a token, and a turn a few tokens of its own.
CHARACTERS_A_TOKEN = 3
TURN_TOKENS = 6
EXTENSIONS = ("repetition_penalty", "top_k", "chat_template_kwargs")
TOO_LONG = re.compile(r"context.{0,20}(length|window|size)|maximum context|too (long|many tokens)|exceed_context", re.I)
THOUGHTS = re.compile(r"<think>.*?(</think>|\Z)", re.DOTALL)


@dataclass(frozen=True)
class Answer:
    """What a server answered. `plain`: it was asked with nothing but OpenAI's own fields."""

    text: str
    tokens: int
    finish: Finish
    plain: bool = False


def body(row: Row, prompt: Prompt, presets: Presets, model: str, *, extensions: bool) -> dict[str, Any]:
    """The JSON of one chat completion. `extensions`: fields beyond OpenAI's, which vLLM and llama.cpp take."""
    sampling = row.sampling
    payload: dict[str, Any] = {
        "model": row.adapter or model,
        "messages": messages(prompt, presets),
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_new_tokens,
        "seed": row.seed,
        "stream": False,
    }
    if extensions:
        payload["repetition_penalty"] = sampling.repetition_penalty
        payload["chat_template_kwargs"] = {
            "emotion": prompt.preset.title,
            "intensity": prompt.intensity,
            "persona": prompt.persona,
        }
        if sampling.top_k:
            payload["top_k"] = sampling.top_k
    return payload


def without_extensions(payload: dict[str, Any]) -> dict[str, Any]:
    """A body with nothing but OpenAI's own fields."""
    return {key: value for key, value in payload.items() if key not in EXTENSIONS}


def plain_sampling(sampling: Sampling) -> Sampling:
    """What a body without extensions says of sampling: no cut by rank, no penalty."""
    return sampling.model_copy(update={"top_k": 0, "repetition_penalty": 1.0})


def without_userinfo(url: str) -> str:
    """An address as it may be logged: without user and password."""
    return re.sub(r"//[^/?#]*@", "//", url)


def read_answer(raw: Any, *, plain: bool = False) -> Answer:
    """The first choice of a completion; ValueError if the server sent something else."""
    try:
        choice = raw["choices"][0]
        text = choice["message"]["content"] or ""
        finish: Finish = "length" if choice.get("finish_reason") == "length" else "stop"
        usage = raw.get("usage") or {}
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError("the server's answer is not a chat completion") from error
    text = THOUGHTS.sub("", str(text)).strip()
    return Answer(text, int(usage.get("completion_tokens") or estimate(text)), finish, plain)


def is_too_long(status: int, text: str) -> bool:
    """Whether an error says that the prompt exceeds the model's context (servers word it differently)."""
    return status in (400, 413, 422) and bool(TOO_LONG.search(text))


def estimate(text: str) -> int:
    """About how many tokens a text takes."""
    return len(text) // CHARACTERS_A_TOKEN + 1


def size(prompt: Prompt, presets: Presets) -> int:
    """About how many tokens a prompt takes."""
    return sum(estimate(message["content"]) + TURN_TOKENS for message in messages(prompt, presets))


def windowed(prompt: Prompt, presets: Presets, context: int | None, new_tokens: int) -> Prompt:
    """The prompt with its newest turns that fit into `context` by estimate; all of them where it is unknown."""
    if context is None:
        return prompt
    system = size(replace(prompt, turns=()), presets)
    lengths = [estimate(turn.text) + TURN_TOKENS for turn in prompt.turns]
    kept = fit_window(lengths, max(0, context - new_tokens - system))
    return replace(prompt, turns=tidy(prompt.turns[-kept:]))


def messages_version(presets: Presets) -> str:
    """Hash of what shapes these prompts; the server's own template is unknown to us."""
    source = json.dumps(["chat", RENDERER, presets.model_dump(mode="json")], sort_keys=True)
    return hashlib.sha256(source.encode()).hexdigest()[:12]


def model_names(raw: Any) -> list[str]:
    """Ids in an answer of `GET /models`; empty if it is none."""
    items = raw.get("data") if isinstance(raw, Mapping) else None
    return [str(item["id"]) for item in items or [] if isinstance(item, Mapping) and "id" in item]
