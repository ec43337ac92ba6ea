"""Tiny policies with a real tokenizer, and prepared sets made of the seed corpus."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from storage.presets import Preset, Presets
from training.data import seed_corpus, sets
from training.data.rows import Answer
from training.data.seed_corpus import SeedRow
from training.policy import Policy
from training.ppo import Ppo
from training.ppo_keys import PpoKeys

STARTER = Path("models/starter")
WORDS = ("<e>", "<u>", "дом", "лес", "кот", "сон", "мир", "чай", "снег", "друг", "ночь", "река")


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def words() -> Any:
    """A tokenizer of twelve words, the first its end token."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.WordLevel({word: index for index, word in enumerate(WORDS)}, unk_token="<u>"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=core, eos_token="<e>", pad_token="<e>", unk_token="<u>")


@pytest.fixture
def tiny_base() -> Callable[[], Any]:
    def build() -> Any:
        from transformers import LlamaConfig, LlamaForCausalLM

        torch.manual_seed(11)
        config = LlamaConfig(
            vocab_size=len(WORDS),
            hidden_size=32,
            intermediate_size=48,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=64,
            initializer_range=0.2,  # a frozen output layer of the usual 0.02 could not prefer any token
            eos_token_id=0,
            pad_token_id=0,
            bos_token_id=None,
        )
        return LlamaForCausalLM(config)

    return build


@pytest.fixture
def tiny_ppo(tiny_base: Callable[[], Any], words: Any) -> Callable[..., Ppo]:
    """A trainer of a tiny policy; keys of PPO and, of the trainer, whatever is given."""

    def build(start: Path | None = None, recompute: bool = False, ppo: Any = None, **given: Any) -> Ppo:
        from peft import LoraConfig, PeftModel, get_peft_model

        torch.manual_seed(5)
        lora = LoraConfig(r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
        base = tiny_base()
        model = PeftModel.from_pretrained(base, str(start), is_trainable=True) if start else get_peft_model(base, lora)
        keys = {
            "rows": 16,
            "accumulate": 1,
            "temperature": 1.0,
            "coefficient": 0.0,
            "rate": 5e-3,
            "clip": 1.0,
            "weight_decay": 0.0,
            "seed": 3,
            **given,
        }
        return Ppo(Policy(model, words, start, recompute), PpoKeys.model_validate(ppo or {}), **keys)

    return build


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny model of random weights with the starter's tokenizer, as a base's folder."""
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    folder = tmp_path_factory.mktemp("bases") / "tiny"
    torch.manual_seed(7)
    tokenizer = AutoTokenizer.from_pretrained(STARTER / "base")
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=160,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=tokenizer.bos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def answers(rows: list[SeedRow], presets: Presets, emotions: set[str], most: int) -> list[Answer]:
    """Seed rows as rows of a set."""
    found = []
    for row in rows:
        preset = presets.find(row.emotion)
        assert isinstance(preset, Preset)
        if preset.id in emotions:
            found.append(Answer(prompt=row.turns, answer=row.reply, emotion=preset.id, intensity=row.intensity))
    return found[:most]


@pytest.fixture(scope="session")
def neutral_set(tmp_path_factory: pytest.TempPathFactory, seed_rows: list[SeedRow], presets: Presets) -> Path:
    """A few hundred prompts that ask for calm answers."""
    folder = tmp_path_factory.mktemp("sets") / "neutral"
    train, held = seed_corpus.split(seed_rows)
    sets.write(folder, answers(train, presets, {"neutral"}, 300), answers(held, presets, {"neutral"}, 40), {})
    return folder
