"""What the installer compiles."""

from __future__ import annotations

import re

import pytest

import install

PLACE = "/home/tests/otklik/.venv/lib/python3.11/site-packages"


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
