"""K-quants and other small types through llama.cpp's own quantizer: its program on PATH, or its Python bindings.

Knows nothing of models: a GGUF file goes in, a smaller one comes out.
"""

from __future__ import annotations

import shutil
import subprocess
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from training.export.errors import ToolMissing, Unsupported

PROGRAM = "llama-quantize"
# What the quantizer offers and people use; each name is llama.cpp's.
KINDS: tuple[str, ...] = (
    *("q2_k", "q3_k_s", "q3_k_m", "q3_k_l", "q4_k_s", "q4_k_m", "q5_k_s", "q5_k_m", "q6_k"),
    *("q4_0", "q4_1", "q5_0", "q5_1", "iq4_nl", "iq4_xs"),
)


def require_quantizer(kind: str) -> None:
    """ToolMissing, before anything is converted, unless a quantizer is installed."""
    if shutil.which(PROGRAM) is None and find_spec("llama_cpp") is None:
        raise ToolMissing(
            f"{kind} needs llama.cpp's quantizer: put {PROGRAM} on PATH (it is part of llama.cpp) or install its "
            "bindings (pip install llama-cpp-python). q8_0, f16, bf16 and f32 need nothing"
        )


def quantize(source: Path, out: Path, kind: str) -> None:
    """Write `source` as `kind` to `out`; Unsupported with the quantizer's last words if it fails."""
    if program := shutil.which(PROGRAM):
        done = subprocess.run(
            [program, str(source), str(out), kind.upper()],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode or not out.is_file():
            words = (done.stderr or done.stdout).strip().splitlines()
            raise Unsupported(f"{PROGRAM} could not write {kind}: {words[-1] if words else 'it said nothing'}")
        return
    _by_bindings(source, out, kind)


def _by_bindings(source: Path, out: Path, kind: str) -> None:
    import ctypes

    import llama_cpp

    names = {name.removeprefix("LLAMA_FTYPE_").removeprefix("MOSTLY_"): name for name in dir(llama_cpp)}
    # Without this it prints a line a tensor; the function must outlive the call, so it is the module's.
    llama_cpp.llama_log_set(_quiet(), None)
    parameters = llama_cpp.llama_model_quantize_default_params()
    parameters.ftype = getattr(llama_cpp, names[kind.upper()])
    if llama_cpp.llama_model_quantize(bytes(source), bytes(out), ctypes.byref(parameters)):
        raise Unsupported(f"llama.cpp could not write {kind}")


@cache
def _quiet() -> Any:
    import llama_cpp

    return llama_cpp.llama_log_callback(lambda level, text, data: None)
