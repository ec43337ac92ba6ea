"""Old Word documents through LibreOffice: there, absent, failing, hanging. A script stands for the program."""

import os
import shutil
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

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
    with pytest.raises(ReadError, match=r"old\.doc: needs LibreOffice .* save the file as \.docx"):
        read(tmp_path / "old.doc")


def test_a_failed_conversion_is_told(tmp_path: Path, read: Read, soffice: Callable[[str], None]) -> None:
    soffice("exit 3\n")
    (tmp_path / "old.doc").write_bytes(b"")
    with pytest.raises(ReadError, match=r"old\.doc: LibreOffice could not convert it \(exit status 3\)"):
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
