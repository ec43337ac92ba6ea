"""Settings that contradict each other are refused, all at once."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from bot.settings import BotSettings
from otklik.errors import explain


def refused(**values: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        BotSettings(**values)
    return str(caught.value)


def test_a_webhook_needs_three_things_and_hears_of_all() -> None:
    said = refused(updates="webhook")
    assert all(name in said for name in ("BOT_TOKEN", "BOT_WEBHOOK_URL", "BOT_WEBHOOK_SECRET"))


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"token": "no colon"}, "BotFather"),
        ({"token": "1:a", "webhook_url": "https://example.org/hook"}, "polling"),
        ({"api_url": "https://example.org"}, "BOT_TOKEN"),
        ({"token": "1:a", "api_url": "ftp://example.org"}, "http"),
        ({"playground_listen": "nonsense"}, "host:port"),
        ({"admins": "1,two"}, "integer"),
        ({"dashboard_url": "http://otklik.example/dashboard/"}, "BOT_DASHBOARD_URL"),
        ({"dashboard_url": "https://"}, "BOT_DASHBOARD_URL"),
        ({"dashboard_url": "https://otklik.example/ dashboard"}, "BOT_DASHBOARD_URL"),
    ],
)
def test_contradictions_are_named(values: dict[str, Any], word: str) -> None:
    assert word in refused(**values)


def test_admins_come_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOT_ADMINS", "1, 22,333")
    assert BotSettings().admins == (1, 22, 333)


def test_the_token_is_never_shown() -> None:
    assert "abcdef" not in repr(BotSettings(token="1:abcdef"))


def test_values_unknown_names_and_contradictions_are_told_together(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"UPDATES": "webhook", "RATE_LIMIT": "0", "TOKNE": "geheim", "API_URL": "http://x"}.items():
        monkeypatch.setenv(f"BOT_{name}", value)
    with pytest.raises(ValidationError) as caught:
        BotSettings()
    told = explain(caught.value).splitlines()[1:]
    assert [line.split()[0].rstrip(":") for line in told] == [
        "BOT_RATE_LIMIT",
        *["BOT_UPDATES=webhook"] * 3,
        "BOT_API_URL",
        "BOT_TOKNE",
    ]
    assert "geheim" not in str(caught.value)


def test_what_contradicts_a_wrong_setting_waits_until_that_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOT_UPDATES", "pigeon")
    monkeypatch.setenv("BOT_WEBHOOK_URL", "https://otklik.example/hook")
    with pytest.raises(ValidationError) as caught:
        BotSettings()
    assert explain(caught.value).splitlines()[1:] == ["  BOT_UPDATES: Input should be 'polling' or 'webhook'"]
