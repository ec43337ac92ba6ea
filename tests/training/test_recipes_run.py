"""Every shipped recipe runs as an operator runs it, for a few steps, on a tiny base of the family that it names."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file

from models.engines.embedding_generator import load_generator
from tests.training import families, recipe_data
from tests.training.test_recipes import method_of
from training import cli, recipes
from training.data.seed_corpus import SeedRow

pytestmark = [
    pytest.mark.slow,
    # PEFT asks transformers by an old name.
    pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning"),
]

STARTER = Path("models/starter")
Launch = Callable[[str, Mapping[str, Any]], Path]
Bases = Callable[[str], Path]
STEPS = 2
# Of one block of the family's; GPT-J's and GPT-2's feed-forward parts have two layers, the others' three.
LINEAR = {"llama2": 7, "llama3": 7, "mistral": 7, "qwen2": 7, "gpt2": 4, "gptj": 6}
# What an operator gives who wants a short run on a small base; every method knows these keys.
BRIEF = {"steps": STEPS, "rows": 2, "accumulate": 1, "longest": 500, "measure_rows": 4, "save_steps": 1, "log_steps": 1}
PREFERENCE = {**BRIEF, "adapter": "null", "data.sources.seed.limit": 200}
DRAWING = {**PREFERENCE, "rollout": 2, "new_tokens": 8, "measure_rows": 2}


@dataclass(frozen=True)
class Case:
    """A recipe's family, its adapter's rank and alpha as published, and what is laid over it."""

    family: str
    keys: Mapping[str, Any]
    lora: tuple[int, float] | None = (16, 32)


SEED = {**BRIEF, "data.sources.seed.limit": 60}
DESK = {**BRIEF, "data.sources.articles.path": "{articles}", "data.sources.tickets.path": "{tickets}"}
WINDOW = {"1.min": 20, "1.max": 90, "1.tokenizer": "{base}"}
ADAPTERS = {
    "sft_emotion_mistral": Case("mistral", SEED),
    "sft_emotion_llama": Case("llama3", SEED),
    "sft_emotion_starter": Case("llama3", SEED),
    "sft_desk_llama2": Case("llama2", DESK, (16, 8)),
    "sft_desk_gptj": Case("gptj", DESK, (16, 8)),
    "sft_8b_16gb": Case("llama3", {**BRIEF, "data.sources.rows.path": "{instructions}"}, (64, 64)),
    "sft_instruct_qwen": Case(
        "qwen2",
        {
            **BRIEF,
            "data.sources.main.path": "{instructions}",
            **{f"data.sources.main.steps.{key}": value for key, value in WINDOW.items()},
        },
    ),
    "sft_tofu_lora": Case(
        "gpt2", {"data.sources.tofu.path": "{questions}", "steps": STEPS, "epochs": "null", "log_steps": 1}, (8, 16)
    ),
    "starter_adapter": Case(
        "llama3", {"steps": STEPS, "minutes": "null", "rows": 4, "longest": 400, "data": "{public}"}, (32, 64)
    ),
    "rlhf_emotion": Case("llama3", {**DRAWING, "reward.emotion": str(STARTER / "classifier")}),
    "rlhf_reward": Case("llama3", {**DRAWING, "reward.model": "{reward}", "samples": 2}),
}
# What the recipe's own steps find in the data.
DATA_STEPS: dict[str, dict[str, dict[str, Any]]] = {
    "sft_desk_llama2": {"outcome": {"in": 5, "out": 4}, "scrub": {"changed": 1}},
    "sft_desk_gptj": {"outcome": {"in": 5, "out": 4}, "scrub": {"changed": 1}},
    "sft_instruct_qwen": {"score": {"in": 150, "dropped": {"below_min": 50}}},
}
# Run by tests/training/preferences; the reader's by tests/training/test_reader.py.
PREFERENCES = {"dpo_emotion", "simpo_emotion", "kto_emotion", "reward_emotion"}
SMALL = {"hidden": 32, "layers": 1, "heads": 2, "inner": 64}
PUBLIC = "{films: 0.5, seed: 0.5}"
SHORT = {"steps": STEPS, "minutes": "null", "rows": 4}
TUNE = {**SHORT, "base": "{base}", "longest": 400}
TALK = {**SHORT, "sequence": 32, "compile": "false", "data": "{public}", "mix": PUBLIC, "final_mix": PUBLIC}
PRETEXT = {"epochs": 1, "augmented": 100, "pretext_minutes": 0.005, "reference": "false"}
WEIGHTS: dict[str, dict[str, Any]] = {
    "pretrain": {**TALK, "shape": {"vocabulary": 400, "context": 64, **SMALL}, "tokenizer_lines": 100},
    "pretrain_more": {**TALK, "init": "{base}"},
    "pretrain_talk": {**TALK, "init": "{base}"},
    "pretrain_talk_more": {**TALK, "init": "{base}", "threads": 1},
    "pretrain_listen": {**TALK, "init": str(STARTER / "base"), "threads": 1},
    "pretrain_listen_more": {**TALK, "init": str(STARTER / "base"), "threads": 1},
    "pretrain_open": {**TALK, "init": str(STARTER / "base"), "threads": 1},
    "pretrain_kinds": {**TALK, "init": str(STARTER / "base"), "threads": 1},
    "pretrain_follow": {**TALK, "init": str(STARTER / "base"), "threads": 1},
    "pretrain_hearing": {**TALK, "init": str(STARTER / "base"), "threads": 1},
    "pretrain_hearing_more": {**TALK, "init": str(STARTER / "base"), "threads": 1},
    "pretrain_hearing_clear": {**TALK, "init": str(STARTER / "base"), "threads": 1},
    "pretrain_about": {**TALK, "init": str(STARTER / "base"), "threads": 1},
    "pretrain_about_more": {**TALK, "init": str(STARTER / "base"), "threads": 1},
    "pretrain_told": {**TALK, "init": str(STARTER / "base"), "threads": 1},
    "pretrain_greeted": {**TALK, "init": str(STARTER / "base"), "threads": 1},
    "pretrain_greeted_more": {**TALK, "init": str(STARTER / "base"), "threads": 1},
    "pretrain_greeted_clear": {**TALK, "init": str(STARTER / "base"), "threads": 1},
    "pretrain_subjects": {**TALK, "init": str(STARTER / "base"), "threads": 1},
    "starter_base": {
        **TUNE,
        "data": "{public}",
        "classifier": str(STARTER / "classifier"),
        "public_rows": 20,
        "public_sources": ["films"],
    },
    "starter_classifier": {
        "shape": {"vocabulary": 500, **SMALL},
        "wide.words": 20,
        "wide.letters": 200,
        "reference": "false",
        **PRETEXT,
    },
    "starter_classifier_posts": {
        "init": str(STARTER / "classifier"),
        "epochs": 0,
        "wide.words": 20,
        "wide.letters": 200,
        "reference": "false",
    },
    "classifier_emotion_starter": {"steps": STEPS, "rows": 4, "data.sources.seed.limit": 1500, "measure_rows": 20},
    "classifier_rubert": {
        "steps": STEPS,
        "rows": 4,
        "base": "{bert}",
        "data.sources.brighter.path": "{brighter}",
        "data.sources.cedr.path": "{cedr}",
        "unsaid": {"cedr.jsonl": ["disgust"]},
    },
    "classifier_rucola": {"steps": STEPS, "rows": 4, "base": "{bert}", "data.sources.rucola.path": "{rucola}"},
}


LABELS = {
    "радость": "joy",
    "грусть": "sadness",
    "удивление": "surprise",
    "страх": "fear",
    "злость": "anger",
    "отвращение": "disgust",
    "нейтрально": "neutral",
}
PLEASANT = {name: label for name, label in LABELS.items() if label != "disgust"}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, seed_rows: list[SeedRow], data: Path) -> dict[str, Path]:
    """Data of every form, by the name that a case has for it."""
    folder = tmp_path_factory.mktemp("files")
    articles, tickets = recipe_data.desk(folder)
    return {
        "articles": articles,
        "tickets": tickets,
        "instructions": recipe_data.instructions(folder, [row for row in seed_rows if len(row.reply) < 200][:150]),
        "questions": recipe_data.questions(folder),
        "brighter": recipe_data.labelled(folder, "brighter.jsonl", seed_rows[:500], LABELS),
        "cedr": recipe_data.labelled(folder, "cedr.jsonl", seed_rows[500:1200], PLEASANT),
        "rucola": recipe_data.judged(folder, seed_rows[:300]),
        "public": data,
    }


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Bases:
    folder = tmp_path_factory.mktemp("bases")

    def base(family: str) -> Path:
        return folder / family if (folder / family).exists() else families.save(family, folder / family)

    return base


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder without a head, as ruBERT is published."""
    from transformers import AutoTokenizer, BertConfig, BertForMaskedLM

    folder = tmp_path_factory.mktemp("bert")
    tokenizer = AutoTokenizer.from_pretrained(STARTER / "classifier")
    shape: dict[str, Any] = {
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 64,
    }
    BertForMaskedLM(BertConfig(vocab_size=len(tokenizer), **shape)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def launch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Launch:
    """`otklik train` with a shipped recipe and `--set` for each key; gives the folder that it prints."""
    monkeypatch.setenv("STORAGE_DIR", str(tmp_path))

    def run(name: str, keys: Mapping[str, Any]) -> Path:
        path = recipes.FOLDER / f"{name}.yaml"
        overrides = [part for key, value in keys.items() for part in ("--set", f"{key}={value}")]
        status = cli.train([method_of(path), "--recipe", str(path), *overrides])
        shown = capsys.readouterr()
        assert status == 0, shown.err
        return Path(shown.out.strip().splitlines()[-1])

    return run


def shipped(name: str) -> dict[str, Any]:
    raw: dict[str, Any] = yaml.safe_load((recipes.FOLDER / f"{name}.yaml").read_text(encoding="utf-8"))
    return raw


def manifest(run: Path) -> dict[str, Any]:
    path = run / "manifest.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def steps_done(run: Path) -> int:
    """The last step that the run's metrics tell of."""
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    return max(int(json.loads(line).get("step", 0)) for line in lines)


def filled(keys: Mapping[str, Any], places: Mapping[str, Path]) -> dict[str, Any]:
    """The keys with files and bases where they are only named; mappings of the recipe's own stay as they are."""
    named = {f"{{{name}}}": path for name, path in places.items()}
    return {key: named.get(value, value) if isinstance(value, str) else value for key, value in keys.items()}


@pytest.mark.parametrize("name", ADAPTERS)
@pytest.mark.usefixtures("small_seed")
def test_a_recipe_gives_its_adapter(name: str, files: dict[str, Path], bases: Bases, launch: Launch) -> None:
    case = ADAPTERS[name]
    base = bases(case.family)
    places = {"base": base, **files}
    if "{reward}" in case.keys.values():
        places["reward"] = launch("reward_emotion", {**PREFERENCE, "base": base})
    epochs = {"epochs": "null"} if "epochs" in shipped(name) else {}
    folder = launch(name, {"base": base, **epochs, **filled(case.keys, places)})
    adapter = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    assert (adapter["r"], adapter["lora_alpha"]) == case.lora
    weights = load_file(folder / "adapter_model.safetensors")
    tuned = [weight for key, weight in weights.items() if "lora_B" in key]
    assert len(tuned) == 2 * LINEAR[case.family]  # all linear layers of two blocks
    assert any(weight.abs().max() > 0 for weight in tuned)
    assert steps_done(folder.parent) == STEPS
    told = {one["step"]: one for one in manifest(folder.parent).get("data", {}).get("steps", ())}
    for step, counts in DATA_STEPS.get(name, {}).items():
        assert {key: told[step].get(key) for key in counts} == counts


@pytest.mark.parametrize("name", WEIGHTS)
@pytest.mark.usefixtures("small_seed")
def test_a_recipe_gives_its_model(name: str, files: dict[str, Path], bases: Bases, bert: Path, launch: Launch) -> None:
    places = {"base": bases("llama3"), "bert": bert, **files}
    epochs = {"epochs": "null"} if name.startswith("classifier") else {}
    folder = launch(name, {**epochs, **filled(WEIGHTS[name], places)})
    # The starter's own size is written in shards, none over 18 MB.
    sharded = WEIGHTS[name].get("init") == str(STARTER / "base")
    written = "model-00002-of-00002.safetensors" if sharded else "model.safetensors"
    assert {"config.json", written, "tokenizer.json"} <= {path.name for path in folder.iterdir()}
    if "classifier" in name:
        thresholds = json.loads((folder / "thresholds.json").read_text(encoding="utf-8"))
        assert set(shipped(name).get("labels", ("joy", "anger"))) <= set(thresholds)
    if name.startswith("starter_classifier"):
        assert "sympathy" in thresholds and (folder / "wide.safetensors").is_file()
        assert ("posts" in manifest(folder.parent)["sha256"]) == name.endswith("posts")


def test_the_adversarial_recipe_gives_its_generator(files: dict[str, Path], bases: Bases, launch: Launch) -> None:
    keys = {"base": bases("gpt2"), "data.sources.tofu.path": files["questions"], "epochs": STEPS, "play.rows": 2}
    folder = launch("gan_tofu", keys)
    _, config = load_generator(folder)
    assert (config.size, config.noise) == (64, 100)
    assert steps_done(folder.parent) == STEPS


def test_no_shipped_recipe_is_left_out() -> None:
    elsewhere = {*PREFERENCES, "gan_tofu", "reader"}
    assert {path.stem for path in recipes.FOLDER.glob("*.yaml")} == {*ADAPTERS, *WEIGHTS, *elsewhere}
