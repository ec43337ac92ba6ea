"""Readers of single answers, texts and rows: instruction, question/answer, text, labelled emotions, finished rows."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from storage.contracts import Turn
from training.data.emotions import PUBLIC, folded_labels
from training.data.reading.fields import Fields, as_number
from training.data.reading.records import LeftOut, Record, name_type
from training.data.rows import Answer, AnyRow, Row, Text

_ROWS: TypeAdapter[AnyRow] = TypeAdapter(AnyRow)


def instruction(fields: Fields) -> list[Row]:
    """`instruction`, `input`, `output` → an answer; the input goes under the instruction."""
    asked = fields.text("instruction")
    given = fields.text("input", optional=True)
    answer = fields.answer("output")
    return [single(fields, f"{asked}\n\n{given}" if given else asked, answer)]


def question(fields: Fields) -> list[Row]:
    """`question`, `answer` (or `prompt`, `completion`) → an answer."""
    asked = fields.text("question", "prompt")
    return [single(fields, asked, fields.answer("answer", "completion", "response"))]


def text(fields: Fields) -> list[Row]:
    """`text`, with `labels` if there are any → a text. `intensity` by label gives labels above 0 and scores."""
    words = fields.text("text", "sentence")
    labels = _labels(fields)
    common = fields.common()
    strengths = fields.take("intensity")
    if isinstance(strengths, dict):
        common["scores"] |= {name: number for name, one in strengths.items() if (number := as_number(one)) is not None}
    fields.done()
    return [Text(text=words, labels=labels, **common)]


def emotions(fields: Fields) -> list[Row]:
    """As `text`, its labels brought to the seven of public sets; none is neutral, unknown ones leave it out."""
    (row,) = text(fields)
    assert isinstance(row, Text)  # noqa: S101 – for the type checker
    if row.labels is None:
        fields.fault("labels", f"expected a list of labels, e.g. of {', '.join(PUBLIC)}")
        fields.done()
    kept = folded_labels(row.labels or ("neutral",))
    if not kept:
        raise LeftOut
    return [row.model_copy(update={"labels": tuple(sorted(kept))})]


def rows(record: Record) -> list[Row]:
    """A row as this product writes it; where it came from is kept if it says so."""
    row = _ROWS.validate_python(dict(record.fields))
    return [row if row.origin else row.model_copy(update={"origin": record.place})]


def single(fields: Fields, asked: str, answer: str, **tags: str) -> Answer:
    """An answer to one message."""
    common = fields.common()
    fields.done()
    common["tags"] |= tags
    return Answer(prompt=(Turn(role="user", text=asked),), answer=answer, **common)


def _labels(fields: Fields) -> tuple[str, ...] | None:
    value: Any = fields.take("labels", "label")
    strengths = fields.take("intensity")
    if value is None and isinstance(strengths, dict):
        return tuple(sorted(str(name) for name, one in strengths.items() if (as_number(one) or 0) > 0))
    if value is None:
        return None
    if isinstance(value, bool | int | str):
        # A csv cell holds several labels between commas.
        return tuple(part.strip() for part in str(value).split(",") if part.strip())
    if isinstance(value, list) and all(isinstance(one, str | int) for one in value):
        return tuple(str(one).strip() for one in value)
    fields.fault("labels", f"expected a label or a list of labels, got {name_type(value)}")
    return None
