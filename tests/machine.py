"""What this machine has that cannot come from PyPI: Chromium and PostgreSQL's own programs."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path


def chromium() -> str | None:
    """Path of a Chromium or Chrome that Playwright can drive."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    return None


def postgres() -> Path | None:
    """Folder with `initdb` and `postgres`; Debian keeps it off PATH."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return versions[-1].parent if versions else None


class PostgresServer:
    """A throw-away PostgreSQL on a unix socket; as root it runs as the user `postgres`, which it insists on."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs = programs
        # The socket's path must be short, and the user `postgres` must be able to reach it.
        self.folder = Path(tempfile.mkdtemp(prefix="otklik-pg-")) if os.getuid() == 0 else folder
        self.data = self.folder / "data"
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")

    def start(self) -> None:
        """Create the cluster and start it; about two seconds."""
        self._run("initdb", "-D", str(self.data), "-A", "trust", "-U", "otklik", "-E", "UTF8", "--no-sync")
        options = f"-c listen_addresses= -c unix_socket_directories={self.folder} -c fsync=off"
        self._run("pg_ctl", "-D", str(self.data), "-w", "-l", str(self.folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        """Stop it at once and remove the data."""
        self._run("pg_ctl", "-D", str(self.data), "-m", "immediate", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)

    def fresh_database(self) -> str:
        """Create an empty database; returns its SQLAlchemy URL."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        self._run("createdb", "-h", str(self.folder), "-U", "otklik", name)
        return f"postgresql+asyncpg://otklik@/{name}?host={self.folder}"

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.programs / program), *arguments]
        if os.getuid() == 0:
            command = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups", *command]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/", timeout=60)
