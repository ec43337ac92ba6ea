"""Creates the environment and installs the product into it; run by the Makefile with any Python ≥ 3.11.

Chooses torch's build: the CPU wheels from PyTorch's own index where no NVIDIA GPU is at hand (the default index would
bring several GB of CUDA), the default index otherwise. An index that does not answer within seconds is given up.
Uses only the standard library, because nothing is installed yet.
"""

from __future__ import annotations

import argparse
import platform
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"


def torch_requirement() -> str:
    """The pinned torch of pyproject.toml."""
    found = re.search(r'"(torch==[^"]+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    if found is None:
        sys.exit("install: pyproject.toml pins no torch")
    return found.group(1)


def answers(url: str, seconds: float = 4.0) -> bool:
    """Whether an index can be reached quickly."""
    try:
        with urllib.request.urlopen(url + "/torch/", timeout=seconds):
            return True
    except (urllib.error.URLError, OSError, ValueError):
        return False


def wants_cpu_index() -> bool:
    """Only Linux without an NVIDIA GPU needs the CPU index: macOS wheels are CPU builds anyway."""
    return platform.system() == "Linux" and shutil.which("nvidia-smi") is None


def pip(python: Path, *arguments: str) -> int:
    """Run pip in the environment, quietly; it would compile on one core."""
    return subprocess.call([str(python), "-m", "pip", "install", "--quiet", "--no-compile", *arguments])


def compile_all(python: Path) -> None:
    """Compile what was installed on all cores. What does not compile here (tests for other Pythons) is left alone."""
    place = subprocess.check_output([str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"])
    subprocess.call([str(python), "-m", "compileall", "-qq", "-j", "0", place.decode().strip()])


def install_torch(python: Path) -> None:
    """Install torch first, so that no other package pulls another build of it."""
    if subprocess.call([str(python), "-c", "import torch"], stderr=subprocess.DEVNULL) == 0:
        return
    requirement = torch_requirement()
    print(f"Installing {requirement} …", flush=True)
    if wants_cpu_index() and answers(TORCH_CPU_INDEX):
        if pip(python, requirement, "--index-url", TORCH_CPU_INDEX, "--timeout", "20") == 0:
            return
        print("PyTorch's CPU index failed, trying the default one …", flush=True)
    if pip(python, requirement) != 0:
        sys.exit("install: torch could not be installed; see pip's message above")


def main() -> None:
    """Create the environment if it is missing and install the package with the given extras."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--venv", type=Path, required=True)
    parser.add_argument("--extras", required=True)
    arguments = parser.parse_args()
    if sys.version_info < (3, 11):
        sys.exit(f"install: Python 3.11 or newer is needed, this is {platform.python_version()}; try PYTHON=python3.12")
    python = arguments.venv.absolute() / "bin" / "python"
    if not python.exists():
        print(f"Creating {arguments.venv} …", flush=True)
        if subprocess.call([sys.executable, "-m", "venv", str(arguments.venv)]) != 0:
            sys.exit("install: no virtual environment could be made; on Debian: apt-get install python3-venv")
    if "ml" in arguments.extras.split(","):
        install_torch(python)
    print("Installing the rest …", flush=True)
    if pip(python, "--editable", f"{ROOT}[{arguments.extras}]") != 0:
        sys.exit("install: the packages could not be installed; see pip's message above")
    compile_all(python)


if __name__ == "__main__":
    main()
