"""`otklik doctor` finds what would keep the product from starting, says what to do, and changes nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bot.playground.app import serve
from bot.playground.world import World
from otklik.doctor import Finding, check_telegram, examine, is_path
from storage.settings import StorageSettings


def by_subject(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.what.split(":")[0].split(" ")[0]: finding for finding in findings}


async def test_a_healthy_machine_has_no_faults_and_stays_untouched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELS_ENGINE", "echo")
    folder = tmp_path / "var"
    findings = await examine(StorageSettings(dir=folder))
    assert [finding for finding in findings if finding.level == "fault"] == []
    assert not folder.exists()


async def test_every_fault_comes_with_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELS_BASE", "./nosuch")
    (tmp_path / "file").write_text("not a folder")
    settings = StorageSettings(
        dir=tmp_path / "file",
        redis_url="redis://:geheim@127.0.0.1:1/0",
        database_url="postgresql+asyncpg://otklik:geheim@127.0.0.1:1/otklik",
    )
    findings = await examine(settings)
    found = by_subject(findings)
    assert {name for name, finding in found.items() if finding.level == "fault"} == {"folder", "Redis", "SQL", "models"}
    assert all(finding.advice for finding in findings if finding.level == "fault")
    assert "MODELS_BASE" in found["models"].advice
    assert "geheim" not in str(findings)


async def test_a_wrong_setting_is_a_finding_and_the_other_checks_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELS_ENGINE", "magic")
    findings = await examine(StorageSettings(dir=tmp_path))
    faults = [finding for finding in findings if finding.level == "fault"]
    assert len(faults) == 1
    assert "MODELS_ENGINE" in faults[0].what
    assert len(findings) == 7


@pytest.mark.parametrize(("token", "level"), [("700700:right", "ok"), ("700700:wrong", "fault")])
async def test_the_token_is_tried_at_the_bot_api(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, token: str, level: str
) -> None:
    world = World()
    world.add_bot("700700:right", "otklik_bot", "Отклик")
    async with serve("127.0.0.1:0", world) as url:
        monkeypatch.setenv("BOT_TOKEN", token)
        monkeypatch.setenv("BOT_API_URL", url)
        finding = await check_telegram(StorageSettings(dir=tmp_path))
    assert finding.level == level
    assert token not in str(finding)


def test_paths_are_told_from_hub_ids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    os.makedirs("weights")
    assert [is_path(name) for name in ("./x", "/x", "weights", "a/b/c")] == [True] * 4
    assert [is_path(name) for name in ("IlyaGusev/saiga_llama3_8b", "none")] == [False] * 2
