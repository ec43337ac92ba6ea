"""How often somebody is told in one chat what they were told before.

    python -m training.evaluation.repeats [--chats 32] [--messages 8]

Chats in every emotion and as many in «авто»; the person says messages that nobody learns from (`<set>_messages.txt`),
drawn by lot. Answered by the worker's own code, with its settings (`MODELS_…`). Knows requests and replies.
"""

from __future__ import annotations

import argparse
import logging
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog

from models.build import build_responder
from models.cli import answers
from models.responder import Responder
from models.settings import ModelsSettings
from storage.contracts import ChatRequest, Turn, now
from storage.presets import Presets, load_presets
from training.evaluation.kinds import SETS, told


@dataclass
class Talk:
    """One chat: its emotion, what the person says and what was said so far."""

    emotion: str
    lines: Sequence[str]
    turns: tuple[Turn, ...] = ()


def talks(presets: Presets, chats: int, messages: int, seed: int) -> list[Talk]:
    """Half of the chats in the presets in turn, half in «авто»."""
    chooser = random.Random(seed)
    every = [text for name in SETS for text, _ in told(name)]
    fixed = [presets.presets[number % len(presets.presets)].id for number in range(chats - chats // 2)]
    return [Talk(emotion, chooser.sample(every, messages)) for emotion in (*fixed, *[presets.auto.id] * (chats // 2))]


def answer(responder: Responder, chats: Sequence[Talk], step: int) -> None:
    """Say the line of this step in every chat and add the answers."""
    asked = []
    for number, chat in enumerate(chats):
        chat.turns = (*chat.turns, Turn(role="user", text=chat.lines[step]))
        asked.append(
            ChatRequest(
                request_id=f"{number}-{step}",
                chat_id=number,
                user_id=number,
                turns=chat.turns,
                emotion=chat.emotion,
                intensity=2,
                deadline=now() + timedelta(days=1),
            )
        )
    for chat, reply in zip(chats, answers(responder, asked), strict=True):
        chat.turns = (*chat.turns, Turn(role="assistant", text=reply.text or "…"))


def repeated(chat: Talk) -> list[str]:
    """The answers of a chat that it had before, word by word."""
    seen: list[list[str]] = []
    found = []
    for turn in chat.turns:
        words = re.findall(r"\w+", turn.text.lower())
        if turn.role == "assistant" and words in seen:
            found.append(turn.text)
        seen += [words] * (turn.role == "assistant")
    return found


def main() -> None:
    """Let the chats run and print how many answers say the same again."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chats", type=int, default=32)
    parser.add_argument("--messages", type=int, default=8, help="of the person, in each chat")
    parser.add_argument("--seed", type=int, default=5)
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    presets = load_presets()
    responder = build_responder(ModelsSettings(), presets, worker="repeats")
    chats = talks(presets, given.chats, given.messages, given.seed)
    for step in range(given.messages):
        answer(responder, chats, step)
    again = [repeated(chat) for chat in chats]
    print(f"{sum(map(len, again))} of {given.chats * given.messages} answers were said before in the same chat,")
    print(f"in {sum(map(bool, again))} of {given.chats} chats")


if __name__ == "__main__":
    main()
