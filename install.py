"""Creates the environment and installs the product into it; run by the Makefile with any Python ≥ 3.11.

Chooses torch's build: the CPU wheels from PyTorch's own index where no NVIDIA GPU is at hand (the default index would
bring several GB of CUDA), the default index otherwise. An index that does not answer within seconds is given up.
What an earlier run left by halves (no pip, a package cut off in the middle) is made anew. Packages are put there by uv,
with pip's settings, where uv can be had and knows them; by pip, several times slower, otherwise.
Uses only the standard library, because nothing is installed yet.
"""

from __future__ import annotations

import argparse
import ast
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent
TORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
PRODUCT = ("bot", "models", "otklik", "storage", "training")
# How often a waiting person sees that something happens, in seconds, and pip's lines that tell what.
EVERY = 5.0
STEPS = (
    "WARNING: Retrying ", "Collecting ", "Downloading ", "Using cached ", "Building ", "Preparing ", "Installing ",
    "Resolved ", "Downloaded ", "Built ", "Prepared ",
)  # fmt: skip
UV = "uv>=0.9,<1"
# pip's settings as uv's variables, and what stands between several values there. No options: an address may hold a
# password, and everybody on a machine sees programs' options.
VARIABLES = {
    "index-url": ("UV_DEFAULT_INDEX", " "), "extra-index-url": ("UV_INDEX", " "), "find-links": ("UV_FIND_LINKS", ","),
    "trusted-host": ("UV_INSECURE_HOST", " "), "cert": ("SSL_CERT_FILE", " "), "proxy": ("ALL_PROXY", " "),
}  # fmt: skip
# Settings of pip that change nothing of what is installed from where. With any other one, pip is asked itself.
HARMLESS = {
    "break-system-packages", "cache-dir", "compile", "config-file", "default-timeout", "disable-pip-version-check",
    "no-cache-dir", "no-color", "no-compile", "no-input", "no-warn-script-location", "prefer-binary", "progress-bar",
    "quiet", "require-virtualenv", "retries", "root-user-action", "timeout", "verbose",
}  # fmt: skip
# Packages' own tests, and where on Earth a phone number is: a fifth of all source.
UNUSED = r"site-packages[/\\].*[/\\](tests|geodata)[/\\]"
OLDEST = (3, 11)
# What lies in an environment before its pyvenv.cfg does.
SKELETON = {"bin", "include", "lib", "lib64", "share"}
NO_ENVIRONMENT = """
install: no virtual environment with pip could be made. What is missing, most likely:
  Debian, Ubuntu:  apt-get install python3-venv
  elsewhere:       python3 -m pip install --user virtualenv
Then run the same command again."""


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


def succeeds(*command: str) -> bool:
    """Whether a command ends well; what it says is thrown away."""
    try:
        return subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0
    except OSError:  # a program of another architecture
        return False


def usable(python: Path) -> bool:
    """Whether an environment is whole: its Python runs and is new enough, all of pip is there."""
    whole = f"sys.version_info >= {OLDEST} and files('pip')"
    code = f"import sys; from importlib.metadata import files; sys.exit(not ({whole}))"
    return python.exists() and succeeds(str(python), "-c", code) and succeeds(str(python), "-m", "pip", "--version")


def ways(base: str, venv: Path) -> list[list[list[str]]]:
    """How to make an empty environment with pip, the usual way first; a way is one or two commands."""
    made = str(venv)
    found = [[[base, "-m", "venv", "--clear", made]], [[base, "-m", "virtualenv", "--quiet", "--clear", made]]]
    if program := shutil.which("virtualenv"):
        found.append([[program, "--quiet", "--clear", "--python", base, made]])
    bare = [base, "-m", "venv", "--clear", "--without-pip", made]
    found.append([bare, [base, "-m", "pip", "--python", str(venv / "bin" / "python"), "install", "--quiet", "pip"]])
    return found


def strange(venv: Path) -> bool:
    """Whether a place is no environment, not even the beginning of one."""
    if not venv.is_dir():
        return venv.exists()
    return not (venv / "pyvenv.cfg").exists() and any(path.name not in SKELETON for path in venv.iterdir())


def inhabited(venv: Path) -> bool:
    """Whether an environment has packages besides pip."""
    return any(not path.name.startswith("pip") for path in venv.glob("lib/python*/site-packages/*"))


def environment(base: str, venv: Path) -> Path:
    """The environment's Python. One that is not whole, such as Debian makes without python3-venv, is made anew; one
    with packages that only lacks pip, such as uv makes, is given it."""
    python = venv / "bin" / "python"
    if usable(python):
        return python
    if strange(venv):
        sys.exit(f"install: {venv} is not a virtual environment; move it away")
    if inhabited(venv) and succeeds(str(python), "-m", "ensurepip") and usable(python):
        return python
    print(f"{venv} is not whole, making it anew …" if venv.exists() else f"Creating {venv} …", flush=True)
    said = ""
    for way in ways(base, venv):
        for command in way:
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            said = said or done.stdout
            if done.returncode != 0:
                break
        else:
            if usable(python):
                return python
    sys.exit(said + NO_ENVIRONMENT)


def site_packages(python: Path) -> Path:
    """Where the environment keeps its packages."""
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    return Path(subprocess.check_output([str(python), "-c", code], text=True).strip())


def remove_halves(packages: Path) -> None:
    """Forget packages whose installation was cut off, so that pip does not take them for installed: it writes RECORD
    and INSTALLER last. What it had set aside under `~…` is of no use any more."""
    for info in packages.glob("*.dist-info"):
        if not all((info / name).is_file() for name in ("RECORD", "INSTALLER")):
            shutil.rmtree(info)
    for aside in packages.glob("~*"):
        shutil.rmtree(aside)


def pip_settings(python: Path) -> dict[str, str]:
    """What pip goes by, from its files and from the environment; what stands later in its order wins."""
    told = subprocess.run([str(python), "-m", "pip", "config", "list"], capture_output=True, text=True).stdout
    found: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in told.splitlines():
        name, _, value = line.partition("=")
        section, _, key = name.rpartition(".")
        if section in found:
            found[section][key] = str(ast.literal_eval(value))
    return {**found["global"], **found["install"], **found[":env:"]}


def carried_over(settings: dict[str, str]) -> dict[str, str] | None:
    """pip's settings as variables of uv, which looks for the best version in all indexes as pip does; None if one of
    them has no counterpart."""
    if settings.keys() - VARIABLES.keys() - HARMLESS:
        return None
    given = {VARIABLES[key][0]: VARIABLES[key][1].join(settings[key].split()) for key in VARIABLES if settings.get(key)}
    return {"UV_INDEX_STRATEGY": "unsafe-best-match", **given}


class Installer:
    """Puts packages into one environment."""

    def __init__(self, python: Path) -> None:
        self.python = python
        self.variables: dict[str, str] | None = None
        self.asked = False

    def put(self, *arguments: str, index: str | None = None) -> int:
        """Install with uv, with pip where that does not do; `index` instead of the default one. Exit status."""
        if not self.asked:
            self.variables, self.asked = self.fast(), True
        if self.variables is not None:
            default = {} if index is None else {"UV_DEFAULT_INDEX": index}
            command = [str(self.python.parent / "uv"), "pip", "install", "--python", str(self.python), *arguments]
            if watch(command, os.environ | self.variables | default, quiet=True) == 0:
                return 0
            print("uv could not, asking pip …", flush=True)
            self.variables = None
        return pip(self.python, *arguments, *(() if index is None else ("--index-url", index, "--timeout", "20")))

    def fast(self) -> dict[str, str] | None:
        """uv's variables, once it is in the environment; None if it is not to be had or cannot do as pip's settings
        say."""
        found = carried_over(pip_settings(self.python))
        get = ["-m", "pip", "install", "--quiet", "--no-input", "--only-binary", ":all:", UV]
        return found if found is not None and succeeds(str(self.python), *get) else None


def pip(python: Path, *arguments: str) -> int:
    """Install with pip. It would compile on one core."""
    command = [str(python), "-m", "pip", "install", "--no-compile", "--no-input", "--progress-bar", "off", *arguments]
    return watch(command, os.environ)


def watch(command: list[str], environment: Mapping[str, str], quiet: bool = False) -> int:
    """Run an installer; every few seconds a line of what it does, and all that it said if it fails and is not to be
    `quiet`. Exit status."""
    began = time.monotonic()
    with tempfile.TemporaryFile() as said:
        with subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT, env=environment) as running:
            while True:
                try:
                    status = running.wait(EVERY)
                    break
                except KeyboardInterrupt:
                    running.kill()  # what it leaves by halves is mended by the next run
                    raise
                except subprocess.TimeoutExpired:
                    print(f"  {time.monotonic() - began:.0f} s{doing(said.fileno())}", flush=True)
        if status and not quiet:
            said.seek(0)
            print(said.read().decode(errors="replace"), file=sys.stderr, flush=True)
    return status


def doing(said: int) -> str:
    """What an installer says last of its work; read without moving the place where it writes. Empty if it said nothing
    yet."""
    end = os.fstat(said).st_size
    tail = os.pread(said, 20_000, max(0, end - 20_000)).decode(errors="replace")
    known = [line.strip() for line in tail.splitlines() if line.strip().startswith(STEPS)]
    return f": {known[-1][:70]}" if known else ""


def compile_all(python: Path) -> None:
    """Compile the product and what was installed, but for what nobody imports, on all cores.

    The product, too: where Python may write no bytecode (PYTHONDONTWRITEBYTECODE), every process would compile it anew.
    What does not compile here is left alone.
    """
    places = [str(site_packages(python)), *(str(ROOT / name) for name in PRODUCT)]
    subprocess.call([str(python), "-m", "compileall", "-qq", "-j", "0", "-x", UNUSED, *places])


def fits(requirement: str, version: str) -> bool:
    """Whether an installed version (or none, "") is the pinned one, in whichever build (`+cpu`, `+cu128`)."""
    return version.partition("+")[0] == requirement.partition("==")[2]


def installed(python: Path, package: str) -> str:
    """The version of a package in the environment, "" if it has none."""
    code = f"from importlib.metadata import version; print(version({package!r}))"
    return subprocess.run([str(python), "-c", code], capture_output=True, text=True).stdout.strip()


def install_torch(python: Path, packages: Installer) -> None:
    """Install torch first, so that no other package pulls another build of it."""
    requirement = torch_requirement()
    if fits(requirement, installed(python, "torch")):
        return
    print(f"Installing {requirement} …", flush=True)
    if wants_cpu_index() and answers(TORCH_CPU_INDEX):
        if packages.put(requirement, index=TORCH_CPU_INDEX) == 0:
            return
        print("PyTorch's CPU index failed, trying the default one …", flush=True)
    if packages.put(requirement) != 0:
        sys.exit("install: torch could not be installed; see pip's message above")


def install(venv: Path, extras: str) -> None:
    """Make the environment if it is missing or not whole, and install the package with the given extras."""
    python = environment(sys.executable, venv)
    packages = Installer(python)
    remove_halves(site_packages(python))
    if "ml" in extras.split(","):
        install_torch(python, packages)
    print("Installing the rest …", flush=True)
    if packages.put("--editable", f"{ROOT}[{extras}]") != 0:
        sys.exit("install: the packages could not be installed; see pip's message above")
    print("Compiling …", flush=True)
    compile_all(python)


def main() -> None:
    """Read the arguments and install; exit status 1 with what to do if that fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--venv", type=Path, required=True)
    parser.add_argument("--extras", required=True)
    arguments = parser.parse_args()
    if sys.version_info < OLDEST:
        sys.exit(f"install: Python 3.11 or newer is needed, this is {platform.python_version()}; try PYTHON=python3.12")
    try:
        install(arguments.venv.absolute(), arguments.extras)
    except KeyboardInterrupt:
        sys.exit("\ninstall: interrupted; the same command begins where this one ended")


if __name__ == "__main__":
    main()
