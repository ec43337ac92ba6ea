"""A GGUF file read back: every tensor, size and token is what the model has, in the place where llama.cpp looks."""

from __future__ import annotations

import json
import stat
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf import GGUFReader, dequantize
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, GPT2Config, LlamaConfig, MistralConfig, Qwen2Config

from models.prompt import FALLBACK_TEMPLATE
from models.settings import STARTER
from tests.models import tiny
from tests.training.export.families import FAMILIES, save_model, tokenizer
from training.export import shape
from training.export.commands import main
from training.export.errors import OutputExists, SourceUnusable, ToolMissing, Unsupported
from training.export.gguf_file import export
from training.export.quantizing import PROGRAM
from training.export.templates import without_generation_tags


def value(reader: GGUFReader, key: str) -> Any:
    return reader.fields[key].contents()


def numbers(reader: GGUFReader) -> dict[str, np.ndarray[Any, Any]]:
    """Tensors by name, as float32 in their logical shape."""
    found = {}
    for tensor in reader.tensors:
        rows = dequantize(tensor.data, tensor.tensor_type)
        found[tensor.name] = rows.reshape(tuple(int(size) for size in tensor.shape[::-1]))
    return found


def written(folder: Path, out: Path, kind: str = "f32", **settings: Any) -> GGUFReader:
    export(folder, out, kind, named="test/model", **settings)
    return GGUFReader(out)


@pytest.mark.parametrize("family", FAMILIES)
def test_tensors_are_the_models_own(family: str, tmp_path: Path) -> None:
    folder = save_model(family, tmp_path / "model")
    found = numbers(written(folder, tmp_path / "out.gguf"))
    own = load_file(folder / "model.safetensors")
    np.testing.assert_array_equal(found["token_embd.weight"], own["model.embed_tokens.weight"].numpy())
    np.testing.assert_array_equal(found["blk.2.ffn_down.weight"], own["model.layers.2.mlp.down_proj.weight"].numpy())
    np.testing.assert_array_equal(found["blk.1.attn_norm.weight"], own["model.layers.1.input_layernorm.weight"].numpy())
    assert ("output.weight" in found) == ("lm_head.weight" in own) == (family in ("llama2", "mistral"))
    q = own["model.layers.0.self_attn.q_proj.weight"].numpy()
    if family == "qwen2":
        np.testing.assert_array_equal(found["blk.0.attn_q.weight"], q)
        np.testing.assert_array_equal(found["blk.0.attn_k.bias"], own["model.layers.0.self_attn.k_proj.bias"].numpy())
    else:
        # llama.cpp rotates neighbours: row 1 of each head is what transformers pairs with row 0.
        np.testing.assert_array_equal(found["blk.0.attn_q.weight"][0], q[0])
        np.testing.assert_array_equal(found["blk.0.attn_q.weight"][1], q[q.shape[0] // 4 // 2])
        assert {tuple(row) for row in found["blk.0.attn_q.weight"]} == {tuple(row) for row in q}
    assert ("rope_freqs.weight" in found) == (family == "llama3")


def test_metadata_tells_llama_cpp_what_it_needs(tmp_path: Path) -> None:
    reader = written(save_model("mistral", tmp_path / "model"), tmp_path / "out.gguf", "f16")
    sizes = {key: value(reader, f"llama.{key}") for key in ("block_count", "embedding_length", "feed_forward_length")}
    assert sizes == {"block_count": 3, "embedding_length": 64, "feed_forward_length": 128}
    assert value(reader, "llama.attention.head_count_kv") == 2
    assert value(reader, "llama.attention.key_length") == value(reader, "llama.rope.dimension_count") == 32
    assert value(reader, "llama.context_length") == 256  # its window: llama.cpp has none for this family
    assert value(reader, "tokenizer.ggml.model") == "llama"
    assert value(reader, "tokenizer.ggml.add_bos_token") is True
    assert value(reader, "general.file_type") == 1
    assert value(reader, "tokenizer.chat_template") == tokenizer("mistral").chat_template


def test_starter_file_carries_adapter_sampling_and_provenance(tmp_path: Path, merged_starter: Path) -> None:
    reader = written(STARTER / "base", tmp_path / "out.gguf", adapter=STARTER / "adapter")
    merged, base = load_file(merged_starter / "model.safetensors"), numbers(reader)
    np.testing.assert_array_equal(base["blk.3.ffn_up.weight"], merged["model.layers.3.mlp.up_proj.weight"].numpy())
    assert value(reader, "general.name") == "test/model + adapter"
    origin = json.loads(value(reader, "otklik.provenance"))
    assert origin["adapter"]["rank"] == 32
    own = json.loads((STARTER / "base" / "generation_config.json").read_text())
    assert value(reader, "general.sampling.temp") == pytest.approx(own["temperature"])
    assert value(reader, "general.sampling.top_p") == pytest.approx(own["top_p"])
    assert value(reader, "tokenizer.chat_template") == AutoTokenizer.from_pretrained(STARTER / "base").chat_template


def test_rounding_stays_within_a_block_of_q8_0(tmp_path: Path) -> None:
    folder = save_model("qwen2", tmp_path / "model")
    full = numbers(written(folder, tmp_path / "f32.gguf"))
    small = numbers(written(folder, tmp_path / "q8.gguf", "q8_0"))
    for name, wanted in full.items():
        if wanted.ndim == 1:
            np.testing.assert_array_equal(small[name], wanted)
        else:
            step = np.abs(wanted).reshape(-1, 32).max(-1) / 127
            error = np.abs(small[name] - wanted).reshape(-1, 32).max(-1)
            # Half a step, and the step itself is kept in float16.
            assert (error <= step * 0.57).all(), name
    assert (tmp_path / "q8.gguf").stat().st_size < (tmp_path / "f32.gguf").stat().st_size / 2


def test_weights_beyond_float16_are_refused(tmp_path: Path) -> None:
    folder, out = save_model("llama2", tmp_path / "model"), tmp_path / "out.gguf"
    tensors = load_file(folder / "model.safetensors")
    tensors["lm_head.weight"][0, 0] = 1e6
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(Unsupported, match=r"lm_head\.weight.*bf16"):
        export(folder, out, "f16", named="x")
    assert not out.exists()
    export(folder, out, "bf16", named="x")


def test_rows_that_blocks_do_not_divide_stay_in_float16(tmp_path: Path) -> None:
    from tests.training.export import families

    odd = {**families.SHAPE, "intermediate_size": 100}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(families, "SHAPE", odd)
        folder = save_model("llama2", tmp_path / "model")
    reader = written(folder, tmp_path / "out.gguf", "q8_0")
    types = {tensor.name: tensor.tensor_type.name for tensor in reader.tensors}
    assert types["blk.0.ffn_down.weight"] == "F16"
    assert types["blk.0.ffn_up.weight"] == "Q8_0"
    assert types["output_norm.weight"] == "F32"


def test_model_without_a_template_brings_ours(tmp_path: Path) -> None:
    folder = save_model("llama2", tmp_path / "model")
    (folder / "chat_template.jinja").unlink()
    assert value(written(folder, tmp_path / "out.gguf"), "tokenizer.chat_template") == FALLBACK_TEMPLATE


def test_training_marks_leave_the_template_and_change_no_text(tmp_path: Path) -> None:
    made = tokenizer("qwen2")
    plain = without_generation_tags(made.chat_template)
    assert "generation %}" not in plain
    dialogue = [{"role": role, "content": f"текст {role}"} for role in ("user", "assistant", "user")]
    for template in (made.chat_template, "a\n{%- generation -%}\n b \n{% endgeneration %}\n c", "x{% generation %}y"):
        closed = template + ("{% endgeneration %}" if template.startswith("x") else "")
        texts = {
            made.apply_chat_template(dialogue, chat_template=one, tokenize=False, add_generation_prompt=True)
            for one in (closed, without_generation_tags(closed))
        }
        assert len(texts) == 1


def test_k_quants_go_through_llama_cpps_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in that notes how it was called, since the real one is optional."""
    program = tmp_path / "bin" / PROGRAM
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\nimport shutil, sys\n"
        f"open({str(tmp_path / 'called')!r}, 'w').write(sys.argv[3])\nshutil.copy(sys.argv[1], sys.argv[2])\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(program.parent))
    folder = save_model("llama2", tmp_path / "model")
    arguments = ["gguf", "--model", str(folder), "--type", "q4_k_m", "--out", str(tmp_path / "out" / "small.gguf")]
    assert main(arguments) == 0
    assert (tmp_path / "called").read_text() == "Q4_K_M"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["small.gguf"]
    assert GGUFReader(tmp_path / "out" / "small.gguf").tensors[0].tensor_type.name == "F32"


def test_failed_and_missing_quantizers_are_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, program = save_model("llama2", tmp_path / "model"), tmp_path / "bin" / PROGRAM
    arguments = ["gguf", "--model", str(folder), "--type", "q4_k_m", "--out", str(tmp_path / "out" / "small.gguf")]
    monkeypatch.setenv("PATH", str(program.parent))
    monkeypatch.setattr("training.export.quantizing.find_spec", lambda _: None)
    assert main(arguments) == 2
    assert PROGRAM in capsys.readouterr().err
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable}\nimport sys\nsys.exit('no such type')\n")
    program.chmod(0o755)
    assert main(arguments) == 2
    assert "no such type" in capsys.readouterr().err
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("config", "named"),
    [
        (GPT2Config(), "gpt2"),
        (LlamaConfig(hidden_act="gelu"), "gelu"),
        (LlamaConfig(rope_parameters={"rope_type": "dynamic", "rope_theta": 1e4, "factor": 2.0}), "dynamic"),
    ],
)
def test_what_llama_cpp_computes_otherwise_is_refused(config: Any, named: str) -> None:
    with pytest.raises(Unsupported, match=named):
        shape.of(config)


def test_scaled_positions_have_llama_cpps_names() -> None:
    yarn = {"rope_type": "yarn", "rope_theta": 1e6, "factor": 4.0, "original_max_position_embeddings": 32768}
    assert shape.of(Qwen2Config(rope_parameters=yarn)).scaling == {"type": "yarn", "factor": 4.0, "original": 32768}
    linear = LlamaConfig(rope_parameters={"rope_type": "linear", "rope_theta": 1e4, "factor": 2.0})
    assert shape.of(linear).scaling == {"type": "linear", "factor": 2.0}


def test_llama3_factors_by_hand() -> None:
    """theta 10000, head of 4: waves of 2π and 200π tokens; L = 64 with low 1 and high 4 puts them at the two ends."""
    rope = {"rope_theta": 1e4, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
    assert shape.llama3_factors({**rope, "original_max_position_embeddings": 64}, 4) == (1.0, 8.0)
    # L = 400π puts the second at s = (2 - 1) / 3.
    middle = shape.llama3_factors({**rope, "original_max_position_embeddings": 400 * np.pi}, 4)[1]
    assert middle == pytest.approx(1 / ((2 / 3) / 8 + 1 / 3))


def test_windows_that_are_off_do_not_count() -> None:
    assert shape.of(Qwen2Config(sliding_window=64, use_sliding_window=False)).context == 32768
    assert shape.of(MistralConfig(sliding_window=None, max_position_embeddings=512)).context == 512


def test_pairs_of_a_head_become_neighbours() -> None:
    rows = torch.arange(8)[:, None]
    assert shape.interleaved(rows, 2)[:, 0].tolist() == [0, 2, 1, 3, 4, 6, 5, 7]
    assert shape.interleaved(rows[:, 0], 2).tolist() == [0, 2, 1, 3, 4, 6, 5, 7]  # a bias


def test_sentencepiece_file_without_its_readers_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = save_model("llama2", tmp_path / "model")
    (folder / "tokenizer.json").rename(folder / "tokenizer.model")
    monkeypatch.setattr("training.export.gguf_file.find_spec", lambda _: None)
    with pytest.raises(ToolMissing, match="sentencepiece protobuf"):
        export(folder, tmp_path / "out.gguf", "f16", named="x")


def test_nothing_is_replaced_or_left_behind(tmp_path: Path) -> None:
    out = tmp_path / "out" / "model.gguf"
    with pytest.raises(Unsupported, match="gpt2"):
        export(tiny.save_model("gpt2", tmp_path / "gpt2"), out, "f16", named="x")
    with pytest.raises(SourceUnusable, match="tokenizer"):
        broken = tiny.save_model("llama", tmp_path / "llama")
        (broken / "tokenizer.json").write_text("{")
        export(broken, out, "f16", named="x")
    assert not out.parent.exists()
    out.parent.mkdir()
    out.write_text("precious")
    with pytest.raises(OutputExists):
        export(STARTER / "base", out, "f16", named="x")
    assert out.read_text() == "precious"
