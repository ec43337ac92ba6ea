"""Judges that are language models: `transformers serve`, and a model loaded here.

The models are tiny and random, so that they hold no verdict: everything but the verdict is real.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import torch
from transformers import LlamaForCausalLM

from tests.models.tiny import config, tokenizer
from tests.training.evaluation.judging.local_server import sample
from training.evaluation.judging.asking import JudgeFailed, TooLong
from training.evaluation.judging.commands import main
from training.evaluation.judging.local import LocalJudge, load
from training.evaluation.judging.settings import JudgeSettings
from training.evaluation.samples import write


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random model with room for a judge's question, a token a letter."""
    folder = tmp_path_factory.mktemp("judge") / "judge"
    torch.manual_seed(1)
    shape = config("llama")
    shape.max_position_embeddings = 4096
    made = LlamaForCausalLM(shape)
    made.generation_config.eos_token_id = 2
    made.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def served(model: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(model), "--port", str(port)]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with (model.parent / "log").open("wb") as log:
        process = subprocess.Popen([*command, "--device", "cpu"], env=environment, stdout=log, stderr=log)
        until = time.monotonic() + 90
        while time.monotonic() < until and process.poll() is None:
            try:
                httpx.get(f"http://127.0.0.1:{port}/health", timeout=1)
                break
            except httpx.TransportError:
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/v1"
        process.terminate()
        process.wait(10)


def samples(folder: Path) -> list[str]:
    write(folder / "a.jsonl", [sample("a", number, "Да, хорошо.") for number in range(2)])
    write(folder / "b.jsonl", [sample("b", number, "Нет.") for number in range(2)])
    return ["--samples", str(folder / "a.jsonl"), "--samples", str(folder / "b.jsonl")]


@pytest.mark.slow
def test_a_real_server_is_asked_and_its_babble_counted(
    served: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STORAGE_DIR", str(tmp_path))
    monkeypatch.setenv("TRAINING_JUDGE_MAX_TOKENS", "8")
    monkeypatch.setenv("TRAINING_JUDGE_TRIES", "2")
    options = [*samples(tmp_path), "--url", served, "--model", str(model)]
    assert main(options) == 0
    shown = capsys.readouterr().out
    assert "| 0 / 4 / 0 |" in shown
    assert "4 without a readable verdict" in shown and " 0 tokens read" not in shown
    assert main(options) == 0
    assert "4 answered before" in (again := capsys.readouterr().out) and "; 0 tokens read" in again


def test_a_model_loaded_here_is_asked_through_the_serving_engine(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STORAGE_DIR", str(tmp_path))
    monkeypatch.setenv("TRAINING_JUDGE_MAX_TOKENS", "8")
    options = [*samples(tmp_path), "--model", str(model)]
    assert main(options) == 0
    assert "4 without a readable verdict" in capsys.readouterr().out
    assert main(options) == 0
    assert "4 answered before" in capsys.readouterr().out


@pytest.fixture
def judge(model: Path) -> Iterator[LocalJudge]:
    made = load(JudgeSettings(model=str(model), max_tokens=8))
    yield made
    made.close()


def asked(text: str, system: str = "Ты судья.") -> list[dict[str, str]]:
    return [{"role": "system", "content": system}, {"role": "user", "content": text}]


def test_questions_at_once_share_the_engine_and_seeds_repeat(judge: LocalJudge) -> None:
    said: dict[int, str] = {}
    threads = [
        threading.Thread(
            target=lambda number=number: said.update(
                {number: judge.ask(asked(f"Вопрос {number % 3}"), 5, again=True).text}
            )
        )
        for number in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [said[number] for number in range(3)] == [said[number] for number in range(3, 6)]
    assert judge.ask(asked("Вопрос 0"), 6, again=True).text != said[0]


def test_other_instructions_are_another_prompt(judge: LocalJudge) -> None:
    one, other = judge.ask(asked("Да"), 1), judge.ask(asked("Да", "Ты очень строгий судья."), 1)
    assert other.read > one.read


def test_what_does_not_fit_is_told_and_the_judge_goes_on(judge: LocalJudge) -> None:
    with pytest.raises(TooLong):
        judge.ask(asked("слово " * 1000), 1)
    assert judge.ask(asked("слово"), 1).written > 0


def test_a_closed_judge_says_so(model: Path) -> None:
    made = load(JudgeSettings(model=str(model)))
    made.close()
    with pytest.raises(JudgeFailed, match="closed"):
        made.ask(asked("Да"), 1)
