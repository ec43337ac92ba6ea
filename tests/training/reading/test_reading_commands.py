"""`otklik data preview` and `otklik data check` as an operator sees them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog

from storage.contracts import Turn
from training.cli import data
from training.data.reading.commands import printable
from training.data.rows import Pair, dump

Jsonl = Callable[..., Path]


@pytest.fixture(autouse=True)
def _logs_as_before() -> Iterator[None]:
    """A command sets up the logs of its whole process."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def test_preview_shows_words_marks_and_counts(jsonl: Jsonl, capsys: pytest.CaptureFixture[str]) -> None:
    path = jsonl({"q": "Как [bold]дела[/bold]?", "answer": "Хорошо \x1b[31mвсё", "emotion": "радость", "score": 9.5})
    assert data(["preview", str(path), "--read", "qa", "--field", "question=q"]) == 0
    shown = capsys.readouterr().out
    for expected in ("answer data.jsonl:1", "Как [bold]дела[/bold]?", "emotion: joy 2 · score: 9.5", "1 rows"):
        assert expected in shown
    assert "\x1b" not in shown
    assert "reader qa; whole source: 1 records" in shown


def test_preview_of_a_pair_tells_better_from_worse(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = Pair(prompt=(Turn(role="user", text="Как?"),), chosen="Лучше.", rejected="Хуже.", system="Будь краток.")
    (tmp_path / "rows.jsonl").write_text(dump(row), encoding="utf-8")
    assert data(["preview", str(tmp_path)]) == 0
    lines = [line.strip("│ ").split() for line in capsys.readouterr().out.splitlines()]
    assert lines[1:5] == [["system", "Будь", "краток."], ["person", "Как?"], ["bot", "Лучше."], ["worse", "Хуже."]]


def test_long_words_are_cut_with_their_length() -> None:
    assert printable("а" * 1500, 10) == "аааааааааа … (1,500 characters)"
    assert printable("раз\tдва\u202eтри\nчетыре") == "раз два три\nчетыре"


def test_preview_of_what_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert data(["preview", str(tmp_path / "absent.jsonl")]) == 2
    assert data(["preview"]) == 2
    assert data(["preview", "--field", "question", str(tmp_path)]) == 2
    assert data(["preview", "--set", "unit=page", str(tmp_path)]) == 2
    errors = capsys.readouterr().err
    for expected in ("no such file", "give either `path` or `hub`", "write it as NAME=FIELD", "unit: Input should be"):
        assert expected in errors


def test_check_lists_every_fault_and_exits_with_1(jsonl: Jsonl, capsys: pytest.CaptureFixture[str]) -> None:
    path = jsonl({"question": "а", "answer": "б"}, *[{"question": 1, "answer": "б"}] * 30)
    assert data(["check", str(path)]) == 1
    captured = capsys.readouterr()
    assert len(captured.err.splitlines()) == 30
    assert "data.jsonl:31: question: expected a text, got a number" in captured.err
    assert captured.out == "reader qa: 31 records, 1 rows; 30 faults\n"


def test_check_of_good_data_exits_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert data(["check", "--read", "seed"]) == 0
    assert capsys.readouterr().out.endswith("; no faults\n")


def test_check_of_a_broken_file_exits_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.json").write_text('[{"question": "а", "answer": "б"}, {"quest', encoding="utf-8")
    assert data(["check", str(tmp_path / "a.json")]) == 1
    assert "a.json:1, row 2: no valid JSON" in capsys.readouterr().err


def test_an_empty_file_is_no_good_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "empty.jsonl"
    path.write_text("", encoding="utf-8")
    assert data(["check", str(path)]) == 1
    assert "empty.jsonl holds no record" in capsys.readouterr().err


def test_null_in_the_first_row_is_told_as_what_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "qa.jsonl"
    path.write_text('{"question": null, "answer": "да"}\n{"question": "а", "answer": "да"}\n', encoding="utf-8")
    assert data(["check", str(path)]) == 1
    said = capsys.readouterr()
    assert "qa.jsonl:1" in said.err and "question" in said.err and "no reader fits" not in said.err
    assert "reader qa: 2 records, 1 row" in said.out


def test_a_name_in_fields_that_the_reader_does_not_know_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "qa.jsonl"
    path.write_text('{"question": "а", "answer": "да"}\n', encoding="utf-8")
    assert data(["check", "--field", "qestion=question", str(path)]) == 2
    assert "reader qa asks for nothing called qestion; it asks for answer" in capsys.readouterr().err
    assert data(["check", "--field", "emotion=null", str(path)]) == 0
