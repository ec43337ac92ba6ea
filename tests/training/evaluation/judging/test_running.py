"""Judging through a real local server whose verdicts follow a rule: orders, retries, cache, failures, bounds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.training.evaluation.judging.local_server import Server, completion, sample, verdict
from training.evaluation.judging.asking import JudgeFailed
from training.evaluation.judging.cache import Cache
from training.evaluation.judging.criteria import SETS, Criteria
from training.evaluation.judging.endpoint import EndpointJudge
from training.evaluation.judging.running import Answered, Run, Tally, plan
from training.evaluation.judging.settings import JudgeSettings
from training.evaluation.judging.winning import Compared, compared
from training.evaluation.samples import Sample

GENERAL = SETS["general"]


def pairs(n: int = 30, better: Callable[[int], bool] = lambda _: True) -> list[tuple[Sample, Sample]]:
    long, short = "Сегодня было очень тепло и спокойно.", "Нормально."
    return [
        (sample("новая", number, long if better(number) else short), sample("старая", number, short + "."))
        for number in range(n)
    ]


def judge(
    server: Server,
    cache: Path,
    these: list[tuple[Sample, Sample]],
    criteria: Criteria = GENERAL,
    *,
    repeats: int = 1,
    again: bool = False,
    watch: Callable[[Tally], None] | None = None,
    **changes: Any,
) -> tuple[list[Answered], Tally]:
    values: dict[str, Any] = {"url": server.url, "model": "судья", "retries": 2, **changes}
    settings = JudgeSettings(**values)
    made, kept = EndpointJudge(settings), Cache(cache)
    try:
        asking = Run(made, criteria, kept, {}, settings.tries, settings.concurrency, again, watch)
        return asking.ask(plan(these, repeats=repeats))
    finally:
        made.close()
        kept.close()


def outcome(answered: list[Answered], criteria: Criteria = GENERAL) -> Compared:
    return compared(answered, criteria)


def test_both_orders_are_asked_and_the_better_system_wins(server: Server, tmp_path: Path) -> None:
    answered, tally = judge(server, tmp_path / "v", pairs(30, lambda number: number % 3 > 0))
    found = outcome(answered)
    assert len(server.bodies) == tally.done == 60
    assert found.total is not None and found.total.mean == pytest.approx(20 / 30)
    assert (found.wins, found.ties, found.losses) == (20, 0, 10)
    assert found.overlap == pytest.approx(1 / 3) and found.controlled is not None
    assert found.controlled.mean < found.total.mean
    trust = found.consistency
    assert trust.flipped is not None and trust.first is not None
    assert (trust.flipped.mean, trust.first.mean) == (0.0, 0.5)
    assert (tally.read, tally.written) == (60 * 300, 60 * 20)


def test_a_judge_who_likes_the_first_place_is_found_out_and_decides_nothing(server: Server, tmp_path: Path) -> None:
    server.rule = lambda first, second, body: verdict(1)
    found = outcome(judge(server, tmp_path / "v", pairs())[0])
    assert found.total is not None and found.total.mean == 0.5
    assert (found.wins, found.ties, found.losses) == (0, 30, 0)
    trust = found.consistency
    assert trust.flipped is not None and trust.flipped.mean == 1.0
    assert trust.first is not None and trust.first.mean == 1.0


def test_ties_are_halves_and_no_flips(server: Server, tmp_path: Path) -> None:
    server.rule = lambda first, second, body: verdict(0)
    found = outcome(judge(server, tmp_path / "v", pairs())[0])
    assert (found.wins, found.ties, found.losses) == (0, 30, 0)
    assert found.consistency.flipped is not None and found.consistency.flipped.mean == 0.0
    assert found.better is not None and found.better.verdict == "same"


def test_a_decision_that_falls_to_a_tie_is_unstable_but_no_flip(server: Server, tmp_path: Path) -> None:
    server.rule = lambda first, second, body: verdict(1 if len(first) > len(second) else 0)
    trust = outcome(judge(server, tmp_path / "v", pairs())[0]).consistency
    assert trust.flipped is not None and trust.flipped.mean == 0.0
    assert trust.unstable is not None and trust.unstable.mean == 1.0


def test_the_total_weighs_the_four_criteria(server: Server, tmp_path: Path) -> None:
    def rule(first: str, second: str, body: dict[str, Any]) -> str:
        one = 1 if len(first) > len(second) else 2
        return f'{{"content": {one}, "grammar": {3 - one}, "structure": 0, "style": {3 - one}}}'

    server.rule = rule
    found = outcome(judge(server, tmp_path / "v", pairs(), SETS["product"])[0], SETS["product"])
    assert found.total is not None and found.total.mean == pytest.approx(0.45 + 0.10)
    assert {name: one.mean for name, one in found.by_criterion.items()} == {
        "content": 1.0,
        "grammar": 0.0,
        "structure": 0.5,
        "style": 0.0,
    }


def test_a_second_run_asks_nothing_and_says_the_same(server: Server, tmp_path: Path) -> None:
    first, paid = judge(server, tmp_path / "v", pairs())
    asked = len(server.bodies)
    second, free = judge(server, tmp_path / "v", pairs())
    assert len(server.bodies) == asked
    assert (free.cached, free.read, free.written) == (paid.done, 0, 0)
    assert outcome(first) == outcome(second)


def test_a_stopped_run_goes_on_where_it_was(server: Server, tmp_path: Path) -> None:
    asked = count(1)

    def failing(first: str, second: str, body: dict[str, Any]) -> str | tuple[int, dict[str, Any]]:
        return verdict(1) if next(asked) <= 25 else (401, {"error": "no more money"})

    server.rule = failing
    with pytest.raises(JudgeFailed, match="TRAINING_JUDGE_KEY"):
        judge(server, tmp_path / "v", pairs(), concurrency=2)
    server.bodies.clear()
    server.rule = lambda first, second, body: verdict(1)
    _, tally = judge(server, tmp_path / "v", pairs())
    assert (tally.cached, len(server.bodies)) == (25, 35)


def test_an_unreadable_verdict_is_asked_for_again_and_warmer(server: Server, tmp_path: Path) -> None:
    seen: set[str] = set()

    def rule(first: str, second: str, body: dict[str, Any]) -> str:
        new = body["messages"][1]["content"] not in seen
        seen.add(body["messages"][1]["content"])
        return "Мне трудно выбрать." if new else verdict(2)

    server.rule = rule
    answered, tally = judge(server, tmp_path / "v", pairs(3), concurrency=1)
    assert [one.given.state for one in answered] == ["judged"] * 6
    assert tally.retried == 6 and tally.written == 12 * 20
    assert [body["temperature"] for body in server.bodies[:2]] == [0.0, 0.7]
    assert server.bodies[0]["seed"] != server.bodies[1]["seed"]


def test_what_stays_unreadable_is_counted_remembered_and_asked_anew_on_demand(server: Server, tmp_path: Path) -> None:
    server.rule = lambda first, second, body: "Оба хороши."
    answered, tally = judge(server, tmp_path / "v", pairs(4), tries=3)
    assert (tally.unparsable, len(server.bodies)) == (8, 24)
    found = outcome(answered)
    assert (found.judged, found.unparsable, found.total, found.controlled) == (0, 8, None, None)
    judge(server, tmp_path / "v", pairs(4), tries=3)
    assert len(server.bodies) == 24
    server.rule = lambda first, second, body: verdict(1)
    _, tally = judge(server, tmp_path / "v", pairs(4), again=True)
    assert (tally.unparsable, len(server.bodies)) == (0, 32)


def test_a_question_too_long_for_the_judge_is_counted_and_the_others_go_on(server: Server, tmp_path: Path) -> None:
    def rule(first: str, second: str, body: dict[str, Any]) -> str | tuple[int, dict[str, Any]]:
        if "номер 1." in body["messages"][1]["content"]:
            return 400, {"error": "This model's maximum context length is 512 tokens"}
        return verdict(1)

    server.rule = rule
    found = outcome(judge(server, tmp_path / "v", pairs(3))[0])
    assert (found.judged, found.too_long, found.prompts) == (4, 2, 3)


def test_a_busy_server_is_asked_again(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.evaluation.judging.endpoint.PAUSE", 0.01)
    times: dict[str, int] = {}

    def rule(first: str, second: str, body: dict[str, Any]) -> str | tuple[int, dict[str, Any]]:
        asked = body["messages"][1]["content"] + first
        times[asked] = times.get(asked, 0) + 1
        return (503, {}) if times[asked] == 1 else verdict(1)

    server.rule = rule
    _, tally = judge(server, tmp_path / "v", pairs(3))
    assert (tally.done, tally.unparsable, len(server.bodies)) == (6, 0, 12)


@pytest.mark.parametrize(
    ("status", "body", "advice"),
    [
        (401, {}, "TRAINING_JUDGE_KEY"),
        (404, {}, "TRAINING_JUDGE_MODEL"),
        (422, {"detail": "extra"}, "TRAINING_JUDGE_EXTRA"),
        (500, {}, "verdicts that were given are kept"),
        (200, {"oops": 1}, "OpenAI-compatible"),
        (200, [1], "OpenAI-compatible"),
    ],
)
def test_a_server_that_cannot_judge_is_told_with_advice(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, body: Any, advice: str
) -> None:
    monkeypatch.setattr("training.evaluation.judging.endpoint.PAUSE", 0.01)
    server.rule = lambda first, second, _: (status, body)
    with pytest.raises(JudgeFailed, match=advice):
        judge(server, tmp_path / "v", pairs(2))


def test_no_server_at_all_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.evaluation.judging.endpoint.PAUSE", 0.01)
    nowhere = Server("http://anna:geheim@127.0.0.1:9/v1", lambda *_: "")
    with pytest.raises(JudgeFailed, match="TRAINING_JUDGE_URL") as told:
        judge(nowhere, tmp_path / "v", pairs(1))
    assert "geheim" not in str(told.value)


def test_no_more_questions_at_once_than_allowed(server: Server, tmp_path: Path) -> None:
    running, most, lock = 0, 0, threading.Lock()

    def rule(first: str, second: str, body: dict[str, Any]) -> str:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.03)
        with lock:
            running -= 1
        return verdict(1)

    server.rule = rule
    judge(server, tmp_path / "v", pairs(12), concurrency=3)
    assert most == 3


def test_repeats_have_other_seeds_and_tell_self_agreement(server: Server, tmp_path: Path) -> None:
    server.rule = lambda first, second, body: verdict(1 + body["seed"] % 2)
    answered, _ = judge(server, tmp_path / "v", pairs(), repeats=2)
    trust = outcome(answered).consistency
    assert len(server.bodies) == 120
    assert trust.again is not None and trust.again.mean == 0.0
    assert outcome(judge(server, tmp_path / "w", pairs())[0]).consistency.again is None


def test_equal_answers_are_a_tie_that_nobody_is_asked_about(server: Server, tmp_path: Path) -> None:
    same = [(sample("a", number, "Да, конечно."), sample("b", number, "Да, конечно. ")) for number in range(5)]
    answered, tally = judge(server, tmp_path / "v", same)
    assert not server.bodies and tally.same == 10
    found = outcome(answered)
    assert found.ties == 5 and found.consistency.first is None


def test_the_request_carries_key_and_extra_fields_and_null_removes(server: Server, tmp_path: Path) -> None:
    extra = {"response_format": {"type": "json_object"}, "seed": None, "max_tokens": None, "max_completion_tokens": 90}
    judge(server, tmp_path / "v", pairs(1), key="geheim", extra=extra)
    body = server.bodies[0]
    assert body["response_format"] == {"type": "json_object"} and body["max_completion_tokens"] == 90
    assert "seed" not in body and "max_tokens" not in body
    assert server.keys[0] == "Bearer geheim"


def test_the_cache_holds_no_text_of_dialogues(server: Server, tmp_path: Path) -> None:
    server.rule = lambda first, second, body: '{"why": "тайна", ' + verdict(1)[1:]
    judge(server, tmp_path / "v", pairs(2))
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for word in ("тайна", "Нормально", "день"):
        assert word.encode() not in stored


def test_progress_is_told_after_every_answer(server: Server, tmp_path: Path) -> None:
    seen: list[int] = []
    judge(server, tmp_path / "v", pairs(4), watch=lambda tally: seen.append(tally.done))
    assert seen[-1] == 8 and seen == sorted(seen)


def test_usage_that_a_server_does_not_tell_is_estimated(server: Server, tmp_path: Path) -> None:
    def rule(first: str, second: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        return 200, {**completion(verdict(1)), "usage": None}

    server.rule = rule
    _, tally = judge(server, tmp_path / "v", pairs(1))
    shown = sum(len(message["content"]) for message in server.bodies[0]["messages"])
    assert shown / 5 < tally.read / 2 < shown / 2
    assert tally.written > 0
