"""Word documents → records: a paragraph or a table's row each, in the order of the page.

`.doc` goes through LibreOffice where it is installed. Knows nothing of what the text means.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from training.data.reading import encodings
from training.data.reading.records import Record, Unreadable

if TYPE_CHECKING:
    from docx.table import Table

SUFFIXES = (".docx", ".doc")
PROGRAMS = ("soffice", "libreoffice")
CONVERSION_SECONDS = 120.0
SNIFFED = 4096


# How a file begins → what it is.
BEGINNINGS = (
    (b"\xd0\xcf\x11\xe0", "ole"),
    (b"PK\x03\x04", "zip"),
    (b"{\\rtf", "rtf"),
    (b"%PDF", "pdf"),
)
_PAGE = re.compile(rb"\s*(<\?xml|<!doctype|<!--|<html|<head|<body)", re.IGNORECASE)


def read(path: Path, name: str) -> Iterator[Record]:
    """The lines of a document, places `name: paragraph 3` or `name: table 1, row 2`; Unreadable says what to do.

    The content decides, not the suffix: `.doc` may hold a new document, rich text or a web page, which LibreOffice
    converts.
    """
    form = sniff(path)
    if form == "zip":
        yield from _docx(path, name)
        return
    if form not in ("ole", "rtf", "page"):
        raise Unreadable(name, f"no Word document (.docx), or a damaged one: {_WHAT[form].format(name=path.stem)}")
    with tempfile.TemporaryDirectory(prefix="otklik-doc-") as folder:
        yield from _docx(convert(path, Path(folder), form=form), name)


_WHAT = {
    "ole": "it is a Word document of before 2007, or one with a password",
    "rtf": "it is rich text (RTF)",
    "page": "it is a web page (HTML or XML)",
    "pdf": "it is a PDF; copy its text into {name}.txt or a .docx",
    "text": "it is plain text; rename it to {name}.txt",
    "empty": "it is empty",
    "unknown": "what it is cannot be told; open it in Word or LibreOffice and save it as .docx",
}


def sniff(path: Path) -> str:
    """What a file is by its first bytes: ole, zip, rtf, page, pdf, text, empty or unknown."""
    with path.open("rb") as handle:
        beginning = handle.read(SNIFFED)
    if not beginning:
        return "empty"
    for magic, form in BEGINNINGS:
        if beginning.startswith(magic):
            return form
    encoding = encodings.guess(beginning)
    bare = beginning.removeprefix(codecs.BOM_UTF8)
    if _PAGE.match(bare):
        return "page"
    # Control characters stand in no text.
    text = encoding in encodings.WIDE or not any(byte < 9 for byte in beginning)
    return "text" if encoding and text else "unknown"


def convert(path: Path, folder: Path, seconds: float = CONVERSION_SECONDS, form: str = "ole") -> Path:
    """The `.docx` that LibreOffice makes of a document in `folder`; Unreadable if it is absent, too slow or fails."""
    program = next((found for name in PROGRAMS if (found := shutil.which(name))), None)
    if program is None:
        raise Unreadable(
            path.name,
            f"{_WHAT[form]}, which needs LibreOffice (soffice on the PATH); install it, or save the file as .docx",
        )
    # A profile of its own: LibreOffice refuses a second process on the same one.
    profile = f"-env:UserInstallation={(folder / 'profile').resolve().as_uri()}"
    # A page would open in a program for pages, which writes no .docx.
    opened = ["--infilter=HTML (StarWriter)"] if form == "page" else []
    command = [program, profile, "--headless", *opened, "--convert-to", "docx", "--outdir", str(folder)]
    # soffice is a script around the real program, so a group of its own lets both be ended, and no pipe keeps us.
    process = subprocess.Popen(
        [*command, str(path.resolve())],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        status = process.wait(seconds)
    except BaseException as error:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            raise Unreadable(path.name, f"LibreOffice took more than {seconds:g} s; save the file as .docx") from None
        raise
    made = folder / (path.stem + ".docx")
    if status or not made.is_file():
        raise Unreadable(
            path.name, f"{_WHAT[form]}; LibreOffice could not convert it (exit status {status}): save it as .docx"
        )
    return made


def _docx(path: Path, name: str) -> Iterator[Record]:
    from zipfile import BadZipFile

    import docx
    from docx.opc.exceptions import PackageNotFoundError
    from docx.table import Table

    try:
        document = docx.Document(str(path))
    except (PackageNotFoundError, KeyError, ValueError, BadZipFile, SyntaxError):  # broken XML is the last
        raise Unreadable(name, "no Word document (.docx), or a damaged one: it is an archive of another kind") from None
    paragraphs = tables = 0
    for block in document.iter_inner_content():
        if isinstance(block, Table):
            tables += 1
            yield from _table(block, f"{name}: table {tables}")
        else:
            paragraphs += 1
            for line in block.text.split("\n"):
                yield Record(f"{name}: paragraph {paragraphs}", {"text": line})


def _table(table: Table, place: str) -> Iterator[Record]:
    """A row is one line, cells divided by tabs; but a cell with a `###` key keeps its lines, for they are sections."""
    for number, row in enumerate(table.rows, 1):
        cells: list[str] = []
        seen: set[int] = set()
        for cell in row.cells:
            # A merged cell is listed once for every column that it spans.
            if id(cell._tc) not in seen:
                seen.add(id(cell._tc))
                cells.append(cell.text)
        alone = len(cells) == 1 or any(line.lstrip().startswith("###") for cell in cells for line in cell.split("\n"))
        lines = [line for cell in cells for line in cell.split("\n")] if alone else ["\t".join(map(_flat, cells))]
        for line in lines:
            yield Record(f"{place}, row {number}", {"text": line})


def _flat(cell: str) -> str:
    return " ".join(cell.split())
