"""`API_…` settings of `otklik api`. Contradictions are refused at start, all of them at once."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, field_validator
from pydantic_settings import NoDecode, SettingsConfigDict

from bot.settings import host_port
from storage.settings import Strict


class ApiSettings(Strict):
    """Settings of the HTTP front end."""

    model_config = SettingsConfigDict(
        env_prefix="API_", env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    listen: str = Field(default="127.0.0.1:8090", description="host:port of the HTTP server.")
    origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Origins of pages that may call it (CORS) or embed the widget, comma-separated; none by default.",
    )
    body_limit: int = Field(default=256 * 1024, ge=1024, description="Largest request body in bytes.")
    deadline_seconds: float = Field(default=120.0, gt=0, description="A request unanswered for so long fails (504).")
    default_emotion: str = Field(default="auto", description="Preset id where a request names none.")
    max_message_chars: int = Field(default=8000, ge=1, description="Longest single message.")
    max_messages: int = Field(default=64, ge=1, description="So many last messages of a dialogue count.")
    waiting_limit: int = Field(default=256, ge=1, description="Requests of this process that may wait at once.")
    remember_seconds: int = Field(default=86400, ge=60, description="How long an Idempotency-Key is remembered.")
    widget_models: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        max_length=4,
        description="Models that operators compare in the widget, four at most; unset: otklik, base and the newest.",
    )

    @field_validator("origins", "widget_models", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip().rstrip("/") for part in value.split(",") if part.strip())
        return value

    @field_validator("listen")
    @classmethod
    def _listens(cls, value: str) -> str:
        host_port(value)
        return value

    def contradictions(self) -> list[str]:
        """Values that must not be meant, as advice."""
        if "*" in self.origins:
            return ["API_ORIGINS=* would let any web page use a visitor's key: name the origins"]
        return []
