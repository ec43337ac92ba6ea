"""What goes to the worker for a turn: the dialogue window and the request. Reads SQL, changes nothing."""

from __future__ import annotations

from datetime import timedelta

from bot.decisions import window
from bot.settings import BotSettings
from storage.contracts import ChatRequest, Turn, now, request_id
from storage.database import Unit
from storage.tables import TurnRow


class Asking:
    """Makes requests under this installation's limits."""

    def __init__(self, settings: BotSettings) -> None:
        self.settings = settings

    async def request(
        self, unit: Unit, turn: TurnRow, emotion: str, intensity: int, persona: str, *, variant: int = 0
    ) -> ChatRequest:
        """The request of a turn; the same turn, revision and variant always give the same id."""
        messages = await unit.inbox.of_turn(turn.id)
        ids = tuple(row.message_id for row in messages)
        return ChatRequest(
            request_id=request_id(turn.chat_id, ids, revision=turn.revision, variant=variant),
            chat_id=turn.chat_id,
            user_id=turn.user_id,
            turns=await self._window(unit, turn, [row.text for row in messages]),
            emotion=emotion,
            intensity=intensity,
            persona=persona,
            variant=variant,
            deadline=now() + timedelta(seconds=self.settings.deadline_seconds),
        )

    async def _window(self, unit: Unit, turn: TurnRow, messages: list[str]) -> tuple[Turn, ...]:
        limits = self.settings
        answered = await unit.turns.history(turn.chat_id, turn.epoch, before=turn.id, limit=limits.window_turns)
        texts = await unit.inbox.of_turns([turn_id for turn_id, _ in answered])
        history = [(texts.get(turn_id, []), answer) for turn_id, answer in answered]
        return window(history, messages, turns=limits.window_turns, chars=limits.window_chars)
