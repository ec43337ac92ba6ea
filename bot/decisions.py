"""What happens next in a chat, decided without I/O. Knows no Telegram, no SQL and no Redis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol, TypeVar

from storage.contracts import Turn

# Without variation selectors; emojis that are in neither list say nothing.
# fmt: off
POSITIVE = frozenset((
    "👍", "❤", "❤‍🔥", "🔥", "🥰", "👏", "😁", "🎉", "🤩", "🙏",
    "👌", "🕊", "😍", "🐳", "💯", "🤣", "⚡", "🏆", "💘", "😎",
    "🤝", "🤗", "🫡", "😘", "🆒", "🦄", "😇", "🍓", "🍾", "💋",
))
NEGATIVE = frozenset((
    "👎", "💩", "🤮", "🤬", "😡", "🥱", "🥴", "🖕", "😴", "🤡", "💔", "🤨",
))
# fmt: on


class Incoming(Protocol):
    """The part of a stored message that deciding needs."""

    message_id: int
    user_id: int
    text: str


M = TypeVar("M", bound=Incoming)


def next_batch(waiting: Sequence[M], *, busy: bool) -> list[M]:
    """The messages to answer together now: all that the longest-waiting person has sent, none while a turn runs.

    In a group two people's messages are not mixed into one turn.
    """
    if busy or not waiting:
        return []
    first = waiting[0].user_id
    return [message for message in waiting if message.user_id == first]


def window(
    history: Sequence[tuple[Sequence[str], str]], messages: Sequence[str], *, turns: int, chars: int
) -> tuple[Turn, ...]:
    """The dialogue window: `messages` to answer, after as many whole earlier turns as both limits allow.

    `history` holds (the person's messages, the shown answer), oldest first.
    """
    now = Turn(role="user", text="\n".join(messages))
    left = chars - len(now.text)
    kept: list[Turn] = []
    for said, answer in reversed(history[-turns:] if turns else []):
        question = "\n".join(said)
        left -= len(question) + len(answer)
        if left < 0:
            break
        kept[:0] = [Turn(role="user", text=question), Turn(role="assistant", text=answer)]
    return (*kept, now)


class EditAction(StrEnum):
    """What an edit of a message leads to."""

    NOTHING = "nothing"
    REWORD = "reword"
    RERUN = "rerun"
    TOO_LATE = "too_late"


def edit_action(*, state: str | None, same_text: bool, last_turn: bool) -> EditAction:
    """`state` is the message's, None if it never came in; `last_turn`: it belongs to the newest turn of its chat."""
    if state is None or same_text or state in ("crisis", "dropped", "refused", "persona"):
        return EditAction.NOTHING
    if state == "waiting":
        return EditAction.REWORD
    return EditAction.RERUN if last_turn else EditAction.TOO_LATE


def thumb_of(emojis: Sequence[str]) -> int:
    """1, −1 or 0: what a person's reactions on an answer say together. Unknown emojis say nothing."""
    plain = [emoji.replace("\ufe0f", "") for emoji in emojis]
    return int(not POSITIVE.isdisjoint(plain)) - int(not NEGATIVE.isdisjoint(plain))


def reacted(
    old: Sequence[str], new: Sequence[str], *, thumb: int | None, by_reaction: bool
) -> Literal[-1, 0, 1] | None:
    """The thumb that a change of a person's reactions gives (0: takes back); None if it says nothing new.

    `thumb` is the person's now, `by_reaction` whether a reaction gave it. Only such a one goes away with its reaction;
    emojis that say nothing leave everything as it is.
    """
    after = thumb_of(new)
    if after == 0:
        return 0 if thumb and by_reaction else None
    if after == thumb or (after == thumb_of(old) and not thumb_of([emoji for emoji in new if emoji not in old])):
        return None
    return 1 if after > 0 else -1


def toggled(before: int | None, pressed: int) -> int:
    """The thumb after a press: the same one again takes it back."""
    return 0 if before == pressed else pressed


def neighbour(numbers: Sequence[int], shown: int, step: int) -> int | None:
    """The variant `step` places from the shown one; None at either end or if the shown one is unknown."""
    if shown not in numbers:
        return None
    place = numbers.index(shown) + step
    return numbers[place] if 0 <= place < len(numbers) else None


@dataclass(frozen=True, slots=True)
class Said:
    """A message that somebody sent to the bot."""

    chat_id: int
    kind: str
    message_id: int
    user_id: int
    text: str


@dataclass(slots=True)
class Dropped:
    """What was given up: requests, waiting messages, and queue notes that are to be removed from the chat."""

    requests: list[str] = field(default_factory=list)
    waiting: int = 0
    notes: list[int] = field(default_factory=list)

    @property
    def anything(self) -> bool:
        """Whether there was anything to give up."""
        return bool(self.requests or self.waiting)


class VariantAnswer(StrEnum):
    """What became of a wish for another variant."""

    ASKED = "asked"
    LAST = "last"
    BUSY = "busy"
    ENOUGH = "enough"
    STALE = "stale"
