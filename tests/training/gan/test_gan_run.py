"""`otklik train gan` as an operator sees it: a run's folder, resuming, an adapter that the worker's engine serves."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from models.engine import Finished, Row
from models.engines.embedding_generator import load_generator
from models.engines.transformers import TransformersEngine, load_base
from models.prompt import Prompt
from models.settings import ModelsSettings
from storage.contracts import Sampling, Turn
from storage.presets import Presets
from tests.models.tiny import save_model
from training.data import seed_corpus, sets
from training.data.rows import Answer
from training.gan import GanRecipe, main
from training.gan.fitting import adapter_id
from training.gan.language_gan import Diverged, LanguageGAN
from training.gan.listing import EndedEarly
from training.recipes import RecipeError
from training.runs import RunExists
from training.stopping import Interrupted


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model("gpt2", tmp_path_factory.mktemp("gpt2") / "base")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [
        Answer(prompt=(Turn(role="user", text=row.turns[-1].text[:40]),), answer=row.reply[:30])
        for row in seed_corpus.load()[:28]
    ]
    folder = tmp_path_factory.mktemp("sets") / "seed"
    sets.write(folder, rows[:20], rows[20:], {"sources": ["seed"]})
    return folder


def recipe(base: Path, prepared: Path, **changes: Any) -> GanRecipe:
    play = {"updates": 2, "rows": 5, "discriminator_warm_steps": 2, "warm_epochs": 1, **changes.pop("play", {})}
    values = {"name": "t", "base": str(base), "data": prepared, "epochs": 3, "longest": 120, "play": play, **changes}
    return GanRecipe.model_validate(values)


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


def test_a_hub_base_is_written_down_with_the_commit_that_was_loaded(
    base: Path, prepared: Path, presets: Presets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    cached = tmp_path / "hub" / "models--somebody--something"
    asked, newest = "0" * 40, "1" * 40
    for commit in (asked, newest):
        shutil.copytree(base, cached / "snapshots" / commit)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(newest, encoding="utf-8")
    wanted = recipe(base, prepared, epochs=1, revision=asked).model_copy(update={"base": "somebody/something"})
    folder = main(wanted, tmp_path, presets)
    assert load_generator(folder)[1].base == f"somebody/something@{asked[:8]}"


def test_a_run_leaves_an_adapter_a_report_and_a_plot_of_the_weights(
    base: Path, prepared: Path, presets: Presets, tmp_path: Path
) -> None:
    folder = main(recipe(base, prepared), tmp_path, presets)
    run = tmp_path / "runs" / "gan-t"
    assert folder == run / "adapter"
    assert sorted(one.name for one in folder.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    assert load_generator(folder)[1].kind == "gan"
    report = (run / "report.md").read_text(encoding="utf-8")
    assert "base model: unchanged" in report and adapter_id(folder) in report
    assert all((run / name).read_bytes()[:4] == b"\x89PNG" for name in ("weight_change.png", "loss.png"))
    changes = [line for line in lines(run) if "change_base" in line]
    assert [line["step"] for line in changes] == [1, 2, 3, 4]
    assert all(line["change_base"] == 0 for line in changes)
    moved = [line["change_generator"] for line in changes]
    assert moved[0] > 0 and moved == sorted(moved)
    assert changes[0]["change_discriminator"] == 0 < changes[-1]["change_discriminator"]  # the first epoch is warm-up
    with pytest.raises(RunExists):
        main(recipe(base, prepared), tmp_path, presets)


@pytest.mark.parametrize("redraw", [1, 2])
def test_an_interrupted_run_continues_to_the_same_weights(
    base: Path, prepared: Path, presets: Presets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, redraw: int
) -> None:
    asked = recipe(base, prepared, play={"redraw": redraw})
    whole = main(asked, tmp_path / "whole", presets)
    step = LanguageGAN.generator_step
    calls = 0

    def dies(self: LanguageGAN, *args: Any, **more: Any) -> float:
        nonlocal calls
        calls += 1
        if calls == 4:  # in the middle of the second adversarial epoch
            raise KeyboardInterrupt
        return step(self, *args, **more)

    with monkeypatch.context() as patch:
        patch.setattr(LanguageGAN, "generator_step", dies)
        with pytest.raises(KeyboardInterrupt):
            main(asked, tmp_path / "cut", presets)
    assert not (tmp_path / "cut" / "runs" / "gan-t" / "adapter").exists()
    resumed = main(asked, tmp_path / "cut", presets, resume=True)
    assert adapter_id(resumed) == adapter_id(whole)
    steps = [line["step"] for line in lines(tmp_path / "cut" / "runs" / "gan-t") if "change_base" in line]
    assert steps == [1, 2, 3, 4]


@pytest.mark.parametrize(("number", "save_epochs"), [(signal.SIGTERM, 1), (signal.SIGINT, 50)])
def test_asked_to_end_it_finishes_the_step_keeps_whole_epochs_and_goes_on(
    base: Path, prepared: Path, presets: Presets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int,
    save_epochs: int,
) -> None:  # fmt: skip
    asked = recipe(base, prepared, save_epochs=save_epochs)
    whole = main(asked, tmp_path / "whole", presets)
    step, calls = LanguageGAN.generator_step, 0

    def asks(self: LanguageGAN, *args: Any, **more: Any) -> float:
        nonlocal calls
        calls += 1
        if calls == 4:  # in the middle of the second adversarial epoch, the third of all
            os.kill(os.getpid(), number)
        return step(self, *args, **more)

    with monkeypatch.context() as patch:
        patch.setattr(LanguageGAN, "generator_step", asks)
        with pytest.raises(Interrupted, match="stopped in epoch 3 of 4, 2 are kept: continue with --resume"):
            main(asked, tmp_path / "cut", presets)
    assert calls == 4
    assert not (tmp_path / "cut" / "runs" / "gan-t" / "adapter").exists()
    assert adapter_id(main(asked, tmp_path / "cut", presets, resume=True)) == adapter_id(whole)


def test_with_nothing_held_out_the_metrics_are_json_and_the_report_says_so(
    base: Path, prepared: Path, presets: Presets, tmp_path: Path
) -> None:
    play = {"discriminator_steps": 0, "discriminator_warm_steps": 0}
    main(recipe(base, prepared, epochs=1, measure_rows=0, play=play), tmp_path, presets)
    run = tmp_path / "runs" / "gan-t"
    assert "NaN" not in (run / "metrics.jsonl").read_text(encoding="utf-8")
    report = (run / "report.md").read_text(encoding="utf-8")
    assert "not measured, no row is held out" in report and "nan" not in report
    assert "- memory: peak_rss_mb " in report and "{" not in report


def test_one_answer_an_epoch_has_no_baseline_and_is_told_why(
    base: Path, prepared: Path, presets: Presets, tmp_path: Path
) -> None:
    sets.write(tmp_path / "one", list(sets.load(prepared).train(Answer))[:1], [], {})
    with pytest.raises(RecipeError, match=r"raise `longest`; else give more rows or draw play\.copies: 2"):
        main(recipe(base, tmp_path / "one", play={"warm_epochs": 0}), tmp_path, presets)


@pytest.mark.parametrize("noisy", [True, False])
def test_the_worker_engine_serves_what_was_tuned(
    base: Path, prepared: Path, presets: Presets, tmp_path: Path, noisy: bool
) -> None:
    play = {"warm_rate": 0.02, "warm_epochs": 4}
    folder = main(recipe(base, prepared, sampled_noise=noisy, epochs=1, play=play), tmp_path, presets)
    engine = TransformersEngine(load_base(ModelsSettings(base=str(base), classifier="none")), presets)
    name = adapter_id(folder)
    engine.load_adapter(name, folder)
    prompt = Prompt((Turn(role="user", text="Как дела?"),), presets.presets[0], 2)
    greedy = Sampling(temperature=0, repetition_penalty=1.0, max_new_tokens=16)
    rows = [Row(str(seed), prompt, greedy, seed, name) for seed in range(4)]
    engine.admit([*rows, Row("base", prompt, greedy, 0)])
    texts: dict[str, str] = {}
    while engine.running:
        texts |= {event.row_id: event.text for event in engine.step() if isinstance(event, Finished)}
    tuned = {texts[str(seed)] for seed in range(4)}
    assert texts["base"] not in tuned
    assert noisy or len(tuned) == 1


def test_the_listing_runs_beside_it_and_learns_nothing(
    base: Path, prepared: Path, presets: Presets, tmp_path: Path
) -> None:
    short = recipe(base, prepared, mode="listing", epochs=1, listing_tokens=(30, 3))
    main(short, tmp_path, presets)
    run = tmp_path / "runs" / "gan-t"
    assert "mode: listing" in (run / "report.md").read_text(encoding="utf-8")
    with pytest.raises(RecipeError, match="listing"):
        main(short, tmp_path, presets, resume=True)


def test_an_answer_too_short_for_the_printed_discriminator_is_told(
    base: Path, prepared: Path, presets: Presets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.gan.fitting.end_tokens", lambda *_: frozenset(range(1_000_000)))
    with pytest.raises(EndedEarly, match=r"ended after 1 of 3 tokens.*listing_tokens: \[30, 1\].*mode: right"):
        main(recipe(base, prepared, mode="listing", epochs=1, listing_tokens=(30, 3)), tmp_path, presets)


def test_a_loss_that_is_no_number_stops_the_run_without_an_adapter(
    base: Path, prepared: Path, presets: Presets, tmp_path: Path
) -> None:
    with pytest.raises(Diverged, match="learning rate"):
        main(recipe(base, prepared, play={"warm_rate": 1e30, "warm_epochs": 5}), tmp_path, presets)
    assert not (tmp_path / "runs" / "gan-t" / "adapter").exists()


def test_rows_that_are_all_too_long_are_told(base: Path, prepared: Path, presets: Presets, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="longest=9"):
        main(recipe(base, prepared, longest=9), tmp_path, presets)
