"""What it takes to get an answer again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from storage.contracts import Candidate, ChatReply, ChatRequest, Provenance, ReplyState, Sampling, Turn, now
from storage.replay import again, differences

MADE = Provenance(
    base_model="base", adapter="a1", prompt_version="p", sampling=Sampling(), seed=5, worker="w", attempts=2
)
ASKED = ChatRequest(
    request_id="r", chat_id=1, user_id=2, turns=(Turn(role="user", text="Привет"),), emotion="auto", arm="canary",
    deadline=now(), variant=1,
)  # fmt: skip
ANSWERED = ChatReply(
    request_id="r", chat_id=1, state=ReplyState.DONE, text="Ура!", emotion="joy", provenance=MADE,
    candidates=tuple(Candidate(text=str(number), fit=0.5) for number in range(6)),
)  # fmt: skip


def test_what_was_decided_on_the_way_is_named_outright() -> None:
    later = now() + timedelta(minutes=1)
    made = again(ASKED, ANSWERED, request_id="why-1", deadline=later, route="why")
    assert (made.emotion, made.arm, made.seed, made.candidates) == ("joy", "a1", 5, 3)
    assert (made.request_id, made.deadline, made.route, made.turns) == ("why-1", later, "why", ASKED.turns)


def test_the_base_model_itself_is_an_arm_too() -> None:
    bare = ANSWERED.model_copy(update={"provenance": MADE.model_copy(update={"adapter": None})})
    assert again(ASKED, bare, request_id="x", deadline=now()).arm == "base"


def test_a_card_that_no_model_wrote_cannot_be_repeated() -> None:
    with pytest.raises(ValueError, match="not generated"):
        again(ASKED, ANSWERED.model_copy(update={"provenance": None}), request_id="x", deadline=now())


def test_what_changed_since_is_named() -> None:
    other = MADE.model_copy(update={"prompt_version": "q", "worker": "v", "sampling": Sampling(temperature=0.1)})
    assert differences(MADE, other) == ("prompt_version", "sampling")
    assert differences(MADE, MADE.model_copy(update={"worker": "v", "attempts": 1})) == ()
