"""A public data folder in miniature, made of the seed corpus, so that training commands run without the real one."""

import json
import lzma
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from storage.presets import Presets, load_presets
from training.data import posts, seed_corpus, seed_open, sources


@pytest.fixture(scope="session")
def presets() -> Presets:
    return load_presets()


@pytest.fixture(scope="session")
def seed_rows() -> list[seed_corpus.SeedRow]:
    return seed_corpus.load()


@pytest.fixture(scope="module")
def small_seed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two files of the seed corpus, twenty of the open messages and every eighth post stand for all: a run is short."""
    folder = tmp_path_factory.mktemp("seed")
    few = Path(shutil.copytree(seed_open.FOLDER, tmp_path_factory.mktemp("open") / "few"))
    asked = (few / seed_open.MESSAGES).read_text(encoding="utf-8").splitlines()[::220]
    (few / seed_open.MESSAGES).write_text("\n".join(asked), encoding="utf-8")
    (few / seed_open.BROAD).unlink()
    (few / seed_open.TYPED).unlink()
    lines = tmp_path_factory.mktemp("posts")
    for path in posts.FOLDER.glob("*.tsv"):
        (lines / path.name).write_text("\n".join(path.read_text(encoding="utf-8").splitlines()[::8]), encoding="utf-8")
    for path in sorted(seed_corpus.FOLDER.glob("*.txt"))[:1]:
        shutil.copy(path, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seed_corpus, "FOLDER", folder)
        patch.setattr(seed_open, "FOLDER", few)
        patch.setattr(posts, "FOLDER", lines)
        yield folder


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory, seed_rows: list[seed_corpus.SeedRow]) -> Path:
    folder = tmp_path_factory.mktemp("data")
    rows = seed_rows[:200]
    contents: dict[str, list[Any]] = {
        "short_sentences": [{"text": row.reply, "kind": "facts"} for row in rows],
        "prose": [{"kind": "prose", "text": "\n".join(row.reply for row in rows)}],
        "anekdots": [{"turns": [row.turns[-1].text, row.reply]} for row in rows],
        "films": [{"turns": [row.turns[-1].text, row.reply, "Да, это правда."]} for row in rows],
    }
    for name, lines in contents.items():
        path = folder / sources.FILES[name]
        path.parent.mkdir(parents=True, exist_ok=True)
        with lzma.open(path, "wt", encoding="utf-8") as out:
            out.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    return folder
