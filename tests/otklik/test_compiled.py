"""What the installer compiles."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import install

PLACE = "/home/tests/otklik/.venv/lib/python3.11/site-packages"
PYPROJECT = Path(install.__file__).parent / "pyproject.toml"
PACKAGES = set(tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["tool"]["importlinter"]["root_packages"])


@pytest.mark.parametrize(
    ("file", "left_out"),
    [
        ("pandas/tests/io/test_sql.py", True),
        ("phonenumbers/geodata/locale.py", True),
        ("phonenumbers/data/region_RU.py", False),
        ("numpy/testing/__init__.py", False),
        ("torch/nn/modules/linear.py", False),
    ],
)
def test_only_what_nobody_imports_is_not_compiled(file: str, left_out: bool) -> None:
    assert bool(re.search(install.UNUSED, f"{PLACE}/{file}")) is left_out


def test_the_product_is_compiled_with_what_was_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(subprocess, "call", asked.append)
    install.compile_all(Path(sys.executable))
    (command,) = asked
    assert any(one.endswith("site-packages") for one in command)
    assert {Path(one).name for one in command if (Path(one) / "__init__.py").is_file()} == PACKAGES
