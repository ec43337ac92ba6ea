from dataclasses import replace
from pathlib import Path

import pytest

from storage.contracts import Turn
from storage.presets import Presets
from training import pretrain, starter_sft
from training.data import seed_corpus, seed_open
from training.data.conversations import Example, render_example, with_emotion
from training.recipes import RecipeError
from training.runs import Run

# PEFT asks transformers by an old name.
pytestmark = [
    pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning"),
    pytest.mark.usefixtures("small_seed"),
]


@pytest.fixture(scope="module")
def base(small_seed: Path, data: Path, presets: Presets, tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = pretrain.PretrainRecipe.model_validate(
        {
            "name": "tiny",
            "threads": 1,
            "data": data,
            "sequence": 32,
            "rows": 8,
            "steps": 10,
            "tokenizer_lines": 100,
            "shape": {"vocabulary": 500, "hidden": 48, "layers": 2, "heads": 2, "inner": 96, "context": 256},
            "mix": {"seed": 1.0},
            "final_mix": {"seed": 1.0},
        }
    )
    return pretrain.main(recipe, tmp_path_factory.mktemp("base"), presets)


def recipe(base: Path, **keys: object) -> starter_sft.StarterRecipe:
    given = {
        "name": "tiny",
        "threads": 1,
        "base": base,
        "shares": {"seed": 1.0},
        "rows": 8,
        "steps": 12,
        "longest": 256,
        "learning_rate": 0.01,
        **keys,
    }
    return starter_sft.StarterRecipe.model_validate(given)


def test_an_adapter_is_learned_and_loads_on_its_base(base: Path, presets: Presets, tmp_path: Path) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    folder = starter_sft.main(recipe(base, lora={"rank": 4, "alpha": 8, "dropout": 0.0}), tmp_path, presets)
    assert {path.name for path in folder.iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), str(folder))
    assert sum(weight.abs().sum() for name, weight in model.named_parameters() if "lora_B" in name) > 0
    report = (tmp_path / "runs" / "starter-tiny" / "report.md").read_text(encoding="utf-8")
    before, after = perplexities(report)
    assert after < before


def test_all_weights_can_be_tuned_on_plain_and_public_turns(
    base: Path, data: Path, presets: Presets, tmp_path: Path
) -> None:
    shares = {"seed": 0.4, "seed_plain": 0.2, "public": 0.4}
    folder = starter_sft.main(recipe(base, data=data, shares=shares, public_sources=("films",)), tmp_path, presets)
    assert {"config.json", "model.safetensors", "tokenizer.json", "chat_template.jinja"} <= {
        p.name for p in folder.iterdir()
    }


def test_seed_rows_about_other_things_are_a_share_of_their_own(base: Path, presets: Presets) -> None:
    pytest.importorskip("pymorphy3")
    train, _ = seed_corpus.split(seed_corpus.load())
    groups = starter_sft.gather(recipe(base, shares={"seed": 0.5, "seed_swapped": 0.5}), train, presets)
    written = {(one.turns, one.reply) for one in groups["seed"]}
    assert len(groups["seed_swapped"]) > 100
    assert not written & {(one.turns, one.reply) for one in groups["seed_swapped"]}


def test_open_replies_and_narrow_rows_are_shares_of_their_own(base: Path, presets: Presets) -> None:
    train, _ = seed_corpus.split(seed_corpus.load())
    train.append(replace(train[0], source="40_broad.txt", reply="Широко."))
    shares = {"seed_narrow": 0.5, "seed_open": 0.2, "seed_kinds": 0.05, "seed_follow": 0.05, "seed_subjects": 0.2}
    groups = starter_sft.gather(recipe(base, shares=shares), train, presets)
    assert "Широко." not in {one.reply for one in groups["seed_narrow"]}
    assert set(groups) == set(shares)
    asked = {name: {one.turns for one in groups[name]} for name in ("seed_open", "seed_kinds")}
    assert asked["seed_open"] < asked["seed_kinds"]
    assert all(one.preset for one in groups["seed_open"])
    replies = {one.reply for one in groups["seed_open"]}
    assert replies == {row.reply for row in seed_open.rows(presets)} and len(replies) > 100
    more = {one.reply for one in groups["seed_subjects"]}
    assert more == {row.reply for row in seed_open.rows(presets, share="seed_subjects")} and more - replies


def test_resuming_reaches_the_same_weights(base: Path, presets: Presets, tmp_path: Path) -> None:
    given = recipe(base, steps=4, lora={"rank": 2, "alpha": 4, "dropout": 0.0})
    groups = {"seed": [([5, 6, 7, 8], 2), ([9, 10, 11], 1), ([12, 13, 14, 15, 16], 3)]}
    whole, first, second = (starter_sft.Tuner(given, groups) for _ in range(3))
    for _ in range(4):
        whole.advance()
    for _ in range(2):
        first.advance()
    run = Run(tmp_path, "starter", given)
    run.save_checkpoint(*first.state())
    saved = run.load_checkpoint()
    assert saved is not None
    second.restore(*saved)
    for _ in range(2):
        second.advance()
    assert all((one == two).all() for one, two in zip(whole.weights.originals, second.weights.originals, strict=True))


def test_only_the_answer_is_learned(base: Path) -> None:
    tuner = starter_sft.Tuner(recipe(base), {})
    one, other = ([5, 6, 7, 8, 9], 3), ([5, 6, 7], 1)
    loss, tokens = tuner._loss([one, other])
    assert tokens == 4
    assert float(loss.detach()) > float(tuner._loss([one])[0].detach()) > 0


def test_padding_changes_nothing(base: Path) -> None:
    tuner = starter_sft.Tuner(recipe(base), {})
    tuner.model.float()
    short, long = ([5, 6, 7], 1), ([5, 6, 7, 8, 9, 10, 11, 12], 3)
    together = float(tuner._loss([short, long])[0].detach())
    apart = sum(float(tuner._loss([row])[0].detach()) for row in (short, long))
    assert together == pytest.approx(apart, rel=1e-4)


def test_rows_of_a_step_depend_on_seed_and_step_alone() -> None:
    groups = {"a": [([n] * n, 1) for n in range(2, 40)], "b": [([n] * 3, 1) for n in range(100, 140)]}
    shares = {"a": 0.5, "b": 0.5}
    assert starter_sft.draw(groups, shares, 5, 4, seed=1) == starter_sft.draw(groups, shares, 5, 4, seed=1)
    assert starter_sft.draw(groups, shares, 5, 4, seed=1) != starter_sft.draw(groups, shares, 6, 4, seed=1)


def test_public_turns_get_the_emotion_that_is_certain_and_alone(presets: Presets) -> None:
    turns = (Turn(role="user", text="Ну что?"),)
    examples = [Example(turns, text) for text in ("Ура!", "Фу!", "Ага.", "Ой!", "Держись.")]
    zero = dict.fromkeys(("joy", "sadness", "surprise", "fear", "anger", "disgust", "neutral"), 0.0)
    rows = [
        {**zero, "joy": 0.95},
        {**zero, "disgust": 0.9, "anger": 0.8},
        {**zero, "neutral": 0.9},
        {**zero, "fear": 0.65},
        {**zero, "sympathy": 0.8, "sadness": 0.6},
    ]
    found = with_emotion(examples, rows, presets)
    assert [(one.reply, one.preset and one.preset.id, one.intensity) for one in found] == [
        ("Ура!", "joy", 3),
        ("Ой!", "fear", 1),
        ("Держись.", "sympathy", 2),
    ]


def test_plain_examples_carry_no_control_tokens(base: Path, presets: Presets) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    example = Example((Turn(role="user", text="Привет"),), "Здравствуй.")
    assert render_example(tokenizer, example, presets) == ("<s><|user|>Привет</s><|bot|>", "Здравствуй.</s>")


def test_a_base_that_is_no_model_is_named(presets: Presets, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="holds no model"):
        starter_sft.main(recipe(tmp_path / "nothing"), tmp_path, presets)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"shares": {"ratings": 1.0}}, "unknown or empty"),
        ({"shares": {"public": 1.0}}, "need `data`"),
        ({"minutes": 3}, "either"),
    ],
)
def test_contradictory_recipes_are_refused(base: Path, keys: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        recipe(base, **keys)


def perplexities(report: str) -> tuple[float, float]:
    line = next(line for line in report.splitlines() if "perplexity" in line)
    before, after = line.partition(": ")[2].split(", ")
    return float(before.split()[0]), float(after.split()[0])
