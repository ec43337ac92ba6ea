"""Where data lives: `STORAGE_…` settings. Knows nothing of what is stored."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import Field, ModelWrapValidatorHandler, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from storage.presets import BUNDLED, Presets, load_presets

NO_REDIS = (
    "STORAGE_REDIS_URL is not set: name a Redis or Valkey server (redis://host:6379/0), "
    "or use `otklik up`, which starts an embedded one"
)


class Strict(BaseSettings):
    """Settings that are refused with everything that is wrong at once: values, unknown names, contradictions."""

    def contradictions(self) -> list[str]:
        """Values that cannot all be meant, as advice that names the settings."""
        return []

    @classmethod
    def unknown(cls) -> list[str]:
        """Names with our prefix that no setting carries."""
        return unknown_names(cls.model_config["env_prefix"], cls.model_fields)

    @model_validator(mode="wrap")
    @classmethod
    def _all_at_once(cls, values: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        wrong, names = [], set[str]()
        try:
            made = handler(values)
        except ValidationError as error:
            wrong = error.errors(include_url=False)
            names = {str(one["loc"][0]) for one in wrong if one["loc"]}
            try:
                made = handler({name: value for name, value in values.items() if name not in names})
            except ValidationError:  # a required setting is wrong, so nothing more can be said
                raise error from None
        # What contradicts a setting that is wrong itself will be seen when that one is right.
        spelled = [cls.model_config["env_prefix"] + name.upper() for name in names]
        told = [one for one in made.contradictions() if not any(name in one for name in spelled)]
        told += cls.unknown()
        if not wrong and not told:
            return made
        lines = [_detail(one["msg"], one["loc"]) for one in wrong] + [_detail(one, ()) for one in told]
        raise ValidationError.from_exception_data(cls.__name__, lines, hide_input=True)


def _detail(message: str, place: tuple[int | str, ...]) -> InitErrorDetails:
    return InitErrorDetails(type=PydanticCustomError("setting", "{what}", {"what": message}), loc=place, input=None)


class StorageSettings(Strict):
    """Settings of everything that crosses processes; wrong values are refused at start, all at once."""

    model_config = SettingsConfigDict(
        env_prefix="STORAGE_", env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    dir: Path = Field(default=Path("var"), description="Everything produced at run time lives under this folder.")
    redis_url: SecretStr | None = Field(
        default=None, description="redis://, rediss:// or unix:// URL; unset: `otklik up` starts an embedded server."
    )
    database_url: SecretStr | None = Field(
        default=None,
        description="postgresql+asyncpg://… or sqlite+aiosqlite:///…; unset: SQLite in STORAGE_DIR.",
    )
    adapters: str | None = Field(
        default=None,
        description="Where adapters are stored for all machines: a shared folder or any fsspec address, such as "
        "s3://bucket/adapters (needs `pip install s3fs`); unset: `adapters` in STORAGE_DIR.",
    )
    presets: Path = Field(default=BUNDLED, description="YAML file with the emotion presets.")
    namespace: str = Field(
        default="otklik", pattern=r"^[a-z0-9_-]{1,32}$", description="Prefix (and hash tag) of every Redis key."
    )
    queue_limit: int = Field(default=500, ge=1, description="Requests that may wait or run at once; more are refused.")
    lease_seconds: float = Field(
        default=30.0, ge=0.05, description="A claimed message whose owner is silent for so long goes to another."
    )
    max_deliveries: int = Field(default=3, ge=1, description="After so many failed deliveries: dead-letter stream.")

    @field_validator("redis_url", "database_url", "adapters", mode="before")
    @classmethod
    def _blank_is_unset(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("adapters")
    @classmethod
    def _no_password(cls, value: str | None) -> str | None:
        if value and urlsplit(value).password:
            raise ValueError(
                "must not hold a password, the address is told to every worker: give it in the storage's own "
                "environment variables (AWS_SECRET_ACCESS_KEY, …)"
            )
        return value

    def database(self) -> str:
        """The SQLAlchemy URL that is in force."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite+aiosqlite:///{(self.dir / 'otklik.sqlite3').absolute()}"

    def redis(self) -> str:
        """The Redis URL that is in force; ValueError with advice if none is set."""
        if self.redis_url is None:
            raise ValueError(NO_REDIS)
        return self.redis_url.get_secret_value()

    def adapters_address(self) -> str:
        """The fsspec address of the adapters' store that is in force."""
        return self.adapters or str((self.dir / "adapters").absolute())

    def load_presets(self) -> Presets:
        """The emotion presets of this installation."""
        return load_presets(self.presets)


def unknown_names(prefix: str, fields: Iterable[str]) -> list[str]:
    """Names with our prefix that no setting carries, such as BOT_TOKNE: a typing error that would go unnoticed.

    Looks in the environment and in the `.env` file of the working folder.
    """
    known = {prefix + name.upper() for name in fields}
    named = {*os.environ, *(name.upper() for name in dotenv_values(".env"))}
    return [f"{name} is not a setting" for name in sorted(named) if name.startswith(prefix) and name not in known]
