"""Readers of judged answers: preference pairs, thumbs. Plain texts and lists of messages are the same to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from storage.contracts import Turn
from training.data.reading.fields import Fields
from training.data.reading.talks import Said, parted, said
from training.data.rows import Feedback, Pair, Row


def pairs(fields: Fields) -> list[Row]:
    """`prompt`, `chosen`, `rejected` → a pair. Without a prompt, lists of messages share their beginning."""
    prompt = _asked(fields)
    chosen, before = _reply(fields, "chosen", fields.take("chosen"))
    rejected, before_rejected = _reply(fields, "rejected", fields.take("rejected"))
    if chosen and chosen == rejected:
        fields.fault("rejected", "the same as chosen: nothing to learn from")
    if not prompt and before != before_rejected:
        fields.fault("prompt", "is missing, and chosen and rejected do not begin with the same messages")
    turns, common = _prompt(fields, prompt or before)
    fields.done()
    return [Pair(prompt=turns, chosen=chosen, rejected=rejected, **common)]


def feedback(fields: Fields) -> list[Row]:
    """`prompt`, `completion` (or `answer`), `label` (or `thumb`) → a thumb for an answer."""
    prompt = _asked(fields)
    value = fields.take("completion", "answer", "response")
    answer, before = _reply(fields, "completion", value)
    desirable = fields.verdict("label", "thumb", "desirable")
    turns, common = _prompt(fields, prompt or before)
    fields.done()
    return [Feedback(prompt=turns, answer=answer, desirable=desirable, **common)]


def _asked(fields: Fields) -> list[Said]:
    value = fields.take("prompt", "question")
    if value is None:
        return []
    if isinstance(value, list):
        return said(fields, "prompt", value)
    asked = fields.clean("prompt", value)
    return [("user", asked)] if asked else []


def _reply(fields: Fields, name: str, value: Any) -> tuple[str, list[Said]]:
    """The answer's text, and the messages that stood before it in a list."""
    if not isinstance(value, list):
        return fields.clean(name, value), []
    messages = said(fields, name, value)
    if not messages:
        return "", []
    if messages[-1][0] != "assistant":
        fields.fault(name, "expected a list of messages that ends with an assistant's")
        return "", []
    return messages[-1][1], messages[:-1]


def _prompt(fields: Fields, messages: Sequence[Said]) -> tuple[tuple[Turn, ...], dict[str, Any]]:
    system, turns = parted(messages)
    common = fields.common()
    if not turns:
        fields.fault("prompt", "expected a text or a list of messages")
    elif turns[-1].role != "user":
        fields.fault("prompt", "expected the person's message last")
    return tuple(turns), {**common, "system": system or common["system"]}
