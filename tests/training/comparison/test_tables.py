"""Quality and cost in one table; published figures beside ours."""

import csv
import io
import json
from pathlib import Path

import pytest

from otklik.__main__ import main
from tests.training.comparison import made
from training.comparison import beside, costs, plan, published, table, verdicts
from training.comparison.costs import Attempt
from training.recipes import RecipeError


def test_costs_stand_under_quality_in_every_form() -> None:
    whole, spent = made.judged().found.table, made.costs()
    shown = table.markdown(whole, spent)
    assert "| Training, minutes ↓ | – | 2.5 | ≥ 4.0 |" in shown
    assert "| Weights trained, % of all | – | 5.00 | 5.00 |" in shown
    assert shown.index("Emotion hit") < shown.index("Training, minutes") < shown.index("Mean [95 % interval]")
    assert "- not trained: kto: loss is no number any more" in shown
    assert "| Обучение, минут ↓ |" in table.markdown(whole, spent, "ru")
    tex = table.latex(whole, spent)
    assert tex.index(r"\midrule" + "\nTraining") < tex.index(r"\bottomrule")
    assert r"$\geq$ 4.0" in tex
    rows = {(row["metric"], row["system"]): row for row in csv.DictReader(io.StringIO(table.as_csv(whole, spent)))}
    assert rows["minutes", "sft"]["mean"] == "2.5"
    assert rows["minutes", "kto"]["mean"] == ""
    assert "no number" in rows["minutes", "kto"]["not_available"]
    assert float(rows["emotion_hit", "sft"]["difference"]) > 0
    assert len({len(row) for row in csv.reader(io.StringIO(table.as_csv(whole, spent)))}) == 1


def test_what_processes_took_adds_up() -> None:
    spent = costs.total([Attempt(), Attempt(seconds=60, cpu_seconds=30, peak_mib=9, ended=True)])
    assert spent == {"minutes": 1.0, "cpu_minutes": 0.5, "peak_mib": 9, "at_least": True, "attempts": 2}


def test_losses_of_a_run_keep_their_last_value_a_step() -> None:
    lines = [{"step": 1, "loss": 3.0}, {"step": 1, "loss": 2.0, "eval_loss": 5.0}, {"step": 2, "policy_loss": 1.0}]
    assert costs.losses([*lines, {"step": 9, "train_loss": 1.0}]) == {
        "loss": [(1, 2.0)],
        "policy_loss": [(2, 1.0)],
        "eval_loss": [(1, 5.0)],
    }


def test_published_stands_beside_ours_and_says_what_differs(tmp_path: Path) -> None:
    figures = {"base": {"rouge1": "0.100 [0.080, 0.120]"}, "lora": {"minutes": "1.5"}}
    found = {"figures": figures, "about": {"weights": "tiny", "data": "seed", "machine": "a box", "settings": "few"}}
    (tmp_path / "costs.json").write_text(json.dumps(found), encoding="utf-8")
    shown = beside.text(plan.load(Path("tofu")), tmp_path)
    assert "| base | ROUGE-1 | 0.066 | 0.100 [0.080, 0.120] |" in shown
    assert "| lora | training, minutes | 2 | 1.5 |" in shown
    assert "| gan | ROUGE-1 | 0.109 | not measured |" in shown
    assert "- machine: published: not stated; ours: a box" in shown
    assert "gan.minutes / lora.minutes = 45.5, as printed" in shown


def test_contradictions_in_published_ratings_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "table", "desk", "--language", "en"]) == 0
    shown = capsys.readouterr().out
    assert "gpt-j, content: 18, 31, 29, 29, 17 (124 answers) give 368/124 = 2.9677, as published" in shown
    assert "CONTRADICTION: llama-2, style: 9, 14, 30, 33, 37 (123 answers) give 444/123 = 3.6098" in shown
    assert "CONTRADICTION: llama-2, structure" not in shown
    assert main(["bench", "table", "desk"]) == 0
    assert "ПРОТИВОРЕЧИЕ" in capsys.readouterr().out


def test_a_published_ratio_that_does_not_follow_is_told() -> None:
    raw = plan.load(Path("tofu")).published
    assert raw is not None
    ratio = published.Ratio(over="gan.minutes", under="lora.minutes", says=44.0)
    told = published.checks(raw.model_copy(update={"ratios": (ratio,)}))
    assert told == ["CONTRADICTION: gan.minutes / lora.minutes = 45.50, printed is 44"]


def test_peoples_ratings_of_ours_stand_beside_published_ones(tmp_path: Path) -> None:
    scored = {"mean": {"mean": 3.5, "low": 3.0, "high": 4.0, "n": 40}}
    standings = [{"system": "llama-2", "criteria": {"style": scored}, "total": None}]
    (tmp_path / "ratings.json").write_text(json.dumps(standings), encoding="utf-8")
    assert "| llama-2 | style | 3.621 | 3.50 [3.00, 4.00] |" in beside.text(plan.load(Path("desk")), tmp_path)
    with pytest.raises(RecipeError, match="neither a finished bench"):
        beside.text(plan.load(Path("desk")), tmp_path / "empty")


@pytest.mark.parametrize("path", sorted(plan.FOLDER.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_bench_recipes_are_sound_and_say_how_to_launch_them(path: Path) -> None:
    recipe = plan.load(path)
    text = path.read_text(encoding="utf-8")
    assert "# launch: otklik bench " in text
    assert recipe.name == path.stem
    for name, entry in recipe.entries().items():
        plan.check(entry, plan.overrides(name, entry, "BASE", Path("DATA") if entry.learns != "own" else None, 0))


def test_a_grid_is_all_combinations() -> None:
    grid = plan.load(Path("instruct_grid")).entries()
    assert len(grid) == 6
    assert grid["f20-w470-first"].set["data.sources.main.steps.2.share"] == 0.2
    assert grid["f20-w470-first"].set["data.sources.main.steps.1.min"] == 470


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["methods", "--methods", "sft,magic"], "there is no magic, only sft, gan"),
        (["methods", "--recipe", "nowhere"], "recipe nowhere does not exist"),
        (["methods", "--recipe", "tofu"], "leaves --data to you"),
        (["methods", "--recipe", "desk", "--base", "bundled", "--data", "seed"], "desk has no methods to train"),
        (["methods", "--set", "methods.sft.method=magic"], "no method 'magic'"),
        (["methods", "--set", "methods.sft.set.stepps=3"], "stepps"),
        (["methods", "--data", "nowhere"], "holds no prepared set"),
        (["table", "methods"], "no published figures"),
    ],
)
def test_faults_are_told_in_a_line(
    arguments: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path / "out")] if arguments[0] == "methods" else []
    assert main(["bench", *arguments, *out]) == 2
    shown = capsys.readouterr()
    assert told in shown.err
    assert "Traceback" not in shown.err


def test_a_judges_win_rates_become_columns(tmp_path: Path) -> None:
    rate = {"mean": 0.7, "low": 0.6, "high": 0.8, "n": 60}
    better = {"interval": {"mean": 0.2, "low": 0.1, "high": 0.3, "n": 60}, "p": 0.01}
    found = [{"one": "sft", "other": "base", "total": rate, "controlled": None, "better": better}]
    (tmp_path / "judge").mkdir()
    (tmp_path / "judge" / "summary.json").write_text(json.dumps(found), encoding="utf-8")
    whole = made.judged().found.table
    verdicts.add(whole, tmp_path)
    shown = table.markdown(whole, {})
    assert "| Judge's win rate ↑ | not available | 0.700 [0.600, 0.800]<br>+0.200 [+0.100, +0.300]" in shown
    assert "lengths too far apart" in shown
    before = len(whole.columns)
    verdicts.add(whole, tmp_path / "nothing")
    assert len(whole.columns) == before
