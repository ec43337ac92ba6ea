"""What an image of the Dockerfile holds is enough for its command, and says so where a command needs another part."""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Runs a command where only the image's folders can be imported: without `site`, no path file brings this checkout.
RUN = """
import sys
sys.path[:] = [sys.argv[1], *[place for place in sys.path if place and place != sys.argv[3]], sys.argv[2]]
from otklik.__main__ import main
sys.exit(main(sys.argv[4:]))
"""


def stages() -> dict[str, tuple[str, list[str], list[str]]]:
    """Stage → the stage before it, folders it copies, its entry point."""
    found: dict[str, tuple[str, list[str], list[str]]] = {}
    for block in re.split(r"(?m)^FROM ", (ROOT / "Dockerfile").read_text(encoding="utf-8"))[1:]:
        before, name = re.match(r"(\S+) AS (\S+)", block).groups()  # type: ignore[union-attr]
        copied = re.findall(r"(?m)^COPY (\w+) \1$", block)
        entry = re.findall(r'(?m)^ENTRYPOINT \["otklik", "(\w+)"\]$', block)
        found[name] = (before, copied, entry)
    return found


def image(target: str, folder: Path) -> list[str]:
    """Lay out what the target's image has under /app; returns its entry point."""
    known = stages()
    name = target
    while name in known:
        name, copied, _ = known[name]
        for part in copied:
            (folder / part).symlink_to(ROOT / part)
    return known[target][2]


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    libraries = sysconfig.get_path("purelib")
    return subprocess.run(
        [sys.executable, "-S", "-c", RUN, str(folder), libraries, str(ROOT), *command],
        capture_output=True,
        text=True,
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "STORAGE_DIR": str(folder / "data"), "HOME": str(folder)},
        check=False,
    )


@pytest.mark.parametrize("target", ["bot", "api", "worker", "trainer"])
def test_an_image_starts_its_command(tmp_path: Path, target: str) -> None:
    (command,) = image(target, tmp_path)
    refused = run(tmp_path, command)
    assert refused.returncode == 2
    assert "STORAGE_REDIS_URL is not set" in refused.stderr


@pytest.mark.parametrize("target", ["bot", "worker"])
def test_an_image_has_a_doctor(tmp_path: Path, target: str) -> None:
    image(target, tmp_path)
    doctor = run(tmp_path, "doctor")
    assert doctor.returncode == 0, doctor.stderr
    here = {path.name for path in tmp_path.iterdir()}
    for part in {"bot", "training"} - here:
        assert f"{part}/ is not part of this installation" in " ".join(doctor.stdout.split())
    for part in {"bot", "training"} & here:
        assert f"{part}/ is not" not in doctor.stdout


def test_a_command_of_another_image_says_which_part_is_missing(tmp_path: Path) -> None:
    image("bot", tmp_path)
    refused = run(tmp_path, "train", "sft")
    assert refused.returncode == 2
    assert refused.stderr == "otklik: training/ is not part of this installation, and this command needs it\n"
