"""A merged model answers like its base with the adapter, in every family; what cannot be merged is said plainly."""

from __future__ import annotations

import errno
import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from models.settings import STARTER
from storage.presets import Presets
from tests.models.tiny import FAMILIES, save_adapter, save_model
from tests.training.export.conftest import greedy_answers, prompts
from training.export.commands import main
from training.export.errors import NoSpace, OutputExists, SourceUnusable, Unsupported
from training.export.merge import merge, plan

# PEFT 0.21 still asks transformers 5.23 by the old name.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("mergeable")
    for family in FAMILIES:
        save_model(family, root / family / "base")
        save_adapter(family, root / family / "base", root / family / "lora", 1)
    return root


def adapter_like(source: Path, folder: Path, **changed: Any) -> Path:
    """A copy of an adapter with other settings."""
    shutil.copytree(source, folder)
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changed}))
    return folder


def test_worker_answers_from_merged_starter_as_from_base_and_adapter(merged_starter: Path, presets: Presets) -> None:
    asked = prompts(presets)
    separate = greedy_answers(STARTER / "base", STARTER / "adapter", asked, presets)
    assert greedy_answers(merged_starter, None, asked, presets) == separate
    assert greedy_answers(STARTER / "base", None, asked, presets) != separate


def test_stored_precision_is_kept_unless_another_is_named(tmp_path: Path) -> None:
    out = merge(STARTER / "base", STARTER / "adapter", tmp_path / "out", shard=8_000_000)
    assert AutoModelForCausalLM.from_pretrained(out).dtype == torch.bfloat16
    shards = sorted(out.glob("model-*.safetensors"))
    assert len(shards) == 3
    assert {name for shard in shards for name in load_file(shard)} == set(
        json.loads((out / "model.safetensors.index.json").read_text())["weight_map"]
    )
    tokenizer = AutoTokenizer.from_pretrained(out)
    assert tokenizer.chat_template == AutoTokenizer.from_pretrained(STARTER / "base").chat_template


@pytest.mark.parametrize("family", FAMILIES)
def test_merged_logits_are_those_of_peft(family: str, made: Path, tmp_path: Path) -> None:
    base, lora = made / family / "base", made / family / "lora"
    merged = AutoModelForCausalLM.from_pretrained(merge(base, lora, tmp_path / "out", dtype="f32"))
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), lora)
    ids = torch.arange(4, 24)[None]
    with torch.no_grad():
        wanted = model(input_ids=ids).logits
        with model.disable_adapter():
            plain = model(input_ids=ids).logits
        torch.testing.assert_close(merged(input_ids=ids).logits, wanted, rtol=1e-3, atol=1e-3)
    assert (plain - wanted).abs().max() > 0.1


def test_provenance_names_base_adapter_and_run(tmp_path: Path, made: Path) -> None:
    run = tmp_path / "sft-joy"
    shutil.copytree(made / "llama" / "lora", run / "adapter")
    (run / "recipe.yaml").write_text("name: joy\nseed: 7\n")
    (run / "manifest.json").write_text(json.dumps({"data": {"sha256": "abc"}}))
    (run / "metrics.jsonl").write_text('{"step": 1, "loss": 4.0}\n{"step": 2, "loss": 3.0, "eval_loss": 3.5}\n')
    out = merge(made / "llama" / "base", run / "adapter", tmp_path / "out", named="org/base")
    origin = json.loads((out / "provenance.json").read_text())
    assert origin["base"]["name"] == "org/base"
    assert len(origin["adapter"]["weights"]["adapter_model.safetensors"]) == 64
    assert origin["run"]["manifest"] == {"data": {"sha256": "abc"}}
    assert origin["run"]["metrics"] == {"step": 2, "loss": 3.0, "eval_loss": 3.5}
    assert origin["run"]["recipe"]["seed"] == 7


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"use_dora": True}, "use_dora"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"bias": "all"}, "bias"),
        ({"init_lora_weights": "pissa"}, "pissa"),
        ({"peft_type": "IA3"}, "IA3"),
    ],
)
def test_unmergeable_features_are_named(changed: dict[str, Any], named: str, made: Path, tmp_path: Path) -> None:
    lora = adapter_like(made / "llama" / "lora", tmp_path / "lora", **changed)
    with pytest.raises(SourceUnusable, match=named):
        merge(made / "llama" / "base", lora, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_quantized_base_is_refused(made: Path, tmp_path: Path) -> None:
    base = shutil.copytree(made / "llama" / "base", tmp_path / "base")
    config = json.loads((base / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    (base / "config.json").write_text(json.dumps(config))
    with pytest.raises(SourceUnusable, match=r"quantized by bitsandbytes.*full precision"):
        merge(base, made / "llama" / "lora", tmp_path / "out")


def test_adapter_of_another_base_is_refused(made: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceUnusable, match=r"does not have"):
        merge(made / "gpt2" / "base", made / "llama" / "lora", tmp_path / "out")
    with pytest.raises(SourceUnusable, match=r"changes .* of 64×128, but it is 320×832"):
        merge(STARTER / "base", made / "llama" / "lora", tmp_path / "out")


def test_full_disk_is_said_before_anything_is_written(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.export.places.shutil.disk_usage", lambda _: SimpleNamespace(free=10_000_000))
    with pytest.raises(NoSpace, match=r"0\.01 GB free"):
        merge(made / "llama" / "base", made / "llama" / "lora", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("how", [OSError(errno.ENOSPC, "full"), RuntimeError("I/O error: No space left on device")])
def test_disk_that_fills_up_leaves_nothing_behind(
    how: Exception, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise how

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(NoSpace, match="disk is full"):
        merge(made / "llama" / "base", made / "llama" / "lora", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_replaced_unasked(made: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("precious")
    with pytest.raises(OutputExists, match="--force"):
        merge(made / "llama" / "base", made / "llama" / "lora", tmp_path / "out")
    merge(made / "llama" / "base", made / "llama" / "lora", tmp_path / "out", force=True)
    assert not (tmp_path / "out" / "mine").exists()
    assert (tmp_path / "out" / "config.json").is_file()


def test_weights_beyond_float16_are_refused(made: Path, tmp_path: Path) -> None:
    base = shutil.copytree(made / "llama" / "base", tmp_path / "base")
    tensors = load_file(base / "model.safetensors")
    tensors["model.norm.weight"][0] = 1e6
    save_file(tensors, base / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(Unsupported, match=r"model\.norm\.weight.*bf16"):
        merge(base, made / "llama" / "lora", tmp_path / "out", dtype="f16")


def test_broken_adapters_are_not_merged(made: Path, tmp_path: Path) -> None:
    lora = shutil.copytree(made / "llama" / "lora", tmp_path / "lora")
    tensors = load_file(lora / "adapter_model.safetensors")
    next(iter(tensors.values()))[0, 0] = float("nan")
    save_file(tensors, lora / "adapter_model.safetensors")
    with pytest.raises(SourceUnusable, match="NaN"):
        merge(made / "llama" / "base", lora, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_adapter_named_as_a_model_is_recognised(made: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceUnusable, match="--adapter"):
        merge(made / "llama" / "lora", made / "llama" / "lora", tmp_path / "out")


def test_missing_package_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gguf", None)
    assert main(["gguf", "--model", str(STARTER / "base"), "--out", "x.gguf"]) == 2
    assert "gguf" in capsys.readouterr().err


def test_files_are_filled_up_to_the_limit() -> None:
    assert plan({"a": 4, "b": 4, "c": 9, "d": 1}, 8) == [["a", "b"], ["c"], ["d"]]


def test_command_says_why_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["merge", "--base", str(STARTER / "base"), "--adapter", str(tmp_path), "--out", str(tmp_path / "out")]
    assert main(arguments) == 2
    assert "adapter_config.json" in capsys.readouterr().err
    arguments[4] = str(STARTER / "adapter")
    assert main(arguments) == 0
    assert (tmp_path / "out" / "model.safetensors").is_file()


def test_hub_id_out_of_reach_is_explained(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*_: object, **__: object) -> str:
        raise ConnectionError("no route")

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    assert main(["merge", "--base", "org/none", "--adapter", "a", "--out", "b"]) == 2
    assert "hf download" in capsys.readouterr().err
