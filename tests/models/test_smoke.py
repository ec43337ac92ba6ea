"""Smoke tests of adapters: what they catch, what they forgive, and that other rows do not notice them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from models.build import build_responder
from models.engine import Broken, Event, Finished, Row
from models.engines.adapter_files import Pair
from models.engines.echo import EchoEngine
from models.engines.lora import check_finite
from models.engines.sampling import NO_TOKEN, Draws, draw
from models.errors import AdapterBroken, NotFinite
from models.jobs import Task
from models.responder import Responder
from models.settings import ModelsSettings
from models.smoke import SECONDS, Outcome, verdict
from storage.contracts import ReplyState, Sampling
from storage.presets import load_presets
from tests.models.line import make_request
from tests.models.promote import variant

PRESETS = load_presets()
FINE = Outcome(rows=4, clean=4, ended=4)


@pytest.mark.parametrize(
    ("found", "reference", "fault"),
    [
        (FINE, FINE, None),
        (FINE, None, None),
        (Outcome(4, 2, 1), FINE, None),
        (Outcome(4, 1, 4), FINE, "3 of 4 test answers"),
        (Outcome(4, 1, 4), None, "3 of 4 test answers"),
        (Outcome(4, 1, 4), Outcome(4, 1, 4), None),
        (Outcome(4, 4, 0), FINE, "comes to an end"),
        (Outcome(4, 4, 0), Outcome(4, 4, 0), None),
        (Outcome(4, 4, 0), None, None),
        (Outcome(4, 3, 3, broken="the numbers"), FINE, "the numbers"),
    ],
)
def test_an_adapter_is_held_against_what_answers_now(
    found: Outcome, reference: Outcome | None, fault: str | None
) -> None:
    said = verdict(found, reference)
    assert said is None if fault is None else said is not None and fault in said


class Tuned(EchoEngine):
    """Answers rows of the adapter `new` by a list of texts, or fails; the others as ever, a few steps later."""

    def __init__(self, texts: Sequence[str], *, finish: Any = "stop", error: Exception | None = None) -> None:
        super().__init__(["old", "new"])
        self.texts, self.finish, self.error = texts, finish, error
        self.raising = 0
        self.batches: list[set[str | None]] = []

    def step(self) -> list[Event]:
        self.batches.append({row.adapter for row in self._rows.values()})
        if self.raising and "new" in self.batches[-1]:
            self.raising -= 1
            raise RuntimeError("device-side assert")
        mine = [row for row in self._rows.values() if row.adapter == "new"]
        for row in mine:
            del self._rows[row.row_id]
        return [*super().step(), *(self._one(row, index) for index, row in enumerate(mine))]

    def _one(self, row: Row, index: int) -> Event:
        if self.error is not None:
            return Broken(row.row_id, self.error)
        return Finished(row.row_id, self.texts[index % len(self.texts)], 3, self.finish)


def responder(engine: EchoEngine) -> Responder:
    made = build_responder(ModelsSettings(engine="echo", window_ms=0), PRESETS)
    made.engine = made.intake.engine = engine
    return made


def outcome_of(made: Responder) -> str | None:
    asked = made.trials.ask("new", "old")
    for _ in range(20):
        made.turn()
    return asked.result(0)


@pytest.mark.parametrize(
    ("engine", "fault"),
    [
        (Tuned(["Хорошо, рад тебя видеть!"]), None),
        (Tuned(["", "Хорошо"]), None),
        (Tuned([""]), "empty"),
        (Tuned(["да да да да да да"]), "looping"),
        (Tuned(["<|im_start|>"]), "broken"),
        (Tuned(["Хорошо, рад"], finish="length"), "comes to an end"),
        (Tuned([], error=NotFinite()), "not finite"),
        (Tuned([], error=TimeoutError()), "TimeoutError"),
    ],
)
def test_what_a_test_catches(engine: Tuned, fault: str | None) -> None:
    said = outcome_of(responder(engine))
    assert said is None if fault is None else said is not None and fault in said


def test_a_test_shares_its_batch_with_everybody() -> None:
    engine = Tuned(["Хорошо, рад"])
    made = responder(engine)
    asked = made.trials.ask("new", None)
    replies = made.turn([Task(make_request("r"))])
    assert asked.result(0) is None
    assert [reply.state for reply in replies] == [ReplyState.DONE] and engine.batches == [{None, "new"}]


def test_a_step_that_raises_under_test_is_nobodys_request_fault() -> None:
    engine = Tuned(["Хорошо, рад"])
    engine.raising = 9
    made = responder(engine)
    asked = made.trials.ask("new", None)
    replies = made.turn([Task(make_request(f"r{number}")) for number in range(3)])
    for _ in range(20):
        replies += made.turn()
    assert asked.result(0) == "the engine fails with it"
    assert [reply.state for reply in replies] == [ReplyState.DONE] * 3


def test_one_step_that_raises_may_be_chance() -> None:
    engine = Tuned(["Хорошо, рад"])
    engine.raising = 1
    assert outcome_of(responder(engine)) is None


def test_a_test_that_never_ends_is_given_up() -> None:
    class Silent(Tuned):
        def step(self) -> list[Event]:
            return []

    moment = [0.0]
    made = build_responder(ModelsSettings(engine="echo", window_ms=0), PRESETS)
    made.engine = made.intake.engine = Silent([])
    made.trials.clock = lambda: moment[0]
    asked = made.trials.ask("new", "old")
    made.turn()
    assert not asked.done() and made.engine.running
    moment[0] = SECONDS + 1
    made.turn()
    assert "longer than" in (asked.result(0) or "") and not made.engine.running and not made.busy


def test_what_answers_now_is_tested_only_once() -> None:
    engine = Tuned(["Хорошо, рад"])
    made = responder(engine)
    assert outcome_of(made) is None
    first = len([batch for batch in engine.batches if "old" in batch])
    assert outcome_of(made) is None
    assert len([batch for batch in engine.batches if "old" in batch]) == first == 1


def test_numbers_that_are_not_finite_end_their_own_row_only() -> None:
    torch.manual_seed(0)
    rows = [Sampling(), Sampling(temperature=0), Sampling(top_k=3), Sampling()]
    logits = torch.randn(4, 300)
    uniform = torch.full((4,), 0.4)
    draws = Draws.of(rows, torch.device("cpu"))
    fine = draw(logits, None, uniform, draws)
    for bad in (float("nan"), float("inf")):
        spoiled = logits.clone()
        spoiled[2, 7] = bad
        found = draw(spoiled, None, uniform, draws).tolist()
        assert found[2] == NO_TOKEN and found[:2] + found[3:] == fine.tolist()[:2] + fine.tolist()[3:]
    greedy = Draws.of([Sampling(temperature=0, repetition_penalty=1.0)] * 4, torch.device("cpu"))
    spoiled = torch.full((4, 300), float("nan"))
    assert draw(spoiled, None, uniform, greedy).tolist() == [NO_TOKEN] * 4


def test_weights_that_overflow_in_the_type_they_are_served_in_are_refused() -> None:
    pair = Pair(torch.full((2, 4), 1e6), torch.ones(4, 2))
    check_finite("layer", pair, torch.float32)
    with pytest.raises(AdapterBroken, match="not finite"):
        check_finite("layer", pair, torch.float16)


def test_the_starters_own_rows_do_not_notice_an_overflowing_neighbour(tmp_path: Path) -> None:
    settings = ModelsSettings(classifier="lexicon", device="cpu", threads=1, candidates=1, max_new_tokens=12)
    made = build_responder(settings, PRESETS)
    made.engine.load_adapter("huge", variant(tmp_path / "huge", 1, spoil=3e38))
    alone: dict[str, str] = {}
    for kind in ("alone", "beside"):
        tasks = [Task(make_request(f"r{number}", f"Как дела, {number}?", seed=number)) for number in range(4)]
        if kind == "beside":
            tasks.append(Task(make_request("bad", arm="huge")))
        replies = made.turn(tasks)
        while made.busy:
            replies += made.turn()
        found = {reply.request_id: reply for reply in replies}
        if kind == "beside":
            assert found.pop("bad").state is ReplyState.FAILED
            assert {name: reply.text for name, reply in found.items()} == alone
        alone = {name: reply.text for name, reply in found.items()}
    assert all(alone.values())
