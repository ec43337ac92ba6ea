"""`TRAINING_JUDGE_…` settings: which model judges, where, and what it costs. Knows no endpoint."""

from __future__ import annotations

from typing import Any

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from storage.settings import unknown_names
from training.evaluation.judging.asking import JudgeFailed

PREFIX = "TRAINING_JUDGE_"


class JudgeSettings(BaseSettings):
    """The judging model; only `otklik judge` and the bench read it."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    url: str | None = Field(
        default=None, pattern=r"^https?://", description="OpenAI-compatible server; unset: the model is loaded here."
    )
    model: str | None = Field(
        default=None, description="Its name at the server; without a server a folder or hub id of a causal model."
    )
    key: SecretStr | None = Field(default=None, description="The server's API key; never taken as an option.")
    extra: dict[str, Any] = Field(
        default={},
        description='Laid over every request, null removes: {"response_format": {"type": "json_object"}}.',
    )
    temperature: float = Field(default=0.0, ge=0, le=2, description="Self-agreement tells something only above 0.")
    max_tokens: int = Field(default=200, ge=8, description="Longest verdict; more for models that think aloud.")
    concurrency: int = Field(default=8, ge=1, le=256, description="Questions asked at once.")
    tries: int = Field(default=3, ge=1, le=10, description="Replies asked for until one holds a verdict.")
    timeout_seconds: float = Field(default=120.0, gt=0, description="How long one reply may take.")
    retries: int = Field(default=4, ge=0, le=20, description="Further tries of a busy or unreachable server.")
    price_read: float = Field(default=0.0, ge=0, description="Price of a million tokens that the judge reads.")
    price_written: float = Field(default=0.0, ge=0, description="Price of a million tokens that it writes.")
    currency: str = Field(default="USD", description="Of these prices.")

    @field_validator("url", "model", "key", mode="before")
    @classmethod
    def _blank_is_unset(cls, value: object) -> object:
        return None if value == "" else value

    @model_validator(mode="after")
    def _no_unknown_names(self) -> JudgeSettings:
        if problems := unknown_names(PREFIX, type(self).model_fields):
            raise ValueError("; ".join(problems))
        return self

    @property
    def priced(self) -> bool:
        """Whether tokens cost anything."""
        return bool(self.price_read or self.price_written)

    def cost(self, read: int, written: int) -> float:
        """Price of these tokens."""
        return (read * self.price_read + written * self.price_written) / 1e6


def load(**options: Any) -> JudgeSettings:
    """Settings of the environment and `.env` with options over them; JudgeFailed lists all that is wrong."""
    try:
        return JudgeSettings(**{name: value for name, value in options.items() if value is not None})
    except ValidationError as error:
        lines = []
        for one in error.errors(include_input=False, include_url=False):
            name = f"{PREFIX}{'.'.join(map(str, one['loc'])).upper()}: " if one["loc"] else ""
            lines.append(f"  {name}{one['msg'].removeprefix('Value error, ')}")
    raise JudgeFailed("settings are wrong:\n" + "\n".join(lines))
