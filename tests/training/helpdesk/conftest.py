"""A running desk of the tests' own, settings that point at it, and a way to export from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from training.data.helpdesk import cursor as cursors
from training.data.helpdesk import fake, fake_data
from training.data.helpdesk import zoho as zoho_desk
from training.data.helpdesk.cursor import Cursor, Options
from training.data.helpdesk.export import export
from training.data.helpdesk.settings import PREFIX, HelpdeskSettings, load
from training.data.helpdesk.texts import scrubber
from training.data.helpdesk.transport import Api
from training.data.helpdesk.zoho import ZohoDesk

Export = Callable[..., Cursor]


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small desk has many pages, so that a test of many pages takes no minute."""
    for name, size in (("ARTICLES_PAGE", 8), ("TICKETS_PAGE", 10), ("THREADS_PAGE", 3)):
        monkeypatch.setattr(zoho_desk, name, size)


@pytest.fixture
def zoho() -> Iterator[fake.FakeZoho]:
    with fake.FakeZoho(fake_data.articles(30), fake_data.tickets(37)) as server:
        yield server


@pytest.fixture
def environment(zoho: fake.FakeZoho, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    values = {
        "CLIENT_ID": fake.CLIENT,
        "CLIENT_SECRET": fake.SECRET,
        "REFRESH_TOKEN": fake.REFRESH,
        "ORG_ID": fake.ORGANISATION,
        "ACCOUNTS_URL": zoho.url,
        "DESK_URL": zoho.url,
        "PAUSE_SECONDS": "0",
        "UNSOLVED_STATUSES": "Отказ, Дубль",
    }
    named = {PREFIX + name: value for name, value in values.items()}
    for name, value in named.items():
        monkeypatch.setenv(name, value)
    return named


@pytest.fixture
def settings(environment: dict[str, str]) -> HelpdeskSettings:
    return load()


@pytest.fixture
def slept() -> list[float]:
    """Seconds that the client rested, instead of resting."""
    return []


@pytest.fixture
def api(settings: HelpdeskSettings, slept: list[float]) -> Iterator[Api]:
    with Api(settings, sleep=slept.append) as client:
        yield client


@pytest.fixture
def run(settings: HelpdeskSettings, slept: list[float]) -> Export:
    """Exports into a folder; goes on if it holds an export. Keyword arguments change settings."""

    def exported(
        folder: Path, since: str = "", kinds: tuple[str, ...] = ("articles", "tickets"), **changes: object
    ) -> Cursor:
        changed = settings.model_copy(update=changes)
        options = Options(desk="zoho", organisation=changed.org_id, kinds=kinds, locale=changed.locale, since=since)
        with Api(changed, sleep=slept.append) as client:
            desk = ZohoDesk(client, changed, since)
            return export(desk, folder, cursors.start(folder, options, resume=True), scrubber())

    return exported
