"""The line that is told of a row is the line that it begins on, however the text is laid out and cut into pieces."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.reading.conftest import Read
from training.data.reading import ReadError
from training.data.reading.json_lines import Starts

VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.sampled_from('а"\\n,:[]{}1'), max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=6,
)
GAP = st.sampled_from(["", " ", "\n", "\n\n  ", "\t"])


def _lines(text: bytes, depth: int, pieces: int) -> list[int]:
    starts = Starts(depth)
    for begin in range(0, len(text), pieces):
        starts.feed(text[begin : begin + pieces])
    return list(starts._lines)


@settings(max_examples=300, deadline=None)
@given(
    values=st.lists(st.tuples(VALUE, GAP, GAP, st.sampled_from([None, 1])), max_size=6),
    wrapped=st.booleans(),
    pieces=st.integers(1, 40),
)
def test_every_row_has_its_line(values: list[tuple[object, str, str, int | None]], wrapped: bool, pieces: int) -> None:
    text = '{"data": [' if wrapped else "["
    expected: list[int] = []
    for number, (value, before, after, indent) in enumerate(values):
        text += ("," if number else "") + before
        expected.append(1 + text.count("\n"))
        text += json.dumps(value, ensure_ascii=False, indent=indent) + after
    text += '], "later": [1,\n[2]]}' if wrapped else "]\n"
    assert _lines(text.encode(), 2 if wrapped else 1, pieces) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[\n  {"question": "а", "answer": "б"},\n  {"question": "в"}\n]', r"a\.json:3, row 2: answer: is missing"),
        (
            '[\n\n {"question": "а",\n "answer": "б"},\n {"question" 1}\n]',
            r"a\.json:5, row 2: no valid JSON in this row",
        ),
        (
            '{"data": [\n{"question": "а",\n"answer": "б"\n},\n7]}',
            r"a\.json:5, row 2: expected an object .* got a number",
        ),
        ('[{"question": "а", "answer": "б"}, {"question": "в"}]', r"a\.json:1, row 2: answer: is missing"),
        ('{"question": "а", "answer": "б"}\n\n{"question": "в"}\n', r"a\.json:3, row 2: answer: is missing"),
    ],
)
def test_a_fault_names_the_line_that_its_row_begins_on(tmp_path: Path, read: Read, content: str, message: str) -> None:
    (tmp_path / "a.json").write_text(content, encoding="utf-8")
    with pytest.raises(ReadError, match=message):
        read(tmp_path / "a.json", read="qa")


@pytest.mark.parametrize(
    ("reader", "lines", "message"),
    [
        (
            "knowledge_base",
            ("### Title: А", "### Body: б", "", "### Title: В", "### Category: г"),
            r":4: body: is missing",
        ),
        (
            "tickets",
            ("### Subject: А", "### Question: б", "### Answer: в", "### Solved: да", "", "### Subject: Г"),
            r":6: question: is missing",
        ),
    ],
)
@pytest.mark.parametrize("name", ["a.txt", "a.md", "a.doc"])
def test_an_article_or_ticket_is_told_by_the_line_of_its_heading(
    text: Callable[..., Path], read: Read, reader: str, lines: tuple[str, ...], message: str, name: str
) -> None:
    with pytest.raises(ReadError, match=name.replace(".", r"\.") + message):
        read(text(*lines, name=name), read=reader)
