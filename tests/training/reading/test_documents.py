"""Old Word documents through LibreOffice: there, absent, failing, hanging. A script stands for the program."""

import os
import shutil
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog

from tests.training.reading.conftest import Read
from training.data.reading import ReadError, Unreadable
from training.data.reading.documents import convert

Docx = Callable[..., Path]


@pytest.fixture
def soffice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Puts a shell script named soffice alone on the PATH."""

    def install(script: str) -> None:
        folder = tmp_path / "bin"
        folder.mkdir()
        program = folder / "soffice"
        program.write_text("#!/bin/sh\n" + script, encoding="utf-8")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin")

    return install


def test_a_doc_is_converted_and_read(tmp_path: Path, docx: Docx, read: Read, soffice: Callable[[str], None]) -> None:
    made = docx(["### Title", "Как войти?", "### Body", "По паролю."])
    # Its arguments: profile, --headless, --convert-to docx, --outdir FOLDER, FILE.
    soffice(f'test "$2 $3 $4" = "--headless --convert-to docx" && test -f "$7" && cp "{made}" "$6/старый; файл.docx"\n')
    (tmp_path / "старый; файл.doc").write_bytes(b"\xd0\xcf\x11\xe0")
    (row,) = read(tmp_path / "старый; файл.doc")
    assert (row.origin, row.answer) == ("старый; файл.doc: paragraph 1", "По паролю.")  # type: ignore[attr-defined]


def test_without_libreoffice_it_says_what_to_do(tmp_path: Path, read: Read, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "old.doc").write_bytes(b"\xd0\xcf\x11\xe0")
    with pytest.raises(ReadError, match=r"old\.doc: it is a Word .*needs LibreOffice .* save the file as \.docx"):
        read(tmp_path / "old.doc")


@pytest.mark.parametrize("suffix", [".doc", ".docx"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no Word document .*: it is empty"),
        (b"%PDF-1.7\n", r"no Word document .*: it is a PDF; copy its text into base\.txt"),
        (b"\x00\x01\x02\xff" * 99, "no Word document .*: what it is cannot be told"),
        (b"PK\x03\x04" + bytes(40), "no Word document .*, or a damaged one: it is an archive of another kind"),
        (rb"{\rtf1\ansi Words}", r"it is rich text \(RTF\), which needs LibreOffice"),
        (b"\n<!DOCTYPE html>\n<html></html>", r"it is a web page \(HTML or XML\), which needs LibreOffice"),
        (b"\xd0\xcf\x11\xe0", "it is a Word document of before 2007, or one with a password, which needs LibreOffice"),
    ],
)
def test_what_a_document_is_decides_its_content(
    tmp_path: Path, read: Read, monkeypatch: pytest.MonkeyPatch, suffix: str, content: bytes, message: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / f"base{suffix}").write_bytes(content)
    with pytest.raises(ReadError, match=rf"base\{suffix}: {message}"):
        read(tmp_path / f"base{suffix}")


def test_a_new_document_under_an_old_name_needs_no_libreoffice(
    docx: Docx, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = docx(["### Title: Как войти?", "### Body: По паролю."])
    path = path.rename(path.with_suffix(".doc"))
    monkeypatch.setenv("PATH", str(path.parent))
    (row,) = read(path)
    assert (row.origin, row.answer) == ("base.doc: paragraph 1", "По паролю.")  # type: ignore[attr-defined]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1251", "utf-16"])
def test_plain_text_is_read_as_such_under_doc_and_refused_under_docx(
    text: Callable[..., Path], read: Read, encoding: str
) -> None:
    lines = ("### Title: Как войти?", "### Body: По паролю.")
    path = text(*lines, name="old.doc", encoding=encoding)
    with structlog.testing.capture_logs() as logs:
        (row,) = read(path)
    assert (row.origin, row.answer) == ("old.doc:1", "По паролю.")  # type: ignore[attr-defined]
    assert "read as plain text, though its name says Word" in [one["event"] for one in logs]
    with pytest.raises(ReadError, match=r"new\.docx: no Word document .*: it is plain text; rename it to new\.txt"):
        read(text(*lines, name="new.docx", encoding=encoding))


def test_a_failed_conversion_is_told(tmp_path: Path, read: Read, soffice: Callable[[str], None]) -> None:
    soffice("exit 3\n")
    (tmp_path / "old.doc").write_bytes(b"\xd0\xcf\x11\xe0")
    with pytest.raises(
        ReadError, match=r"old\.doc: it is a Word .*; LibreOffice could not convert it \(exit status 3\)"
    ):
        read(tmp_path / "old.doc")


def test_a_hanging_conversion_ends_with_its_children(tmp_path: Path, soffice: Callable[[str], None]) -> None:
    assert shutil.which("sleep")
    # The real soffice is a script around another program, which would go on without it.
    soffice(f'sleep 60 &\necho $! > "{tmp_path}/child"\nwait\n')
    (tmp_path / "old.doc").write_bytes(b"")
    with pytest.raises(Unreadable, match=r"LibreOffice took more than 0\.5 s"):
        convert(tmp_path / "old.doc", tmp_path, seconds=0.5)
    assert _ended(int((tmp_path / "child").read_text()))


def _ended(process: int) -> bool:
    for _ in range(50):
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.1)
    return False
