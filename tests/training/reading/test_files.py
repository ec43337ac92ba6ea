"""Every file format gives the same rows with their places, and a broken file says what is wrong where."""

import csv
import json
import lzma
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from storage.presets import Presets
from tests.training.reading.conftest import Read
from training.data.reading import ReadError, Source, objects, open_source, tables  # , Source, open_source
from training.data.reading.encodings import guess
from training.data.reading.objects import prefix
from training.data.reading.tables import delimiter
from training.data.rows import Answer, Dialogue

ROWS = [
    {"question": "Который час?", "answer": "Полдень, а «солнце» высоко; всё хорошо."},
    {"question": "Как дела, друг?", "answer": "Лучше\nвсех."},
]


def _jsonl(path: Path) -> None:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS), encoding="utf-8")


def _json(path: Path) -> None:
    path.write_text(json.dumps(ROWS, ensure_ascii=False, indent=2), encoding="utf-8")


def _wrapped(path: Path) -> None:
    path.write_text(json.dumps({"data": ROWS}), encoding="utf-8")


def _csv(path: Path) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as out:
        writer = csv.DictWriter(out, ["question", "answer"], delimiter=";")
        writer.writeheader()
        writer.writerows(ROWS)


def _cp1251(path: Path) -> None:
    with path.open("w", encoding="cp1251", newline="") as out:
        writer = csv.DictWriter(out, ["answer", "question"])
        writer.writeheader()
        writer.writerows(ROWS)


def _parquet(path: Path) -> None:
    parquet.write_table(pyarrow.Table.from_pylist(ROWS), path)


def _packed(write: Callable[[Path], None], path: Path) -> None:
    plain = path.with_suffix("")
    write(plain)
    path.write_bytes(lzma.compress(plain.read_bytes()))


@pytest.mark.parametrize(
    ("name", "write", "places"),
    [
        ("a.jsonl", _jsonl, ["1", "2"]),
        ("a.json", _json, ["2, row 1", "6, row 2"]),
        ("a.json", _jsonl, ["1, row 1", "2, row 2"]),
        ("a.json", _wrapped, ["1, row 1", "1, row 2"]),
        ("a.csv", _csv, ["2", "3"]),
        ("a.csv", _cp1251, ["2", "3"]),
        ("a.parquet", _parquet, ["1", "2"]),
        ("a.jsonl.xz", lambda path: _packed(_jsonl, path), ["1", "2"]),
        ("a.json.xz", lambda path: _packed(_json, path), ["2, row 1", "6, row 2"]),
        ("a.csv.xz", lambda path: _packed(_csv, path), ["2", "3"]),
    ],
)
def test_every_format_gives_the_same_rows(
    tmp_path: Path, read: Read, name: str, write: Callable[[Path], None], places: list[str]
) -> None:
    write(tmp_path / name)
    rows = read(tmp_path / name)
    assert [(row.prompt[0].text, row.answer) for row in rows if isinstance(row, Answer)] == [
        (row["question"], row["answer"]) for row in ROWS
    ]
    assert [row.origin for row in rows] == [f"{name}:{place}" for place in places]


WORDS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1).filter(str.strip)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows=st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=8), mark=st.sampled_from(",;\t|"), bom=st.booleans())
def test_csv_round_trip(tmp_path: Path, presets: Presets, rows: list[tuple[str, str]], mark: str, bom: bool) -> None:
    path = tmp_path / "a.csv"
    with path.open("w", encoding="utf-8-sig" if bom else "utf-8", newline="") as out:
        csv.writer(out, delimiter=mark).writerows([("question", "answer"), *rows])
    got = [row for row in open_source(Source(path=path, read="qa"), presets) if isinstance(row, Answer)]
    assert [(row.prompt[0].text, row.answer) for row in got] == [(one.strip(), two.strip()) for one, two in rows]


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        ("question;answer, short\nДа, а что;Нет, ничего, так\n", ";"),
        ("question\tanswer\nраз, два, три\tчетыре, пять\n", "\t"),
        ('"a|b",c\n1,2\n', ","),
        # One column alone: the commas are prose.
        ("text\nодин, два\n", ";"),
    ],
)
def test_delimiter_is_the_headers(sample: str, expected: str) -> None:
    assert delimiter(sample) == expected


def test_encoding_is_guessed_by_the_beginning() -> None:
    assert guess("Привет".encode("cp1251")) == "cp1251"
    assert guess("Привет".encode()[:-1]) == "utf-8"
    assert guess("Привет".encode("utf-16")) == "utf-16"
    assert guess("\ufeffПривет".encode()) == "utf-8-sig"


def test_an_encoding_can_be_named(text: Callable[..., Path], read: Read) -> None:
    path = text("Добрый день", encoding="koi8-r")
    assert read(path, encoding="koi8-r")[0].text == "Добрый день"  # type: ignore[attr-defined]
    with pytest.raises(ReadError, match="there is no encoding 'koi-9'"):
        read(path, encoding="koi-9")
    with pytest.raises(ReadError, match=r"data\.txt:1: byte 1 is no UTF-8; the file looks like KOI8-R: name it with"):
        read(path, encoding="utf-8")


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b' [{"a": 1}]', "item"),
        (b'{ "data" : [ {', "data.item"),
        (b'{"messages": [{"role"', ""),
        (b'{"data": "x"}', ""),
    ],
)
def test_where_json_keeps_its_rows(head: bytes, expected: str) -> None:
    assert prefix(head) == expected


def test_a_large_json_array_does_not_fill_the_memory(tmp_path: Path, presets: Presets) -> None:
    path = tmp_path / "large.json"
    row = json.dumps({"question": "Что нового?", "answer": "Ничего. " * 40}, ensure_ascii=False)
    path.write_text("[" + ",\n".join([row] * 12_000) + "]", encoding="utf-8")
    rows = open_source(Source(path=path), presets)
    next(rows)
    tracemalloc.start()
    count = 1 + sum(1 for _ in rows)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 12_000
    assert peak < path.stat().st_size / 4


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.jsonl",
            b'{"question": "a", "answer": "b"}\n{"question": \n',
            r"a\.jsonl:2: no valid JSON: Expecting value",
        ),
        ("a.jsonl", b"[1]\n", r"a\.jsonl:1: expected an object with named fields, got a list"),
        ("a.jsonl", b"[" * 100_000, r"a\.jsonl:1: JSON nested too deeply"),
        (
            "a.json",
            b'[{"question": "a", "answer": "b"}, {"question" 1}]',
            r"a\.json:1, row 2: no valid JSON in this row",
        ),
        ("a.json", b'[{"question": "a", "answer": "b"}', r"a\.json:1, row 2: no valid JSON in this row"),
        ("a.csv", b"question,answer\na,b,c\n", r"a\.csv:2: 3 columns where the header has 2"),
        ("a.csv", b'question,answer\na,b\n"c,d\n', r"a\.csv:3: no valid csv: .*quotation mark left open"),
        ("a.csv", b"a,a\n1,2\n", r"a\.csv:1: the header names a column twice: a"),
        ("a.parquet", b"PAR1 no", r"a\.parquet:1: no valid parquet"),
        ("a.jsonl.xz", lzma.compress(b'{"question": "a", "answer": "b"}\n' * 99)[:-20], r"cut short"),
        ("a.txt.xz", b"plain", r"a\.txt\.xz: the archive is damaged"),
        ("a.docx", b"no zip", r"a\.docx: no Word document"),
        ("a.pdf", b"", r"no reader for '\.pdf'; known: \.txt"),
    ],
)
def test_what_is_broken_is_named_with_its_place(
    tmp_path: Path, read: Read, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ReadError, match=message):
        read(tmp_path / name)


def test_a_folder_is_read_in_order_without_hidden_files(tmp_path: Path, read: Read) -> None:
    for name in ("b.txt", "a/c.txt.xz", ".git/x.txt", "~$open.docx", "readme.pdf"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(lzma.compress(name.encode()) if name.endswith("xz") else name.encode())
    assert [(row.origin, row.text) for row in read(tmp_path)] == [  # type: ignore[attr-defined]
        ("a/c.txt.xz:1", "a/c.txt.xz"),
        ("b.txt:1", "b.txt"),
    ]


def test_an_absent_or_empty_path_is_told_at_once(tmp_path: Path, presets: Presets) -> None:
    with pytest.raises(ReadError, match="no such file or folder"):
        open_source(Source(path=tmp_path / "absent.txt"), presets)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ReadError, match="holds no file that can be read"):
        open_source(Source(path=tmp_path / "empty"), presets)


def test_a_cell_may_hold_a_list_as_json(tmp_path: Path, read: Read) -> None:
    with (tmp_path / "a.csv").open("w", encoding="utf-8", newline="") as out:
        csv.writer(out).writerows([["turns"], [json.dumps(["Привет", "Здравствуй"])]])
    (row,) = read(tmp_path / "a.csv")
    assert isinstance(row, Dialogue)
    assert [turn.text for turn in row.turns] == ["Привет", "Здравствуй"]


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.txt"])
def test_a_file_without_line_ends_does_not_fill_the_memory(
    tmp_path: Path, read: Read, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(objects, "LONGEST", 3_000_000)
    monkeypatch.setattr(tables, "LONGEST", 3_000_000)
    (tmp_path / name).write_bytes(b"text\n" + b"a" * 9_000_000)
    with pytest.raises(ReadError, match=rf"{name}:2: a line of more than 3 million characters"):
        read(tmp_path / name, read="text")
