"""Data sets by hub id: a local folder that `datasets` loads, and the hub that cannot be reached."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import datasets
import huggingface_hub
import pytest

from storage.presets import Presets
from tests.training.reading.conftest import Read
from training.data.reading import ReadError, Source, hashes, open_source
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


class Lost(Exception):
    """What an HTTP library raises has no class in common with anything."""


def test_a_hub_that_breaks_off_is_told_with_the_last_row(monkeypatch: pytest.MonkeyPatch, presets: Presets) -> None:
    def rows(*_: object, **__: object) -> Iterator[dict[str, str]]:
        yield {"question": "Как?", "answer": "Так."}
        raise Lost("connection reset")

    monkeypatch.setattr(datasets, "load_dataset", rows)
    stream = open_source(Source(hub="owner/name"), presets)
    assert next(stream).origin == "hub:owner/name[train]:1"
    with pytest.raises(
        ReadError, match=r"hub:owner/name\[train\]: broke off after row 1 \(connection reset\); download"
    ):
        next(stream)


def test_the_commit_that_is_read_goes_into_the_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    commit = "0123456789" * 4
    seen: list[str | None] = []

    def info(_: object, __: str, revision: str | None) -> SimpleNamespace:
        seen.append(revision)
        if revision == "v9":
            raise Lost
        return SimpleNamespace(sha=commit)

    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", info)
    assert hashes(Source(hub="owner/name")) == {"hub:owner/name": commit}
    assert hashes(Source(hub="owner/name", revision="v1")) == {"hub:owner/name": commit}
    assert hashes(Source(hub="owner/name", revision="v9")) == {"hub:owner/name": "v9"}
    assert hashes(Source(hub="owner/name", revision=commit[::-1])) == {"hub:owner/name": commit[::-1]}
    assert seen == [None, "v1", "v9"]


def test_without_a_hub_one_clear_message_says_what_to_do(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "training.cli", "data", "preview", "--hub", "owner/name"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("hub:owner/name[train]: cannot be reached (")
    for remedy in ("`path: FOLDER`", "HF_HOME", "HF_HUB_OFFLINE=1", "HF_ENDPOINT", "HF_TOKEN"):
        assert remedy in line
