"""bitsandbytes without PyTorch's compiler. Every process that may train says so first; nothing is imported by that.

PEFT imports bitsandbytes wherever it is installed, and that asks torch.compile for four functions: the whole compiler
is imported, a fifth of what a trainer's imports cost (`python -m bench.imports`). They are stand-ins for devices that
bitsandbytes has no program of its own for. NVIDIA GPUs never call them; CPUs call one, for rare shapes of 4-bit weights
(rows of odd length, blocks of 2,048 and more). What comes out is the same, only not compiled.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType

LIBRARY = "bitsandbytes"
SWITCH = "TORCHDYNAMO_DISABLE"  # torch.compile asks for it at every call and gives the function back as it is


class _Loader(SourceFileLoader):
    """Runs the library with the compiler switched off, for as long as that takes."""

    def exec_module(self, module: ModuleType) -> None:
        before = os.environ.get(SWITCH)
        os.environ[SWITCH] = "1"
        try:
            super().exec_module(module)
        finally:
            if before is None:
                del os.environ[SWITCH]
            else:
                os.environ[SWITCH] = before


class _Finder(MetaPathFinder):
    """Finds this one library, as Python would, and gives it the loader above."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != LIBRARY:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
        return spec


def uncompiled() -> None:
    """From now on bitsandbytes is imported without the compiler, if at all; torch.compile itself stays as it is."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())
