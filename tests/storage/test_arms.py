"""Who meets a canary: shares that are met, dialogues that stay, canaries that have nothing to do with each other."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.arms import arm, place

CHATS = st.integers(min_value=-(2**62), max_value=2**62)
SHARES = st.floats(min_value=0, max_value=1)


@dataclass(frozen=True)
class Slot:
    canary: str | None
    share: float


@given(CHATS, st.integers(0, 1000), st.text(min_size=1, max_size=64), SHARES)
def test_a_dialogue_stays_in_its_arm(chat: int, epoch: int, canary: str, share: float) -> None:
    assert arm(chat, epoch, Slot(canary, share)) == arm(chat, epoch, Slot(canary, share))
    assert 0 <= place(chat, epoch, canary) < 1


@given(CHATS, st.integers(0, 1000), st.text(min_size=1, max_size=64), SHARES, SHARES)
def test_a_larger_share_only_adds_dialogues(chat: int, epoch: int, canary: str, one: float, other: float) -> None:
    small, large = sorted((one, other))
    if arm(chat, epoch, Slot(canary, small)) == "canary":
        assert arm(chat, epoch, Slot(canary, large)) == "canary"


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
def test_shares_are_met(share: float) -> None:
    n, slot = 20_000, Slot("a1b2c3", share)
    met = sum(arm(chat, 0, slot) == "canary" for chat in range(10**9, 10**9 + n))
    assert abs(met - n * share) < 4 * (n * share * (1 - share)) ** 0.5


def test_nobody_everybody_and_no_canary() -> None:
    assert {arm(chat, 0, Slot("a", 0.0)) for chat in range(500)} == {"active"}
    assert {arm(chat, 0, Slot("a", 1.0)) for chat in range(500)} == {"canary"}
    assert arm(1, 0, Slot(None, 1.0)) == arm(1, 0, None) == "active"


@pytest.mark.parametrize("what", ["canaries", "epochs"])
def test_one_draw_says_nothing_of_another(what: str) -> None:
    """Of those drawn by the first, the second draws as many as of all: a chi-square with one degree of freedom."""
    n = 20_000
    pairs = (
        [(place(chat, 0, "first"), place(chat, 0, "second")) for chat in range(n)]
        if what == "canaries"
        else [(place(chat, 0, "a"), place(chat, 1, "a")) for chat in range(n)]
    )
    both = sum(a < 0.3 and b < 0.3 for a, b in pairs)
    assert abs(both - n * 0.09) < 4 * (n * 0.09 * 0.91) ** 0.5
