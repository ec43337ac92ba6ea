import importlib
from pathlib import Path

import pytest

from training import cli, recipes
from training.data import corpus, sources
from training.data.data_recipe import DataRecipe
from training.data.steps.filters import Fraction
from training.pretrain import PretrainRecipe
from training.sft import SftRecipe


def method_of(path: Path) -> str:
    """A recipe is called after its method; where one method's name begins another's, the longer one counts."""
    begins = [method for method in cli.METHODS if f"{path.stem}_".startswith(f"{method}_")]
    assert begins, f"{path.name}: no method is called so"
    return max(begins, key=len)


@pytest.mark.parametrize("path", sorted(recipes.FOLDER.glob("*.yaml")), ids=lambda path: path.name)
def test_shipped_recipes_are_sound_and_say_how_to_launch_them(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    method = method_of(path)
    assert f"otklik train {method} --recipe training/recipes/{path.name}" in text
    module, kind = cli.METHODS[method]
    recipe = recipes.load(getattr(importlib.import_module(module), kind), path)
    if isinstance(recipe, PretrainRecipe):
        assert {*recipe.mix, *recipe.final_mix} <= {*corpus.SEEDS, *sources.LINES, *sources.DIALOGUES}


def test_every_fault_is_listed_at_once(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(
        "name: Wrong Name\ndata: d\nrows: 0\nmix: {}\nfinal_mix: {}\nspeed: 3\nsteps: 1\n", encoding="utf-8"
    )
    with pytest.raises(recipes.RecipeError) as caught:
        recipes.load(PretrainRecipe, path)
    assert all(key in str(caught.value) for key in ("name", "rows", "speed"))


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("lr=1", "lr: Extra inputs are not permitted; did you mean learning_rate?"),
        ("learing_rate=1", "did you mean learning_rate?"),
        ("batch_size=4", "did you mean rows?"),
        ("lora.rnak=4", "did you mean rank?"),
    ],
)
def test_a_key_that_is_nearly_right_is_told_the_right_one(given: str, meant: str) -> None:
    with pytest.raises(recipes.RecipeError) as error:
        recipes.load(SftRecipe, recipes.FOLDER / "sft_emotion_starter.yaml", [given])
    assert meant in str(error.value)


def test_a_key_like_no_other_is_refused_without_a_guess() -> None:
    with pytest.raises(recipes.RecipeError) as error:
        recipes.load(SftRecipe, recipes.FOLDER / "sft_emotion_starter.yaml", ["zzz=1"])
    assert str(error.value).endswith("zzz: Extra inputs are not permitted")


def test_overrides_reach_nested_keys() -> None:
    shipped = recipes.FOLDER / "pretrain.yaml"
    recipe = recipes.load(PretrainRecipe, shipped, ["shape.layers=3", "mix={seed: 1.0}", "name=other"])
    assert (recipe.shape.layers, recipe.mix, recipe.name) == (3, {"seed": 1.0}, "other")


def test_overrides_reach_into_lists() -> None:
    shipped = recipes.FOLDER / "sft_instruct_qwen.yaml"
    recipe = recipes.load(SftRecipe, shipped, ["data.sources.main.steps.2.share=0.1"])
    assert isinstance(recipe.data, DataRecipe)
    steps = recipe.data.sources["main"].steps
    assert isinstance(steps[2], Fraction) and steps[2].share == 0.1
    with pytest.raises(recipes.RecipeError, match="no place in a list of 3"):
        recipes.load(SftRecipe, shipped, ["data.sources.main.steps.7.share=0.1"])


def test_a_wrong_key_deep_inside_is_told_once_by_its_place() -> None:
    with pytest.raises(recipes.RecipeError) as caught:
        recipes.load(SftRecipe, recipes.FOLDER / "sft_desk_gptj.yaml", ["data.split.unheard=1"])
    assert "data.recipe.split.unheard" in str(caught.value)
    assert str(caught.value).count("\n") == 1


@pytest.mark.parametrize("override", ["layers", "=3", "name.inner=1"])
def test_malformed_overrides_are_refused(override: str) -> None:
    with pytest.raises(recipes.RecipeError, match="--set"):
        recipes.load(PretrainRecipe, recipes.FOLDER / "pretrain.yaml", [override])


def test_the_command_says_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.train(["pretrain", "--recipe", str(tmp_path / "none.yaml")]) == 2
    assert "does not exist" in capsys.readouterr().err


def test_a_data_folder_without_the_files_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STORAGE_DIR", str(tmp_path / "var"))
    recipe = str(recipes.FOLDER / "pretrain.yaml")
    assert cli.train(["pretrain", "--recipe", recipe, "--set", f"data={tmp_path}"]) == 2
    assert "is missing: pass the public data folder" in capsys.readouterr().err


def test_a_base_beside_the_recipe_is_found_wherever_the_command_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine" / "small").mkdir(parents=True)
    path = tmp_path / "mine" / "sft.yaml"
    path.write_text("name: a\nbase: small\ndata: set\nsteps: 1\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    found = recipes.load(SftRecipe, path)
    assert (found.base, found.data) == (str(tmp_path / "mine" / "small"), Path("set"))
    assert recipes.load(SftRecipe, path, ["base=small"]).base == "small"
    assert recipes.load(SftRecipe, recipes.FOLDER / "sft_desk_gptj.yaml").base.startswith("EleutherAI/")
