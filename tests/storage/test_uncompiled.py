"""bitsandbytes is imported without PyTorch's compiler, which everything else may still use."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import pytest

from storage import uncompiled

PROGRAM = """
import sys
from storage.uncompiled import uncompiled

uncompiled()
import bitsandbytes.backends.default.ops, torch

print("torch._inductor.compile_fx" in sys.modules, torch.compile(print) is print)
"""


def test_the_compiler_is_not_imported_and_stays_what_it_is() -> None:
    answer = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True).stdout
    assert answer.split() == ["False", "False"]


@pytest.mark.parametrize("before", [None, "0"])
def test_the_switch_is_set_while_it_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    monkeypatch.delenv(uncompiled.SWITCH, raising=False)
    if before is not None:
        monkeypatch.setenv(uncompiled.SWITCH, before)
    library = tmp_path / "library.py"
    library.write_text(f"import os\nseen = os.environ[{uncompiled.SWITCH!r}]\n", encoding="utf-8")
    spec = spec_from_loader("library", uncompiled._Loader("library", str(library)))
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.seen == "1"
    assert os.environ.get(uncompiled.SWITCH) == before


def test_asked_again_it_finds_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "meta_path", [one for one in sys.meta_path if not isinstance(one, uncompiled._Finder)])
    uncompiled.uncompiled()
    once = list(sys.meta_path)
    uncompiled.uncompiled()
    assert sys.meta_path == once
    assert isinstance(once[0], uncompiled._Finder)
