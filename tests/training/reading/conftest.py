"""Files of every format with the same few Russian rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from storage.presets import Presets
from training.data.reading import Source, open_source
from training.data.rows import Row

Read = Callable[..., list[Row]]


@pytest.fixture
def read(presets: Presets) -> Read:
    """All rows of a path with the given keys of a source."""

    def rows(path: Path | None, **keys: Any) -> list[Row]:
        return list(open_source(Source(path=path, **keys), presets))

    return rows


@pytest.fixture
def jsonl(tmp_path: Path) -> Callable[..., Path]:
    """A JSON-lines file of objects."""

    def write(*objects: Any, name: str = "data.jsonl") -> Path:
        path = tmp_path / name
        path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in objects), encoding="utf-8")
        return path

    return write


@pytest.fixture
def text(tmp_path: Path) -> Callable[..., Path]:
    """A text file of lines."""

    def write(*lines: str, name: str = "data.txt", encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding=encoding)
        return path

    return write


@pytest.fixture
def docx(tmp_path: Path) -> Callable[[Iterable[str], Iterable[Iterable[str]]], Path]:
    """A Word document: paragraphs, then a table, then a last paragraph."""

    def write(paragraphs: Iterable[str], table: Iterable[Iterable[str]] = (), last: str = "") -> Path:
        from docx import Document

        document = Document()
        for paragraph in paragraphs:
            document.add_paragraph(paragraph)
        rows = [list(row) for row in table]
        if rows:
            made = document.add_table(len(rows), len(rows[0]))
            for cells, row in zip(made.rows, rows, strict=True):
                for cell, words in zip(cells.cells, row, strict=True):
                    cell.text = words
        if last:
            document.add_paragraph(last)
        path = tmp_path / "base.docx"
        document.save(str(path))
        return path

    return write
