"""The GGUF files in llama.cpp itself: the same tokens in, the same greedy tokens out as from transformers.

Collected only where llama-cpp-python is installed (extra `llama`; see conftest.py): it compiles for minutes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from models.engines.prompts import encode, end_tokens
from models.prompt import render, render_plain
from models.settings import STARTER
from storage.contracts import Turn
from storage.presets import Presets
from tests.training.export.conftest import prompts
from tests.training.export.families import FAMILIES, save_model
from training.export.commands import main
from training.export.vocabulary import begins_texts

pytestmark = [pytest.mark.llama, pytest.mark.slow]

NEW = 24
DIALOGUES: tuple[tuple[str, ...], ...] = (
    ("Привет! Как дела?",),
    ("Я  боюсь темноты,\n123 раза…",),
    ("Съешь ещё булок 😊", "Съем, спасибо!", "Тогда и чаю?"),
)


@contextmanager
def loaded(path: Path, **settings: Any) -> Iterator[Any]:
    """A GGUF file in llama.cpp on one thread, its cache in float32 as transformers has it."""
    import llama_cpp

    model = llama_cpp.Llama(
        str(path), n_ctx=256, n_threads=1, n_threads_batch=1, type_k=0, type_v=0, verbose=False, **settings
    )
    try:
        yield model
    finally:
        model.close()


def turns(texts: tuple[str, ...]) -> tuple[Turn, ...]:
    return tuple(Turn(role="assistant" if at % 2 else "user", text=text) for at, text in enumerate(texts))


def greedy(model: Any, ids: list[int], ends: frozenset[int]) -> list[int]:
    with torch.no_grad():
        made = model.generate(
            torch.tensor([ids]),
            attention_mask=torch.ones(1, len(ids), dtype=torch.long),
            do_sample=False,
            max_new_tokens=NEW,
            eos_token_id=sorted(ends),
            pad_token_id=0,
            temperature=None,
            top_p=None,
        )
    return made[0, len(ids) :].tolist()  # type: ignore[no-any-return]


def greedy_llama(model: Any, ids: list[int], ends: frozenset[int]) -> list[int]:
    model.reset()
    found: list[int] = []
    for token in model.generate(ids, temp=0.0, top_k=1, repeat_penalty=1.0):
        found.append(token)
        if token in ends or len(found) == NEW:
            break
    return found


def test_starter_answers_in_llama_cpp_as_in_transformers(
    tmp_path: Path, merged_starter: Path, presets: Presets
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(merged_starter)
    model = AutoModelForCausalLM.from_pretrained(merged_starter)
    ends = end_tokens(tokenizer, model.generation_config)
    for kind in ("f32", "f16"):
        with loaded(starter_file(kind, tmp_path)) as llama:
            for prompt in prompts(presets):
                rendered = render(tokenizer, prompt, presets)
                ids = encode(tokenizer, rendered)
                assert llama.tokenize(rendered.encode(), add_bos=True, special=True) == ids
                assert greedy_llama(llama, ids, ends) == greedy(model, ids, ends)


# Rounded weights may turn a near tie, so the answers of the full model are read, and each next token asked for.
@pytest.mark.parametrize(("kind", "share"), [("bf16", 0.95), ("q8_0", 0.95), ("q4_k_m", 0.8)])
def test_rounded_starter_mostly_continues_as_the_full_one(
    kind: str, share: float, tmp_path: Path, merged_starter: Path, presets: Presets
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(merged_starter)
    model = AutoModelForCausalLM.from_pretrained(merged_starter)
    ends = end_tokens(tokenizer, model.generation_config)
    same = total = 0
    with loaded(starter_file(kind, tmp_path), logits_all=True) as llama:
        for prompt in prompts(presets):
            ids = encode(tokenizer, render(tokenizer, prompt, presets))
            answer = greedy(model, ids, ends)
            llama.reset()
            llama.eval(ids + answer[:-1])
            best = llama.scores[len(ids) - 1 : len(ids) + len(answer) - 1].argmax(-1)
            same, total = same + int((best == answer).sum()), total + len(answer)
    assert same >= share * total


def starter_file(kind: str, folder: Path) -> Path:
    out = folder / f"{kind}.gguf"
    arguments = ["--model", str(STARTER / "base"), "--adapter", str(STARTER / "adapter"), "--type", kind]
    assert main(["gguf", *arguments, "--out", str(out)]) == 0
    return out


def test_starter_tokenizer_is_read_alike_on_all_of_the_seed_corpus(tmp_path: Path) -> None:
    from training.data import seed_corpus

    out = tmp_path / "starter.gguf"
    assert main(["gguf", "--model", str(STARTER / "base"), "--type", "q8_0", "--out", str(out)]) == 0
    tokenizer = AutoTokenizer.from_pretrained(STARTER / "base")
    texts = [row.reply for row in seed_corpus.load()] + ["  a\n\n\tb  ", "it's 100% — «ё»", "1234 567", "😊👍🏽", ""]
    with loaded(out) as llama:
        differ = [
            text
            for text in texts
            if llama.tokenize(text.encode(), add_bos=True, special=True) != encode(tokenizer, text)
        ]
    assert differ == []


YARN = {"rope_type": "yarn", "rope_theta": 500.0, "factor": 4.0, "original_max_position_embeddings": 64}
LINEAR = {"rope_type": "linear", "rope_theta": 500.0, "factor": 2.0}


@pytest.mark.parametrize(
    ("family", "changed"),
    [
        *((family, {}) for family in FAMILIES),
        ("llama2", {"attention_bias": True, "mlp_bias": True}),
        ("llama2", {"rope_parameters": LINEAR}),
        ("qwen2", {"rope_parameters": YARN}),
    ],
)
def test_families_read_and_answer_alike(family: str, changed: dict[str, Any], tmp_path: Path) -> None:
    folder, out = save_model(family, tmp_path / "model", **changed), tmp_path / "model.gguf"
    assert main(["gguf", "--model", str(folder), "--type", "f32", "--out", str(out)]) == 0
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder)
    ends = end_tokens(tokenizer, model.generation_config)
    with loaded(out) as llama:
        for texts in DIALOGUES:
            rendered = render_plain(tokenizer, turns(texts), "Отвечай кратко.")
            ids = encode(tokenizer, rendered)
            # llama.cpp's server takes a template's beginning token away where the file says that it sets one itself.
            text = rendered.removeprefix(tokenizer.bos_token or "") if begins_texts(tokenizer) else rendered
            assert llama.tokenize(text.encode(), add_bos=True, special=True) == ids
            assert greedy_llama(llama, ids, ends) == greedy(model, ids, ends)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_token_that_ends_an_answer_ends_it_there(family: str, tmp_path: Path) -> None:
    import llama_cpp

    folder, out = save_model(family, tmp_path / "model"), tmp_path / "model.gguf"
    assert main(["gguf", "--model", str(folder), "--type", "f16", "--out", str(out)]) == 0
    tokenizer = AutoTokenizer.from_pretrained(folder)
    ends = end_tokens(tokenizer, AutoModelForCausalLM.from_pretrained(folder).generation_config)
    with loaded(out) as llama:
        words = llama_cpp.llama_model_get_vocab(llama.model)
        assert all(llama_cpp.llama_vocab_is_eog(words, end) for end in ends)
