"""Answers and perplexities by the serving engine, on the bundled starter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from models.engines.prompts import encode
from models.prompt import render_plain
from models.selection import Defect, defect
from models.sequence_classifier import SequenceClassifier
from models.settings import STARTER
from storage.contracts import Turn
from storage.presets import Presets
from tests.training.evaluation.answers import sample
from training.data.rows import Answer
from training.data.seed_corpus import SeedRow
from training.evaluation import answering, samples, systems
from training.evaluation.answering import Asked, Drawing
from training.evaluation.metrics import perplexity
from training.evaluation.plain_engine import PlainEngine
from training.evaluation.systems import Answers, System
from training.recipes import RecipeError

ADAPTER = STARTER / "adapter"
SHORT = Drawing(most=12, batch=8)


@pytest.fixture(scope="module")
def engine(presets: Presets) -> PlainEngine:
    torch.set_num_threads(1)
    return answering.open_engine("bundled", presets, [ADAPTER])


@pytest.fixture(scope="module")
def rows(seed_rows: list[SeedRow]) -> list[Answer]:
    return [
        Answer(prompt=row.turns, answer=row.reply, emotion=row.emotion, intensity=row.intensity)
        for row in seed_rows
        if row.held_out
    ]


@pytest.fixture(scope="module")
def asked(rows: list[Answer], presets: Presets) -> list[Asked]:
    return answering.ask(rows, presets, 24)


def plain(*texts: str) -> list[Answer]:
    return [Answer(prompt=(Turn(role="user", text=text),), answer="да") for text in texts]


def test_prompts_are_spread_over_emotions_and_intensities(rows: list[Answer], asked: list[Asked]) -> None:
    cells = [(one.row.emotion, one.row.intensity) for one in asked]
    assert len(set(cells)) == 24
    assert len({one.key for one in asked}) == 24


def test_keys_name_prompt_emotion_and_intensity() -> None:
    one = plain("Привет")[0]
    others = [one.model_copy(update=change) for change in ({"emotion": "joy"}, {"intensity": 3}, {"persona": "кот"})]
    assert len({answering.key_of(row) for row in (one, *others)}) == 4
    assert answering.key_of(one) == answering.key_of(one.model_copy(update={"answer": "нет", "origin": "x:1"}))


def test_rows_that_cannot_be_asked_are_told(presets: Presets) -> None:
    with pytest.raises(RecipeError, match="emotion 'восторг', no preset"):
        answering.ask([plain("Привет")[0].model_copy(update={"emotion": "восторг"})], presets)
    with pytest.raises(RecipeError, match="nothing to ask"):
        answering.ask([], presets)


def test_answers_depend_on_the_seed_alone(engine: PlainEngine, asked: list[Asked], presets: Presets) -> None:
    def texts(drawing: Drawing) -> list[str]:
        found = answering.answers(engine, ADAPTER, asked[:10], presets, system="x", drawing=drawing)
        return [one.answer for one in found]

    first = texts(SHORT)
    assert texts(Drawing(most=12, batch=3)) == first
    assert texts(Drawing(most=12, batch=8, seed=1)) != first


def test_samples_tell_what_was_asked_and_what_it_cost(
    engine: PlainEngine, asked: list[Asked], presets: Presets
) -> None:
    found = list(answering.answers(engine, None, asked[:8], presets, system="base", drawing=SHORT))
    assert [one.key for one in found] == [one.key for one in asked[:8]]
    assert all(one.emotion == own.preset.id for one, own in zip(found, asked, strict=False) if own.preset)
    assert all(one.reference == own.row.answer for one, own in zip(found, asked, strict=False))
    assert all(0 < one.tokens <= 12 and one.seconds > 0 for one in found)
    assert not all(one.finished for one in found)  # twelve tokens are too few for some


def test_greedy_plain_answers_are_transformers_own(engine: PlainEngine, presets: Presets) -> None:
    (one,) = answering.ask(plain("Как прошёл день?"), presets)
    (found,) = answering.answers(engine, None, [one], presets, system="b", drawing=Drawing(greedy=True, most=10))
    tokenizer = engine.base.tokenizer
    ids = encode(tokenizer, render_plain(tokenizer, one.row.prompt))
    model: Any = AutoModelForCausalLM.from_pretrained(STARTER / "base", dtype=torch.float32)
    output = model.generate(
        input_ids=torch.tensor([ids]),
        attention_mask=torch.ones(1, len(ids), dtype=torch.int64),
        do_sample=False,
        temperature=None,
        top_p=None,
        top_k=None,
        repetition_penalty=1.0,
        max_new_tokens=10,
        pad_token_id=tokenizer.eos_token_id,
    )
    theirs = tokenizer.decode(output[0, len(ids) :], skip_special_tokens=True).strip()
    assert found.emotion is None
    assert theirs.startswith(found.answer) and found.answer


def test_a_prompt_that_does_not_fit_is_left_out(engine: PlainEngine, presets: Presets) -> None:
    long, short = plain("слово " * 900, "Привет")
    found = answering.answers(engine, None, answering.ask([long, short], presets), presets, system="b", drawing=SHORT)
    assert [one.prompt for one in found] == [short.prompt]


@pytest.mark.slow
def test_of_several_candidates_the_fitting_one_is_kept(
    engine: PlainEngine, rows: list[Answer], presets: Presets
) -> None:
    picker = SequenceClassifier.load(str(STARTER / "classifier"))
    # At the starter's low temperature candidates are nearly the same, and nearly all of them fit.
    lively = [one.model_copy(update={"sampling": {**one.sampling, "temperature": 1.5}}) for one in presets.presets]
    presets = presets.model_copy(update={"presets": tuple(lively)})
    asked = answering.ask(rows, presets, 24)

    def share(candidates: int) -> float:
        drawing = Drawing(most=24, batch=16, candidates=candidates)
        found = list(answering.answers(engine, ADAPTER, asked, presets, system="x", drawing=drawing, picker=picker))
        assert all(defect(one.answer, one.prompt[-1].text) is not Defect.EMPTY for one in found)
        fits = [
            max(row[label] for label in own.preset.labels)
            for own, row in zip(asked, picker.classify([one.answer for one in found]), strict=True)
            if own.preset
        ]
        return sum(fits) / len(fits)

    assert share(4) > share(1) + 0.05


@pytest.mark.parametrize("adapter", [None, ADAPTER], ids=["base", "adapter"])
def test_losses_are_those_of_peft(engine: PlainEngine, adapter: Path | None) -> None:
    texts = ["Мне сегодня грустно и одиноко.", "Кот спит на окне, и ему снятся мыши.", "Да!"]
    found = perplexity.of_texts(engine, None if adapter is None else str(adapter), texts)
    model: Any = AutoModelForCausalLM.from_pretrained(STARTER / "base", dtype=torch.float32)
    if adapter is not None:
        model = PeftModel.from_pretrained(model, str(adapter))
    tokenizer = engine.base.tokenizer
    begin = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    for text, one in zip(texts, found, strict=True):
        ids = torch.tensor([[begin, *tokenizer(text, add_special_tokens=False)["input_ids"]]])
        with torch.no_grad():
            mean = float(model(input_ids=ids, labels=ids).loss)
        assert one.nats / one.tokens == pytest.approx(mean, rel=1e-4)
        assert (one.tokens, one.characters) == (ids.shape[1] - 1, len(text))


def test_long_texts_are_read_in_pieces(engine: PlainEngine) -> None:
    text = "Кот спит на окне. " * 200
    (found,) = perplexity.of_texts(engine, None, [text])
    assert found.tokens == len(engine.base.tokenizer(text, add_special_tokens=False)["input_ids"]) > engine.base.context


def test_references_are_less_surprising_than_others_answers(engine: PlainEngine, asked: list[Asked]) -> None:
    swapped = [
        Asked(one.key, one.row.model_copy(update={"answer": other.row.answer}), one.preset)
        for one, other in zip(asked, [*asked[7:], *asked[:7]], strict=True)
    ]
    own, others = (perplexity.of_references(engine, str(ADAPTER), part) for part in (asked, swapped))
    assert perplexity.perplexity(own) < perplexity.perplexity(others)
    assert all(one.tokens > 1 for one in own)


def test_an_interrupted_system_goes_on_with_the_same_answers(
    engine: PlainEngine, asked: list[Asked], presets: Presets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (answering, systems):
        monkeypatch.setattr(module, "GROUP", 5)
    system, some = System("tuned", "bundled", ADAPTER), asked[:17]
    whole = Answers(tmp_path / "whole").draw(system, engine, some, SHORT, None)
    halved = Answers(tmp_path / "halved")

    def stop(done: float, note: str) -> None:
        if done == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        halved.draw(system, engine, some, SHORT, None, stop)
    part = halved.folder / "tuned.part.jsonl"
    part.write_text(part.read_text(encoding="utf-8") + '{"key":"half a li', encoding="utf-8")
    assert not halved.file("tuned").exists()
    heard: list[float] = []
    halved.draw(system, engine, some, SHORT, None, lambda done, note: heard.append(done))
    assert heard[0] == 10  # two whole groups were kept
    finished = list(samples.read(halved.file("tuned")))
    assert [(one.key, one.answer) for one in finished] == [(one.key, one.answer) for one in whole]
    assert not part.exists()


def test_groups_with_prompts_left_out_are_whole_once_a_later_one_began(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systems, "GROUP", 2)
    asked = [Asked(str(n), plain("а")[0], None) for n in range(6)]
    have = [sample("да", key=key) for key in ("0", "2", "3")]
    kept, done = systems.finished_groups(have, asked)
    assert ([one.key for one in kept], done) == (["0", "2", "3"], 2)
    assert systems.finished_groups(have[:1], asked) == ([], 0)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("bundled", "NAME=BASE"),
        ("a/b=bundled", "NAME=BASE"),
        ("x=+adapter", "no base model"),
        ("x=bundled+nowhere", "no adapter"),
    ],
)
def test_systems_that_make_no_sense_are_told(text: str, told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        systems.parse(text)


def test_systems_are_read_with_and_without_an_adapter(tmp_path: Path) -> None:
    assert systems.parse("base=org/model") == System("base", "org/model")
    assert systems.parse("радость.v1=bundled+bundled") == System("радость.v1", "bundled", ADAPTER)
    odd = tmp_path / "c++"
    odd.mkdir()
    assert systems.parse(f"x={odd}") == System("x", str(odd))
