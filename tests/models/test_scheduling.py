"""The scheduler's promises, for any queue: bounds hold, nobody starves, suspects run alone."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from models.scheduling import Limits, Load, Ticket, plan

LIMITS = Limits(rows=8, tokens=4000, prefill_tokens=1000, window=0.01)


def tickets(solo: st.SearchStrategy[bool], rows: int = 12, tokens: int = 1500) -> st.SearchStrategy[list[Ticket]]:
    one = st.builds(
        Ticket,
        ticket_id=st.just(""),
        rows=st.integers(1, rows),
        prompt_tokens=st.integers(1, tokens) | st.sampled_from([tokens // 3, tokens // 2, tokens]),
        new_tokens=st.integers(1, 200),
        since=st.floats(0, 10),
        solo=solo,
    )

    def named(items: list[Ticket]) -> list[Ticket]:
        ordered = sorted(items, key=lambda item: item.since)
        return [Ticket(**{**vars(item), "ticket_id": str(index)}) for index, item in enumerate(ordered)]

    return st.lists(one, max_size=20).map(named)


# Small tickets fill a batch: short ones its rows, long ones its tokens; of large ones two seldom fit.
plain = st.just(False)
queues = tickets(st.booleans()) | tickets(plain, rows=4, tokens=60) | tickets(plain, rows=2, tokens=450)
loads = st.builds(Load, rows=st.integers(0, 8), longest=st.integers(0, 1700), solo=st.booleans())
loads |= st.builds(Load, rows=st.integers(0, 3), longest=st.integers(0, 300))


@settings(max_examples=300)
@given(queues, loads)
def test_a_batch_never_exceeds_its_limits(waiting: list[Ticket], load: Load) -> None:
    chosen = [item for item in waiting if item.ticket_id in plan(waiting, load, LIMITS, 20.0)]
    if len(chosen) == 1 and load.rows == 0:
        return
    assert load.rows + sum(item.rows for item in chosen) <= LIMITS.rows or not chosen
    rows = load.rows + sum(item.rows for item in chosen)
    assert rows * max([load.longest, *(item.length for item in chosen)]) <= LIMITS.tokens or not chosen
    assert max((item.prompt_tokens for item in chosen), default=0) * len(chosen) <= LIMITS.prefill_tokens


@given(queues, loads)
def test_the_oldest_goes_first_or_nobody_does(waiting: list[Ticket], load: Load) -> None:
    chosen = plan(waiting, load, LIMITS, 20.0)
    assert len(chosen) == len(set(chosen))
    assert not chosen or chosen[0] == waiting[0].ticket_id


@given(queues, loads)
def test_a_suspect_shares_the_engine_with_nobody(waiting: list[Ticket], load: Load) -> None:
    chosen = [item for item in waiting if item.ticket_id in plan(waiting, load, LIMITS, 20.0)]
    if any(item.solo for item in chosen):
        assert len(chosen) == 1 and load.rows == 0
    if load.solo:
        assert not chosen


@given(queues)
def test_everybody_is_served_in_the_end(waiting: list[Ticket]) -> None:
    rounds = 0
    while waiting:
        chosen = plan(waiting, Load(), LIMITS, 20.0)
        assert chosen, "an idle engine must take somebody"
        waiting = [item for item in waiting if item.ticket_id not in chosen]
        rounds += 1
    assert rounds <= 20


def _able(item: Ticket) -> bool:
    """Whether somebody may run beside others at all."""
    large = item.rows > LIMITS.rows or item.rows * item.length > LIMITS.tokens
    return not (item.solo or large or item.prompt_tokens > LIMITS.prefill_tokens)


def _fit(batch: list[Ticket], load: Load) -> bool:
    rows = load.rows + sum(item.rows for item in batch)
    return (
        rows <= LIMITS.rows
        and rows * max([load.longest, *(item.length for item in batch)]) <= LIMITS.tokens
        and max(item.prompt_tokens for item in batch) * len(batch) <= LIMITS.prefill_tokens
    )


@given(queues, loads)
def test_nobody_waits_for_whom_there_is_room_and_the_nearest_in_length_go_first(
    waiting: list[Ticket], load: Load
) -> None:
    names = plan(waiting, load, LIMITS, 20.0)
    chosen = [item for item in waiting if item.ticket_id in names]
    if not chosen or not _able(waiting[0]):
        return

    def far(item: Ticket) -> int:
        return abs(item.prompt_tokens - waiting[0].prompt_tokens)

    for left in waiting:
        if left.ticket_id in names or not _able(left):
            continue
        assert not _fit([*chosen, left], load), "there was room"
        nearer = [item for item in chosen if item is waiting[0] or far(item) <= far(left)]
        assert not _fit([*nearer, left], load), "somebody farther in length went first"


def ticket(name: str, tokens: int = 100, *, since: float = 0.0, rows: int = 1) -> Ticket:
    return Ticket(name, rows, tokens, 50, since)


def test_an_idle_engine_waits_a_moment_for_company_and_a_busy_one_does_not() -> None:
    fresh = [ticket("a", since=1.0)]
    assert plan(fresh, Load(), LIMITS, 1.005) == []
    assert plan(fresh, Load(), LIMITS, 1.02) == ["a"]
    assert plan(fresh, Load(rows=1, longest=10), LIMITS, 1.005) == ["a"]
    assert plan([ticket("full", since=1.0, rows=8)], Load(), LIMITS, 1.0) == ["full"]


def test_prompts_of_like_length_go_together() -> None:
    waiting = [ticket("short", 50), ticket("long", 800), ticket("alike", 60), ticket("alike too", 70)]
    assert plan(waiting, Load(), LIMITS, 1.0) == ["short", "alike", "alike too"]


def test_one_long_prompt_widens_every_rows_place() -> None:
    limits = Limits(rows=8, tokens=4000, prefill_tokens=4000, window=0)
    waiting = [ticket("long", 950), *(ticket(f"short {index}", 50) for index in range(7))]
    assert plan(waiting, Load(), limits, 1.0) == ["long", "short 0", "short 1", "short 2"]
    assert plan(waiting[1:], Load(rows=4, longest=1000), limits, 1.0) == []
