"""Every reader takes every usual encoding, and where it cannot, it says where, what it looks like and what to type."""

from __future__ import annotations

import json
import lzma
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

from tests.training.reading.conftest import Read
from training.data import seed_corpus
from training.data.feedback import import_log
from training.data.reading import ReadError
from training.data.reading.encodings import guess
from training.data.rows import dump

WORDS = "Не могу войти: пароль не подходит, а письмо не приходит уже второй час"
OBJECTS: dict[str, dict[str, Any]] = {
    "qa": {"question": WORDS, "answer": "Проверьте «Спам»."},
    "instruction": {"instruction": WORDS, "output": "Проверьте почту."},
    "chat": {"messages": [{"role": "user", "content": WORDS}, {"role": "assistant", "content": "Проверьте почту."}]},
    "pairs": {"prompt": WORDS, "chosen": "Проверьте почту.", "rejected": "Не знаю."},
    "feedback": {"prompt": WORDS, "completion": "Проверьте почту.", "label": True},
    "dialogue": {"turns": [WORDS, "Проверьте почту."]},
    "text": {"text": WORDS},
    "emotions": {"text": WORDS, "labels": ["anger"]},
}
TEXTS: dict[str, str] = {
    "knowledge_base": f"### Title: {WORDS}\n### Body: Проверьте почту.\n",
    "tickets": f"### Subject: Вход\n### Question: {WORDS}\n### Answer: Проверьте почту.\n### Solved: да\n",
}
READ_AS_THEY_ARE = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1251"]


def _contents() -> dict[str, tuple[str, str]]:
    """File → (reader, content) for every reader and every format of text."""
    found = {f"{name}.txt": (name, text) for name, text in TEXTS.items()}
    for name, one in OBJECTS.items():
        line = json.dumps(one, ensure_ascii=False)
        found |= {f"{name}.jsonl": (name, line + "\n"), f"{name}.json": (name, f"[\n{line}\n]\n")}
    flat = [name for name in OBJECTS if name not in ("chat", "dialogue", "emotions")]
    for name in flat:
        cells = [str(one).replace("True", "да") for one in OBJECTS[name].values()]
        found[f"{name}.csv"] = (name, f"{';'.join(OBJECTS[name])}\n{';'.join(cells)}\n")
    return found


CONTENTS = _contents()


@pytest.mark.parametrize("encoding", READ_AS_THEY_ARE)
@pytest.mark.parametrize("name", CONTENTS)
def test_every_reader_takes_every_encoding_that_is_told_for_sure(
    tmp_path: Path, read: Read, name: str, encoding: str
) -> None:
    reader, content = CONTENTS[name]
    (tmp_path / name).write_bytes(content.encode(encoding))
    (row,) = read(tmp_path / name, read=reader)
    assert WORDS in dump(row)
    # Naming the encoding changes nothing, but for one without a mark, which says less than the file does.
    (named,) = read(tmp_path / name, read=reader, encoding=encoding)
    assert named == row


@pytest.mark.parametrize("name", CONTENTS)
def test_koi8_is_refused_with_its_line_and_a_command_that_mends_it(tmp_path: Path, read: Read, name: str) -> None:
    reader, content = CONTENTS[name]
    path = tmp_path / name
    path.write_bytes(content.replace("«", '"').replace("»", '"').encode("koi8-r"))
    if reader == "qa":
        path.write_bytes(content.replace("«", "").replace("»", "").encode("koi8-r"))
    with pytest.raises(ReadError) as told:
        read(path, read=reader)
    line = 2 if name.endswith((".csv", ".json")) else 1
    assert str(told.value).startswith(f"{name}:{line}: byte ")
    assert "looks like KOI8-R: name it with `encoding: koi8-r`, or convert it: iconv -f KOI8-R -t UTF-8 " in str(
        told.value
    )
    assert "JSON" not in str(told.value)
    # The command is one that works.
    command = str(told.value).partition("convert it: ")[2]
    subprocess.run(command, shell=True, check=True, timeout=20)
    converted = Path(shlex.split(command)[-1])
    (row,) = read(converted, read=reader)
    assert WORDS in dump(row)


def test_a_packed_file_is_converted_through_xz(tmp_path: Path, read: Read) -> None:
    (tmp_path / "a b.txt.xz").write_bytes(lzma.compress(WORDS.encode("cp866")))
    with pytest.raises(ReadError, match=r"xz -dc '.*/a b\.txt\.xz' \| iconv -f CP866 -t UTF-8 > '.*/a b\.utf-8\.txt'"):
        read(tmp_path / "a b.txt.xz", read="text")


@pytest.mark.parametrize("reader", ["qa", "pairs", "feedback"])
def test_a_part_in_another_encoding_is_told_by_its_line(tmp_path: Path, read: Read, reader: str) -> None:
    line = json.dumps(OBJECTS[reader], ensure_ascii=False).replace("«", "").replace("»", "") + "\n"
    path = tmp_path / "a.jsonl"
    path.write_bytes((line * 900).encode() + (line * 5).encode("cp1251"))
    with pytest.raises(ReadError, match=r"a\.jsonl:901: byte \d+ is no UTF-8, though what .* like CP1251: convert"):
        read(path, read=reader)


def test_one_broken_byte_does_not_make_a_file_windows_1251(tmp_path: Path, read: Read) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(f"{WORDS}\n{WORDS}".encode().replace("пароль".encode(), "пар".encode()[:-1] + b"!", 1))
    with pytest.raises(ReadError, match=r"a\.txt:1: byte \d+ is no UTF-8; mend that line, or .*: iconv -c -f UTF-8"):
        read(path, read="text")


@pytest.mark.parametrize(
    ("written", "named", "message"),
    [
        ("utf-8", "cp1251", "is UTF-8, not CP1251: leave `encoding` out"),
        ("utf-16", "cp1251", "is UTF-16, not CP1251: leave `encoding` out, or convert it: iconv -f UTF-16"),
        ("utf-16-le", "utf-8", "is UTF-16LE, not UTF-8: leave"),
        ("cp1251", "utf-8", r"a\.txt:1: byte 1 is no UTF-8; the file looks like CP1251: name it with"),
    ],
)
def test_a_wrongly_named_encoding_is_told_not_read(
    tmp_path: Path, read: Read, written: str, named: str, message: str
) -> None:
    (tmp_path / "a.txt").write_bytes(WORDS.encode(written))
    with pytest.raises(ReadError, match=message):
        read(tmp_path / "a.txt", encoding=named)


@pytest.mark.parametrize("name", ["a.jsonl", "a.txt"])
def test_marks_of_files_that_were_put_together_are_passed_over(tmp_path: Path, read: Read, name: str) -> None:
    line = json.dumps({"text": WORDS}, ensure_ascii=False) if name == "a.jsonl" else WORDS
    (tmp_path / name).write_bytes((line + "\n").encode("utf-8-sig") * 2)
    assert [row.text for row in read(tmp_path / name, read="text")] == [WORDS, WORDS]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Добрый день", "koi8-r"),
        ("ДОБРЫЙ ДЕНЬ ВСЕМ", "cp1251"),
        ("Ещё", "cp1251"),
        ("Добрий вечір, як справи?", "cp1251"),
        ("Ну и ну", "cp866"),
        ('{"a": 1}', "utf-16-be"),
        ("a" * 3_000_000 + WORDS, "cp1251"),
    ],
)
def test_short_and_odd_texts_are_told_apart(text: str, encoding: str) -> None:
    assert guess(text.encode(encoding)[-2_000_000:]) == encoding


def test_what_is_guessed_is_said_once(tmp_path: Path, read: Read) -> None:
    (tmp_path / "a.txt").write_bytes(WORDS.encode("cp1251"))
    with structlog.testing.capture_logs() as logs:
        read(tmp_path / "a.txt", read="text")
        read(tmp_path / "a.txt", read="text")
    assert [one["event"] for one in logs] == ["read as Windows-1251; name another encoding with `encoding`"]


def test_logs_and_seed_files_say_it_too(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(f"# {WORDS}".encode("cp1251"))
    with pytest.raises(seed_corpus.SeedError, match=r"a\.txt:1: byte 3 is no UTF-8; the file looks like CP1251"):
        seed_corpus.load(tmp_path)
    with pytest.raises(ReadError, match=r"a\.txt:1: byte 3 is no UTF-8; the file looks like CP1251"):
        import_log(tmp_path / "a.txt")


def test_a_mark_before_a_seed_file_is_no_fault(tmp_path: Path) -> None:
    shipped: Callable[..., Any] = seed_corpus.load
    source = sorted(seed_corpus.FOLDER.glob("*.txt"))[0]
    (tmp_path / source.name).write_text(source.read_text(encoding="utf-8"), encoding="utf-8-sig")
    assert shipped(tmp_path)[0].line == next(row.line for row in shipped() if row.source == source.name)
