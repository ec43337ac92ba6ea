"""Word documents → records: a paragraph or a table's row each, in the order of the page.

`.doc` goes through LibreOffice where it is installed. Knows nothing of what the text means.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from training.data.reading.records import Record, Unreadable

if TYPE_CHECKING:
    from docx.table import Table

SUFFIXES = (".docx", ".doc")
PROGRAMS = ("soffice", "libreoffice")
CONVERSION_SECONDS = 120.0


def read(path: Path, name: str) -> Iterator[Record]:
    """The lines of a document, places `name: paragraph 3` or `name: table 1, row 2`; Unreadable says what to do."""
    if path.suffix.lower() == ".docx":
        yield from _docx(path, name)
        return
    with tempfile.TemporaryDirectory(prefix="otklik-doc-") as folder:
        yield from _docx(convert(path, Path(folder)), name)


def convert(path: Path, folder: Path, seconds: float = CONVERSION_SECONDS) -> Path:
    """The `.docx` that LibreOffice makes of a `.doc` in `folder`; Unreadable if it is absent, too slow or fails."""
    program = next((found for name in PROGRAMS if (found := shutil.which(name))), None)
    if program is None:
        raise Unreadable(path.name, "needs LibreOffice (soffice on the PATH); install it, or save the file as .docx")
    # A profile of its own: LibreOffice refuses a second process on the same one.
    profile = f"-env:UserInstallation={(folder / 'profile').resolve().as_uri()}"
    command = [program, profile, "--headless", "--convert-to", "docx", "--outdir", str(folder), str(path.resolve())]
    # soffice is a script around the real program, so a group of its own lets both be ended, and no pipe keeps us.
    process = subprocess.Popen(
        command,
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
        raise Unreadable(path.name, f"LibreOffice could not convert it (exit status {status}); save it as .docx")
    return made


def _docx(path: Path, name: str) -> Iterator[Record]:
    import docx
    from docx.opc.exceptions import PackageNotFoundError
    from docx.table import Table

    try:
        document = docx.Document(str(path))
    except (PackageNotFoundError, KeyError, ValueError):
        raise Unreadable(name, "no Word document (.docx), or a damaged one") from None
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
