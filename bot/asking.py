"""What goes to the worker for a turn: the dialogue window and the request. Reads SQL, changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from bot.decisions import window
from bot.settings import BotSettings
from storage.arms import ACTIVE, CANARY, arm
from storage.contracts import ChatRequest, Turn, now, request_id
from storage.database import Unit
from storage.tables import InboxRow, ReplyRow, TurnRow


class Style(Protocol):
    """How to answer: a chat's settings, or those of an earlier answer."""

    @property
    def emotion(self) -> str:
        """Preset id."""

    @property
    def intensity(self) -> int:
        """1–3."""

    @property
    def persona(self) -> str:
        """In whose person, or empty."""


@dataclass(frozen=True, slots=True)
class AsBefore:
    """The style of an answer of which another variant is wanted."""

    emotion: str
    intensity: int
    persona: str


class Asking:
    """Makes requests under this installation's limits."""

    def __init__(self, settings: BotSettings) -> None:
        self.settings = settings
        # Seconds that requests get beyond the ordinary deadline, while workers are away for a known time.
        self.grace: Callable[[], float] = lambda: 0.0

    async def request(
        self,
        unit: Unit,
        turn: TurnRow,
        messages: Sequence[InboxRow],
        style: Style,
        *,
        variant: int = 0,
        first: ReplyRow | None = None,
    ) -> tuple[ChatRequest, int]:
        """The request of a turn, and which variant is shown of the turn before (0: the first, or there is none).

        The same turn, revision and variant always give the same request id. `first`: the answer that another variant
        is wanted of.
        """
        dialogue, shown_before = await self._window(unit, turn, [row.text for row in messages])
        ids = tuple(row.message_id for row in messages)
        request = ChatRequest(
            request_id=request_id(turn.chat_id, ids, revision=turn.revision, variant=variant),
            chat_id=turn.chat_id,
            user_id=turn.user_id,
            turns=dialogue,
            emotion=style.emotion,
            intensity=style.intensity,
            persona=style.persona,
            arm=await self._arm(unit, turn, style.emotion, first),
            variant=variant,
            seen=await self._seen(unit, turn) if first is not None else (),
            deadline=now() + timedelta(seconds=self.settings.deadline_seconds + self.grace()),
        )
        return request, shown_before

    @staticmethod
    async def _seen(unit: Unit, turn: TurnRow) -> tuple[str, ...]:
        return tuple(row.text for row in await unit.replies.variants(turn.id, turn.revision))

    async def _arm(self, unit: Unit, turn: TurnRow, emotion: str, first: ReplyRow | None) -> str:
        """The dialogue's arm in the slot that its emotion goes by («авто»: the shared one). A turn's variants stay in
        the turn's arm as long as the same canary runs, also when its share changes."""
        slot = await unit.slots.serving(emotion)
        if slot is None or slot.canary is None or slot.canary_at is None:
            return ACTIVE
        if first is not None and first.created_at >= slot.canary_at and first.arm in (ACTIVE, CANARY):
            return first.arm
        return arm(turn.chat_id, turn.epoch, slot)

    async def _window(self, unit: Unit, turn: TurnRow, messages: list[str]) -> tuple[tuple[Turn, ...], int]:
        limits = self.settings
        answered = await unit.turns.history(turn.chat_id, turn.epoch, before=turn.id, limit=limits.window_turns)
        texts = await unit.inbox.of_turns([turn_id for turn_id, _, _ in answered]) if answered else {}
        history = [(texts.get(turn_id, []), answer) for turn_id, answer, _ in answered]
        dialogue = window(history, messages, turns=limits.window_turns, chars=limits.window_chars)
        return dialogue, answered[-1][2] if answered else 0
