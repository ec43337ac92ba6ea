"""`TRAINING_HUB_…` settings: where `otklik export hub` uploads to, and with which token. Knows no endpoint."""

from __future__ import annotations

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from storage.settings import unknown_names

PREFIX = "TRAINING_HUB_"


class HubSettings(BaseSettings):
    """Access to a model hub; only `otklik export hub` reads it."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    token: SecretStr | None = Field(default=None, description="Access token that may write; never taken as an option.")
    url: str = Field(
        default="https://huggingface.co", pattern=r"^https?://", description="The hub, or a server that speaks its API."
    )

    @field_validator("token", mode="before")
    @classmethod
    def _blank_is_unset(cls, value: object) -> object:
        return None if value == "" else value

    @model_validator(mode="after")
    def _no_unknown_names(self) -> HubSettings:
        if problems := unknown_names(PREFIX, type(self).model_fields):
            raise ValueError("; ".join(problems))
        return self
