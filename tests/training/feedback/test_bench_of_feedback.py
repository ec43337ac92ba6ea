"""The benchmark runs on a small number of ratings and counts them all."""

from __future__ import annotations

from pathlib import Path

from bench.feedback import fill, freeze


async def test_the_benchmark_freezes_what_it_fills(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'ratings.sqlite3'}"
    await fill(url, 300)
    found = await freeze(url, tmp_path / "sets")
    assert found["ratings"] == 300
    assert all(found["rows"][kind] for kind in ("feedback", "pairs", "answers", "ai_pairs"))
