"""Every shipped bench recipe, run on tiny bases as its launch line says: trained, compared, beside what is printed."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from otklik.__main__ import main
from tests.training import families
from tests.training.evaluation.judging.local_server import longer_wins, serving
from training.data import sets
from training.data.rows import Answer, Pair
from training.data.seed_corpus import SeedRow

pytestmark = pytest.mark.slow

TUNING = {"steps": 2, "epochs": None, "rows": 2, "accumulate": 1, "log_steps": 1, "measure_rows": 0, "longest": 400}


def bench(recipe: str, base: Path, data: Path, out: Path, *more: str, **laid: object) -> int:
    """`otklik bench methods` with `laid` over the recipe, dots of keys as double underscores."""
    sizes = {"prompts": 3, "most": 6, "metrics": ["rouge", "length"], **laid}
    words = [
        word for key, value in sizes.items() for word in ("--set", f"{key.replace('__', '.')}={json.dumps(value)}")
    ]
    given = ["--recipe", recipe, "--base", str(base), "--data", str(data), "--out", str(out), "--language", "en"]
    return main(["bench", "methods", *given, "--picker", "none", "--gate", "none", *more, *words])


def figures(out: Path) -> dict[tuple[str, str], str]:
    with (out / "table.csv").open(encoding="utf-8") as file:
        return {(row["system"], row["metric"]): row["mean"] for row in csv.DictReader(file)}


def lines(path: Path, rows: list[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def different(rows: list[SeedRow]) -> list[SeedRow]:
    """One reply to each message."""
    return list({row.turns: row for row in rows}.values())


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory, seed_rows: list[SeedRow]) -> Path:
    """Plain questions and answers, four of them held out."""
    rows = [Answer(prompt=row.turns, answer=row.reply) for row in different(seed_rows)[:16]]
    folder = tmp_path_factory.mktemp("data") / "talk"
    sets.write(folder, rows[4:], rows[:4], {})
    return folder


@pytest.fixture(scope="module")
def instructions(tmp_path_factory: pytest.TempPathFactory, seed_rows: list[SeedRow]) -> Path:
    """As instruction sets come; scores as the filter of the grid reads them."""
    rows: list[Mapping[str, Any]] = [
        {"instruction": row.turns[-1].text, "output": f"{row.reply} Номер {number}.", "opus_score": 9 + number % 2}
        for number, row in enumerate(different(seed_rows)[:60])
    ]
    return lines(tmp_path_factory.mktemp("files") / "instructions.jsonl", rows)


def test_tofu(talk: Path, tmp_path: Path, seed_rows: list[SeedRow], capsys: pytest.CaptureFixture[str]) -> None:
    base = families.save("gpt2", tmp_path / "gpt2")
    pairs = [{"question": row.turns[-1].text, "answer": row.reply} for row in different(seed_rows)[:6]]
    file = str(lines(tmp_path / "pairs.jsonl", [*pairs, {"question": "Как?", "answer": "Очень долго. " * 90}]))
    cut = {"data.sources.tofu.path": file, "longest": 4000}
    assert bench("tofu", base, talk, tmp_path / "out", methods__lora__set=TUNING | cut,
                 methods__gan__set=cut | {"epochs": 1, "play.updates": 1, "play.batch": 8}) == 0  # fmt: skip
    told = figures(tmp_path / "out")
    assert {system for system, _ in told} == {"base", "gan", "lora"}
    assert all(float(told[system, "minutes"]) > 0 and float(told[system, "peak_gib"]) > 0 for system in ("gan", "lora"))
    capsys.readouterr()
    assert main(["bench", "table", "tofu", "--ours", str(tmp_path / "out"), "--language", "en"]) == 0
    shown = capsys.readouterr().out
    assert "| gan | training, minutes | 91 |" in shown and "not measured" not in shown.split("**What differs**")[0]


def test_an_8b_on_16_gb(talk: Path, instructions: Path, tmp_path: Path) -> None:
    base = families.save("llama3", tmp_path / "llama")
    assert bench("8b_16gb", base, talk, tmp_path / "out",
                 methods__qlora64__set=TUNING | {"data.sources.rows.path": str(instructions)}) == 0  # fmt: skip
    told = figures(tmp_path / "out")
    assert {"rouge1", "rougeL", "minutes", "peak_gib", "trainable_percent", "loss"} <= {name for _, name in told}
    assert float(told["qlora64", "loss"]) > 0
    report = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "8.84" in report and "r=64 on all linear layers, 3 epochs" in report


def test_cells_of_the_grid(
    talk: Path,
    instructions: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another fraction, window and data set than the first cell's; a judge's win rates join with --resume."""
    monkeypatch.setenv("STORAGE_DIR", str(tmp_path / "storage"))
    base, out = families.save("qwen2", tmp_path / "qwen"), tmp_path / "out"
    rows = [json.loads(line) for line in instructions.read_text(encoding="utf-8").splitlines()]
    files = {"first": instructions, "second": lines(tmp_path / "second.jsonl", rows[:40])}
    minimum, maximum = (f"data.sources.main.steps.1.{end}" for end in ("min", "max"))
    keys: dict[str, object] = {
        "grid__set": TUNING | {"data.sources.main.steps.1.tokenizer": str(base)},
        "grid__axes__1": {"narrow": {minimum: 5, maximum: 60}, "all": {minimum: 1, maximum: 900}},
        "grid__axes__2": {name: {"data.sources.main.path": str(path)} for name, path in files.items()},
    }
    cells = ["--methods", "f40-narrow-first,f20-all-second"]
    assert bench("instruct_grid", base, talk, out, *cells, **keys) == 0
    learned = {}
    for cell in ("f40-narrow-first", "f20-all-second"):
        manifest = json.loads((out / "runs" / f"sft-{cell}" / "manifest.json").read_text(encoding="utf-8"))
        learned[cell] = manifest["encoded"]["kept"]
    assert 0 < learned["f20-all-second"] < learned["f40-narrow-first"] < 60
    files_of = [str(out / "samples" / f"{name}.jsonl") for name in ("base", *learned)]
    with serving() as server:
        server.rule = longer_wins
        asked = [word for file in files_of for word in ("--samples", file)]
        assert main(["judge", *asked, "--url", server.url, "--model", "judge", "--out", str(out / "judge")]) == 0
    assert bench("instruct_grid", base, talk, out, *cells, "--resume", **keys) == 0
    told = figures(out)
    assert 0 <= float(told["f20-all-second", "judge_win"]) <= 1
    assert {"off_target", "tokens", "rougeL", "minutes"} <= {name for _, name in told}
    shown = capsys.readouterr().out
    assert "| f20-all-second | judge's win rate over the base | not stated |" in shown
    assert shown.count("**What differs**") == 2  # each bench tells it below its table


def test_a_reward_model_is_trained_first(seed_rows: list[SeedRow], tmp_path: Path) -> None:
    base = families.save("llama3", tmp_path / "llama")
    some = different(seed_rows)[:12]
    rows = [Pair(prompt=row.turns, chosen=row.reply, rejected="Нет.", emotion="joy") for row in some]
    sets.write(tmp_path / "pairs", rows[4:], rows[:4], {})
    small = {"steps": 1, "rows": 4, "measure_rows": 0, "longest": 400}
    rlhf = small | {"adapter": None, "rollout": 4, "samples": 2, "accumulate": 1, "new_tokens": 6, "save_steps": 1}
    scored = {"method": "reward", "recipe": "reward_emotion.yaml", "set": small | {"adapter": None}}
    entry = {"method": "rlhf", "recipe": "rlhf_reward.yaml", "set": rlhf, "reward": scored}
    out = tmp_path / "out"
    assert bench("methods", base, tmp_path / "pairs", out, methods={"rloo": entry}) == 0
    both, last = (
        json.loads((out / place).read_text(encoding="utf-8")) for place in ("costs.json", "methods/rloo.json")
    )
    assert both["costs"]["rloo"]["minutes"] > last["minutes"]  # the reward model's time is part of the method's
    assert (out / "runs" / "reward-rloo-reward" / "adapter" / "adapter_config.json").is_file()
