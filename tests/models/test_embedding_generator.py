"""The worker's engine answers with embedding generators beside LoRA adapters, row by row."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from models.engine import Finished, Row
from models.engines.embedding_generator import (
    EmbeddingGenerator,
    GeneratorConfig,
    base_mark,
    is_generator,
    load_generator,
    row_noise,
    save_generator,
)
from models.engines.transformers import TransformersEngine, load_base
from models.errors import AdapterBroken
from models.prompt import Prompt
from models.settings import ModelsSettings
from storage.contracts import Sampling, Turn
from storage.presets import load_presets
from tests.models.tiny import FAMILIES, save_adapter, save_model

PRESETS = load_presets()
GREEDY = Sampling(temperature=0, repetition_penalty=1.5, max_new_tokens=20)


@pytest.fixture(scope="module", params=FAMILIES)
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(request.param, tmp_path_factory.mktemp(request.param) / "base")


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model("gpt2", tmp_path_factory.mktemp("gpt2") / "base")


def engine_for(base: Path, dtype: str = "float32") -> TransformersEngine:
    return TransformersEngine(load_base(ModelsSettings(base=str(base), dtype=dtype)), PRESETS)


def save(engine: TransformersEngine, folder: Path, *, noisy: bool = False, seed: int = 0) -> EmbeddingGenerator:
    """A random generator with a visible effect, saved for the engine's base."""
    torch.manual_seed(seed)
    model = engine.base.model
    size = model.get_input_embeddings().weight.shape[1]
    generator = EmbeddingGenerator(size, 100, scale=40.0)
    config = GeneratorConfig(size, 100, engine.base_model, base_mark(model), sampled_noise=noisy)
    save_generator(folder, generator, config)
    return generator


def row(name: str, adapter: str | None, text: str = "Привет, как дела?", seed: int = 1) -> Row:
    prompt = Prompt((Turn(role="user", text=text),), PRESETS.presets[0], 2)
    return Row(name, prompt, GREEDY, seed, adapter)


def answers(engine: TransformersEngine, *rows: Row) -> dict[str, str]:
    engine.admit(rows)
    found: dict[str, str] = {}
    while engine.running:
        found |= {event.row_id: event.text for event in engine.step() if isinstance(event, Finished)}
    return found


def by_hand(engine: TransformersEngine, generator: EmbeddingGenerator, one: Row, noise: Tensor) -> str:
    """Greedy decoding without a cache, the generator called by its own name."""
    base = engine.base
    begin = engine._encode(one.prompt, one.sampling.max_new_tokens)
    ids = list(begin)
    while len(ids) - len(begin) < one.sampling.max_new_tokens:
        embeddings = base.model.get_input_embeddings()(torch.tensor([ids]))
        with torch.no_grad():
            shaped = generator(embeddings, noise.expand(1, len(ids), -1))
            logits = base.model(inputs_embeds=shaped).logits[0, -1]
        for token in set(ids[len(begin) :]):
            logits[token] = logits[token] / 1.5 if logits[token] > 0 else logits[token] * 1.5
        token = int(logits.argmax())
        if token in base.ends:
            break
        ids.append(token)
    return str(base.tokenizer.decode(ids[len(begin) :], skip_special_tokens=True)).strip()


def test_the_engine_says_what_the_generator_makes_of_the_base(base: Path, tmp_path: Path) -> None:
    engine = engine_for(base)
    generator = save(engine, tmp_path / "gan")
    expected = by_hand(engine, generator, row("x", None), torch.zeros(100))
    plain = answers(engine, row("plain", None))["plain"]
    engine.load_adapter("gan", tmp_path / "gan")
    found = answers(engine, row("tuned", "gan"), row("plain", None), row("other", "gan", "Мне грустно"))
    assert found["tuned"] == expected
    assert found["plain"] == plain != found["tuned"]


def test_rows_of_lora_generator_and_base_share_a_batch(gpt2: Path, tmp_path: Path) -> None:
    engine = engine_for(gpt2)
    save(engine, tmp_path / "gan", noisy=True)
    save(engine, tmp_path / "second", seed=7)
    engine.load_adapter("gan", tmp_path / "gan")
    engine.load_adapter("second", tmp_path / "second")
    engine.load_adapter("lora", save_adapter("gpt2", gpt2, tmp_path / "lora", seed=3))
    assert engine.adapters == {"gan", "second", "lora"}
    rows = [row(str(index), name) for index, name in enumerate(["gan", None, "lora", "gan", "second", "lora"])]
    alone = {one.row_id: answers(engine, one)[one.row_id] for one in rows}
    assert answers(engine, *rows) == alone
    assert len({alone["0"], alone["1"], alone["2"], alone["4"]}) == 4


def test_with_noise_off_an_answer_depends_on_nothing_but_the_prompt(gpt2: Path, tmp_path: Path) -> None:
    engine = engine_for(gpt2)
    save(engine, tmp_path / "gan")
    engine.load_adapter("gan", tmp_path / "gan")
    found = answers(engine, *(row(str(seed), "gan", seed=seed) for seed in range(6)))
    assert len(set(found.values())) == 1


def test_with_noise_on_candidates_differ_and_a_seed_repeats_its_answer(gpt2: Path, tmp_path: Path) -> None:
    engine = engine_for(gpt2)
    generator = save(engine, tmp_path / "gan", noisy=True)
    expected = by_hand(engine, generator, row("x", None), row_noise(2, 100))
    engine.load_adapter("gan", tmp_path / "gan")
    rows = [row(str(seed), "gan", seed=seed) for seed in range(6)]
    found = answers(engine, *rows)
    assert len(set(found.values())) > 2
    assert found["2"] == expected  # greedy, so noise alone makes the difference, and the same on every pass
    assert answers(engine, *reversed(rows)) == found


def test_an_unloaded_generator_is_gone(gpt2: Path, tmp_path: Path) -> None:
    engine = engine_for(gpt2)
    plain = answers(engine, row("a", None))
    save(engine, tmp_path / "gan")
    engine.load_adapter("gan", tmp_path / "gan")
    answers(engine, row("a", "gan"))
    engine.unload_adapter("gan")
    assert engine.adapters == frozenset()
    assert answers(engine, row("a", None)) == plain


def test_a_base_in_reduced_precision_is_the_same_base(gpt2: Path, tmp_path: Path) -> None:
    save(engine_for(gpt2), tmp_path / "gan")
    for dtype in ("bfloat16", "float16"):
        engine = engine_for(gpt2, dtype)
        engine.load_adapter("gan", tmp_path / "gan")
        assert answers(engine, row("a", "gan"))["a"]


def test_a_generator_of_another_base_is_refused(gpt2: Path, tmp_path: Path) -> None:
    other = engine_for(save_model("gptj", tmp_path / "other"))
    save(other, tmp_path / "gan")
    with pytest.raises(AdapterBroken, match="not the base model that is loaded"):
        engine_for(gpt2).load_adapter("gan", tmp_path / "gan")


@pytest.mark.parametrize("damage", ["weights", "config", "format"])
def test_a_damaged_generator_is_named(gpt2: Path, tmp_path: Path, damage: str) -> None:
    engine = engine_for(gpt2)
    generator = save(engine, tmp_path / "gan")
    if damage == "weights":
        (tmp_path / "gan" / "adapter_model.safetensors").write_bytes(b"x")
    elif damage == "config":
        (tmp_path / "gan" / "adapter_config.json").write_text('{"kind": "gan", "strange": 1}')
    else:
        config = load_generator(tmp_path / "gan")[1]
        save_generator(tmp_path / "gan", generator, replace(config, format=2))
    with pytest.raises(AdapterBroken, match="adapter gan"):
        engine.load_adapter("gan", tmp_path / "gan")
    assert engine.adapters == frozenset()


def test_what_is_saved_is_what_is_loaded(gpt2: Path, tmp_path: Path) -> None:
    generator = save(engine_for(gpt2), tmp_path / "gan", noisy=True)
    assert is_generator(tmp_path / "gan") and not is_generator(gpt2)
    loaded, config = load_generator(tmp_path / "gan")
    assert config.kind == "gan" and config.sampled_noise
    embeddings, noise = torch.randn(2, 3, 32), torch.randn(2, 3, 100)
    assert torch.equal(loaded(embeddings, noise), generator(embeddings, noise))
