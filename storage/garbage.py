"""How often Python looks for cycles of objects. Every process of the product sets it first."""

from __future__ import annotations

import atexit
import gc

SELDOM = (50_000, 20, 20)


def seldom() -> None:
    """Look for cycles less often than every 700 objects (gc.set_threshold).

    Importing torch, transformers, peft and trl makes millions of objects, all of which stay: looking through them is a
    ninth of the processor time of that (`python -m bench.imports`). Nor are they looked through once more when the
    process ends, which was most of a second and a half of a worker that was told to stop.
    """
    gc.set_threshold(*SELDOM)
    atexit.register(gc.freeze)
