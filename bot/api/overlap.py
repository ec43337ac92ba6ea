"""One question for several operators: who is asked it again judges the same answers, blind, in an order of their own.

A program names the question (`task`); the name and all that answers depend on make its fingerprint.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence

from bot.api.access import Caller
from bot.api.brain import Style
from storage.contracts import Turn
from storage.database import Database
from storage.tables import ReplyRow


def fingerprint(task: str, prompt: Sequence[Turn], style: Style, arms: Sequence[str], seed: int | None) -> str:
    """The same for the same question to the same models; the order of the models does not matter."""
    turns = [[turn.role, turn.text] for turn in prompt]
    told = [task, turns, style.emotion, style.intensity, style.persona, sorted(arms), seed]
    return hashlib.sha256(json.dumps(told, ensure_ascii=False).encode()).hexdigest()


async def stored(database: Database, caller: Caller, digest: str, user_id: int) -> tuple[int, list[ReplyRow]] | None:
    """The turn and its answers as this person is to see them; None if nobody was asked yet."""
    async with database.view() as unit:
        found = await unit.tasks.find(caller.chat_id, digest)
    if found is None:
        return None
    task, answers = found
    mine = list(answers) if user_id == task.asked_by else ordered(answers, task.turn_id, user_id)
    return task.turn_id, mine


def ordered(answers: Sequence[ReplyRow], turn_id: int, user_id: int) -> list[ReplyRow]:
    """Always the same order for a person, another one for another: no place is anybody's favourite model's."""
    mine = list(answers)
    random.Random(f"{turn_id} {user_id}").shuffle(mine)
    return mine
