"""`TRAINING_ZOHO_…` settings: whose help desk is exported, with which secrets. Knows no endpoint."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from storage.settings import unknown_names
from training.data.helpdesk.errors import WrongSettings

PREFIX = "TRAINING_ZOHO_"
Region = Literal["com", "eu", "in", "com.au", "jp", "ca", "sa", "uk", "com.cn"]


class HelpdeskSettings(BaseSettings):
    """Access to Zoho Desk; only `otklik data helpdesk` reads it."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_file=".env", extra="ignore", frozen=True, hide_input_in_errors=True
    )

    client_id: str = Field(min_length=1, description="Client ID of a self client in Zoho's API console.")
    client_secret: SecretStr = Field(min_length=1, description="Its client secret.")
    refresh_token: SecretStr = Field(
        min_length=1, description="Refresh token with the scopes Desk.articles.READ and Desk.tickets.READ."
    )
    org_id: str = Field(pattern=r"^\d+$", description="Organisation, the `orgId` of every request.")
    region: Region = Field(default="com", description="Data centre: the end of the address that the desk is opened at.")
    accounts_url: str | None = Field(default=None, description="Accounts server; unset: the region's.")
    desk_url: str | None = Field(default=None, description="Desk server; unset: the region's.")
    locale: str = Field(default="ru", description="Language of the articles and translations that are exported.")
    department: str | None = Field(
        default=None, pattern=r"^\d+$", description="Only tickets of this department id; unset: all."
    )
    unsolved_statuses: str = Field(
        default="", description="Comma-separated ticket statuses that close a ticket without solving it."
    )
    timeout_seconds: float = Field(default=60.0, gt=0, description="How long one answer may take.")
    retries: int = Field(default=6, ge=0, le=20, description="Further tries after 5xx answers and lost connections.")
    pause_seconds: float = Field(default=0.1, ge=0, description="Rest between requests, which go one at a time.")
    longest_wait_seconds: float = Field(
        default=900.0, ge=0, description="A limit that asks to wait longer ends the export; `--resume` goes on later."
    )

    @field_validator("department", "accounts_url", "desk_url", mode="before")
    @classmethod
    def _blank_is_unset(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("accounts_url", "desk_url")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        # Secrets go there: only the loopback interface may do without encryption.
        if value and not re.match(r"^(?:https://[^/@\s]+|http://(?:127\.0\.0\.1|localhost)(?::\d+)?)/?$", value):
            raise ValueError("must be https://host")
        return value.rstrip("/") if value else value

    @model_validator(mode="after")
    def _no_unknown_names(self) -> HelpdeskSettings:
        if problems := unknown_names(PREFIX, type(self).model_fields):
            raise ValueError("; ".join(problems))
        return self

    def accounts(self) -> str:
        """Base address of the server that gives access tokens."""
        return self.accounts_url or f"https://accounts.{_host(self.region)}"

    def desk(self) -> str:
        """Base address of the API."""
        return self.desk_url or f"https://desk.{_host(self.region)}"

    def unsolved(self) -> frozenset[str]:
        """Statuses, lower case, that close a ticket without solving it."""
        return frozenset(part.strip().casefold() for part in self.unsolved_statuses.split(",") if part.strip())


def _host(region: Region) -> str:
    return "zohocloud.ca" if region == "ca" else f"zoho.{region}"


def load() -> HelpdeskSettings:
    """Settings of the environment and `.env`; WrongSettings lists all that is wrong or missing, and no value."""
    try:
        return HelpdeskSettings()
    except ValidationError as error:
        problems = unknown_names(PREFIX, HelpdeskSettings.model_fields)
        for one in error.errors(include_input=False, include_url=False):
            name = str(one["loc"][0]) if one["loc"] else ""
            if name and one["type"] in ("missing", "too_short", "string_too_short"):
                problems.append(f"{PREFIX}{name.upper()} is not set: {HelpdeskSettings.model_fields[name].description}")
            elif name:
                problems.append(f"{PREFIX}{name.upper()}: {one['msg'].removeprefix('Value error, ')}")
    raise WrongSettings("settings are wrong:\n" + "\n".join(f"  {problem}" for problem in problems))
