"""The starter merged with its adapter once for all export tests, and a worker's engine that answers greedily."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest

from models.engine import Finished, Row
from models.engines.transformers import TransformersEngine, load_base
from models.prompt import Prompt
from models.settings import STARTER, ModelsSettings
from storage.contracts import Sampling, Turn
from storage.presets import Presets
from training.export.merge import merge

# llama.cpp's bindings come as source only and compile for minutes: an optional extra, in no ordinary run.
collect_ignore = [] if find_spec("llama_cpp") else ["test_llama_cpp.py"]
TEXTS = ("Привет! Как дела?", "Меня сегодня повысили!", "Мне очень грустно.", "Я боюсь темноты", "Кот опять орёт ночью")


@pytest.fixture(scope="session")
def merged_starter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Base and adapter of the starter in one folder, in float32."""
    out = tmp_path_factory.mktemp("merged") / "starter"
    return merge(STARTER / "base", STARTER / "adapter", out, named="starter", dtype="f32")


def greedy_answers(base: Path, adapter: Path | None, prompts: Sequence[Prompt], presets: Presets) -> list[str]:
    """What the worker answers from this base and adapter, without chance."""
    engine = TransformersEngine(load_base(ModelsSettings(base=str(base), device="cpu", threads=1)), presets)
    if adapter is not None:
        engine.load_adapter("tuned", adapter)
    sampling = Sampling(temperature=0, repetition_penalty=1.2, max_new_tokens=24)
    rows = [Row(str(at), one, sampling, at, "tuned" if adapter else None) for at, one in enumerate(prompts)]
    engine.admit(rows)
    found: dict[str, str] = {}
    while engine.running:
        found |= {event.row_id: event.text for event in engine.step() if isinstance(event, Finished)}
    engine.close()
    return [found[row.row_id] for row in rows]


def prompts(presets: Presets, names: Sequence[str] = ("joy", "sadness")) -> list[Prompt]:
    """Every text with every emotion, at the highest intensity."""
    return [Prompt((Turn(role="user", text=text),), presets.get(name), 3) for text in TEXTS for name in names]
