"""install.py as newcomers' machines meet it: environments made by halves, a changed pin of torch, Ctrl-C in the middle.

Real environments, a real uv and a real pip; packages come from a small index on loopback.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest

import install

pytestmark = pytest.mark.slow

# A Python whose ways of making an environment work or do not. Without ensurepip (Debian without python3-venv) `venv`
# makes a folder with a Python and no pip, complains and fails.
PYTHON = """#!/bin/sh
case "$*" in
  "-m venv --clear --without-pip "*) ;;
  "-m venv "*) {venv};;
  "-m virtualenv "*) {virtualenv};;
  "-m pip "*) {pip};;
esac
exec {python} "$@"
"""
DEBIAN = {
    "venv": "rm -rf $4; {python} -m venv --without-pip $4; echo 'ensurepip is not available'; exit 1",
    "virtualenv": "echo 'No module named virtualenv'; exit 1",
    "pip": "echo 'No module named pip'; exit 1",
}
WORKING = {
    "venv": "rm -rf $4; exec cp -R {made} $4",
    "virtualenv": "rm -rf $5; exec cp -R {made} $5",
    "pip": "exec cp -R {made}/lib {made}/bin $(dirname $4)/..",
}
PROJECT = """
[build-system]
requires = []
build-backend = "builder"
backend-path = ["."]
[project]
name = "otklik"
version = "0"
optional-dependencies.ml = ["torch==2.0"]
"""
BUILDER = """
def build_editable(folder, config_settings=None, metadata_directory=None):
    open(folder + "/" + {0!r}, "wb").write({1!r})
    return {0!r}
"""


def wheel(name: str, version: str, more: str = "") -> tuple[str, bytes]:
    """A wheel of one module that knows its version: file name, content."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"__version__ = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{more}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(text.encode())}\n"
    files[f"{info}/RECORD"] = record + f"{info}/RECORD,,\n"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
    return f"{name}-{version}-py3-none-any.whl", packed.getvalue()


@dataclass
class Indexes:
    """PyTorch's CPU index and the default one; `open` unset: wheels are asked for and never come."""

    url: str
    asked: threading.Event = field(default_factory=threading.Event)
    open: threading.Event = field(default_factory=threading.Event)
    paths: list[str] = field(default_factory=list)


@pytest.fixture
def indexes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Indexes]:
    for index, builds in {"cpu": ("2.0+cpu", "1.9+cpu"), "default": ("2.0+cu128",)}.items():
        folder = tmp_path / "indexes" / index / "torch"
        folder.mkdir(parents=True)
        for name, content in (wheel("torch", version) for version in builds):
            (folder / name).write_bytes(content)
        links = "".join(f'<a href="{path.name}">{path.name}</a>\n' for path in folder.glob("*.whl"))
        (folder / "index.html").write_text(links)

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object) -> None:
            super().__init__(*arguments, directory=str(tmp_path / "indexes"))  # type: ignore[arg-type]

        def do_GET(self) -> None:
            found.paths.append(self.path)
            if self.path.endswith(".whl"):
                found.asked.set()
                found.open.wait(30)
            super().do_GET()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Indexes(f"http://127.0.0.1:{server.server_port}")
        found.open.set()
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        for name in [name for name in os.environ if name.startswith("PIP_")]:
            monkeypatch.delenv(name)
        settings = {"CONFIG_FILE": os.devnull, "INDEX_URL": found.url + "/default", "DISABLE_PIP_VERSION_CHECK": "1"}
        for name, value in settings.items():
            monkeypatch.setenv(f"PIP_{name}", value)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "cache"))
        monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache of uv"))
        monkeypatch.setenv("UV_NO_CONFIG", "1")
        monkeypatch.setattr(install, "TORCH_CPU_INDEX", found.url + "/cpu")
        yield found
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A product of one module in place of ours, on a machine without a GPU and virtualenv."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(PROJECT)
    more = 'Provides-Extra: ml\nRequires-Dist: torch==2.0; extra == "ml"\n'
    (folder / "builder.py").write_text(BUILDER.format(*wheel("otklik", "0", more)))
    monkeypatch.setattr(install, "ROOT", folder)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty environment with the pip of this one."""
    folder = tmp_path_factory.mktemp("made") / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    packages = install.site_packages(folder / "bin" / "python")
    ours = Path(str(distribution("pip").locate_file("")))
    for path in (ours / "pip", *ours.glob("pip-*.dist-info")):
        shutil.copytree(path, packages / path.name)
    assert install.usable(folder / "bin" / "python")
    return folder


@pytest.fixture
def venv(made: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(made, tmp_path / ".venv", symlinks=True))


@pytest.fixture(params=["uv", "pip"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Who installs: uv where the index has it, pip where it has not. Environments get this one's uv in place of one
    fetched."""

    def has(*command: str) -> bool:
        if install.UV not in command:
            return succeeds(*command)
        if request.param == "uv":
            shutil.copy(Path(sys.executable).parent / "uv", Path(command[0]).parent)
        return bool(request.param == "uv")

    succeeds = install.succeeds
    monkeypatch.setattr(install, "succeeds", has)
    return str(request.param)


def installer_of(venv: Path, package: str) -> str:
    """Who put a package there."""
    (info,) = install.site_packages(venv / "bin" / "python").glob(f"{package}-*.dist-info")
    return (info / "INSTALLER").read_text().strip()


@pytest.fixture
def python3(made: Path, tmp_path: Path) -> Callable[..., str]:
    """A Python of a machine where only the named ways of making an environment work."""

    def program(*working: str) -> str:
        path = tmp_path / "python3"
        ways = {way: (WORKING if way in working else DEBIAN)[way] for way in DEBIAN}
        where = {"python": sys.executable, "made": str(made)}
        path.write_text(PYTHON.format(**where, **{way: doing.format(**where) for way, doing in ways.items()}))
        path.chmod(0o755)
        return str(path)

    return program


def torch_in(venv: Path) -> str:
    code = "import torch; print(torch.__version__)"
    return subprocess.check_output([str(venv / "bin" / "python"), "-c", code], text=True).strip()


def test_debian_without_venv_is_told_what_to_install_and_the_next_run_mends_it(
    tmp_path: Path, python3: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    venv = tmp_path / ".venv"
    with pytest.raises(SystemExit, match="apt-get install python3-venv") as told:
        install.environment(python3(), venv)
    assert "ensurepip is not available" in str(told.value)
    assert (venv / "bin" / "python").exists()
    assert not install.usable(venv / "bin" / "python")
    assert install.usable(install.environment(python3("venv"), venv))
    assert "is not whole, making it anew" in capsys.readouterr().out


@pytest.mark.parametrize("way", ["virtualenv", "pip"])
def test_without_ensurepip_there_are_other_ways(tmp_path: Path, python3: Callable[..., str], way: str) -> None:
    assert install.usable(install.environment(python3(way), tmp_path / ".venv"))


def test_virtualenv_may_be_a_program_of_its_own(
    tmp_path: Path, python3: Callable[..., str], made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "virtualenv"
    program.write_text(f"#!/bin/sh\nrm -rf $5; exec cp -R {made} $5\n")
    program.chmod(0o755)
    monkeypatch.setattr(shutil, "which", {"virtualenv": str(program)}.get)
    assert install.usable(install.environment(python3(), tmp_path / ".venv"))


def test_a_whole_environment_is_kept_and_one_with_half_a_pip_is_not(venv: Path, python3: Callable[..., str]) -> None:
    own = venv / "own.txt"
    own.write_text("stays")
    assert install.environment(python3("venv"), venv) == venv / "bin" / "python"
    assert own.exists()
    next(venv.glob("lib/python*/site-packages/pip-*.dist-info/RECORD")).unlink()
    assert install.usable(install.environment(python3("venv"), venv))
    assert not own.exists()


def test_an_environment_of_uv_is_given_pip_and_keeps_its_packages(
    venv: Path, made: Path, python3: Callable[..., str]
) -> None:
    packages = install.site_packages(venv / "bin" / "python")
    for path in packages.glob("pip*"):
        shutil.rmtree(path)
    (packages / "own.py").touch()
    python = venv / "bin" / "python"
    python.rename(venv / "bin" / "real")
    python.write_text(
        f'#!/bin/sh\ncase "$*" in "-m ensurepip"*) exec cp -R {made}/lib {venv};; esac\nexec {venv}/bin/real "$@"\n'
    )
    python.chmod(0o755)
    assert install.environment(python3("venv"), venv) == python
    assert install.usable(python) and (packages / "own.py").exists()


def test_an_environment_of_another_architecture_is_made_anew(venv: Path, python3: Callable[..., str]) -> None:
    python = venv / "bin" / "python"
    python.unlink()
    python.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(57))
    python.chmod(0o755)
    assert install.usable(install.environment(python3("venv"), venv))


@pytest.mark.parametrize("name", ["cat.jpg", "2026/cat.jpg"])
def test_a_folder_that_is_no_environment_is_left_alone(tmp_path: Path, python3: Callable[..., str], name: str) -> None:
    photo = tmp_path / "photos" / name
    (tmp_path / "photos" / "lib").mkdir(parents=True)
    photo.parent.mkdir(exist_ok=True)
    photo.write_bytes(b"cat")
    with pytest.raises(SystemExit, match="not a virtual environment"):
        install.environment(python3("venv"), tmp_path / "photos")
    assert photo.exists()


def test_a_file_is_no_environment(tmp_path: Path, python3: Callable[..., str]) -> None:
    (tmp_path / "photo").touch()
    with pytest.raises(SystemExit, match="not a virtual environment"):
        install.environment(python3("venv"), tmp_path / "photo")


@pytest.mark.parametrize("names", [(), ("bin", "lib")])
def test_an_empty_folder_and_the_beginning_of_an_environment_are_taken(
    tmp_path: Path, python3: Callable[..., str], names: tuple[str, ...]
) -> None:
    for name in ("", *names):
        (tmp_path / ".venv" / name).mkdir()
    assert install.usable(install.environment(python3("venv"), tmp_path / ".venv"))


@pytest.mark.parametrize(
    ("version", "good"), [("2.0", True), ("2.0+cpu", True), ("2.0+cu128", True), ("1.9+cpu", False), ("", False)]
)
def test_a_build_of_the_pinned_torch_will_do(version: str, good: bool) -> None:
    assert install.fits("torch==2.0", version) is good


def test_a_changed_pin_gets_the_same_build_of_the_new_version(venv: Path, indexes: Indexes, way: str) -> None:
    python = venv / "bin" / "python"
    assert install.pip(python, "torch==1.9", "--index-url", install.TORCH_CPU_INDEX) == 0
    install.install_torch(python, install.Installer(python))
    assert torch_in(venv) == "2.0+cpu"
    assert installer_of(venv, "torch") == way
    indexes.paths.clear()
    install.install_torch(python, install.Installer(python))
    assert indexes.paths == []


def test_a_long_installation_shows_that_it_lives(
    venv: Path, indexes: Indexes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], way: str
) -> None:
    """The index answers only after the first line was due."""
    doing = install.doing
    monkeypatch.setattr(install, "EVERY", 0.05)

    def answered(said: int) -> Any:
        indexes.open.set()
        return doing(said)

    monkeypatch.setattr(install, "doing", answered)
    indexes.open.clear()
    install.install_torch(venv / "bin" / "python", install.Installer(venv / "bin" / "python"))
    assert torch_in(venv) == "2.0+cpu" and installer_of(venv, "torch") == way
    told, wrong = capsys.readouterr()
    assert told.splitlines()[0] == "Installing torch==2.0 …" and wrong == ""
    assert all(re.match(r"  \d+ s(: |$)", line) for line in told.splitlines()[1:]) and len(told.splitlines()) > 1


def test_what_is_done_is_the_last_thing_that_pip_tells(tmp_path: Path) -> None:
    with (tmp_path / "said").open("w+b") as said:
        assert install.doing(said.fileno()) == ""
        said.write(
            "Looking in indexes: …\nCollecting torch==2.0\n  Downloading torch.whl (2 kB)\nWARNING: …\n".encode()
        )
        said.flush()
        place = said.tell()
        assert install.doing(said.fileno()) == ": Downloading torch.whl (2 kB)"
        said.write(b"\xd1" + b"x" * 30_000 + b"\nInstalling collected packages: " + b"a, " * 100)
        said.flush()
        assert install.doing(said.fileno()) == ": " + ("Installing collected packages: " + "a, " * 100)[:70]
        assert said.tell() > place


def test_what_pip_says_is_shown_if_it_fails(
    venv: Path, indexes: Indexes, capsys: pytest.CaptureFixture[str], way: str
) -> None:
    assert install.Installer(venv / "bin" / "python").put("torch==3.0", index=install.TORCH_CPU_INDEX) != 0
    told, wrong = capsys.readouterr()
    assert "No matching distribution found for torch==3.0" in wrong
    assert ("uv could not, asking pip …" in told) is (way == "uv")


def test_a_cpu_index_that_fails_leaves_the_default_one(
    venv: Path, indexes: Indexes, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(install, "TORCH_CPU_INDEX", indexes.url + "/nothing")
    install.install_torch(venv / "bin" / "python", install.Installer(venv / "bin" / "python"))
    assert torch_in(venv) == "2.0+cu128"


def test_pip_settings_of_files_and_variables_are_uvs_too(
    venv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "pip.conf"
    file.write_text(
        "[global]\nindex-url = https://a.example/simple\ncert = /a.pem\ntimeout = 9\n"
        "[install]\nindex-url = https://b.example/simple\nfind-links = /wheels\n    /more wheels\n"
        "[download]\nindex-url = https://c.example/simple\n"
    )
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://d.example https://e.example")
    assert install.carried_over(install.pip_settings(venv / "bin" / "python")) == {
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_DEFAULT_INDEX": "https://b.example/simple",
        "UV_INDEX": "https://d.example https://e.example",
        "UV_FIND_LINKS": "/wheels,/more,wheels",
        "SSL_CERT_FILE": "/a.pem",
    }


def test_a_setting_that_uv_has_not_leaves_it_to_pip(
    venv: Path, indexes: Indexes, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setenv("PIP_NO_BINARY", "nothing")
    install.install_torch(venv / "bin" / "python", install.Installer(venv / "bin" / "python"))
    assert torch_in(venv) == "2.0+cpu" and installer_of(venv, "torch") == "pip"


def test_a_run_that_was_interrupted_is_finished_by_the_next(
    venv: Path, indexes: Indexes, project: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    indexes.open.clear()
    if way == "uv":
        shutil.copy(Path(sys.executable).parent / "uv", venv / "bin")
    code = (
        "import install, pathlib, signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        f"install.ROOT = pathlib.Path({str(project)!r}); real = install.succeeds; "
        f"install.succeeds = lambda *all: {way == 'uv'} if install.UV in all else real(*all); "
        f"install.TORCH_CPU_INDEX = {install.TORCH_CPU_INDEX!r}; install.shutil.which = lambda _: None; install.main()"
    )
    command = [sys.executable, "-c", code, "--venv", str(venv), "--extras", "ml"]
    root = Path(install.__file__).parent
    with subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True, start_new_session=True) as first:
        assert indexes.asked.wait(30)
        os.killpg(first.pid, signal.SIGINT)
        _, told = first.communicate(timeout=15)
    assert first.returncode == 1
    assert "interrupted; the same command" in told
    indexes.open.set()
    packages = install.site_packages(venv / "bin" / "python")
    half = packages / "torch-2.0+cpu.dist-info"
    half.mkdir()
    (half / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 2.0+cpu\n")
    (packages / "~orch").mkdir()

    monkeypatch.setattr(sys, "argv", ["install.py", "--venv", str(venv), "--extras", "ml"])
    install.main()
    assert torch_in(venv) == "2.0+cpu" and installer_of(venv, "torch") == way
    assert install.installed(venv / "bin" / "python", "otklik") == "0"
    assert list(packages.glob("~*")) == []
    assert list(packages.glob("__pycache__/torch.*.pyc"))
