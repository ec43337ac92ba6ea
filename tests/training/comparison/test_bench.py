"""A whole bench on the bundled starter, tiny: killed, gone on with, and done again with the same seed."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from otklik.__main__ import main
from storage.presets import Presets
from training.data import sets
from training.data.rows import Answer
from training.data.seed_corpus import SeedRow

pytestmark = pytest.mark.slow

TINY = {
    "prompts": 6,
    "most": 8,
    "metrics": "[rouge, diversity, length]",
    **{f"methods.sft.set.{key}": value for key, value in {"steps": 2, "rows": 2, "log_steps": 1}.items()},
    **{f"methods.{name}.set.measure_rows": 0 for name in ("sft", "gan")},
    **{f"methods.gan.{key}": value for key, value in {"rows": 4, "set.epochs": 2, "set.answer_tokens": 4}.items()},
}


def arguments(data: Path, out: Path, methods: str, *more: str) -> list[str]:
    laid = [word for key, value in TINY.items() for word in ("--set", f"{key}={value}")]
    given = ["--data", str(data), "--out", str(out), "--methods", methods, "--language", "en"]
    return ["bench", "methods", *given, *laid, *more]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, seed_rows: list[SeedRow], presets: Presets) -> Path:
    """A few rows of the seed corpus, six of them held out."""
    emotions = {preset.title: preset.id for preset in presets.presets}
    sides: dict[bool, list[Answer]] = {False: [], True: []}
    for row in seed_rows:
        made = Answer(prompt=row.turns, answer=row.reply, emotion=emotions[row.emotion], intensity=row.intensity)
        sides[row.held_out].append(made)
    folder = tmp_path_factory.mktemp("data") / "small"
    sets.write(folder, sides[False][:24], sides[True][:6], {})
    return folder


def quality(folder: Path) -> dict[tuple[str, str], dict[str, str]]:
    """The table but for what was measured once: time and memory."""
    rows = csv.DictReader(io.StringIO((folder / "table.csv").read_text(encoding="utf-8")))
    measured = ("minutes", "cpu_minutes", "peak_gib")
    return {(row["metric"], row["system"]): row for row in rows if row["metric"] not in measured}


def test_killed_gone_on_with_and_done_again(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, record = tmp_path / "out", tmp_path / "out" / "methods" / "sft.json"
    with subprocess.Popen([sys.executable, "-m", "otklik", *arguments(data, out, "sft,gan")]) as bench:
        while not (out / "methods" / "gan.attempts.jsonl").is_file():
            assert bench.poll() is None
            time.sleep(0.05)
        children = psutil.Process(bench.pid).children()
        bench.kill()
    trained = record.read_bytes()
    # What the killed bench was training still works: nobody may write beside it.
    assert main(arguments(data, out, "sft,gan", "--resume")) == 2
    assert "is at work here" in capsys.readouterr().err
    for child in children:
        child.kill()
    psutil.wait_procs(children, timeout=10)

    assert main(arguments(data, out, "sft,gan")) == 2
    assert "go on with --resume" in capsys.readouterr().err
    assert main(arguments(data, out, "sft,gan", "--resume")) == 0
    assert record.read_bytes() == trained
    shown = capsys.readouterr()
    assert "sft: finished earlier" in shown.err
    assert "| Training, minutes ↓ | – |" in shown.out
    spent = json.loads((out / "costs.json").read_text(encoding="utf-8"))["costs"]
    assert spent["gan"]["at_least"]
    assert spent["gan"]["attempts"] == 2
    assert spent["sft"]["peak_mib"] > 100
    assert 0 < spent["gan"]["trainable"] < spent["gan"]["parameters"]
    assert (out / "report.html").is_file()
    assert (out / "card.png").is_file()
    told = quality(out)
    assert told["rouge1", "sft"]["verdict"] == "few"

    again = tmp_path / "again"
    assert main(arguments(data, again, "sft")) == 0
    assert quality(again) == {place: row for place, row in told.items() if place[1] != "gan"}
    assert main(arguments(data, again, "sft", "--resume", "--set", "methods.sft.set.steps=3")) == 2
    assert "begun here with another recipe" in capsys.readouterr().err
    assert main(arguments(data, again, "sft", "--resume", "--set", "seed=3")) == 2
    assert "begun otherwise (seed differ)" in capsys.readouterr().err
