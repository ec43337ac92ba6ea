"""Fixtures that every part shares: a real Redis-protocol server, and settings that touch nothing of the developer's."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
import structlog
from redis.asyncio import Redis

from storage.embedded import EmbeddedRedis
from storage.garbage import seldom
from storage.redis import connect
from storage.settings import StorageSettings
from storage.uncompiled import uncompiled
from tests.machine import PostgresServer, postgres

seldom()
uncompiled()

seen = {"modules": 0}
PREFIXES = ("API_", "BOT_", "STORAGE_", "MODELS_", "TRAINING_")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first: a process that gets the longest file last would work alone for minutes."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True)
def _no_garbage_is_sought_in_libraries() -> Iterator[None]:
    """torch, transformers and the like are a million objects, which every collection would look through again, those
    included that accelerate asks for after every training."""
    yield
    if len(sys.modules) > seen["modules"] + 200:
        gc.collect()
        gc.freeze()
        seen["modules"] = len(sys.modules)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The developer's own settings must not leak into tests."""
    for name in list(os.environ):
        if name.startswith(PREFIXES):
            monkeypatch.delenv(name)
    yield


@pytest.fixture(autouse=True)
def _logs_as_ever() -> None:
    """A command that some test ran in this process may have said what is logged and how."""
    structlog.reset_defaults()


@pytest_asyncio.fixture
async def embedded(tmp_path: Path) -> AsyncIterator[EmbeddedRedis]:
    """A running server of this test's own, with AOF; may be killed and started again."""
    server = EmbeddedRedis(tmp_path / "redis")
    await server.start()
    yield server
    await server.stop()


@pytest_asyncio.fixture
async def redis(embedded: EmbeddedRedis) -> AsyncIterator[Redis]:
    """A client of the test's own server."""
    client = connect(embedded.url)
    yield client
    await client.aclose()


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """One throw-away PostgreSQL for the whole run; use only under the marker `postgres`."""
    programs = postgres()
    assert programs is not None, "select with -m 'not postgres', or install PostgreSQL"
    server = PostgresServer(programs, tmp_path_factory.mktemp("postgres"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> str:
    """SQLAlchemy URL of a fresh, empty database."""
    return postgres_server.fresh_database()


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def sql(request: pytest.FixtureRequest) -> str | None:
    """URL of a fresh, empty PostgreSQL; None for SQLite in the test's own folder. The test runs with both."""
    return str(request.getfixturevalue("postgres_url")) if request.param == "postgres" else None


@pytest.fixture
def storage_settings(tmp_path: Path, embedded: EmbeddedRedis) -> StorageSettings:
    """Storage settings that point at the test's own server and folder, with a short lease."""
    return StorageSettings(dir=tmp_path, redis_url=embedded.url, lease_seconds=0.3)
