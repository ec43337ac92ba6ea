"""Data sets by hub id: a local folder that `datasets` loads, and the hub that cannot be reached."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.reading.conftest import Read
from training.data.reading import ReadError
from training.data.reading.hub import revision
from training.data.rows import Answer


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data set of two splits as the hub has them."""
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    made = tmp_path / "set"
    made.mkdir()
    for split in ("train", "test"):
        rows = [{"question": f"Вопрос {number}?", "answer": f"Ответ из {split}."} for number in range(3)]
        lines = [json.dumps(row, ensure_ascii=False) for row in rows]
        (made / f"{split}.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return made


def test_a_split_is_streamed(folder: Path, read: Read) -> None:
    rows = [row for row in read(None, hub=str(folder), split="test", limit=2) if isinstance(row, Answer)]
    assert [row.answer for row in rows] == ["Ответ из test."] * 2
    assert rows[1].origin == f"hub:{folder}[test]:2"


def test_a_wrong_split_is_told_with_the_ones_there_are(folder: Path, read: Read) -> None:
    with pytest.raises(ReadError, match=r"hub:.*\[dev\]: Bad split: dev\. Available splits: .*check `split`"):
        read(None, hub=str(folder), split="dev")


def test_a_commit_is_its_own_revision() -> None:
    assert revision("owner/name", "0123456789" * 4) == "0123456789" * 4


def test_without_a_hub_one_clear_message_says_what_to_do(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "training.cli", "data", "preview", "--hub", "owner/name"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("hub:owner/name[train]: cannot be reached (")
    for remedy in ("`path: FOLDER`", "HF_HOME", "HF_HUB_OFFLINE=1", "HF_ENDPOINT", "HF_TOKEN"):
        assert remedy in line
