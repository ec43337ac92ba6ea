"""Albums: Telegram sends each picture of one as a message of its own, and people see one. Knows only ids."""

from __future__ import annotations

from collections import OrderedDict

from aiogram.types import Message

KEPT = 1000


class Albums:
    """Of the newest albums the message that was answered for all of them."""

    def __init__(self) -> None:
        self._answered: OrderedDict[str, int] = OrderedDict()

    def speaks(self, message: Message) -> bool:
        """Whether to say of this message what is said once of an album: it is in none, or comes first of its own.

        The same message is told the same again: what failed is tried again.
        """
        if message.media_group_id is None:
            return True
        first = self._answered.setdefault(message.media_group_id, message.message_id)
        if len(self._answered) > KEPT:
            self._answered.popitem(last=False)
        return first == message.message_id
