"""Uploaded files: in memory, or in a folder beside the saved state. Does not know who may see them."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from pathlib import Path

from bot.playground.state import StoredFile

EXTENSIONS = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/gif": "gif", "audio/ogg": "oga"}


class FileStore:
    """Bytes by file id."""

    def __init__(self, folder: Path | None = None, known: Iterable[StoredFile] = (), next_number: int = 1) -> None:
        self.folder = folder
        self.known = {file.file_id: file for file in known}
        self.next_number = next_number
        self._bytes: dict[str, bytes] = {}

    def add(self, content: bytes, mime: str, name: str, where: str) -> StoredFile:
        """Keep a new file; `where` is the folder in its public path («photos», «documents» …)."""
        number = self.next_number
        self.next_number += 1
        digest = hashlib.sha256(content).hexdigest()
        extension = EXTENSIONS.get(mime, "bin")
        file = StoredFile(
            file_id=f"PG{number:06d}{digest[:24]}",
            unique_id=f"AQ{digest[:14]}",
            path=f"{where}/file_{number}.{extension}",
            size=len(content),
            mime=mime,
            name=name,
        )
        self.known[file.file_id] = file
        if self.folder is None:
            self._bytes[file.file_id] = content
        else:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / file.file_id).write_bytes(content)
        return file

    def read(self, file: StoredFile) -> bytes:
        """The bytes; KeyError if they are gone."""
        if self.folder is None:
            return self._bytes[file.file_id]
        try:
            return (self.folder / file.file_id).read_bytes()
        except FileNotFoundError:
            raise KeyError(file.file_id) from None

    def by_path(self, path: str) -> StoredFile | None:
        """The file with this public path."""
        return next((file for file in self.known.values() if file.path == path), None)


def image_size(content: bytes) -> tuple[str, int, int] | None:
    """(mime, width, height) read from the header of a PNG, GIF, WebP or JPEG; None for anything else."""
    if content[:8] == b"\x89PNG\r\n\x1a\n" and len(content) >= 24:
        width, height = struct.unpack(">II", content[16:24])
        return "image/png", width, height
    if content[:6] in (b"GIF87a", b"GIF89a") and len(content) >= 10:
        width, height = struct.unpack("<HH", content[6:10])
        return "image/gif", width, height
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp", 512, 512
    if content[:2] == b"\xff\xd8":
        return _jpeg_size(content)
    return None


def _jpeg_size(content: bytes) -> tuple[str, int, int] | None:
    at = 2
    while at + 9 <= len(content) and content[at] == 0xFF:
        marker, length = content[at + 1], int.from_bytes(content[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", content[at + 5 : at + 9])
            return "image/jpeg", width, height
        at += 2 + length
    return None
