"""A file of canonical rows, or a prepared set's training rows, as a source of another set. Knows JSON lines only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from training.data.rows import Row, parse
from training.recipes import RecipeError


class RowFile(BaseModel):
    """Rows as JSON lines."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path = Field(description="A JSON-lines file of rows.")


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a file; RecipeError names the line and the field that is wrong."""
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    yield parse(line)
                except ValidationError as error:
                    fault = error.errors(include_input=False, include_url=False)[0]
                    where = ".".join(map(str, fault["loc"]))
                    raise RecipeError(f"{path.name}:{number}: {where}: {fault['msg']}") from None
    except FileNotFoundError:
        raise RecipeError(f"data: {path} does not exist") from None
