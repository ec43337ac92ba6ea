"""Slots, arms and what stays loaded: pure decisions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.serving import Pointer, Routes, other_base, routes, superfluous, untold, wanted
from storage.contracts import ServedAdapter
from tests.models.promote import serving

OWN = Routes("own")
LOADED = {"own", "a", "b", "c"}


def served(*names: str) -> list[ServedAdapter]:
    return [ServedAdapter(adapter_id=name, location=f"/store/{name}", sha256="0" * 64) for name in names]


@pytest.mark.parametrize(
    ("arm", "preset", "adapter"),
    [
        ("active", "joy", "b"),
        ("active", "sadness", "a"),
        ("canary", "joy", "c"),
        ("canary", "sadness", "a"),
        ("active", "fear", "own"),
        ("canary", "fear", "own"),
        ("base", "joy", None),
        ("c", "sadness", "c"),
        ("no-such", "joy", "no-such"),
    ],
)
def test_a_request_goes_by_its_presets_slot_then_the_shared_one_then_the_workers_own(
    arm: str, preset: str, adapter: str | None
) -> None:
    found = routes(serving(1, served("a", "b", "c"), joy=("b", "c", 0.1), shared="a", fear=None), LOADED, OWN)
    assert found.adapter(arm, preset) == adapter


def test_without_slots_the_worker_serves_its_own() -> None:
    assert OWN.adapter("active", "joy") == OWN.adapter("canary", "joy") == "own"
    assert Routes().adapter("active", "joy") is None


def test_an_adapter_that_is_not_there_leaves_its_slot_as_it_was_and_touches_no_other() -> None:
    before = routes(serving(1, [], shared="a", joy="b"), LOADED, OWN)
    after = routes(serving(2, [], shared="missing", joy="c"), LOADED, before)
    assert (after.adapter("active", "sadness"), after.adapter("active", "joy")) == ("a", "c")
    later = routes(serving(3, [], shared="b", joy="missing"), LOADED, after)
    assert (later.adapter("active", "sadness"), later.adapter("active", "joy")) == ("b", "c")


def test_a_new_slot_whose_adapter_is_not_there_goes_with_the_shared_one() -> None:
    before = routes(serving(1, [], shared="a"), LOADED, OWN)
    after = routes(serving(2, [], shared="b", joy=("missing", "c", 0.5)), LOADED, before)
    assert (after.adapter("active", "joy"), after.adapter("canary", "joy")) == ("b", "c")


def test_what_answered_before_and_is_gone_too_gives_way_to_the_workers_own() -> None:
    before = routes(serving(1, [], shared="a"), LOADED, OWN)
    assert routes(serving(2, [], shared="b"), {"own"}, before).adapter("active", "joy") == "own"


def test_a_canary_that_is_not_there_is_answered_by_the_active_one() -> None:
    found = routes(serving(1, [], shared=("a", "missing", 0.2)), LOADED, OWN)
    assert found.adapter("canary", "joy") == "a"
    assert found.pointed == {"a"}


def test_a_slot_that_is_gone_is_gone() -> None:
    before = routes(serving(1, [], shared="a", joy="b"), LOADED, OWN)
    assert routes(serving(2, [], shared="a"), LOADED, before).slots == {"shared": Pointer("a")}


def test_only_what_slots_name_is_fetched_and_what_cannot_be_found_is_named() -> None:
    told = serving(1, served("a", "b"), shared="a", joy=("c", None, 0.0))
    assert [adapter.adapter_id for adapter in wanted(told)] == ["a"]
    assert untold(told) == {"c"}


@pytest.mark.parametrize(
    ("made_for", "loaded", "other"),
    [
        ("starter/base@11112222", "starter/base@11112222", False),
        ("starter/base@11112222", "starter/base@33334444", True),
        ("elsewhere/base@11112222", "starter/base@11112222", False),
        ("bundled", "starter/base@11112222", False),
        ("", "starter/base@11112222", False),
        ("Qwen/Qwen2.5-7B", "/models/qwen", False),
        ("Qwen/Qwen2.5-7B@11112222", "Qwen/Qwen2.5-7B@33334444", False),
        ("Qwen/Qwen2.5-7B@11112222", "Qwen/Qwen2.5-14B@33334444", True),
        ("starter/base@11112222", "Qwen/Qwen2.5-7B@33334444", True),
        ("talker@11112222", "talker@33334444", True),
    ],
)
def test_another_base_is_told_by_its_hash_or_its_hub_id(made_for: str, loaded: str, other: bool) -> None:
    assert other_base(made_for, loaded) is other


def test_what_is_not_listed_goes_at_once_and_the_rest_by_last_use() -> None:
    found = superfluous(
        ["old", "gone", "running", "active", "new"],
        pointed={"active"},
        listed={"old", "active", "new"},
        needed={"running"},
        limit=3,
    )
    assert found == ["gone", "old"]


names = st.lists(st.sampled_from("abcdefgh"), unique=True)


@given(loaded=names, pointed=names, listed=names, needed=names, limit=st.integers(1, 9))
def test_what_answers_or_runs_is_never_unloaded_and_no_more_stays_than_must(
    loaded: list[str], pointed: list[str], listed: list[str], needed: list[str], limit: int
) -> None:
    gone = superfluous(loaded, pointed=pointed, listed=listed, needed=needed, limit=limit)
    left = [name for name in loaded if name not in gone]
    assert not set(gone) & (set(pointed) | set(needed))
    held = [name for name in left if name in pointed or name in needed]
    assert len(left) <= max(limit, len(held))
    assert all(name in listed for name in left if name not in held)
