"""`otklik reply` and `otklik classify` as a person at a shell meets them."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from models.app import main as worker
from models.cli import classify, reply
from otklik.errors import readable
from storage.contracts import ChatReply


@pytest.fixture(autouse=True)
def _echo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("MODELS_ENGINE", "echo")
    yield
    structlog.reset_defaults()


def feed(monkeypatch: pytest.MonkeyPatch, *lines: Any) -> None:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines)
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


@pytest.mark.parametrize("emotion", ["радость", "joy", "РАДОСТЬ"])
def test_one_text_gives_plain_text(emotion: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert reply(["--emotion", emotion, "--intensity", "3", "Привет"]) == 0
    assert capsys.readouterr().out == "[радость] эхо: Привет\n"


@pytest.mark.parametrize(("terminal", "logged"), [(True, False), (False, True)])
def test_the_log_stands_beside_one_answer_only_where_nobody_looks(
    terminal: bool, logged: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    assert reply(["Привет"]) == 0
    shown = capsys.readouterr()
    assert shown.out == "[нейтрально] эхо: Привет\n" and ("models ready" in shown.err) is logged


def test_json_lines_come_back_in_order_as_replies(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dialogue = [{"role": "user", "text": "а"}, {"role": "assistant", "text": "б"}, {"role": "user", "text": "в"}]
    many = [{"text": f"номер {index}", "emotion": "злость"} for index in range(50)]
    feed(monkeypatch, *many, "", {"turns": dialogue, "intensity": 1, "request_id": "mine"})
    assert reply(["--emotion", "грусть", "--candidates", "2"]) == 0
    replies = [ChatReply.model_validate_json(line) for line in capsys.readouterr().out.splitlines()]
    assert [item.text for item in replies[:50]] == [f"[злость] эхо: номер {index}" for index in range(50)]
    last = replies[50]
    assert (last.text, last.emotion, last.intensity, last.request_id) == ("[грусть] эхо: в", "sadness", 1, "mine")
    assert all(len(item.candidates) == 2 for item in replies)
    assert len({item.request_id for item in replies}) == 51


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{broken", "line 1 is not JSON"),
        ("[1]", "line 1 is not a JSON object"),
        ({"text": "а", "turns": []}, "line 1: needs"),
        ({"text": "а", "mood": "x"}, "line 1: needs"),
        ({"text": "а", "emotion": "счастье"}, "радость"),
        ({"text": "а", "intensity": 7}, "line 1: intensity: Input should be less than"),
        ({"turns": [{"role": "cat", "text": "тайна"}]}, "line 1: turns.0.role"),
    ],
)
def test_a_bad_line_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], line: Any, expected: str
) -> None:
    feed(monkeypatch, line)
    assert reply([]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and expected in captured.err and "тайна" not in captured.err


@pytest.mark.parametrize("command", [reply, classify, worker])
def test_wrong_settings_are_explained_by_name_without_their_values(
    command: Callable[[list[str]], int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MODELS_CANDIDATES", "hush-hush")
    monkeypatch.setenv("MODELS_BATCH", "-1")
    arguments = [] if command is worker else ["Привет"]
    assert readable(command, arguments) == 2
    said = capsys.readouterr().err
    assert "MODELS_CANDIDATES" in said and "MODELS_BATCH" in said
    assert "hush-hush" not in said and "Traceback" not in said and "pydantic" not in said


def test_what_cannot_be_answered_is_said_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert reply(["--arm", "nobody", "Привет"]) == 1
    assert "unknown_adapter" in capsys.readouterr().err


def test_no_input_gives_no_output(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    feed(monkeypatch)
    assert reply([]) == 0 and classify([]) == 0
    assert capsys.readouterr().out == ""


def test_classify_texts_and_json_lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    feed(monkeypatch, {"text": "ура"}, {"text": "как страшно"})
    assert classify([]) == 0
    from_lines = capsys.readouterr().out
    assert classify(["ура", "как страшно"]) == 0
    assert capsys.readouterr().out == from_lines
    first, second = (json.loads(line) for line in from_lines.splitlines())
    assert (first["text"], first["labels"], second["labels"]) == ("ура", ["joy"], ["fear"])
    assert first["probabilities"].keys() == second["probabilities"].keys() >= {"joy", "neutral"}


def test_without_a_classifier_classify_says_why(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MODELS_CLASSIFIER", "none")
    assert classify(["ура"]) == 2
    assert "MODELS_CLASSIFIER" in capsys.readouterr().err


def test_answers_leave_standard_output_clean_and_echo_needs_no_torch(tmp_path: Path) -> None:
    program = (
        "import sys; from models.cli import reply; code = reply([]);"
        "assert not {'torch', 'transformers', 'aiogram'} & set(sys.modules); sys.exit(code)"
    )
    command, line = [sys.executable, "-c", program], '{"text": "Привет"}\n'
    done = subprocess.run(command, input=line, capture_output=True, text=True, timeout=60, check=True)
    assert ChatReply.model_validate_json(done.stdout).text == "[нейтрально] эхо: Привет"
    assert json.loads(done.stderr.splitlines()[0])["event"] == "models ready"
