"""Every method on every family of bases, on quantized weights, and by the shipped recipes."""

import json
from pathlib import Path

import pytest
import torch

from storage.presets import Presets
from tests.training import families
from tests.training.preferences.conftest import RECIPES, recipe, tensors, train
from training import cli, recipes, reward
from training.runs import hash_folder

pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")


@pytest.fixture(scope="session")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("families")
    for family in families.FAMILIES:
        families.save(family, folder / family)
    return folder


QUICK = {("dpo", "llama3"), ("kto", "mistral"), ("simpo", "gptj"), ("reward", "gpt2")}
CROSS = [
    pytest.param(method, family, marks=[] if (method, family) in QUICK else [pytest.mark.slow])
    for method in sorted(RECIPES)
    for family in families.FAMILIES
]


@pytest.mark.parametrize(("method", "family"), CROSS)
def test_every_method_tunes_every_family(
    method: str, family: str, bases: Path, pair_set: Path, presets: Presets, tmp_path: Path
) -> None:
    keys = {"base": str(bases / family), "steps": 1, "longest": 500, "measure_rows": 0}
    folder = train(recipe(method, pair_set, **keys), method, tmp_path, presets)
    assert any(weight.abs().sum() > 0 for name, weight in tensors(folder).items() if "lora_B" in name)
    if method == "reward":
        scorer = reward.load(folder)
        short, long = [5, 6, 7], [5, 6, 7, 8, 9, 10, 11]
        together = scorer.scores([short, long])
        assert together == pytest.approx([scorer.scores([one])[0] for one in (short, long)], abs=1e-5)


@pytest.mark.parametrize(
    ("method", "family"),
    [
        ("dpo", "qwen2"),
        pytest.param("kto", "llama2", marks=pytest.mark.slow),
        ("reward", "qwen2"),
        pytest.param("simpo", "llama3", marks=pytest.mark.slow),
    ],
)
def test_quantized_bases_are_tuned(
    method: str, family: str, bases: Path, pair_set: Path, presets: Presets, tmp_path: Path
) -> None:
    keys = {"base": str(bases / family), "quantization": "nf4", "steps": 2, "longest": 500, "measure_rows": 4}
    folder = train(recipe(method, pair_set, **keys), method, tmp_path, presets)
    assert any(weight.abs().sum() > 0 for name, weight in tensors(folder).items() if "lora_B" in name)
    if method == "reward":
        head = next(weight for name, weight in tensors(folder).items() if "score" in name)
        assert head.is_floating_point() and head.shape == (1, 64)
        assert torch.isfinite(torch.tensor(reward.load(folder, quantization="nf4").scores([[5, 6, 7]])))


@pytest.mark.parametrize("method", sorted(RECIPES))
def test_shipped_recipes_run(
    method: str, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STORAGE_DIR", str(tmp_path))
    keys = [
        f"base={tiny / 'base'}",
        f"adapter={tiny / 'adapter'}",
        "steps=2",
        "rows=4",
        "measure_rows=4",
        "log_steps=1",
    ]
    keys += ["data.sources.seed.limit=300"]
    shipped = recipes.FOLDER / f"{method}_emotion.yaml"
    overrides = [part for key in keys for part in ("--set", key)]
    assert cli.train([method, "--recipe", str(shipped), *overrides]) == 0
    folder = Path(capsys.readouterr().out.strip().splitlines()[-1])
    assert (folder / "adapter_model.safetensors").is_file()
    entry = json.loads((folder.parent / "manifest.json").read_text(encoding="utf-8"))
    rows = entry["data"]["rows"]["train.jsonl"]
    assert rows > 200
    encoded = entry["encoded"]
    assert encoded["kept"] + encoded.get("too_long", 0) == rows * (2 if method == "kto" else 1)  # held-out rows apart
    assert entry["used"]["adapter"] == {"name": str(tiny / "adapter"), "revision": hash_folder(tiny / "adapter")}
    assert (folder.parent / "report.md").read_text().startswith(f"# {method}: emotion")
