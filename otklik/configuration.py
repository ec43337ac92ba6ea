"""`python -m otklik.configuration`: writes docs/configuration.md from the settings classes themselves.

A test compares the page with this output, so an undocumented or renamed setting cannot land.
"""

from __future__ import annotations

import sys
import types
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from bot.api.settings import ApiSettings
from bot.settings import BotSettings
from models.settings import ModelsSettings
from storage.settings import StorageSettings
from training.data.helpdesk.settings import HelpdeskSettings
from training.evaluation.judging.settings import JudgeSettings
from training.export.settings import HubSettings
from training.settings import TrainingSettings

PAGE = Path(__file__).resolve().parent.parent / "docs" / "configuration.md"
CLASSES: tuple[tuple[type[BaseSettings], str], ...] = (
    (BotSettings, "The people-facing process (`otklik bot`, and its part of `otklik up`)."),
    (ApiSettings, "The HTTP API (`otklik api`, and its part of `otklik up`)."),
    (StorageSettings, "Where data lives; every process reads these."),
    (ModelsSettings, "The generation worker (`otklik worker`, `reply`, `classify`)."),
    (TrainingSettings, "When and how the trainer refits (`otklik trainer`, `otklik train cycle`)."),
    (HelpdeskSettings, "Access to a Zoho Desk, for `otklik data helpdesk` alone, which needs the required ones."),
    (HubSettings, "Uploads by `otklik export hub`."),
    (JudgeSettings, "The model that compares answers (`otklik judge`)."),
)
HEAD = """# Configuration

Settings come from environment variables or a `.env` file in the working folder. Each process reads the classes it
needs and refuses to start on a wrong or contradictory value, naming all of them at once. Secrets are never printed.

This page is written by `python -m otklik.configuration`; a test keeps it current.
"""


def type_name(annotation: Any) -> str:
    """A type as an operator reads it: `bolt | nut` for choices, `number`, `text`, `path`, `list`."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return type_name(get_args(annotation)[0])
    if origin is Literal:
        return " \\| ".join(f"`{choice}`" for choice in get_args(annotation))
    if origin in (Union, types.UnionType):
        return type_name(next(part for part in get_args(annotation) if part is not type(None)))
    if origin is dict:
        return "METHOD=FILE, …" if get_args(annotation)[1] is Path else "JSON"
    if origin is not None:
        return "list, comma-separated"
    simple = {"int": "whole number", "float": "number", "str": "text", "bool": "yes/no", "SecretStr": "secret"}
    name: str = annotation.__name__
    return simple.get(name, name.lower())


def default_text(field: FieldInfo) -> str:
    """The default as typed in the environment; «—» where it is unset, «required» where there is none."""
    if field.is_required():
        return "required"
    value = field.default
    if value is None or value in ((), "", {}):
        return "—"
    if isinstance(value, Path):
        return f"`{value.name}`"
    if isinstance(value, Enum):
        value = value.value
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def render() -> str:
    """The whole page."""
    parts = [HEAD]
    for settings, purpose in CLASSES:
        prefix = str(settings.model_config["env_prefix"])
        parts.append(
            f"## `{prefix}…`\n\n{purpose}\n\n| variable | kind | default | meaning |\n| --- | --- | --- | --- |"
        )
        for name, field in settings.model_fields.items():
            row = (f"`{prefix}{name.upper()}`", type_name(field.annotation), default_text(field), field.description)
            parts[-1] += "\n| " + " | ".join(str(cell) for cell in row) + " |"
    return "\n\n".join(part.strip() for part in parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.name} written\n")
