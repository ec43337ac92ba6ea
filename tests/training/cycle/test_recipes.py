"""The recipes of refits: sound, launchable by hand, and laid out for a job with every fault told before training."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import yaml

from models.settings import STARTER
from storage.presets import load_presets
from tests.training.cycle import made
from training import cli, recipes
from training.cycle import laying, replay
from training.cycle.order import Order, Weights
from training.cycle.places import JobFolder
from training.cycle.preparing import frozen_sets
from training.data import sets
from training.data.rows import Feedback, Pair, Row
from training.recipes import RecipeError
from training.settings import RECIPES, TrainingSettings

SHIPPED = sorted(laying.SHIPPED.glob("*.yaml"))


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    found = JobFolder.of(tmp_path, "job")
    made.freeze(found, thumbs=60, pairs=30, answers=20)
    return found


def order(**given: Any) -> Order:
    settings = TrainingSettings(schedule=None, **given.pop("settings", {}))
    return Order(**{"job_id": "job", "base": "bundled", "settings": settings, **given})


def written(folder: JobFolder, method: str) -> dict[str, Any]:
    raw: dict[str, Any] = yaml.safe_load(folder.recipe(method).read_text(encoding="utf-8"))
    return raw


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_recipes_are_sound_and_say_how_to_launch_them(path: Path) -> None:
    method = path.stem.removesuffix("_starter")
    assert f"otklik train {method} --recipe training/recipes/refit/{path.name}" in path.read_text(encoding="utf-8")
    module, kind = cli.METHODS[method]
    recipe = recipes.load(getattr(importlib.import_module(module), kind), path)
    assert recipe.name == "refit"


def test_every_method_has_a_recipe_for_the_starter_and_for_other_bases() -> None:
    assert {path.stem for path in SHIPPED} == {name + kind for name in RECIPES for kind in ("", "_starter")}


def test_a_job_starts_from_the_slots_adapter_on_its_base(folder: JobFolder) -> None:
    start = Weights(adapter_id="a-1", folder=STARTER / "adapter")
    laying.lay(order(start=start), folder, "kto", 1000)
    raw = written(folder, "kto")
    assert raw["adapter"] == str(STARTER / "adapter") and raw["base"] == str(STARTER / "base")
    assert raw["data"] == str(folder.path / "mixed_kto") and "lora" not in raw


def test_a_base_without_an_adapter_gets_a_new_one(folder: JobFolder) -> None:
    laying.lay(order(base="owner/model"), folder, "kto", 1000)
    raw = written(folder, "kto")
    assert "adapter" not in raw and raw["lora"]["rank"] == 16 and raw["base"] == "owner/model"


@pytest.mark.parametrize(("rows", "steps"), [(10, laying.LEAST_STEPS), (80, 30), (100_000, 60)])
def test_few_rows_are_not_learned_by_heart(rows: int, steps: int, folder: JobFolder) -> None:
    laying.lay(order(), folder, "kto", rows)
    assert written(folder, "kto")["steps"] == steps == laying.steps_of(folder, "kto")


def test_an_operators_recipe_and_a_jobs_overrides_win(folder: JobFolder, tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text((laying.SHIPPED / "kto_starter.yaml").read_text(encoding="utf-8").replace("beta: 0.3", "beta: 0.4"))
    laying.lay(order(settings={"recipes": {"kto": own}}, overrides={"steps": "7"}), folder, "kto", 1000)
    assert (written(folder, "kto")["beta"], written(folder, "kto")["steps"]) == (0.4, 7)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [({"rows": "many"}, "rows"), ({"speed": "3"}, "speed"), ({"beta": "-1", "rows": "0"}, "beta")],
)
def test_a_wrong_recipe_is_told_before_anything_is_trained(
    overrides: dict[str, str], words: str, folder: JobFolder
) -> None:
    with pytest.raises(RecipeError, match=words) as caught:
        laying.lay(order(overrides=overrides), folder, "kto", 100)
    assert "kto_starter.yaml" in str(caught.value)


@pytest.mark.parametrize("key", ["output", "base", "data.sources.seed.path", "name", "adapter"])
def test_what_a_refit_sets_itself_cannot_be_laid_over(key: str, folder: JobFolder) -> None:
    with pytest.raises(RecipeError, match=f"{key}: a refit sets this itself"):
        laying.lay(order(overrides={key: "elsewhere"}), folder, "kto", 100)


def test_a_recipe_that_is_not_there_is_named(folder: JobFolder, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="does not exist"):
        laying.lay(order(recipe=tmp_path / "none.yaml"), folder, "kto", 100)


def mixed(folder: JobFolder, method: str, share: float = 0.5, slot: str = "shared") -> sets.PreparedSet:
    frozen = frozen_sets(folder, slot, folder.read("sets") or {})
    place = folder.path / f"mixed_{method}"
    replay.mix(method, frozen, place, load_presets(), share)
    return sets.load(place)


@pytest.mark.parametrize(("share", "replayed"), [(0.0, 0), (0.5, 81), (0.75, 243)])
def test_what_was_known_is_replayed_in_the_wanted_share(share: float, replayed: int, folder: JobFolder) -> None:
    found = mixed(folder, "kto", share)
    rows = list(found.train(Row))
    assert (found.manifest["people_rows"], found.manifest["replayed_rows"]) == (81, replayed)
    assert len(rows) == 81 + replayed
    assert sum(one.tags.get("made_by") == "seed_pairs" for one in rows) == replayed
    assert not any(one.tags.get("split") == "held_out" for one in rows), "what the gate asks is never learned"


def test_the_same_feedback_gives_the_same_mixture(folder: JobFolder) -> None:
    assert mixed(folder, "kto").manifest["sha256"] == mixed(folder, "kto").manifest["sha256"]


def test_methods_learn_from_their_kinds_of_rows(folder: JobFolder) -> None:
    both: set[type] = {Feedback, Pair}
    assert {type(row) for row in mixed(folder, "kto", 0.0).train(Row)} == both
    assert {type(row) for row in mixed(folder, "dpo").train(Row)} == {Pair}
    assert {row.model_dump()["kind"] for row in mixed(folder, "sft").train(Row)} == {"answer"}


def test_a_slot_of_its_own_learns_from_its_own_preset_alone(folder: JobFolder) -> None:
    rows = list(mixed(folder, "kto", slot="joy").train(Row))
    assert rows and {row.emotion for row in rows} == {"joy"}


def test_counts_tell_what_there_is(folder: JobFolder) -> None:
    counts = replay.count(frozen_sets(folder, "shared", folder.read("sets") or {}), 3)
    assert (counts.thumbs, counts.pairs, counts.answers, counts.people) == (54, 27, 18, 3)
    assert counts.both and counts.longer is not None
