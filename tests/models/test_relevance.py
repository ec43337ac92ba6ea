"""The answer that belongs to what was said: how likely texts are, and which of the fitting ones is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from models.build import build_responder
from models.classifier import LexiconClassifier
from models.engine import Event, Finished, Row, Scorer
from models.engines.echo import EchoEngine
from models.engines.transformers import TransformersEngine, load_base
from models.jobs import Task
from models.judging import Judge
from models.prompt import Prompt, render
from models.responder import Responder
from models.settings import ModelsSettings
from storage.contracts import Sampling, Turn
from storage.presets import load_presets
from tests.models.line import make_request
from tests.models.tiny import FAMILIES, save_adapter, save_model

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")

PRESETS = load_presets()
TEXTS = ("Всё хорошо, спасибо!", "Ну и ну", "а")


def engine_for(root: Path) -> TransformersEngine:
    values: dict[str, Any] = {"base": str(root / "base"), "device": "cpu", "classifier": "none"}
    engine = TransformersEngine(load_base(ModelsSettings(**values)), PRESETS)
    engine.load_adapter("lora", root / "lora")
    return engine


def row(text: str, adapter: str | None, name: str = "r", **sampling: Any) -> Row:
    prompt = Prompt((Turn(role="user", text=text),), PRESETS.presets[1], 2)
    return Row(name, prompt, Sampling.model_validate({"max_new_tokens": 12, **sampling}), 3, adapter)


def alone(root: Path, asked: Row, ids: Sequence[int]) -> float:
    """Mean log probability of the tokens by transformers itself."""
    tokenizer: Any = AutoTokenizer.from_pretrained(root / "base")
    model: Any = AutoModelForCausalLM.from_pretrained(root / "base", dtype=torch.float32)
    if asked.adapter is not None:
        model = PeftModel.from_pretrained(model, str(root / "lora"))
    prompt = tokenizer(render(tokenizer, asked.prompt, PRESETS), add_special_tokens=False)["input_ids"]
    with torch.inference_mode():
        logits = model.eval()(input_ids=torch.tensor([[*prompt, *ids]])).logits[0, len(prompt) - 1 : -1]
    return float(logits.float().log_softmax(-1).gather(1, torch.tensor(ids)[:, None]).mean())


@pytest.mark.parametrize("family", FAMILIES)
def test_texts_are_as_likely_as_the_model_itself_says(family: str, tmp_path: Path) -> None:
    save_model(family, tmp_path / "base")
    save_adapter(family, tmp_path / "base", tmp_path / "lora", 1, rank=4)
    engine = engine_for(tmp_path)
    assert isinstance(engine, Scorer)
    asked = [row(message, adapter) for message in ("Привет", "Как дела?") for adapter in (None, "lora")]
    rows = [one for one in asked for _ in TEXTS]
    texts = [text for _ in asked for text in TEXTS]
    tokenizer: Any = AutoTokenizer.from_pretrained(tmp_path / "base")
    ids = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    # The tiny Qwen2 tokenizer has no tokens for some letters.
    assert sum(map(bool, ids)) >= len(ids) // 3
    expected = [alone(tmp_path, one, tokens) if tokens else 0.0 for one, tokens in zip(rows, ids, strict=True)]
    assert engine.likelihoods(rows, texts) == pytest.approx(expected, abs=2e-4)
    engine.pack = 40  # several passes
    assert engine.likelihoods(rows, texts) == pytest.approx(expected, abs=2e-4)
    assert engine.likelihoods([], []) == []
    assert engine.likelihoods(rows[:1], [""]) == [0.0]


def test_an_answer_tells_how_likely_it_was_whatever_its_sampling(tmp_path: Path) -> None:
    save_model("llama", tmp_path / "base")
    save_adapter("llama", tmp_path / "base", tmp_path / "lora", 1, rank=4)
    engine = engine_for(tmp_path)
    rows = [row("Привет", "lora", "a", temperature=0.3), row("Ну", None, "b", repetition_penalty=1.4, top_k=5)]
    engine.admit(rows)
    taken: dict[str, list[int]] = {}
    found: dict[str, Finished] = {}
    while engine.running:
        taken |= {live.row.row_id: live.tokens for live in engine.live}
        found |= {event.row_id: event for event in engine.step() if isinstance(event, Finished)}
    for one in rows:
        event = found[one.row_id]
        ids = taken[one.row_id]
        assert len(ids) == event.tokens
        # What ended it counts as well; which of the end tokens it was is not told.
        ends = [[]] if event.finish == "length" else [[end] for end in engine.base.ends]
        assert any(event.likelihood == pytest.approx(alone(tmp_path, one, ids + end), abs=2e-4) for end in ends)


class Weighing(EchoEngine):
    """Answers by a list of (text, log probability after the message, log probability anywhere)."""

    def __init__(self, answers: Sequence[tuple[str, float, float]]) -> None:
        super().__init__(["tuned"])
        self.answers = answers
        self.asked: list[tuple[Row, str]] = []
        self.broken = False
        self.cut: set[str] = set()

    def step(self) -> list[Event]:
        done = list(self._rows)
        self._rows.clear()
        return [
            Finished(name, text, 3, "length" if text in self.cut else "stop", likelihood=own)
            for name, (text, own, _) in zip(done, self.answers, strict=True)
        ]

    def likelihoods(self, rows: Sequence[Row], texts: Sequence[str]) -> list[float]:
        if self.broken:
            raise RuntimeError("out of memory")
        self.asked += zip(rows, texts, strict=True)
        return [next(anywhere for text, _, anywhere in self.answers if text == one) for one in texts]


class Sure(LexiconClassifier):
    """How much joy there is in each text, as told."""

    def __init__(self, joys: Mapping[str, float]) -> None:
        self.joys = joys

    def classify(self, texts: Sequence[str]) -> list[dict[str, float]]:
        return [{"joy": self.joys[text]} for text in texts]


def answered(
    engine: Weighing, classifier: LexiconClassifier | None = None, relevance: bool = True, **asked: Any
) -> Any:
    settings = ModelsSettings(
        engine="echo", window_ms=0, candidates=len(engine.answers), retries=0, relevance=relevance
    )
    made: Responder = build_responder(settings, PRESETS)
    made.engine = made.intake.engine = engine
    made.judge = Judge(classifier or LexiconClassifier())
    replies = made.turn([Task(make_request("меня повысили", **asked))])
    while made.busy:
        replies += made.turn()
    return replies[0]


LINES = (
    ("Ура, я так рад!", -0.2, -0.1),  # likely after anything
    ("Ура, вот это повышение!", -0.6, -3.0),
    ("Повышение как повышение.", -0.1, -9.0),  # not the emotion
    ("", -0.1, -9.0),
)


def test_of_the_fitting_answers_the_one_that_the_message_makes_likely_is_sent() -> None:
    engine = Weighing(LINES)
    reply = answered(engine)
    assert (reply.text, reply.fit_ok) == ("Ура, вот это повышение!", True)
    # Only what could be sent was weighed, after a message that says nothing.
    assert [text for _, text in engine.asked] == [LINES[0][0], LINES[1][0]]
    assert {asked.prompt.turns for asked, _ in engine.asked} == {(Turn(role="user", text="…"),)}
    relevance = [one.relevance for one in reply.candidates]
    assert relevance == [pytest.approx(-0.2 + 0.1 / 5), pytest.approx(-0.6 + 3 / 5), None, None]


def test_without_it_the_surest_emotion_is_sent() -> None:
    engine = Weighing(LINES)
    reply = answered(engine, relevance=False)
    assert not engine.asked and all(one.relevance is None for one in reply.candidates)
    assert reply.text == max(LINES[:2], key=lambda line: joy(line[0]))[0]


def test_a_single_fitting_answer_needs_no_weighing() -> None:
    engine = Weighing(LINES[1:])
    assert answered(engine).text == "Ура, вот это повышение!" and not engine.asked


@pytest.mark.parametrize(
    ("intensity", "seen", "weighed"),
    [
        (2, (), ["Ура, я так рад!", "Ура, вот это повышение!", "Ура, день как день."]),
        (2, ("Ура, я так рад",), ["Ура, вот это повышение!", "Ура, день как день."]),
        # Only those about as sure of the emotion as the surest one.
        (3, (), ["Ура, я так рад!", "Ура, вот это повышение!"]),
    ],
)
def test_what_the_rule_drops_anyway_is_not_weighed(intensity: int, seen: tuple[str, ...], weighed: list[str]) -> None:
    engine = Weighing([*LINES[:2], ("Ура, день как день.", -0.3, -0.3), ("Ура, и вот ещё", -0.3, -9.0)])
    engine.cut = {"Ура, и вот ещё"}
    sure = Sure({LINES[0][0]: 0.97, LINES[1][0]: 0.95, "Ура, день как день.": 0.8, "Ура, и вот ещё": 0.97})
    reply = answered(engine, sure, intensity=intensity, seen=seen)
    assert [text for _, text in engine.asked] == weighed
    assert [one.text for one in reply.candidates if one.relevance is not None] == weighed


def test_an_engine_that_cannot_say_costs_no_answer() -> None:
    engine = Weighing(LINES)
    engine.broken = True
    reply = answered(engine)
    assert reply.text in (LINES[0][0], LINES[1][0]) and reply.fit_ok


def joy(text: str) -> float:
    return LexiconClassifier().classify([text])[0]["joy"]
