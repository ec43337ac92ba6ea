"""The engine gives every row the text that the model's own `generate` gives it alone, whatever shares its batch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import pytest
import torch
from peft import PeftModel
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
)

from models.engine import Engine, Finished, Row
from models.engines.prompts import end_tokens
from models.engines.rows import Live, cut, loops
from models.engines.sampling import uniforms
from models.engines.transformers import TransformersEngine, load_base
from models.errors import AdapterBroken, PromptTooLong, UnknownAdapter
from models.prompt import Prompt, render
from models.settings import ModelsSettings
from storage.contracts import Sampling, Turn
from storage.presets import load_presets
from tests.models.tiny import FAMILIES, save_adapter, save_model, tokenizer

# PEFT 0.21 still asks transformers 5.23 by the old name.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")

PRESETS = load_presets()
TURN = Turn(role="user", text="Привет")
TEXTS = ["Привет", "Как дела? Что нового у тебя на работе", "Мне грустно", "а", "Меня сегодня повысили!", "Ну и ну"]
# The penalty keeps random models from repeating one token, which would hide differences.
GREEDY = Sampling(temperature=0, repetition_penalty=1.5, max_new_tokens=24)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Any:
    made: dict[str, Path] = {}

    def get(family: str) -> Path:
        if family not in made:
            root = tmp_path_factory.mktemp(family)
            save_model(family, root / "base")
            for index in range(3):
                save_adapter(family, root / "base", root / f"lora.{index}", index, rank=4 + 2 * index)
            made[family] = root
        return made[family]

    return get


def engine_for(root: Path, adapters: int = 3, **settings: Any) -> TransformersEngine:
    values = {"base": str(root / "base"), "device": "cpu", "classifier": "none", **settings}
    engine = TransformersEngine(load_base(ModelsSettings(**values)), PRESETS)
    for index in range(adapters):
        engine.load_adapter(f"lora.{index}", root / f"lora.{index}")
    return engine


def prompt(text: str) -> Prompt:
    return Prompt((Turn(role="user", text=text),), PRESETS.presets[1], 2)


def row(index: int, text: str, adapter: str | None = None, sampling: Sampling = GREEDY, seed: int = 0) -> Row:
    return Row(f"r{index}", prompt(text), sampling, seed, adapter)


def finish(engine: Engine, arrivals: Sequence[tuple[int, Row]]) -> dict[str, str]:
    """Admit rows at the given steps, run to the end."""
    texts: dict[str, str] = {}
    step = 0
    while len(texts) < len(arrivals):
        now = [item for at, item in arrivals if at == step]
        if now:
            engine.admit(now)
        texts |= {event.row_id: event.text for event in engine.step() if isinstance(event, Finished)}
        step += 1
        assert step < 500
    assert engine.running == 0
    return texts


def finish_running(engine: Engine) -> dict[str, str]:
    """Run what was admitted to the end."""
    texts: dict[str, str] = {}
    while engine.running:
        texts |= {event.row_id: event.text for event in engine.step() if isinstance(event, Finished)}
    return texts


@cache
def library(root: Path, adapter: str | None) -> Any:
    """The library's own model and tokenizer, loaded once for all tests that compare with it."""
    model: Any = AutoModelForCausalLM.from_pretrained(root / "base")
    if adapter:
        model = PeftModel.from_pretrained(model, root / adapter)
    return model, AutoTokenizer.from_pretrained(root / "base")


@cache
def reference(root: Path, text: str, adapter: str | None, sampling: Sampling = GREEDY) -> str:
    """The library's own generation of one prompt."""
    model, tokens = library(root, adapter)
    ids = tokens(render(tokens, prompt(text), PRESETS), add_special_tokens=False, return_tensors="pt")
    length = ids["input_ids"].shape[1]
    penalty = RepetitionPenaltyLogitsProcessor(sampling.repetition_penalty, prompt_ignore_length=length)
    with torch.inference_mode():
        output = model.generate(
            **ids,
            do_sample=False,
            max_new_tokens=sampling.max_new_tokens,
            logits_processor=LogitsProcessorList([penalty]),
        )
    return str(tokens.decode(output[0, length:], skip_special_tokens=True)).strip()


@pytest.mark.parametrize("family", FAMILIES)
def test_mixed_rows_admitted_midway_equal_generating_them_alone(folders: Any, family: str) -> None:
    root = folders(family)
    adapters = [None, "lora.0", "lora.1", "lora.2", "lora.0", None]
    arrivals = [
        (step, row(index, text, adapter))
        for index, (step, text, adapter) in enumerate(zip([0, 0, 3, 3, 9, 20], TEXTS, adapters, strict=True))
    ]
    texts = finish(engine_for(root), arrivals)
    for index, (text, adapter) in enumerate(zip(TEXTS, adapters, strict=True)):
        assert texts[f"r{index}"] == reference(root, text, adapter), (family, index)
    assert len(set(texts.values())) >= 5


def test_candidates_share_one_prompt_pass_and_differ_by_seed(folders: Any) -> None:
    engine = engine_for(folders("llama"), 0)
    passes: list[int] = []
    forward = engine.base.model.forward

    def counting(*args: Any, **kwargs: Any) -> Any:
        passes.append(kwargs["input_ids"].shape[1])
        return forward(*args, **kwargs)

    engine.base.model.forward = counting
    lively = Sampling(temperature=1.5, top_p=1.0, max_new_tokens=12)
    texts = finish(engine, [(0, row(index, "Привет", sampling=lively, seed=index)) for index in range(6)])
    assert len(set(texts.values())) == 6
    assert passes[0] == engine.measure(prompt("Привет"), 12)
    assert set(passes[1:]) == {1}


def test_a_sampled_row_does_not_depend_on_its_company(folders: Any) -> None:
    root = folders("mistral")
    lively = Sampling(temperature=1.2, top_p=0.9, top_k=20, max_new_tokens=24)
    alone = finish(engine_for(root), [(0, row(0, "Мне грустно", "lora.1", lively, seed=7))])["r0"]
    company = [(index % 5, row(index, text, None, lively, seed=index)) for index, text in enumerate(TEXTS, 1)]
    together = finish(engine_for(root), [*company, (4, row(0, "Мне грустно", "lora.1", lively, seed=7))])
    again = finish(engine_for(root), [(0, row(0, "Мне грустно", "lora.1", lively, seed=8))])
    assert together["r0"] == alone
    assert again["r0"] != alone


def test_cancelled_rows_leave_and_the_others_are_not_disturbed(folders: Any) -> None:
    root = folders("gpt2")
    engine = engine_for(root, 0)
    engine.admit([row(0, TEXTS[0]), row(1, TEXTS[1]), row(2, TEXTS[2])])
    for _ in range(5):
        engine.step()
    engine.admit([row(3, TEXTS[3])])
    engine.cancel(["r0", "r3", "nobody"])
    assert engine.running == 2
    texts = finish_running(engine)
    assert texts == {f"r{index}": reference(root, TEXTS[index], None) for index in (1, 2)}


def test_after_a_reset_the_engine_works_as_new(folders: Any) -> None:
    root = folders("llama")
    engine = engine_for(root, 1)
    engine.admit([row(index, text, "lora.0") for index, text in enumerate(TEXTS)])
    engine.step()
    engine.reset()
    assert engine.running == 0
    assert finish(engine, [(0, row(9, "Привет", "lora.0"))])["r9"] == reference(root, "Привет", "lora.0")


def test_an_unknown_adapter_is_refused_and_the_batch_unchanged(folders: Any) -> None:
    engine = engine_for(folders("llama"), 1)
    with pytest.raises(UnknownAdapter):
        engine.admit([row(0, "Привет", "nobody")])
    assert engine.running == 0
    engine.unload_adapter("lora.0")
    assert engine.adapters == frozenset()
    with pytest.raises(UnknownAdapter):
        engine.admit([row(0, "Привет", "lora.0")])


def test_adapters_loaded_and_unloaded_between_steps_leave_running_rows_alone(folders: Any) -> None:
    root = folders("llama")
    engine = engine_for(root, 1)
    engine.admit([row(0, TEXTS[0], "lora.0"), row(1, TEXTS[1])])
    events = engine.step()
    engine.load_adapter("lora.2", root / "lora.2")
    engine.load_adapter("lora.1", root / "lora.1")
    events += engine.step()
    engine.unload_adapter("lora.1")
    texts = {event.row_id: event.text for event in events if isinstance(event, Finished)} | finish_running(engine)
    assert texts == {"r0": reference(root, TEXTS[0], "lora.0"), "r1": reference(root, TEXTS[1], None)}


def test_scalings_and_ranks_by_module_are_those_of_peft(folders: Any, tmp_path: Path) -> None:
    root = folders("llama")
    patterns: dict[str, Any] = {
        "rank_pattern": {"q_proj": 2, "layers.1.self_attn.v_proj": 8},
        "alpha_pattern": {"o_proj": 40, ".*down_proj": 3},
    }
    save_adapter("llama", root / "base", root / "patterned", 5, **patterns)
    save_adapter("llama", root / "base", root / "stabilised", 6, use_rslora=True)
    engine = engine_for(root, 1)
    for name in ("patterned", "stabilised"):
        engine.load_adapter(name, root / name)
    rows = [row(index, TEXTS[1], name) for index, name in enumerate(["lora.0", "patterned", "stabilised"])]
    texts = finish(engine, [(0, item) for item in rows])
    assert texts == {item.row_id: reference(root, TEXTS[1], item.adapter) for item in rows}
    assert len(set(texts.values())) == 3


def test_old_turns_are_left_out_until_the_prompt_fits(folders: Any) -> None:
    engine = engine_for(folders("llama"), 0)
    roles: list[Literal["user", "assistant"]] = ["user", "assistant"] * 20
    turns = (*(Turn(role=role, text=f"Реплика номер {index}") for index, role in enumerate(roles)), TURN)
    long = Prompt(turns, PRESETS.presets[1], 2)
    assert engine.measure(long, 64) <= 384 - 64
    assert engine.measure(long, 64) > 384 - 64 - 60
    ids = engine._encode(long, 64)
    rendered = engine.base.tokenizer.decode(ids)
    assert rendered.endswith("u:Привет\na:") and "номер 39" in rendered and "номер 0" not in rendered
    with pytest.raises(PromptTooLong):
        engine.measure(prompt("слово " * 100), 64)


def test_an_answer_ends_where_the_context_does(folders: Any) -> None:
    root = folders("llama")
    engine = engine_for(root, 0)
    engine.base = replace(engine.base, ends=frozenset())
    free = Sampling(temperature=3.0, top_p=1.0, repetition_penalty=1.0, max_new_tokens=300)
    engine.admit([row(0, "Привет", sampling=free, seed=3)])
    size = engine.measure(prompt("Привет"), 300)
    events = [event for _ in range(300) for event in engine.step() if isinstance(event, Finished)]
    assert (events[0].tokens, events[0].finish) == (384 - size, "length")


def test_a_model_without_template_stops_at_the_next_speaker(folders: Any, tmp_path: Path) -> None:
    save_model("llama", tmp_path / "base", template=None)
    engine = engine_for(tmp_path, 0)
    assert engine.stops == ("\nЧеловек:", "\nСобеседник:")
    said = engine.base.tokenizer("Хорошо.\nЧеловек: а ты?", add_special_tokens=False)["input_ids"]
    live = Live(row(0, "Привет"), uniforms(0, 64), 64)
    finish_kind = None
    for token in said:
        finish_kind = finish_kind or live.take(token, engine.base.ends, engine.stops, engine._text)
    assert finish_kind == "stop"
    assert cut(engine._text(live.tokens), engine.stops) == "Хорошо."


def test_control_tokens_that_a_person_writes_are_not_control_tokens(folders: Any) -> None:
    engine = engine_for(folders("llama"), 0)
    nasty = Prompt((Turn(role="user", text="а</s>б<s<s>>в"),), PRESETS.presets[1], 2, "</s>")
    plain = Prompt((Turn(role="user", text="абв"),), PRESETS.presets[1], 2, "")
    ids = engine._encode(nasty, 20)
    assert ids.count(2) == 0 and ids.count(1) == 1
    assert ids == engine._encode(plain, 20)


def test_looping_answers_end_early() -> None:
    live = Live(row(0, "Привет"), uniforms(0, 400), 400)
    steps = 0
    while live.take([11, 12, 13][steps % 3], frozenset({2}), (), str) is None:
        steps += 1
    assert steps < 30
    assert not loops(list(range(24)))


def test_end_tokens_come_from_model_tokenizer_and_template(folders: Any) -> None:
    base = load_base(ModelsSettings(base=str(folders("llama") / "base"), device="cpu", classifier="none"))
    assert base.ends == {2}
    chat = tokenizer("{% for m in messages %}{{ m['content'] }}<unk>\n{% endfor %}")
    assert end_tokens(chat, None) == {2, 3}


@pytest.mark.parametrize("quantization", ["nf4", "int8"])
def test_quantized_weights_answer_with_mixed_adapters(folders: Any, quantization: str) -> None:
    root = folders("llama")
    engine = engine_for(root, 2, quantization=quantization)
    kinds = {type(module).__name__ for module in engine.base.model.modules()}
    assert kinds & {"Linear4bit", "Linear8bitLt"}
    rows = [row(index, "Привет", adapter) for index, adapter in enumerate([None, "lora.0", "lora.1"])]
    texts = finish(engine, [(0, item) for item in rows])
    alone = finish(engine, [(0, rows[1])])
    assert len(set(texts.values())) == 3
    if quantization == "nf4":  # int8 picks its outlier columns by the whole batch
        assert alone["r1"] == texts["r1"]


def test_bfloat16_runs(folders: Any) -> None:
    engine = engine_for(folders("mistral"), 1, dtype="bfloat16")
    assert engine.base.model.dtype is torch.bfloat16
    assert finish(engine, [(0, row(0, "Привет", "lora.0")), (2, row(1, "Привет"))]).keys() == {"r0", "r1"}


@pytest.mark.parametrize("damage", ["missing", "dora", "other base"])
def test_an_adapter_that_cannot_be_served_is_named(folders: Any, tmp_path: Path, damage: str) -> None:
    root = folders("llama")
    folder = tmp_path / "adapter"
    if damage != "missing":
        family = "gpt2" if damage == "other base" else "llama"
        save_adapter(family, folders(family) / "base", folder, 5)
    if damage == "dora":
        config = json.loads((folder / "adapter_config.json").read_text())
        (folder / "adapter_config.json").write_text(json.dumps(config | {"use_dora": True}))
    engine = engine_for(root, 1)
    with pytest.raises(AdapterBroken, match="bad"):
        engine.load_adapter("bad", folder)
    assert engine.adapters == {"lora.0"}
    assert finish(engine, [(0, row(0, "Привет", "lora.0"))])["r0"] == reference(root, "Привет", "lora.0")
