"""Batching as a whole, for any traffic: nobody is lost or answered twice, bounds hold, adapters share batches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.build import build_responder
from models.engine import Event, Finished, FirstToken, Row
from models.engines.echo import EchoEngine
from models.engines.transformers import TransformersEngine, load_base
from models.jobs import Task
from models.prompt import Prompt
from models.scheduling import Limits
from models.settings import ModelsSettings
from storage.contracts import ChatRequest, FailReason, ReplyState, Sampling, Turn
from storage.presets import load_presets
from tests.models.line import make_request
from tests.models.tiny import save_adapter, save_model

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")

PRESETS = load_presets()
LIMITS = Limits(rows=6, tokens=150, prefill_tokens=60, window=0)


class Slow(EchoEngine):
    """An echo that takes a row some steps, by its seed, and remembers what was running together."""

    def __init__(self) -> None:
        super().__init__(["one", "two"])
        self.left: dict[str, int] = {}
        self.mixed = 0
        self.peaks: list[tuple[int, int, int]] = []
        self.answered: dict[str, str | None] = {}

    def admit(self, rows: Sequence[Row]) -> None:
        super().admit(rows)
        self.left |= {row.row_id: row.seed % 4 for row in rows}

    def step(self) -> list[Event]:
        rows = self._rows
        lengths = [self.measure(row.prompt, 0) + row.sampling.max_new_tokens for row in rows.values()]
        requests = {row_id.rsplit("/", 2)[0] for row_id in rows}
        self.peaks.append((len(rows), len(rows) * max(lengths, default=0), len(requests)))
        self.mixed += len({row.adapter for row in rows.values()}) > 1
        events: list[Event] = []
        for row_id in list(rows):
            self.left[row_id] -= 1
            if self.left[row_id] < 0:
                row = rows.pop(row_id)
                assert row_id not in self.answered, "a row ends once"
                self.answered[row_id] = row.adapter
                events += [
                    FirstToken(row_id),
                    Finished(row_id, f"{row.adapter}: {row.prompt.turns[-1].text}", 3, "stop"),
                ]
        return events


def words(count: int) -> str:
    return " ".join(f"слово{number}" for number in range(count))


asked = st.fixed_dictionaries(
    {
        "words": st.sampled_from([1, 2, 5, 30, 70]),
        "candidates": st.integers(1, 8),
        "arm": st.sampled_from(["base", "one", "two", "gone"]),
        "max_tokens": st.sampled_from([1, 5, 30, 60]),
        "solo": st.booleans(),
        "after": st.sampled_from([0, 0, 1, 2, 8]),
        "cancelled": st.sampled_from([None, None, None, 1, 5]),
    }
)


def request(number: int, one: dict[str, Any]) -> ChatRequest:
    fields = {name: one[name] for name in ("arm", "candidates", "max_tokens")}
    return make_request(f"r{number}", words(one["words"]), **fields)


@settings(deadline=None)
# Drawn lists are short unless they must not be.
@given(st.lists(asked, max_size=12) | st.lists(asked, min_size=6, max_size=12))
def test_whatever_arrives_is_answered_once_by_its_own_adapter_and_within_bounds(
    asks: list[dict[str, Any]],
) -> None:
    engine = Slow()
    made = build_responder(ModelsSettings(engine="echo", classifier="none", retries=0), PRESETS)
    made.engine = made.intake.engine = engine
    made.limits = LIMITS
    replies = []
    for step in range(400):
        tasks = [Task(request(number, one), one["solo"]) for number, one in enumerate(asks) if one["after"] == step]
        stops = {
            f"r{number}": ReplyState.CANCELLED
            for number, one in enumerate(asks)
            if one["cancelled"] is not None and one["after"] + one["cancelled"] == step
        }
        replies += made.turn(tasks, stops)
        if step > 20 and not made.busy:
            break
    assert sorted(reply.request_id for reply in replies) == sorted(f"r{number}" for number in range(len(asks)))
    assert engine.running == 0
    for reply in replies:
        one = asks[int(reply.request_id[1:])]
        if one["arm"] == "gone":
            assert (reply.state, reply.reason) == (ReplyState.FAILED, FailReason.UNKNOWN_ADAPTER)
        elif reply.state is ReplyState.CANCELLED:
            assert one["cancelled"] is not None
        else:
            adapter = None if one["arm"] == "base" else one["arm"]
            assert reply.text == f"{adapter}: {words(one['words'])}"
            assert len(reply.candidates) == one["candidates"]
            mine = [name for name in engine.answered if name.startswith(reply.request_id + "/")]
            assert len(mine) == one["candidates"]
    for rows, tokens, together in engine.peaks:
        assert together == 1 or (rows <= LIMITS.rows and tokens <= LIMITS.tokens)


def test_requests_of_different_adapters_run_together() -> None:
    engine = Slow()
    made = build_responder(ModelsSettings(engine="echo", classifier="none", retries=0, window_ms=0), PRESETS)
    made.engine = made.intake.engine = engine
    made.turn([Task(make_request(arm, "слово", arm=arm, candidates=2)) for arm in ("base", "one", "two")])
    assert engine.mixed == 1


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> TransformersEngine:
    root: Path = tmp_path_factory.mktemp("llama")
    save_model("llama", root / "base")
    made = TransformersEngine(
        load_base(ModelsSettings(base=str(root / "base"), device="cpu", classifier="none")), PRESETS
    )
    for index in range(2):
        save_adapter("llama", root / "base", root / f"lora.{index}", index, rank=4)
        made.load_adapter(f"lora.{index}", root / f"lora.{index}")
    made.pack = 48
    return made


TEXTS = ("Привет", "Как дела? Что нового у тебя на работе", "а")
ADAPTERS = (None, "lora.0", "lora.1")


def row(name: str, text: str, adapter: str | None, tokens: int) -> Row:
    prompt = Prompt((Turn(role="user", text=text),), PRESETS.presets[1], 2)
    return Row(name, prompt, Sampling(temperature=0, repetition_penalty=1.5, max_new_tokens=tokens), 0, adapter)


@pytest.fixture(scope="module")
def alone(engine: TransformersEngine) -> dict[tuple[str, str | None, int], str]:
    """What each row says with nobody beside it."""
    found = {}
    for text in TEXTS:
        for adapter in ADAPTERS:
            for tokens in (1, 5, 12):
                engine.admit([row("r", text, adapter, tokens)])
                while engine.running:
                    events = engine.step()
                (last,) = [event for event in events if isinstance(event, Finished)]
                found[text, adapter, tokens] = last.text
    return found


scheduled = st.tuples(
    st.sampled_from(TEXTS),
    st.sampled_from(ADAPTERS),
    st.sampled_from([1, 5, 12]),
    st.integers(0, 8),
    st.none() | st.integers(0, 6),
)


@settings(deadline=None, max_examples=40)
@given(st.lists(scheduled, max_size=8))
def test_slots_lose_and_mix_up_nobody(
    engine: TransformersEngine,
    alone: dict[tuple[str, str | None, int], str],
    rows: list[tuple[str, str | None, int, int, int | None]],
) -> None:
    """Rows of mixed adapters come and go between steps; each says what it says alone, and ends once or was stopped."""
    texts: dict[str, str] = {}
    begun: list[str] = []
    stopped: set[str] = set()
    for step in range(40):
        due = [row(f"r{number}", *one[:3]) for number, one in enumerate(rows) if one[3] == step]
        engine.admit(due)
        gone = [f"r{number}" for number, one in enumerate(rows) if one[4] is not None and one[3] + one[4] == step]
        engine.cancel([name for name in gone if name not in texts])
        stopped |= {name for name in gone if name not in texts}
        for event in engine.step():
            if isinstance(event, FirstToken):
                begun.append(event.row_id)
            elif isinstance(event, Finished):
                assert event.row_id not in texts and event.row_id in begun
                texts[event.row_id] = event.text
        if step > 16 and not engine.running:
            break
    assert engine.running == 0
    assert len(begun) == len(set(begun))
    assert set(texts) == {f"r{number}" for number in range(len(rows))} - stopped
    assert texts == {name: alone[rows[int(name[1:])][:3]] for name in texts}
