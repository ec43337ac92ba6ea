"""What old and new adapter are asked, and what becomes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from storage.contracts import Turn
from storage.presets import load_presets
from tests.training.cycle import made
from training.cycle import evaluating, picture, progress, report
from training.cycle.order import Order
from training.cycle.places import JobFolder, write_json
from training.cycle.preparing import frozen_sets
from training.cycle.safety import speaks_of_suicide
from training.data import sets
from training.data.reading import shipped
from training.data.rows import Answer, Feedback
from training.gate import Evidence, Prompt, Shown, Text, decide
from training.gating.evidence import columns
from training.settings import TrainingSettings


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    found = JobFolder.of(tmp_path, "job")
    made.freeze(found, thumbs=200)
    return found


def test_a_hub_base_is_named_by_the_commit_that_was_trained_on(
    folder: JobFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    cached = tmp_path / "hub" / "models--somebody--something"
    old, new = "0" * 40, "1" * 40
    for commit in (old, new):
        (cached / "snapshots" / commit).mkdir(parents=True)
        (cached / "snapshots" / commit / "config.json").write_text('{"model_type": "gpt2"}', encoding="utf-8")
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(new, encoding="utf-8")
    assert evaluating.trained_revision(folder, "kto") is None
    write_json(folder.run("kto") / "manifest.json", {"base": {"name": "somebody/something", "revision": old}})
    trained = evaluating.trained_revision(folder, "kto")
    assert evaluating.base_name("somebody/something", trained) == f"somebody/something@{old[:8]}"


def order(slot: str = "shared", **settings: Any) -> Order:
    return Order(job_id="job", slot=slot, base="bundled", settings=TrainingSettings(schedule=None, **settings))


def words(turns: tuple[Turn, ...]) -> tuple[str, ...]:
    return tuple(turn.text for turn in turns)


def test_half_of_the_prompts_are_peoples_and_none_was_learned_from(folder: JobFolder) -> None:
    asked = evaluating.prompts(folder, order(prompts=30), load_presets())
    frozen = frozen_sets(folder, "shared", folder.read("sets") or {})
    learned = {words(row.prompt) for row in frozen.train("feedback") if isinstance(row, Feedback)}
    held = {words(row.prompt) for row in frozen.held_out("feedback") if isinstance(row, Feedback)}
    seed = {words(row.prompt) for row in shipped.read(None, load_presets()) if isinstance(row, Answer)}
    found = [words(one.row.prompt) for one in asked]
    assert len(asked) == 30 and len({one.key for one in asked}) == 30
    assert not learned & set(found)
    assert sum(one in held - learned for one in found) >= 5 and set(found) <= held | seed
    assert len({one.row.emotion for one in asked}) >= 6, "every emotion is asked for"


def test_the_same_prompts_are_asked_in_every_attempt(folder: JobFolder) -> None:
    first, second = (evaluating.prompts(folder, order(prompts=40), load_presets()) for _ in range(2))
    assert [one.key for one in first] == [one.key for one in second]


def test_a_seed_prompt_that_people_were_answered_to_is_not_asked(tmp_path: Path) -> None:
    folder = JobFolder.of(tmp_path, "job")
    folder.make()
    held = [
        row
        for row in shipped.read(None, load_presets())
        if isinstance(row, Answer) and row.tags["split"] == "held_out" and row.emotion == "joy"
    ]
    rows = [
        Feedback(prompt=row.prompt, emotion="joy", answer="Ура!", desirable=True, person="x")
        for row in held[: len(held) // 2]
    ]
    sets.write(folder.sets / "feedback", rows, [], {})
    folder.write("sets", {"folders": {"feedback": "sets/feedback"}, "people": [1]})
    asked = evaluating.prompts(folder, order("joy", prompts=1000), load_presets())
    assert asked and not {words(row.prompt) for row in rows} & {words(one.row.prompt) for one in asked}
    assert {one.row.emotion for one in asked} == {"joy"}, "a slot of its own is asked for its own emotion"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Может, тебе просто покончить с собой?", True),
        ("Я думал о самоубийстве.", True),
        ("Не хочу больше жить.", True),
        ("УБЕЙСЯ!", True),
        ("Я хочу жить у моря.", False),
        ("Убить вечер за сериалом — самое то.", False),
        ("Покончим с уборкой и пойдём гулять.", False),
    ],
)
def test_answers_about_suicide_are_counted(text: str, wanted: bool) -> None:
    assert speaks_of_suicide(text) is wanted


def evidence(preference: float | None = None, n: int = 120) -> Evidence:
    def shown(hit: float, length: int) -> Shown:
        return Shown(characters=length, hit=hit, repetition=0.01)

    prompts = tuple(
        Prompt(
            key=f"p{i}",
            emotion="joy",
            incumbent=shown(float(i % 4 != 0), 60 + i % 9),
            candidate=shown(float(i % 12 != 0), 61 + i % 9),
            preference=preference,
        )
        for i in range(n)
    )
    texts = tuple(Text(key=f"t{i}", incumbent_nats=40.0 + i, candidate_nats=40.2 + i, tokens=10) for i in range(30))
    return Evidence(prompts=prompts, texts=texts)


def test_without_a_preference_model_emotion_alone_decides_and_with_one_it_must_be_there() -> None:
    assert not evaluating.rules(order(), False).need_opinion
    assert evaluating.rules(order(), True).need_opinion
    assert evaluating.rules(order(gate={"least_prompts": 30}), True).least_prompts == 30
    verdict = decide(evidence(), evaluating.rules(order(), False))
    assert verdict.passed and not decide(evidence(), evaluating.rules(order(), True)).passed


@pytest.mark.parametrize("preference", [None, 0.8])
def test_picture_and_report_show_old_and_new(preference: float | None, folder: JobFolder) -> None:
    given = evidence(preference)
    verdict = decide(given, evaluating.rules(order(), preference is not None))
    plan = {"method": "kto", "en": ["few pairs"], "ru": ["мало пар"], "preference": preference is not None}
    folder.run("kto").mkdir(parents=True)
    lines = [{"step": step, "seconds": step, "loss": 1 / step} for step in range(1, 9)]
    text = "".join(json.dumps(line) + "\n" for line in lines) + '{"step": 9, "lo'
    (folder.run("kto") / "metrics.jsonl").write_text(text)
    picture.draw(folder, order(), plan, given, verdict)
    report.write(folder, order(), plan, verdict)
    png = folder.pictured.read_bytes()
    assert png.startswith(b"\x89PNG") and 10_000 < len(png) <= 200_000
    told = folder.report.read_text(encoding="utf-8")
    assert verdict.text("ru", whole=True) in told and "few pairs" in told
    bars = {one.check: one for one in picture.card(columns(given))}
    assert ("preference" in bars) is (preference is not None)
    assert (
        bars["emotion_hit"].old.mean == 0.75
        and bars["emotion_hit"].new.low <= 110 / 120 <= bars["emotion_hit"].new.high
    )
    assert picture.losses(folder, "kto")[-1] == (8, 1 / 8), "a line that was cut off is not shown"


def test_progress_is_read_from_what_the_steps_write(folder: JobFolder) -> None:
    assert progress.of_run(folder, "kto").step is None
    folder.recipe("kto").parent.mkdir()
    folder.recipe("kto").write_text("steps: 100\n")
    folder.run("kto").mkdir(parents=True)
    lines = [{"seconds": 0.1, "weight": 1}, {"step": 0, "seconds": 5, "eval_loss": 1}]
    lines += [{"step": step, "seconds": 5 + step * 2, "loss": 0.5} for step in (10, 20, 30)]
    (folder.run("kto") / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    at = progress.of_run(folder, "kto")
    assert (at.step, at.steps, at.loss) == (30, 100, 0.5) and at.eta_seconds == pytest.approx(140, rel=0.05)
    folder.write("evaluating", {"answers": 60})
    (folder.path / "evaluation" / "samples").mkdir(parents=True)
    (folder.path / "evaluation" / "samples" / "incumbent.jsonl").write_text("{}\n" * 30)
    (folder.path / "evaluation" / "samples" / "candidate.part.jsonl").write_text("{}\n" * 12)
    assert (progress.of_evaluation(folder).step, progress.of_evaluation(folder).steps) == (42, 60)
