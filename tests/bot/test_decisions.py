"""What happens next in a chat, without any I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import texts
from bot.decisions import EditAction, edit_action, next_batch, reacted, thumb_of, toggled, window
from bot.failures import pause_after
from bot.intake import lane, plain_text, update_number
from bot.progress import note
from storage.contracts import FailReason


@dataclass
class Message:
    message_id: int
    user_id: int
    text: str = ""


def test_all_messages_of_the_first_in_line_are_answered_together() -> None:
    waiting = [Message(1, 7), Message(2, 8), Message(3, 7)]
    assert [message.message_id for message in next_batch(waiting, busy=False)] == [1, 3]
    assert next_batch(waiting, busy=True) == []
    assert next_batch([], busy=False) == []


HISTORY = st.lists(st.tuples(st.lists(st.text(max_size=20), min_size=1, max_size=3), st.text(max_size=40)), max_size=12)


@given(HISTORY, st.lists(st.text(max_size=30), min_size=1, max_size=3), st.integers(0, 6), st.integers(0, 200))
def test_the_window_is_whole_recent_turns_within_both_limits(
    history: list[tuple[list[str], str]], messages: list[str], turns: int, chars: int
) -> None:
    found = window(history, messages, turns=turns, chars=chars)
    assert found[-1].text == "\n".join(messages)
    assert len(found) <= 2 * turns + 1
    assert len(found) == 1 or sum(len(turn.text) for turn in found) <= chars + 2 * 3 * len(found)
    assert [turn.role for turn in found] == ["user", "assistant"] * (len(found) // 2) + ["user"]
    kept = len(found) // 2
    assert [turn.text for turn in found[1::2]] == [answer for _, answer in history[len(history) - kept :]]


@pytest.mark.parametrize(
    ("state", "same", "last", "action"),
    [
        (None, False, False, EditAction.NOTHING),
        ("taken", True, True, EditAction.NOTHING),
        ("crisis", False, True, EditAction.NOTHING),
        ("refused", False, True, EditAction.NOTHING),
        ("waiting", False, False, EditAction.REWORD),
        ("taken", False, True, EditAction.RERUN),
        ("taken", False, False, EditAction.TOO_LATE),
    ],
)
def test_what_an_edit_leads_to(state: str | None, same: bool, last: bool, action: EditAction) -> None:
    assert edit_action(state=state, same_text=same, last_turn=last) is action


@pytest.mark.parametrize(
    ("emojis", "thumb"), [(["👍"], 1), (["❤️"], 1), (["❤️‍🔥"], 1), (["💩"], -1), (["🤔"], 0), ([], 0), (["👍", "👎"], 0)]
)
def test_reactions_are_thumbs(emojis: list[str], thumb: int) -> None:
    assert thumb_of(emojis) == thumb


@pytest.mark.parametrize(
    ("old", "new", "thumb", "by_reaction", "says"),
    [
        ([], ["👍"], None, False, 1),
        ([], ["👍"], -1, False, 1),
        (["👍"], ["👎"], 1, True, -1),
        (["👍"], [], 1, True, 0),
        (["👍"], [], 1, False, None),
        (["👍"], ["🤔"], 1, True, 0),
        ([], ["🤔"], 1, False, None),
        (["🤔"], [], -1, False, None),
        (["👍"], [], -1, False, None),
        ([], ["👍"], 1, False, None),
        (["👍"], ["👍", "🤔"], -1, False, None),
        (["👍"], ["👍", "🔥"], -1, False, 1),
        (["👍", "👎"], ["👍"], None, False, 1),
        (["👍"], ["🔥"], None, False, 1),
    ],
)
def test_what_a_change_of_reactions_says(
    old: list[str], new: list[str], thumb: int | None, by_reaction: bool, says: int | None
) -> None:
    assert reacted(old, new, thumb=thumb, by_reaction=by_reaction) == says


EMOJIS = st.lists(st.sampled_from(["👍", "🔥", "👎", "💩", "🤔", "👀"]), unique=True, max_size=3)


@given(st.lists(EMOJIS, min_size=1, max_size=6))
def test_whoever_only_reacts_has_said_what_the_reactions_show(steps: list[list[str]]) -> None:
    thumb, before = 0, list[str]()
    for emojis in steps:
        said = reacted(before, emojis, thumb=thumb, by_reaction=True)
        thumb, before = thumb if said is None else said, emojis
        assert thumb == thumb_of(emojis)


def test_the_same_thumb_again_takes_it_back() -> None:
    assert [toggled(None, 1), toggled(1, 1), toggled(1, -1), toggled(0, -1)] == [1, 0, -1, -1]


def test_the_queue_note_says_what_is_going_on() -> None:
    assert note(1, 5, 1, after=8) is None
    assert note(9, None, 1, after=8) is None
    assert note(9, 5, 1, after=8) == texts.QUEUE_PLACE.format(ahead=5)
    assert note(9, 0, 1, after=8) == texts.QUEUE_NEXT
    assert note(9, 5, 0, after=8) == texts.NO_WORKERS


def test_pauses_grow_to_a_bound() -> None:
    pauses = [pause_after(failures) for failures in range(1, 40)]
    assert pauses == sorted(pauses) and pauses[0] <= 0.2 and pauses[-1] <= 30


@pytest.mark.parametrize("reason", [*FailReason, "queue_full", None, "something_new"])
def test_every_failure_has_words(reason: str | None) -> None:
    assert len(texts.explanation("failed", reason)) > 20


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(["message", "callback_query", "edited_message", "chat", "id", "from", "update_id", "text"])


@given(st.dictionaries(KEYS, JSON | st.dictionaries(KEYS, JSON | st.dictionaries(KEYS, JSON))))
def test_any_json_has_a_lane(raw: dict[str, object]) -> None:
    assert isinstance(lane(raw), int)
    assert plain_text(raw) in (True, False)
    assert update_number(raw) is None or isinstance(update_number(raw), int)


def test_a_chat_keeps_its_lane_whatever_happens_in_it() -> None:
    chat = {"chat": {"id": 5}}
    happenings: list[dict[str, Any]] = [
        {"message": chat},
        {"edited_message": chat},
        {"callback_query": {"message": chat}},
    ]
    assert {lane(happening) for happening in happenings} == {5}
    assert lane({"callback_query": {"from": {"id": 9}}}) == 9
