"""`BOT_…` settings: Telegram, limits, timing. Contradictions are refused at start, all of them at once."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from storage.settings import Strict

PUBLIC_API = "https://api.telegram.org"


class BotSettings(Strict):
    """Settings of the people-facing process."""

    model_config = SettingsConfigDict(
        env_prefix="BOT_", env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    token: SecretStr | None = Field(default=None, description="Bot token of @BotFather; unset: the playground opens.")
    api_url: str = Field(default=PUBLIC_API, description="Base URL of a Bot API server.")
    admins: Annotated[tuple[int, ...], NoDecode] = Field(
        default=(), description="Telegram ids of the operators, separated by commas."
    )
    updates: Literal["polling", "webhook"] = Field(default="polling", description="How updates come in.")
    webhook_url: str | None = Field(default=None, description="Public https address that Telegram calls.")
    webhook_secret: SecretStr | None = Field(default=None, description="Secret token that Telegram sends along.")
    webhook_listen: str = Field(default="127.0.0.1:8080", description="host:port of the webhook's server.")
    playground_listen: str = Field(default="127.0.0.1:8765", description="host:port of the local playground.")
    dashboard_url: str | None = Field(
        default=None, description="Public https address of the dashboard; /admin opens it as a Mini App."
    )
    metrics_listen: str | None = Field(default=None, description="host:port for Prometheus metrics; unset: none.")
    default_emotion: str = Field(default="auto", description="Preset id of a chat that has chosen none.")
    rate_limit: int = Field(default=30, ge=1, description="Messages a person may send per window.")
    action_limit: int = Field(
        default=120, ge=1, description="Taps, commands and files a person may send per window; own data counts apart."
    )
    rate_window_seconds: float = Field(default=60.0, gt=0, description="Length of these windows.")
    max_message_chars: int = Field(default=2000, ge=1, le=4096, description="Longer messages are not answered.")
    max_persona_chars: int = Field(default=200, ge=1, le=1000, description="Longest persona.")
    max_correction_chars: int = Field(default=1000, ge=1, le=4096, description="Longest /fix text.")
    max_variants: int = Field(default=5, ge=1, le=20, description="Variants of one answer, the first included.")
    window_turns: int = Field(default=8, ge=0, le=100, description="Earlier turns that go with a request.")
    window_chars: int = Field(default=4000, ge=100, description="Most characters of the dialogue window.")
    deadline_seconds: float = Field(default=300.0, gt=0, description="A request unanswered for so long expires.")
    typing_seconds: float = Field(default=4.0, gt=0, description="How often «typing…» is renewed.")
    note_after_seconds: float = Field(default=8.0, gt=0, description="After so long the queue position is shown.")
    admin_edit_seconds: float = Field(
        default=3.0, gt=0, le=600, description="A message about a refit is renewed no more often than this."
    )
    parallel_sends: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Replies and other texts between «sending» and «sent» at once: "
        "at most so many may double when the process dies.",
    )

    @field_validator("admins", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part for part in value.replace(" ", "").split(",") if part)
        return value

    @field_validator("token", "webhook_url", "webhook_secret", "dashboard_url", "metrics_listen", mode="before")
    @classmethod
    def _blank_is_unset(cls, value: Any) -> Any:
        return None if value == "" else value

    @field_validator("api_url")
    @classmethod
    def _address(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/")

    @field_validator("webhook_listen", "playground_listen", "metrics_listen")
    @classmethod
    def _listens(cls, value: str | None) -> str | None:
        if value is not None:
            host_port(value)
        return value

    def contradictions(self) -> list[str]:
        """Values that cannot all be meant, as advice that names the settings."""
        return _contradictions(self)


def _contradictions(settings: BotSettings) -> list[str]:
    wrong: list[str] = []
    if settings.updates == "webhook":
        if settings.token is None:
            wrong.append("BOT_UPDATES=webhook needs BOT_TOKEN")
        if settings.webhook_url is None:
            wrong.append("BOT_UPDATES=webhook needs BOT_WEBHOOK_URL")
        if settings.webhook_secret is None:
            wrong.append("BOT_UPDATES=webhook needs BOT_WEBHOOK_SECRET: without it anybody could send updates")
    elif settings.webhook_url is not None:
        wrong.append("BOT_WEBHOOK_URL is set, but BOT_UPDATES is polling: set BOT_UPDATES=webhook or remove the URL")
    if settings.dashboard_url is not None and not _public_https(settings.dashboard_url):
        wrong.append(
            "BOT_DASHBOARD_URL must be https://host/… (Telegram opens nothing else), as in otklik.example/dashboard/"
        )
    if settings.token is not None and not _token_shaped(settings.token.get_secret_value()):
        wrong.append("BOT_TOKEN does not look like <digits>:<secret> from @BotFather")
    if settings.token is None and settings.api_url != PUBLIC_API:
        wrong.append("BOT_API_URL is set without BOT_TOKEN: a Bot API server needs a token")
    secret = settings.webhook_secret.get_secret_value() if settings.webhook_secret else ""
    if secret and not (secret.isascii() and secret.replace("_", "").replace("-", "").isalnum() and len(secret) <= 256):
        wrong.append("BOT_WEBHOOK_SECRET may hold only A-Z, a-z, 0-9, _ and -, at most 256")
    return wrong


def _public_https(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname) and not parts.fragment and not any(map(str.isspace, url))


def _token_shaped(token: str) -> bool:
    number, _, secret = token.partition(":")
    return number.isdigit() and bool(secret) and not any(character.isspace() for character in token)


def host_port(listen: str) -> tuple[str, int]:
    """`host:port` apart; ValueError if it is not that."""
    host, colon, port = listen.rpartition(":")
    if not colon or not host or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{listen!r} is not host:port")
    return host.strip("[]"), int(port)
