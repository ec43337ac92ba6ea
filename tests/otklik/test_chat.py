"""`otklik chat` in a pipe and in a terminal: answers, commands, Ctrl-C, nothing left behind."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

from bot import texts

COMMAND = [sys.executable, "-m", "otklik", "chat", "--emotion", "радость"]


def environment(folder: Path) -> dict[str, str]:
    return os.environ | {"STORAGE_DIR": str(folder), "MODELS_ENGINE": "echo", "TMPDIR": str(folder)}


def test_it_answers_and_changes_the_emotion(tmp_path: Path) -> None:
    typed = "Привет\n/emotion злость\n/emotion зависть\nКак дела?\n/quit\n"
    told = subprocess.run(
        COMMAND, input=typed, env=environment(tmp_path), capture_output=True, text=True, timeout=60, check=True
    ).stdout
    assert "[радость] эхо: Привет" in told
    assert "[злость] эхо: Как дела?" in told
    assert "Такой эмоции нет" in told
    assert list(tmp_path.glob("otklik-chat-*")) == [], "the dialogue must not stay on disk"


def test_a_cry_for_help_gets_the_card_and_no_model_is_asked(tmp_path: Path) -> None:
    typed = "Я не хочу больше жить\nУмираю со смеху\n/quit\n"
    told = subprocess.run(
        COMMAND[:-2], input=typed, env=environment(tmp_path), capture_output=True, text=True, timeout=60, check=True
    ).stdout
    assert texts.CRISIS.split() == told[told.index(texts.CRISIS.split()[0]) :].split()[: len(texts.CRISIS.split())]
    assert "эхо: Я не хочу" not in told
    assert "эхо: Умираю со смеху" in told


def test_an_unknown_emotion_is_refused_at_once(tmp_path: Path) -> None:
    command = [*COMMAND[:-1], "зависть"]
    answer = subprocess.run(command, env=environment(tmp_path), capture_output=True, text=True, timeout=30, check=False)
    assert answer.returncode == 2
    assert "Такой эмоции нет" in answer.stdout


def test_ctrl_c_ends_it_without_waiting_for_enter(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    # Where the tests run in the background, a shell had them ignore Ctrl-C, which their children would inherit.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    with subprocess.Popen(COMMAND, env=environment(tmp_path), stdin=theirs, stdout=theirs, stderr=theirs) as chat:
        signal.signal(signal.SIGINT, before)
        try:
            shown = b""
            while "вы ›".encode() not in shown:
                shown += os.read(ours, 4096)
            chat.send_signal(signal.SIGINT)
            started = time.monotonic()
            assert chat.wait(15) == 130
            assert time.monotonic() - started < 10
        finally:
            chat.kill()
    os.close(ours)
    os.close(theirs)
