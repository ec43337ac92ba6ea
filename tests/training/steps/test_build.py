"""From a recipe to a prepared set: counts that add up, the same bytes, built once, errors that say what to do."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.contracts import Turn
from storage.presets import Presets
from training.data import page, sets
from training.data.build import build, prepared
from training.data.build_command import build as command
from training.data.data_recipe import DataRecipe
from training.data.rows import Answer
from training.data.sets import EmptySet
from training.data.steps import near
from training.data.steps.table import STEPS
from training.recipes import RecipeError


def recipe(path: Path, steps: Sequence[Any] = (), **more: Any) -> DataRecipe:
    split = {"by": "prompt", "near": None}
    return DataRecipe.model_validate({"sources": {"seed": {"path": path}}, "steps": steps, "split": split} | more)


def test_counts_add_up_from_reading_to_files(seed_file: Path, tmp_path: Path, presets: Presets) -> None:
    steps = ["clean", "exact_duplicates", {"step": "score", "field": "opus_score", "min": 9}, "shuffle"]
    built = build(recipe(seed_file, steps), tmp_path / "set", presets)
    entry = built.manifest
    assert entry["read"]["seed"]["rows"] == 600 and entry["read"]["seed"]["reader"] == "rows"
    flow = [600]
    for one in entry["steps"]:
        assert one["in"] == flow[-1]
        assert one["in"] - one["out"] == sum(one.get("dropped", {}).values())
        flow.append(one["out"])
    assert flow[-1] == sum(entry["rows"].values()) + sum(entry["split"].values())
    assert all(row.scores["opus_score"] >= 9 for row in built.train(Answer))
    assert list(built.held_out(Answer))


def test_no_prompt_is_on_both_sides(seed_file: Path, tmp_path: Path, presets: Presets) -> None:
    built = build(recipe(seed_file), tmp_path / "set", presets)
    sides = [{row.prompt for row in side} for side in (built.train(Answer), built.held_out(Answer))]
    assert all(sides) and not sides[0] & sides[1]


def test_same_recipe_same_bytes_in_another_process(seed_file: Path, tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    steps = ["clean", "near_duplicates", {"step": "fraction", "share": 0.5}, "shuffle"]
    file.write_text(json.dumps({"sources": {"a": {"path": str(seed_file)}}, "steps": steps}), encoding="utf-8")
    for hash_seed in ("1", "2"):
        code = "import sys; from training.data.build_command import build; sys.exit(build(sys.argv[1:]))"
        arguments = ["--recipe", str(file), "--out", str(tmp_path / hash_seed), "--seed", "7"]
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "OMP_NUM_THREADS": "1"}
        subprocess.run([sys.executable, "-c", code, *arguments], check=True, env=environment, capture_output=True)
    for name in ("train.jsonl", "held_out.jsonl", "manifest.json"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()
        assert (tmp_path / "1" / name).stat().st_size


def test_prepared_builds_once_and_again_when_the_source_changes(
    seed_file: Path, tmp_path: Path, presets: Presets
) -> None:
    source = tmp_path / "rows.jsonl"
    lines = seed_file.read_text(encoding="utf-8").splitlines(keepends=True)
    source.write_text("".join(lines[:100]), encoding="utf-8")
    first = prepared(recipe(source), tmp_path / "var", presets)
    written = (first.folder / "train.jsonl").stat().st_mtime_ns
    again = prepared(recipe(source), tmp_path / "var", presets)
    assert again.folder == first.folder and (again.folder / "train.jsonl").stat().st_mtime_ns == written
    source.write_text("".join(lines[:101]), encoding="utf-8")
    assert prepared(recipe(source), tmp_path / "var", presets).folder != first.folder
    assert prepared(recipe(source), tmp_path / "var", presets, seed=1).manifest["seed"] == 1


def test_prepared_takes_a_recipe_file(seed_file: Path, tmp_path: Path, presets: Presets) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(f"sources:\n  a:\n    path: {seed_file}\nsteps: [clean]\nsplit: {{by: prompt}}\n", encoding="utf-8")
    made = prepared(file, tmp_path / "var", presets, seed=3)
    assert made.folder.parent == tmp_path / "var" / "sets" and made.manifest["seed"] == 3
    assert prepared(file, tmp_path / "var", presets, seed=3).folder == made.folder


def test_prepared_takes_a_finished_folder(seed_file: Path, tmp_path: Path, presets: Presets) -> None:
    built = build(recipe(seed_file), tmp_path / "set", presets)
    assert prepared(built.folder, tmp_path / "var", presets).manifest == built.manifest
    with pytest.raises(RecipeError, match="otklik data build"):
        prepared(tmp_path / "nowhere", tmp_path / "var", presets)


def test_empty_set_names_the_step_that_dropped_most(seed_file: Path, tmp_path: Path, presets: Presets) -> None:
    steps = [{"step": "score", "field": "opus_score", "min": 1}, {"step": "tag", "name": "subject", "keep": ["полёты"]}]
    with pytest.raises(EmptySet, match=r"600 read; step 'tag' dropped \d+ of \d+ rows \(other_subject \d+\)"):
        build(recipe(seed_file, steps), tmp_path / "set", presets)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": ["cleen"]}, "there is no step 'cleen'; steps are answered, "),
        ({"mix": {"other": 1}}, "mix must name every source once: seed; it names other"),
        ({"steps": [{"step": "score", "field": "opus_score"}]}, "give min, max or both"),
    ],
)
def test_recipe_faults_are_explained(
    seed_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, Any], message: str
) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(json.dumps({"sources": {"seed": {"path": str(seed_file)}}} | change), encoding="utf-8")
    assert command(["--recipe", str(file), "--out", str(tmp_path / "set")]) == 2
    assert message in capsys.readouterr().err


def test_command_prints_what_every_step_did(
    seed_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "recipe.yaml"
    text = (
        f"sources:\n  seed:\n    path: {seed_file}\nsteps:\n  - clean\n  - {{step: score, field: opus_score, min: 9}}\n"
    )
    file.write_text(text, encoding="utf-8")
    assert command(["--recipe", str(file), "--out", str(tmp_path / "set"), "--set", "split.held_out=0"]) == 0
    printed = capsys.readouterr().out
    assert "score (all): 600 → " in printed and "below_min" in printed and "held_out.jsonl: 0 rows" in printed


def test_a_broken_line_is_named_and_leaves_no_set(tmp_path: Path, presets: Presets) -> None:
    source = tmp_path / "rows.jsonl"
    source.write_text('{"kind":"text","text":"Привет"}\n{"kind":"text"}\n', encoding="utf-8")
    with pytest.raises(RecipeError, match=r"rows.jsonl:2: text.text: Field required"):
        build(recipe(source), tmp_path / "set", presets)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


def test_a_folder_with_other_things_is_never_replaced(seed_file: Path, tmp_path: Path, presets: Presets) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("важное", encoding="utf-8")
    with pytest.raises(RecipeError, match="holds other things than a prepared set"):
        build(recipe(seed_file), tmp_path / "home", presets)
    assert (tmp_path / "home" / "letter.txt").read_text(encoding="utf-8") == "важное"
    first = build(recipe(seed_file), tmp_path / "set", presets)
    second = build(recipe(seed_file, [{"step": "limit", "rows": 50}]), tmp_path / "set", presets)
    assert second.manifest["rows"] != first.manifest["rows"] and second.folder == first.folder


def test_a_full_disk_is_said_and_leaves_nothing(
    seed_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    real = near._database

    def small(path: Path) -> Any:
        db = real(path)
        db.execute("PRAGMA max_page_count = 8")
        return db

    monkeypatch.setattr(near, "_database", small)
    file = tmp_path / "recipe.yaml"
    file.write_text(f"sources:\n  a:\n    path: {seed_file}\nsteps: [near_duplicates]\n", encoding="utf-8")
    assert command(["--recipe", str(file), "--out", str(tmp_path / "set")]) == 3
    assert "is full: free some space" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.yaml"]


def test_two_processes_that_ask_at_once_build_it_once(seed_file: Path, tmp_path: Path) -> None:
    text = recipe(seed_file, ["near_duplicates", "shuffle"]).model_dump_json()
    code = (
        "import sys, pathlib\nfrom storage.presets import load_presets\n"
        "from training.data.build import prepared\nfrom training.data.data_recipe import DataRecipe\n"
        "made = prepared(DataRecipe.model_validate_json(sys.argv[1]), pathlib.Path(sys.argv[2]), load_presets())\n"
        "print('FOLDER', made.folder)"
    )
    arguments = [sys.executable, "-c", code, text, str(tmp_path)]
    both = [subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = [one.communicate(timeout=100)[0] for one in both]
    assert [one.returncode for one in both] == [0, 0]
    assert sum("set_built" in output for output in printed) == 1
    assert len({output.split("FOLDER ")[1] for output in printed}) == 1


def test_a_mix_by_shares_and_its_order(seed_file: Path, tmp_path: Path, presets: Presets) -> None:
    lines = seed_file.read_text(encoding="utf-8").splitlines(keepends=True)
    sources = {}
    for name, part in (("short", lines[:100]), ("long", lines[100:600])):
        (tmp_path / f"{name}.jsonl").write_text("".join(part), encoding="utf-8")
        tagged = {"path": tmp_path / f"{name}.jsonl", "licence": f"licence of {name}"}
        sources[name] = tagged
    more = {"sources": sources, "split": {"held_out": 0}}
    mixed = build(DataRecipe.model_validate({**more, "mix": {"short": 1, "long": 3}}), tmp_path / "a", presets)
    assert mixed.manifest["mixed"]["short"] == 100 and abs(mixed.manifest["mixed"]["long"] - 300) <= 1
    assert mixed.manifest["sources"]["long"]["licence"] == "licence of long"
    in_turn = build(DataRecipe.model_validate({**more, "mix": ["long", "short"]}), tmp_path / "b", presets)
    origins = [row.origin for row in in_turn.train(Answer)]
    whole = build(DataRecipe.model_validate({**more, "mix": "sequential"}), tmp_path / "c", presets)
    expected = [row.origin for row in whole.train(Answer)]
    assert len(origins) == 600 and origins == expected[100:] + expected[:100]


@settings(max_examples=12, deadline=None)
@given(
    st.lists(st.sampled_from(["clean", "answered", "exact_duplicates", "near_duplicates", "shuffle"]), max_size=4),
    st.sampled_from([0.1, 0.5]),
    st.integers(0, 99),
    st.booleans(),
)
def test_any_recipe_gives_the_same_bytes_again(
    seed_file: Path, presets: Presets, names: list[str], share: float, seed: int, by_person: bool
) -> None:
    steps = [*names, {"step": "fraction", "share": share}, {"step": "limit", "rows": 60}]
    made = recipe(seed_file, steps, seed=seed, split={"by": "person" if by_person else "prompt"})
    with tempfile.TemporaryDirectory() as folder:
        sets = [build(made, Path(folder) / name, presets).folder for name in ("a", "b")]
        for name in ("train.jsonl", "held_out.jsonl", "manifest.json"):
            assert (sets[0] / name).read_bytes() == (sets[1] / name).read_bytes()


def test_steps_are_listed_with_their_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["--steps"]) == 0
    printed = capsys.readouterr().out
    assert all(f"### `{name}`" in printed for name in STEPS)
    assert "| `share` | number | needed |" in printed and "| `unit` | `characters`, `words` | `characters` |" in printed


def test_the_page_about_data_is_current_and_its_recipe_sound() -> None:
    assert page.PAGE.read_text(encoding="utf-8") == page.page(), "run python -m training.data.page"
    shown = page.HEAD.split("```yaml\n")[1].split("```")[0]
    made = DataRecipe.model_validate(yaml.safe_load(shown))
    assert made.order == ("articles", "tickets") and len(made.steps) == 7


@pytest.mark.parametrize("name", ["train.jsonl", "held_out.jsonl"])
def test_a_set_that_was_changed_after_it_was_built_is_refused(name: str, tmp_path: Path) -> None:
    rows = [Answer(prompt=(Turn(role="user", text=str(n)),), answer="да") for n in range(3)]
    folder = sets.write(tmp_path / "set", rows[:2], rows[2:], {}).folder
    assert sets.load(folder).manifest["rows"] == {"train.jsonl": 2, "held_out.jsonl": 1}
    path = folder / name
    path.write_text(path.read_text(encoding="utf-8").replace("да", "нет"), encoding="utf-8")
    with pytest.raises(RecipeError, match=rf"{name} was changed after it was built.*otklik data build"):
        sets.load(folder)


def test_a_manifest_that_tells_no_hashes_is_refused(tmp_path: Path) -> None:
    row = Answer(prompt=(Turn(role="user", text="а"),), answer="да")
    folder = sets.write(tmp_path / "set", [row], [], {}).folder
    (folder / "manifest.json").write_text("{}", encoding="utf-8")
    with pytest.raises(RecipeError, match=r"manifest\.json is no manifest of a prepared set"):
        sets.load(folder)
