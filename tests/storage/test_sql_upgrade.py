"""Upgrading a database that has rows: nothing is lost when a migration alters a table that others refer to."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Column, Connection, Integer, func, select, text

from storage.database import BrokenReferences, Database, make_engine, upgrade
from storage.tables import InboxRow, TurnRow


def _alter_turns(connection: Connection) -> None:
    """What a later migration may do to the table that inbox and replies refer to."""
    with Operations(MigrationContext.configure(connection)).batch_alter_table("turns", recreate="always") as batch:
        batch.add_column(Column("note", Integer, nullable=True))


async def _with_one_message(url: str) -> Database:
    await upgrade(url)
    store = Database(url)
    async with store.unit() as unit:
        unit.session.add(TurnRow(id=1, chat_id=5, user_id=7))
        await unit.session.flush()
        unit.session.add(InboxRow(chat_id=5, message_id=9, user_id=7, text="Привет", turn_id=1))
        await unit.commit()
    return store


async def test_altering_a_parent_table_keeps_the_messages_that_refer_to_it(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'otklik.sqlite3'}"
    store = await _with_one_message(url)
    engine = make_engine(url, foreign_keys=False)
    async with engine.begin() as connection:
        await connection.run_sync(_alter_turns)
    await engine.dispose()
    async with store.view() as unit:
        assert await unit.session.scalar(select(func.count()).select_from(InboxRow)) == 1
    await store.close()


async def test_an_upgrade_that_would_leave_orphans_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'otklik.sqlite3'}"
    store = await _with_one_message(url)

    def careless(config: Config, _target: str) -> None:
        config.attributes["connection"].execute(text("DELETE FROM turns"))

    monkeypatch.setattr("storage.database.command.upgrade", careless)
    with pytest.raises(BrokenReferences, match="nothing was migrated"):
        await upgrade(url)
    async with store.view() as unit:
        assert await unit.session.get(TurnRow, 1) is not None
    await store.close()


async def test_upgrading_twice_and_at_once_is_harmless(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path / 'otklik.sqlite3'}"
    await asyncio.gather(upgrade(url), upgrade(url), upgrade(url))
    store = await _with_one_message(url)
    await upgrade(url)
    async with store.view() as unit:
        assert await unit.session.scalar(select(func.count()).select_from(InboxRow)) == 1
    await store.close()
