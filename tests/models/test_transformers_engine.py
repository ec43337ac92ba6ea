"""The engine gives every row the text that the model's own `generate` gives it alone, whatever shares its batch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from models.engine import Engine, Finished, Row
from models.engines.transformers import TransformersEngine, load_base
from models.prompt import Prompt, render
from models.settings import ModelsSettings
from storage.contracts import Sampling, Turn
from storage.presets import load_presets
from tests.models.tiny import FAMILIES, save_adapter, save_model

# PEFT 0.21 still asks transformers 5.23 by the old name.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")

PRESETS = load_presets()
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


def reference(root: Path, text: str, adapter: str | None, sampling: Sampling = GREEDY) -> str:
    """The library's own generation of one prompt."""
    model: Any = AutoModelForCausalLM.from_pretrained(root / "base")
    if adapter:
        model = PeftModel.from_pretrained(model, root / adapter)
    tokens = AutoTokenizer.from_pretrained(root / "base")
    ids = tokens(render(tokens, prompt(text), PRESETS), add_special_tokens=False, return_tensors="pt")
    with torch.inference_mode():
        output = model.generate(
            **ids,
            do_sample=False,
            max_new_tokens=sampling.max_new_tokens,
            repetition_penalty=sampling.repetition_penalty,
        )
    return str(tokens.decode(output[0, ids["input_ids"].shape[1] :], skip_special_tokens=True)).strip()


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
