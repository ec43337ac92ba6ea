"""Storage settings: defaults that work with nothing set, refusals that say what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from storage.settings import StorageSettings


def test_with_nothing_set_sqlite_lies_in_the_storage_folder(tmp_path: Path) -> None:
    assert StorageSettings(dir=tmp_path).database() == f"sqlite+aiosqlite:///{tmp_path / 'otklik.sqlite3'}"


def test_without_a_redis_url_the_advice_names_the_way_out() -> None:
    with pytest.raises(ValueError, match="otklik up"):
        StorageSettings().redis()


def test_a_blank_url_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_REDIS_URL", "")
    assert StorageSettings().redis_url is None


def test_a_mistyped_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STORAGE_REDDIS_URL", "redis://localhost")
    with pytest.raises(ValidationError, match="STORAGE_REDDIS_URL is not a setting"):
        StorageSettings()


def test_urls_with_passwords_are_never_printed() -> None:
    settings = StorageSettings(redis_url="redis://:geheim@host/0")
    assert "geheim" not in repr(settings)


def test_the_adapters_store_lies_in_the_storage_folder_unless_named(tmp_path: Path) -> None:
    assert StorageSettings(dir=tmp_path).adapters_address() == str(tmp_path / "adapters")
    assert StorageSettings(adapters="s3://bucket/a").adapters_address() == "s3://bucket/a"


def test_a_store_with_a_password_in_its_address_is_refused_without_showing_it() -> None:
    with pytest.raises(ValidationError, match="told to every worker") as refused:
        StorageSettings(adapters="ftp://me:geheim@host/a")
    assert "geheim" not in str(refused.value)
