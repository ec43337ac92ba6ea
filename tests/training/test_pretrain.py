import errno
import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from models.prompt import Prompt, render
from storage.contracts import Turn
from storage.presets import Presets
from training.data.corpus import Mixture, encode
from training.pretrain import PretrainRecipe, Trainer, main, schedule
from training.recipes import RecipeError
from training.runs import RunExists
from training.stopping import Interrupted

pytestmark = pytest.mark.usefixtures("small_seed")


def recipe(data: Path, **keys: object) -> PretrainRecipe:
    shape = {"vocabulary": 400, "hidden": 32, "layers": 2, "heads": 2, "inner": 64, "context": 64}
    mix = {"films": 0.4, "short_sentences": 0.3, "seed": 0.3}
    given = {
        "name": "tiny",
        "seed": 3,
        "threads": 1,
        "data": data,
        "shape": shape,
        "sequence": 24,
        "rows": 4,
        "steps": 6,
        "tokenizer_lines": 100,
        "mix": mix,
        "final_mix": {"anekdots": 0.5, "seed": 0.5},
        **keys,
    }
    return PretrainRecipe.model_validate(given)


class Stopped(Exception):
    pass


@pytest.mark.parametrize("keys", [{}, {"hearing": {"weight": 0.5, "layer": 1}}], ids=["plain", "hearing"])
def test_an_interrupted_run_continues_to_the_same_weights(
    data: Path, presets: Presets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: dict[str, object]
) -> None:
    whole = main(recipe(data, **keys), tmp_path / "whole", presets)
    # A checkpoint after every step, and a kill in the fourth.
    advance = Trainer.advance

    def killed(trainer: Trainer) -> float:
        if trainer.step == 3:
            raise Stopped
        return advance(trainer)

    monkeypatch.setattr(Trainer, "advance", killed)
    often = {"checkpoint_minutes": 1e-9, **keys}
    with pytest.raises(Stopped):
        main(recipe(data, **often), tmp_path / "cut", presets)
    monkeypatch.setattr(Trainer, "advance", advance)
    resumed = main(recipe(data, **often), tmp_path / "cut", presets, resume=True)
    names = sorted(path.name for path in whole.glob("*.safetensors"))
    assert names == ["model.safetensors"]
    assert (whole / names[0]).read_bytes() == (resumed / names[0]).read_bytes()


def test_asked_to_end_it_saves_after_the_step_and_goes_on(
    data: Path, presets: Presets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    advance = Trainer.advance

    def asked(trainer: Trainer) -> float:
        if trainer.step == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return advance(trainer)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "advance", asked)
        with pytest.raises(Interrupted, match="stopped at step 4: continue with --resume"):
            main(recipe(data), tmp_path / "cut", presets)
    resumed = main(recipe(data), tmp_path / "cut", presets, resume=True)
    whole = main(recipe(data), tmp_path / "whole", presets)
    assert (whole / "model.safetensors").read_bytes() == (resumed / "model.safetensors").read_bytes()


def test_the_result_loads_by_auto_classes_and_answers(data: Path, presets: Presets, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = main(recipe(data, optimizer="adamw", steps=2), tmp_path, presets)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    text = render(tokenizer, Prompt((Turn(role="user", text="Привет"),), presets.get("fear"), 2), presets)
    ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
    assert model.generate(ids, max_new_tokens=3, do_sample=False).shape[1] > ids.shape[1]


def test_who_goes_on_from_an_earlier_starter_uses_todays_template(data: Path, presets: Presets, tmp_path: Path) -> None:
    from training.tokenizer import chat_template

    first = main(recipe(data, optimizer="adamw", steps=1), tmp_path, presets)
    template = first / "chat_template.jinja"
    assert template.read_text(encoding="utf-8") == chat_template(presets)
    template.write_text("{{ messages[-1]['content'] }}", encoding="utf-8")
    again = main(recipe(data, name="again", init=first, optimizer="adamw", steps=1), tmp_path, presets)
    assert (again / "chat_template.jinja").read_text(encoding="utf-8") == chat_template(presets)
    for file in (first / "tokenizer.json", first / "tokenizer_config.json"):
        file.write_text(file.read_text(encoding="utf-8").replace("<|sympathy|>", "<|calm|>"), encoding="utf-8")
    other = main(recipe(data, name="other", init=first, optimizer="adamw", steps=1), tmp_path, presets)
    assert (other / "chat_template.jinja").read_text(encoding="utf-8") == template.read_text(encoding="utf-8")


def test_a_run_leaves_its_papers(data: Path, presets: Presets, tmp_path: Path) -> None:
    main(recipe(data, steps=2), tmp_path, presets)
    run = tmp_path / "runs" / "pretrain-tiny"
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    assert set(manifest["sha256"]) == {"films", "short_sentences", "anekdots", "seed"}
    assert all(len(value) == 64 for value in manifest["sha256"].values())
    last = json.loads((run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()[-1])
    assert last["step"] == 2
    assert (run / "loss.png").stat().st_size > 1000
    assert "SHA-256" in (run / "report.md").read_text(encoding="utf-8")
    with pytest.raises(RunExists, match="--resume"):
        main(recipe(data, steps=2), tmp_path, presets)


def test_the_schedule_warms_up_holds_and_decays_to_zero() -> None:
    values = [schedule(done, warmup=0.1, decay=0.4) for done in (0, 0.05, 0.1, 0.5, 0.6, 0.8, 1.0)]
    assert values == pytest.approx([0, 0.5, 1, 1, 1, 0.5, 0])


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"sequence": 65}, "sequence: 65 tokens a row are more than shape.context = 64"),
        ({"final_mix": {}}, "final_mix: shares are not negative, and one is over 0"),
        ({"mix": {"films": 1.0, "seed": -0.5}}, "mix: shares are not negative"),
        ({"shape": {"hidden": 32, "heads": 3}}, "hidden: 32 is no multiple of 2 · heads = 6"),
    ],
)
def test_a_recipe_that_cannot_train_is_refused_at_once(data: Path, keys: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        recipe(data, **keys)


def test_a_mixture_without_enough_text_is_told(data: Path, presets: Presets, tmp_path: Path) -> None:
    long = {"shape": {"vocabulary": 400, "hidden": 32, "layers": 2, "heads": 2, "inner": 64, "context": 1 << 20}}
    with pytest.raises(RecipeError, match="no source has 1000000 tokens: give the recipe more data"):
        main(recipe(data, sequence=1_000_000, **long), tmp_path, presets)


def test_a_source_that_is_too_short_is_told_of_the_mixture_that_needs_it() -> None:
    mixture = Mixture({"films": np.zeros(100, np.uint16), "seed": np.zeros(5, np.uint16)}, 10, 0)
    mixture.require("mix", {"films": 0.1, "seed": 0.9})
    with pytest.raises(RecipeError, match="final_mix: none of seed has 10 tokens"):
        mixture.require("final_mix", {"films": 0.0, "seed": 1.0})


def test_a_whole_document_never_lies_across_two_blocks() -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained("models/starter/base")
    texts = [f"Сообщение номер {number}" + " и ещё слово" * (number % 9) + tokenizer.eos_token for number in range(60)]
    blocks = encode(tokenizer, texts, 1, whole=32).reshape(-1, 32)
    whole = {tuple(tokenizer(text, add_special_tokens=False)["input_ids"][:32]) for text in texts}
    end = tokenizer.eos_token_id
    found = set()
    for block in blocks.tolist():
        start = 0
        for place, token in enumerate(block):
            if token == end or place == 31:
                found.add(tuple(block[start : place + 1]))
                start = place + 1
    assert found - {(end,)} == whole


def test_a_full_disk_leaves_nothing_that_looks_finished(
    data: Path, presets: Presets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, *_: object) -> None:
        path.write_bytes(b"half of it")
        raise OSError(errno.ENOSPC, "No space left on device")

    def half(trainer: Trainer, folder: Path, *_: object) -> None:
        full(folder / "model.safetensors")

    save, export = np.save, Trainer.export
    run = tmp_path / "runs" / "pretrain-tiny"
    monkeypatch.setattr(np, "save", full)
    with pytest.raises(OSError, match="No space left"):
        main(recipe(data), tmp_path, presets)
    monkeypatch.setattr(np, "save", save)
    monkeypatch.setattr(Trainer, "export", half)
    with pytest.raises(OSError, match="No space left"):
        main(recipe(data), tmp_path, presets, resume=True)
    assert not any("base" in path.name for path in run.iterdir())
    monkeypatch.setattr(Trainer, "export", export)
    assert (main(recipe(data), tmp_path, presets, resume=True) / "model.safetensors").stat().st_size > 1000
