"""`python -m tests`: every check of the project in one command, as `make test` and CI run it.

Runs all of them even if one fails, names what was left out and how to enable it; with CI=true leaving out is a failure.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent

CHECKS: tuple[tuple[str, list[str]], ...] = (
    ("ruff (lint)", ["ruff", "check", "."]),
    ("ruff (format)", ["ruff", "format", "--check", "."]),
    ("import-linter", ["lint-imports"]),
)
# Takes a minute of one core: beside the tests, which wait half of their time.
TYPES = ("mypy --strict", ["mypy"])


# pytest's plugins that the tests need. It would load those of other libraries, too, and compile these libraries anew in
# every process, their assertions rewritten: a tenth of what finding the tests costs. Workers only heed the environment.
PLUGINS = {
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "PYTEST_PLUGINS": "pytest_asyncio.plugin,xdist.plugin,_hypothesis_pytestplugin",
}

# What no ordinary run has, CI's neither: named, so that nobody takes it for run.
OPTIONAL = {"llama": (find_spec("llama_cpp"), "pip install -e '.[llama]' (compiles for minutes)")}


def left_out() -> dict[str, str]:
    """Test marker → how to enable it, for what this machine lacks."""
    from tests.machine import chromium, postgres

    missing = {}
    if chromium() is None:
        missing["browser"] = "install Chromium (Debian: apt-get install chromium)"
    if postgres() is None:
        missing["postgres"] = "install PostgreSQL 13 or newer (Debian: apt-get install postgresql)"
    return missing


def run(name: str, command: list[str]) -> bool:
    """Run one check and say how it went."""
    print(f"── {name}", flush=True)
    started = time.monotonic()
    good = subprocess.call([str(BIN / command[0]), *command[1:]], cwd=ROOT, env=os.environ | PLUGINS) == 0
    print(f"   {'passed' if good else 'FAILED'} in {time.monotonic() - started:.0f} s", flush=True)
    return good


def ended(name: str, check: subprocess.Popen[str]) -> bool:
    """Wait for a check that ran beside the others, show what it printed and say how it went."""
    shown, _ = check.communicate()
    print(f"── {name}\n{shown}   {'passed' if check.returncode == 0 else 'FAILED'}", flush=True)
    return check.returncode == 0


def main() -> int:
    """Run everything; exit status 0 only if all passed."""
    missing = left_out()
    name, command = TYPES
    pipe: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    types = subprocess.Popen([str(BIN / command[0]), *command[1:]], cwd=ROOT, **pipe)
    results = [run(*check) for check in CHECKS]
    selection = ["-m", " and ".join(f"not {marker}" for marker in missing)] if missing else []
    # Half of the time a test waits for processes, leases and pages, so two share a core.
    together = ["-n", str(min(4, 2 * (os.cpu_count() or 1))), "--dist", "loadfile", "--no-loadscope-reorder"]
    results.append(run("pytest", ["pytest", "-q", "--durations=10", *together, *selection, *sys.argv[1:]]))
    results.append(ended(name, types))
    for marker, advice in missing.items():
        print(f"LEFT OUT: tests marked «{marker}». To enable them: {advice}")
    for marker, (found, advice) in OPTIONAL.items():
        if found is None:
            print(f"OPTIONAL, not run: tests marked «{marker}». To enable them: {advice}")
    if missing and os.environ.get("CI") == "true":
        print("With CI=true nothing may be left out.")
        return 1
    return 0 if all(results) else 1


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
