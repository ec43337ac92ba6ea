"""Settings: wrong, unknown and contradictory values are refused, all at once, with advice."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from models.build import active_adapter, build_engine, find_adapters
from models.errors import AdapterBroken, ModelMissing
from models.settings import ModelsSettings
from storage.presets import load_presets


def test_contradictions_are_refused_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELS_ENGINE", "openai")
    monkeypatch.setenv("MODELS_QUANTIZATION", "nf4")
    monkeypatch.setenv("MODELS_CANDIDATES", "8")
    monkeypatch.setenv("MODELS_BATCH", "4")
    monkeypatch.setenv("MODELS_METRICS_LISTEN", "nowhere")
    monkeypatch.setenv("MODELS_CANDIDATE", "3")
    with pytest.raises(ValidationError) as caught:
        ModelsSettings()
    for part in (
        "MODELS_OPENAI_URL",
        "MODELS_OPENAI_MODEL",
        "MODELS_QUANTIZATION=nf4",
        "MODELS_CANDIDATES (8) exceeds MODELS_BATCH (4)",
        "host:port",
        "MODELS_CANDIDATE is not a setting",
    ):
        assert part in str(caught.value)


def test_wrong_values_are_refused_together(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"DEVICE": "gpu", "CANDIDATES": "0", "ENGINE": "vllm", "BATCH": "many"}.items():
        monkeypatch.setenv(f"MODELS_{name}", value)
    with pytest.raises(ValidationError) as caught:
        ModelsSettings()
    assert caught.value.error_count() == 4


def test_blank_means_unset_and_secrets_stay_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELS_OPENAI_URL", "")
    monkeypatch.setenv("MODELS_OPENAI_KEY", "hush")
    monkeypatch.setenv("MODELS_ADAPTERS", "a, b/c ,")
    settings = ModelsSettings(engine="echo")
    assert settings.openai_url is None
    assert settings.adapters == (Path("a"), Path("b/c"))
    assert "hush" not in repr(settings)


def test_every_setting_is_described() -> None:
    assert all(field.description for field in ModelsSettings.model_fields.values())


def test_without_the_starter_the_way_out_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("models.settings.STARTER", tmp_path)
    with pytest.raises(ModelMissing, match="MODELS_ENGINE=echo"):
        build_engine(ModelsSettings(), load_presets())


def adapter(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "adapter_config.json").write_text("{}")
    return folder


def test_adapters_come_from_folders_and_from_folders_of_folders(tmp_path: Path) -> None:
    one, many = adapter(tmp_path / "one"), tmp_path / "many"
    adapter(many / "x"), adapter(many / "y")
    settings = ModelsSettings(engine="echo", adapters=(one, many), active_adapter="x")
    found = find_adapters(settings)
    assert found == {"one": one, "x": many / "x", "y": many / "y"}
    assert active_adapter(settings, found) == "x"
    assert active_adapter(ModelsSettings(engine="echo"), found) is None
    with pytest.raises(AdapterBroken, match="one, x, y"):
        active_adapter(ModelsSettings(engine="echo", active_adapter="z"), found)
    with pytest.raises(AdapterBroken, match="two adapters"):
        adapter(tmp_path / "other" / "x")
        find_adapters(ModelsSettings(engine="echo", adapters=(many, tmp_path / "other")))
    with pytest.raises(AdapterBroken, match="no adapter in"):
        find_adapters(ModelsSettings(engine="echo", adapters=(tmp_path / "nothing",)))


def test_the_starters_adapter_is_active_with_the_starter_and_named_by_content(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("models.build.STARTER", tmp_path)
    folder = adapter(tmp_path / "adapter")
    (folder / "adapter_model.safetensors").write_bytes(b"one")
    first = find_adapters(ModelsSettings())
    (folder / "adapter_model.safetensors").write_bytes(b"two")
    second = find_adapters(ModelsSettings())
    assert active_adapter(ModelsSettings(), first) == next(iter(first))
    assert first.keys() != second.keys()
    assert find_adapters(ModelsSettings(base="other/model")) == {}
