"""The configuration page tells every setting, as it is."""

from __future__ import annotations

from otklik.configuration import CLASSES, PAGE, render


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "run: python -m otklik.configuration"


def test_every_setting_says_what_it_means() -> None:
    unexplained = [f"{c.__name__}.{n}" for c, _ in CLASSES for n, f in c.model_fields.items() if not f.description]
    assert not unexplained


def test_secrets_are_secret() -> None:
    for settings, _ in CLASSES:
        for name, field in settings.model_fields.items():
            if any(word in name for word in ("token", "secret", "password", "key")) and name != "tokens":
                assert "SecretStr" in str(field.annotation) or field.annotation is int, f"{settings.__name__}.{name}"
