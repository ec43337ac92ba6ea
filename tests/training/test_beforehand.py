"""What is wrong with a run is told before torch is imported, and what is right is let through."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from huggingface_hub.errors import RepositoryNotFoundError
from pydantic import ValidationError

from storage.presets import Presets
from tests.training import families
from training import base_files, base_names, bases, beforehand
from training.classifier import ClassifierRecipe
from training.cli import METHODS
from training.dpo import DpoRecipe
from training.kto import KtoRecipe
from training.pretrain import PretrainRecipe
from training.recipes import Recipe, RecipeError
from training.rlhf import RlhfRecipe
from training.sft import SftRecipe

STARTER = str(Path(__file__).parents[2] / "models" / "starter" / "base")
ANSWERS = [{"question": f"Вопрос {number}?", "answer": "Ответ."} for number in range(3)]
PAIRS = [{"prompt": f"Вопрос {number}?", "chosen": "Да.", "rejected": "Нет."} for number in range(3)]
TALKS = [{"turns": ["Привет!", "Здравствуй."]} for _ in range(3)]
# Makes every import of these libraries fail, as if a minute of waiting were forbidden.
NO_LIBRARIES = "import sys; sys.modules.update(dict.fromkeys(('torch', 'transformers', 'trl', 'peft')))\n"

Source = Callable[..., dict[str, Any]]


@pytest.fixture
def source(tmp_path: Path) -> Source:
    """A data recipe of one file."""

    def write(rows: list[dict[str, Any]], *steps: str, **keys: Any) -> dict[str, Any]:
        path = tmp_path / "data.jsonl"
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        return {"sources": {"desk": {"path": path, "steps": list(steps), **keys}}}

    return write


def _sft(**keys: Any) -> SftRecipe:
    return SftRecipe.model_validate({"name": "early", "base": STARTER, "steps": 1, "data": "absent", **keys})


def test_nothing_heavy_is_imported_before_a_fault_is_told(tmp_path: Path, source: Source) -> None:
    base: dict[str, Any] = {"name": "early", "base": STARTER, "steps": 1, "data": source(ANSWERS)}
    wrong: dict[str, list[dict[str, Any]]] = {
        "sft": [{"base": str(tmp_path / "absent")}, {"base": str(tmp_path)}, {"lora": {"targets": ["query"]}}],
        "dpo": [{}],
    }
    runs: list[list[str]] = []
    for method, faults in wrong.items():
        for number, fault in enumerate(faults):
            file = tmp_path / f"{method}{number}.yaml"
            recipe = json.loads(json.dumps({**base, **fault}, default=str))
            file.write_text(yaml.safe_dump(recipe, allow_unicode=True), encoding="utf-8")
            runs.append([method, "--recipe", str(file)])
    code = f"{NO_LIBRARIES}from training.cli import train\nprint([train(one) for one in {runs!r}])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "STORAGE_DIR": str(tmp_path / "var")},
        timeout=60,
        check=False,
    )
    assert done.stdout.splitlines()[-1:] == ["[2, 2, 2, 2]"], done.stderr
    told = [line for line in done.stderr.splitlines() if line.startswith(("base:", "lora", "data:"))]
    assert "there is no folder" in told[0]
    assert "holds no model (no config.json); it holds data.jsonl" in told[1]
    assert "no linear layer called query; it has" in told[2]
    assert "q_proj" in told[2]
    assert "source 'desk' (data.jsonl, read as qa) has rows of kind 'answer', dpo learns from 'pair'" in told[3]


def test_every_recipe_is_read_without_the_libraries() -> None:
    names = [(module, kind) for module, kind in METHODS.values()]
    code = f"{NO_LIBRARIES}import importlib\nfor one, kind in {names!r}: getattr(importlib.import_module(one), kind)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_output_is_no_target() -> None:
    with pytest.raises(ValidationError, match="lm_head is the output, where trainers would leave an adapter untrained"):
        _sft(lora={"targets": ["q_proj", "lm_head"]})


@pytest.mark.parametrize("family", families.FAMILIES)
def test_layers_are_known_from_the_file_as_from_the_loaded_model(tmp_path: Path, family: str) -> None:
    folder = families.save(family, tmp_path / "base")
    inside = base_files.look(folder)
    there = bases.linear_layers(bases.load_model(str(folder)))
    short = {name.rsplit(".", 1)[-1] for name in there} - set(base_files.HEADS)
    assert set(inside.names()) - set(base_files.HEADS) == short
    assert set(base_files.LAYERS[inside.config["model_type"]]) == short
    # Whatever the model is asked for by name or whole name is found; what it has not is not.
    assert inside.lacks((*short, *there)) == []
    assert "lm_head" not in str(bases.no_such_layers(["query"], [name.rsplit(".", 1)[-1] for name in there]))
    assert inside.lacks(("query", "embed_tokens", "wte")) == ["query", "embed_tokens", "wte"]


def test_an_architecture_whose_layers_are_renamed_is_left_to_loading() -> None:
    assert base_files.Inside({"model_type": "mixtral"}, ("model.layers.0.w1",)).lacks(("gate_up_proj",)) == []


def _cut(folder: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[:-1000])


def _pointer(folder: Path) -> None:
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")


def _no_tokenizer(folder: Path) -> None:
    for path in folder.glob("tokenizer*"):
        path.unlink()


def _pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _shard(folder: Path) -> None:
    index = {"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def _page(folder: Path) -> None:
    (folder / "model.safetensors").write_text("<html><body>503 Service Unavailable</body></html>")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_cut, r"model\.safetensors is cut short: [\d,]+ of [\d,]+ bytes; fetch it again"),
        (_pointer, "a pointer of Git LFS, not the weights: run `git lfs pull`"),
        (_no_tokenizer, "holds no tokenizer"),
        (_pickled, r"holds no safetensors weights but pytorch_model\.bin"),
        (_shard, r"lacks model-2\.safetensors, which its index names"),
        (_page, "is no safetensors file, or is cut short"),
        (lambda folder: (folder / "config.json").write_text("{"), "config.json is no JSON"),
    ],
)
def test_a_spoilt_base_is_told_by_its_file(tmp_path: Path, spoil: Callable[[Path], object], message: str) -> None:
    folder = families.save("gpt2", tmp_path / "base")
    spoil(folder)
    with pytest.raises(base_names.BaseMissing, match=message):
        beforehand.look_at(str(folder))


def test_a_misspelt_folder_is_told_with_its_neighbours(tmp_path: Path) -> None:
    families.save("gpt2", tmp_path / "right")
    with pytest.raises(base_names.BaseMissing, match=rf"no folder {tmp_path}/rigth; models in {tmp_path}: right"):
        beforehand.look_at(str(tmp_path / "rigth"))
    with pytest.raises(base_names.BaseMissing, match="is a file; give the folder that holds it"):
        beforehand.look_at(str(tmp_path / "right" / "model.safetensors"))


def test_an_adapter_is_no_base(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(base_names.BaseMissing, match=r"holds an adapter, no model: .* this folder as `adapter`"):
        beforehand.look_at(str(tmp_path))


def test_an_encoder_is_no_base_of_what_writes(presets: Presets, source: Source, tmp_path: Path) -> None:
    encoder = str(Path(STARTER).with_name("classifier"))
    with pytest.raises(RecipeError, match=r"is an encoder \(bert\), which writes no answers: .*train classifier"):
        beforehand.check("sft", _sft(base=encoder, data=source(ANSWERS)), tmp_path, presets, resume=False)
    keys = {"name": "early", "base": encoder, "steps": 1, "task": "single", "data": source(ANSWERS)}
    beforehand.check("classifier", ClassifierRecipe.model_validate(keys), tmp_path, presets, resume=False)


def test_a_name_that_the_hub_does_not_know_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(self: object, name: str, **_: Any) -> None:
        answer: Any = SimpleNamespace(headers={}, request=None)
        raise RepositoryNotFoundError("404: Repository Not Found", response=answer)

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.HfApi.model_info", unknown)
    base_names.commit.cache_clear()
    with pytest.raises(
        base_names.BaseMissing, match=r"misspelt/model cannot be loaded .*check the name and the network"
    ):
        beforehand.look_at("misspelt/model")
    base_names.commit.cache_clear()


@pytest.mark.parametrize(
    ("kind", "method", "rows", "message"),
    [
        (SftRecipe, "sft", PAIRS, "read as pairs.* rows of kind 'pair', sft learns from 'answer'; .* for dpo, simpo"),
        (SftRecipe, "sft", TALKS, "rows of kind 'dialogue', sft .*; add the step `answers`"),
        (DpoRecipe, "dpo", ANSWERS, "rows of kind 'answer', dpo learns from 'pair'; .* for sft"),
        (KtoRecipe, "kto", PAIRS, "rows of kind 'pair', kto learns from 'feedback'; set `pairs: true`"),
    ],
)
def test_rows_of_another_kind_are_told(
    presets: Presets, source: Source, kind: type[Recipe], method: str, rows: list[dict[str, Any]], message: str
) -> None:
    recipe = kind.model_validate({"name": "early", "base": STARTER, "steps": 1, "data": source(rows)})
    with pytest.raises(RecipeError, match=message):
        beforehand.check_rows(method, recipe, presets)


def test_rows_that_fit_are_let_through(presets: Presets, source: Source, tmp_path: Path) -> None:
    beforehand.check_rows("sft", _sft(data=source(ANSWERS)), presets)
    beforehand.check_rows("sft", _sft(data=source(TALKS, "answers")), presets)
    beforehand.check_rows("sft", _sft(data={"sources": {"own": {"read": "seed"}}}), presets)
    liked = KtoRecipe.model_validate(
        {"name": "early", "base": STARTER, "steps": 1, "data": source(PAIRS), "pairs": True}
    )
    beforehand.check_rows("kto", liked, presets)
    # A source without a share is not read.
    mixed = source(ANSWERS)
    mixed["sources"]["not there"] = {"path": tmp_path / "absent.jsonl"}
    beforehand.check_rows("sft", _sft(data={**mixed, "mix": {"desk": 1, "not there": 0}}), presets)


def test_a_prepared_set_is_looked_into(presets: Presets, tmp_path: Path) -> None:
    for name in ("held_out.jsonl", "manifest.json"):
        (tmp_path / name).write_text("")
    row = '{"kind":"pair","prompt":[{"role":"user","text":"а"}],"chosen":"б","rejected":"в"}\n'
    (tmp_path / "train.jsonl").write_text(row, encoding="utf-8")
    with pytest.raises(RecipeError, match=r"train\.jsonl has rows of kind 'pair', sft learns from 'answer'"):
        beforehand.check_rows("sft", _sft(data=tmp_path), presets)
    with pytest.raises(RecipeError, match="holds no prepared set"):
        beforehand.check_rows("sft", _sft(data=tmp_path / "absent"), presets)


def test_an_earlier_run_and_a_missing_reward_are_told(presets: Presets, source: Source, tmp_path: Path) -> None:
    run = tmp_path / "runs" / "sft-early"
    run.mkdir(parents=True)
    (run / "metrics.jsonl").write_text("{}\n")
    with pytest.raises(FileExistsError, match="continue it with --resume"):
        beforehand.check("sft", _sft(), tmp_path, presets, resume=False)
    keys = {"name": "early", "base": STARTER, "steps": 1, "data": source(ANSWERS), "reward": {"model": tmp_path}}
    recipe = RlhfRecipe.model_validate({**keys, "rows": 4, "rollout": 8})
    with pytest.raises(RecipeError, match=r"reward\.model: .* holds no model"):
        beforehand.check("rlhf", recipe, tmp_path, presets, resume=False)


def test_pre_training_names_the_file_that_it_lacks(presets: Presets, tmp_path: Path) -> None:
    keys = {"name": "early", "data": tmp_path, "steps": 1, "final_mix": {"seed": 1}}
    with pytest.raises(FileNotFoundError, match=r"anekdots\.jsonl\.xz is missing"):
        beforehand.check(
            "pretrain", PretrainRecipe.model_validate({**keys, "mix": {"anekdots": 1}}), tmp_path, presets, False
        )
    with pytest.raises(RecipeError, match="no source called anekdoty; there are short_sentences"):
        beforehand.check(
            "pretrain", PretrainRecipe.model_validate({**keys, "mix": {"anekdoty": 1}}), tmp_path, presets, False
        )


def test_every_method_is_known_or_reads_no_recipe_of_data() -> None:
    assert set(METHODS) - set(beforehand.LEARNS) == {"pretrain", "starter", "starter_classifier", "reader"}
