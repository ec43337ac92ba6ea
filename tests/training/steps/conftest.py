"""The seed corpus as canonical rows, in memory and as a file: real Russian for every step."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from storage.presets import Presets
from training.data.rows import Answer, Row, dump
from training.data.seed_corpus import SeedRow
from training.data.steps.part import Context, Counts, Part, run

Apply = Callable[..., tuple[list[Any], Counts]]


@pytest.fixture(scope="session")
def seed_answers(seed_rows: list[SeedRow], presets: Presets) -> list[Answer]:
    """All seed replies; every message is somebody's own."""
    emotions = {row.emotion: presets.find(row.emotion).id for row in seed_rows}  # type: ignore[union-attr]
    return [
        Answer(
            prompt=row.turns,
            answer=row.reply,
            emotion=emotions[row.emotion],
            intensity=row.intensity,
            origin=f"{row.source}:{row.line}",
            scores={"opus_score": float(row.line % 11)},
            tags={"subject": row.subject},
        )
        for row in seed_rows
    ]


@pytest.fixture(scope="session")
def seed_file(seed_answers: list[Answer], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "seed.jsonl"
    path.write_text("".join(dump(row) + "\n" for row in seed_answers[:600]), encoding="utf-8")
    return path


@pytest.fixture
def apply(presets: Presets, tmp_path: Path) -> Apply:
    """A step over rows: what is left, and the counts."""

    def applied(part: Part, rows: list[Row], seed: int = 0) -> tuple[list[Row], Counts]:
        work = tmp_path / f"work{len(list(tmp_path.iterdir()))}"
        work.mkdir()
        counts = Counts()
        return list(run(part, iter(rows), counts, Context(presets, seed, work))), counts

    return applied
