"""The responder's own decisions, with the echo engine: rounds, seeds, batches, windows, what is counted."""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from models.build import build_responder
from models.classifier import LexiconClassifier
from models.engine import Broken, Event, Finished, Row
from models.engines.echo import EchoEngine
from models.errors import EngineBroken, EngineUnavailable
from models.jobs import Task, bolder, sampling_for
from models.reader import Reader
from models.responder import Responder
from models.serving import Routes
from models.settings import ModelsSettings
from models.window import tidy
from storage.contracts import ChatReply, ChatRequest, FailReason, ReplyState, Sampling, Turn, now
from storage.presets import load_presets
from tests.models.line import make_request

PRESETS = load_presets()


class Scripted(EchoEngine):
    """Answers candidates by a list of texts, over and over; remembers every row."""

    def __init__(self, texts: Sequence[str]) -> None:
        super().__init__(["tuned"])
        self.texts = texts
        self.rows: list[Row] = []
        self.batches: list[int] = []

    def admit(self, rows: Sequence[Row]) -> None:
        super().admit(rows)
        self.rows += rows

    def step(self) -> list[Event]:
        self.batches.append(self.running)
        done = list(self._rows)
        self._rows.clear()
        return [Finished(row_id, self.texts[self._index(row_id)], 3, "stop") for row_id in done]

    def _index(self, row_id: str) -> int:
        return next(index for index, row in enumerate(self.rows) if row.row_id == row_id) % len(self.texts)


def responder(engine: EchoEngine | None = None, **settings: Any) -> Responder:
    made = build_responder(ModelsSettings(engine="echo", window_ms=0, **settings), PRESETS)
    if engine is not None:
        made.engine = made.intake.engine = engine
    return made


def run(made: Responder, *requests: ChatRequest) -> dict[str, ChatReply]:
    replies = made.turn([Task(request) for request in requests])
    for _ in range(100):
        if not made.busy:
            break
        replies += made.turn()
    assert len(replies) == len(requests)
    return {reply.request_id: reply for reply in replies}


def test_the_candidate_that_fits_is_sent() -> None:
    engine = Scripted(["Мне страшно", "Ура, я так рад, счастье!", "Грустно", ""])
    reply = run(responder(engine), make_request("r"))["r"]
    assert (reply.text, reply.fit_ok, len(reply.candidates)) == ("Ура, я так рад, счастье!", True, 4)
    assert reply.provenance and reply.provenance.attempts == 1
    assert reply.fit == max(candidate.fit for candidate in reply.candidates)


def test_when_none_fits_it_tries_again_with_new_seeds_and_then_says_so() -> None:
    engine = Scripted(["Мне страшно", "Грустно, но я рад"])
    reply = run(responder(engine, retries=2, candidates=2), make_request("r", emotion="anger"))["r"]
    assert reply.state is ReplyState.DONE and reply.fit_ok is False and reply.text
    assert reply.provenance and reply.provenance.attempts == 3
    assert len(reply.candidates) == 6
    assert len({row.seed for row in engine.rows}) == 6


def test_what_was_said_before_is_drawn_anew_and_more_boldly_also_where_the_model_has_no_history() -> None:
    said, new = "Ура, я так рад, счастье!", "Радость какая, ура, я счастлив!"
    turns = tuple(Turn(role=role, text=text) for role, text in (("user", "Сдал!"), ("assistant", said), ("user", "И")))
    engine = Scripted([said, said, said, new])
    reply = run(responder(engine, candidates=2, turns=1), make_request("r", turns=turns))["r"]
    assert (reply.text, reply.fit_ok) == (new, True)
    assert all(len(row.prompt.turns) == 1 for row in engine.rows)
    calm = engine.rows[0].sampling
    assert [row.sampling for row in engine.rows] == [calm, calm, bolder(calm, 1), bolder(calm, 1)]
    assert reply.provenance and reply.provenance.sampling == bolder(calm, 1)


def test_only_defective_answers_are_an_engine_failure_not_an_empty_message() -> None:
    reply = run(responder(Scripted(["", "да да да да да"]), candidates=2), make_request("r"))["r"]
    assert (reply.state, reply.reason, reply.text) == (ReplyState.FAILED, FailReason.ENGINE, "")


def test_the_same_request_gives_the_same_seeds_and_another_variant_others() -> None:
    seeds = []
    for request in (make_request("a"), make_request("a"), make_request("b"), make_request("b", seed=5)):
        engine = Scripted(["Ура, рад"])
        run(responder(engine), request)
        seeds.append([row.seed for row in engine.rows])
    assert seeds[0] == seeds[1] != seeds[2] != seeds[3]
    assert len(set(seeds[0])) == 4


def test_requests_share_batches_up_to_the_row_limit() -> None:
    engine = Scripted(["Ура, рад"])
    requests = [make_request(f"r{index}", candidates=3) for index in range(10)]
    run(responder(engine, batch=12), *requests)
    assert engine.batches == [12, 12, 6]


def test_a_request_may_ask_for_more_candidates_than_a_batch_has_rows() -> None:
    engine = Scripted(["Ура, рад"])
    found = run(responder(engine, batch=8), make_request("big", candidates=20), make_request("small"))
    assert len(found["big"].candidates) == 20
    assert engine.batches == [20, 4]


def test_arms_name_the_active_adapter_the_base_or_an_adapter() -> None:
    engine = Scripted(["Ура, рад"])
    made = responder(engine)
    made.intake.routes = Routes("tuned")
    found = run(made, make_request("a"), make_request("b", arm="base"), make_request("c", arm="tuned"))
    adapters = {name: reply.provenance and reply.provenance.adapter for name, reply in found.items()}
    assert adapters == {"a": "tuned", "b": None, "c": "tuned"}


def test_a_preset_that_was_removed_is_answered_calmly() -> None:
    assert run(responder(), make_request("r", emotion="joyful_irony"))["r"].emotion == "neutral"


@pytest.mark.parametrize("turns", [(), (Turn(role="user", text="  "),), (Turn(role="assistant", text="Привет"),)])
def test_a_request_without_a_message_cannot_be_handled(turns: tuple[Turn, ...]) -> None:
    assert run(responder(), make_request("r", turns=turns))["r"].reason is FailReason.POISONED


def test_a_classifier_that_fails_on_one_text_costs_only_that_text_its_check() -> None:
    made = responder(candidates=1)

    class Touchy(LexiconClassifier):
        id = "touchy"

        def classify(self, texts: Sequence[str]) -> list[dict[str, float]]:
            if any("яд" in text for text in texts):
                raise RuntimeError("cannot")
            return super().classify(texts)

    made.judge.classifier = Touchy()
    found = run(made, make_request("bad", "яд"), make_request("good"))
    assert (found["bad"].state, found["bad"].fit_ok) == (ReplyState.DONE, None)
    assert found["good"].fit_ok is True


class Rounds(Scripted):
    """One clean answer that does not fit in the first round; `then` happens in the second."""

    def __init__(self, then: Callable[[list[str]], list[Event]]) -> None:
        super().__init__(["Мне страшно"])
        self.then = then

    def step(self) -> list[Event]:
        if any(row_id.split("/")[1] == "2" for row_id in self._rows):
            return self.then(list(self._rows))
        return super().step()


def unreachable(row_ids: list[str]) -> list[Event]:
    return [Broken(row_id, EngineUnavailable("gone")) for row_id in row_ids]


def raising(row_ids: list[str]) -> list[Event]:
    raise RuntimeError("device-side assert")


@pytest.mark.parametrize("then", [unreachable, raising, lambda row_ids: []])
def test_an_answer_in_hand_is_sent_when_the_second_round_comes_to_nothing(
    then: Callable[[list[str]], list[Event]],
) -> None:
    made = responder(Rounds(then), candidates=2)
    replies = made.turn([Task(make_request("r"))])
    for _ in range(3):
        replies += made.turn()
    if not replies:  # still in the second round when its time is over
        made.wall = lambda: now() + timedelta(hours=1)
        replies += made.turn()
    assert not made.busy
    assert [(reply.state, reply.text, reply.fit_ok) for reply in replies] == [(ReplyState.DONE, "Мне страшно", False)]
    assert len(replies[0].candidates) == 2


def test_candidates_finished_at_the_deadline_are_chosen_from() -> None:
    class Half(EchoEngine):
        def step(self) -> list[Event]:
            done = [row_id for row_id in self._rows if row_id.endswith("/1")]
            self.cancel(done)
            return [Finished(row_id, "Ура, я так рад!", 4, "stop") for row_id in done]

    made = responder(Half(), candidates=3)
    assert made.turn([Task(make_request("r"))]) == []
    made.wall = lambda: now() + timedelta(hours=1)
    (reply,) = made.turn()
    assert (reply.text, reply.fit_ok, len(reply.candidates)) == ("Ура, я так рад!", True, 1)


@pytest.mark.parametrize(("broken", "state"), [(1, ReplyState.DONE), (3, ReplyState.FAILED)])
def test_rows_that_break_cost_their_request_nothing_but_themselves(broken: int, state: ReplyState) -> None:
    class Losing(Scripted):
        def step(self) -> list[Event]:
            lost = unreachable(list(self._rows)[:broken])
            self.cancel([event.row_id for event in lost])
            return [*lost, *super().step()]

    reply = run(responder(Losing(["Ура, я так рад!"]), candidates=3), make_request("r"))["r"]
    assert (reply.state, len(reply.candidates)) == (state, 3 - broken)


def test_an_answer_cut_at_the_token_limit_is_sent_without_its_torn_end() -> None:
    class Cut(Scripted):
        def step(self) -> list[Event]:
            return [replace(event, finish="length") for event in super().step() if isinstance(event, Finished)]

    reply = run(responder(Cut(["Ура, я так рад! Это же просто чуде"])), make_request("r"))["r"]
    assert reply.text == "Ура, я так рад!"
    assert {candidate.finish for candidate in reply.candidates} == {"length"}


def test_three_requests_that_raise_alone_in_a_row_speak_against_the_engine() -> None:
    class Fragile(EchoEngine):
        """Only the shortest of prompts still work, as on a GPU whose memory somebody else has taken."""

        def step(self) -> list[Event]:
            if any(len(row.prompt.turns[-1].text) > 10 for row in self._rows.values()):
                raise RuntimeError("out of memory")
            return super().step()

    made = responder(Fragile())
    with pytest.raises(EngineBroken):
        run(made, *(make_request(f"r{index}") for index in range(3)))
    assert {job.job_id for job in made.waiting} <= {"r0", "r1", "r2"}
    mixed = responder(Fragile())
    found = run(mixed, make_request("bad"), make_request("good", "Привет"), make_request("worse"))
    assert [found[name].reason for name in ("bad", "worse")] == [FailReason.POISONED] * 2
    assert found["good"].state is ReplyState.DONE


def test_whatever_a_request_makes_raise_is_its_own_fault() -> None:
    made = responder(candidates=1)
    broken = PRESETS.get("fear").model_copy(update={"sampling": {"temperature": "очень"}})
    presets = tuple(broken if preset.id == "fear" else preset for preset in PRESETS.presets)
    policy = PRESETS.auto.model_copy(update={"policy": {"sadness": "gone"}})
    made.intake.presets = PRESETS.model_copy(update={"presets": presets, "auto": policy})
    wrong = [make_request("fear", emotion="fear"), make_request("auto", "Мне так грустно", emotion="auto")]
    found = run(made, *wrong, make_request("good"))
    assert [found[name].reason for name in ("fear", "auto")] == [FailReason.POISONED] * 2
    assert found["good"].state is ReplyState.DONE


def test_a_classifier_that_answers_too_little_leaves_answers_unchecked() -> None:
    class Short(LexiconClassifier):
        def classify(self, texts: Sequence[str]) -> list[dict[str, float]]:
            return []

    made = responder(candidates=2)
    made.judge.classifier = Short()
    found = run(made, make_request("r"), make_request("auto", emotion="auto"))
    assert [(reply.state, reply.fit_ok) for reply in found.values()] == [(ReplyState.DONE, None)] * 2


def test_presets_may_shorten_answers_but_not_lengthen_them() -> None:
    preset = PRESETS.presets[0].model_copy(update={"sampling": {"temperature": 0.3, "max_new_tokens": 500, "top_k": 7}})
    sampling = sampling_for(preset, 96, Sampling(temperature=0.4))
    assert (sampling.temperature, sampling.max_new_tokens, sampling.top_k) == (0.3, 96, 7)
    plain = preset.model_copy(update={"sampling": {}})
    assert sampling_for(plain, 96, Sampling(temperature=0.4)).temperature == 0.4


def test_metrics_count_replies_and_hits_by_preset() -> None:
    made = responder(Scripted(["Ура, рад"]), retries=0)
    for reply in run(made, make_request("a"), make_request("b", emotion="fear"), make_request("c", arm="x")).values():
        made.metrics.replied(reply)

    def value(name: str, **labels: str) -> float | None:
        return made.metrics.registry.get_sample_value(f"otklik_worker_{name}", labels)

    assert value("fit_total", preset="joy", hit="yes") == 1
    assert value("fit_total", preset="fear", hit="no") == 1
    assert value("replies_total", state="failed", reason="unknown_adapter") == 1
    assert value("tokens_total") == 24
    assert value("batch_rows_sum") == 8 and value("queue_wait_seconds_count") == 2


def test_logs_hold_no_dialogue(monkeypatch: pytest.MonkeyPatch) -> None:
    output = io.StringIO()
    structlog.configure(
        processors=[structlog.processors.JSONRenderer(ensure_ascii=False)],
        logger_factory=structlog.PrintLoggerFactory(output),
        cache_logger_on_first_use=False,
    )
    try:
        run(responder(Scripted(["секретный ответ"])), make_request("r", "секретное слово", emotion="anger"))
        run(responder(Scripted([""])), make_request("r", "секретное слово"))
        run(responder(), make_request("r", "секретное слово", arm="nobody"))
    finally:
        structlog.reset_defaults()
    assert "unknown adapter" in output.getvalue()
    assert "секрет" not in output.getvalue()


turns = st.lists(
    st.builds(Turn, role=st.sampled_from(["user", "assistant"]), text=st.sampled_from(["", "да", "нет", " "])),
    max_size=8,
)


@given(turns)
def test_tidy_turns_alternate_and_begin_with_the_person(dialogue: list[Turn]) -> None:
    kept = tidy(dialogue)
    assert not kept or kept[0].role == "user"
    assert all(first.role != second.role for first, second in itertools.pairwise(kept))
    users = [word for turn in dialogue if turn.role == "user" for word in turn.text.split()]
    assert [word for turn in kept if turn.role == "user" for word in turn.text.split()] == users


@pytest.mark.parametrize(
    ("text", "kind", "preset"),
    [
        ("Жена подала на развод", "bad", "sympathy"),
        ("Мне так грустно, что рассмеялась", "good", "joy"),
        ("Ура, а какой сегодня праздник?", "asks", "neutral"),
        ("Мне так грустно", "plain", "sympathy"),  # small talk: the emotion that it shows decides
        ("Ура, среда", None, "joy"),
    ],
)
def test_auto_goes_by_what_is_told_and_else_by_what_is_shown(text: str, kind: str | None, preset: str) -> None:
    class Told(Reader):
        def __init__(self) -> None:
            self.asked: list[str] = []

        def kinds(self, texts: Sequence[str]) -> list[str | None]:
            self.asked += texts
            return [kind] * len(texts)

    made = responder(candidates=2)
    made.intake.reader = reader = Told()
    found = run(made, make_request("auto", text, emotion="auto"), make_request("fixed", text, emotion="fear"))
    assert (found["auto"].emotion, found["fixed"].emotion) == (preset, "fear")
    assert reader.asked == [text]
