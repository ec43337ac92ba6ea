"""`otklik keys` as an operator meets it: shown once, listed without secrets, revoked for good, each in the audit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from otklik.keys import main
from storage.database import Database
from storage.settings import StorageSettings

Told = Callable[..., tuple[int, str, str]]


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Told:
    """Runs a command; its exit status and both outputs."""
    monkeypatch.setenv("STORAGE_DIR", str(tmp_path))

    def run(*words: str) -> tuple[int, str, str]:
        code = main(words)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def test_a_key_is_shown_once_listed_and_revoked(told: Told) -> None:
    code, key, hint = told("make", "служба поддержки", "--scope", "rate", "--scope", "chat", "--rate", "5", "--learn")
    assert code == 0 and "not shown again" in hint
    key_id, secret = key.strip().split("_", 2)[1:]
    code, table, _ = told("list")
    assert code == 0 and secret not in table
    assert all(
        word in table for word in (key_id, "chat+rate", "5/min", "not used yet", "служба поддержки, taught from")
    )
    assert told("revoke", key_id)[:2] == (0, f"key {key_id} is revoked\n")
    assert "revoked 20" in told("list")[1]
    code, _, fault = told("revoke", key_id)
    assert code == 2 and "otklik keys list" in fault


async def test_every_key_is_in_the_audit_without_its_secret(told: Told) -> None:
    key = (await asyncio.to_thread(told, "make", "сайт"))[1].strip()
    await asyncio.to_thread(told, "revoke", key.split("_")[1])
    database = Database(StorageSettings().database())
    async with database.view() as unit:
        rows = await unit.audit.last()
    await database.close()
    assert [(row.action, row.target) for row in rows] == [
        ("key_revoke", key.split("_")[1]),
        ("key_make", key.split("_")[1]),
    ]
    assert rows[1].details == {"scopes": "chat+rate"}


@pytest.mark.parametrize(
    ("words", "fault"), [(("make", "a", "--rate", "0"), "--rate"), (("revoke", "nothing"), "there is no key nothing")]
)
def test_wrong_orders_are_told(told: Told, words: tuple[str, ...], fault: str) -> None:
    code, _, said = told(*words)
    assert code == 2 and fault in said
