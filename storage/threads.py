"""How many cores this process may use, and how threads of one computation wait for each other. Imports no torch."""

from __future__ import annotations

import math
import os
from pathlib import Path

QUOTA = Path("/sys/fs/cgroup/cpu.max")  # cgroup v2, as a container sees its own


def patient() -> None:
    """Threads of one computation sleep while they wait for each other, unless the operator says otherwise.

    OpenMP's own way is to spin. Where another program wants a core, too, the thread that is waited for is the one that
    does not run, and the others burn what it needs, thousands of times in an answer: one busy neighbour on two cores
    made answers three times slower (`python -m bench.neighbours`), in the playground, where bot and page want a core,
    too, ten to twenty times. OpenMP asks for it when torch is loaded, not later.
    """
    if "GOMP_SPINCOUNT" not in os.environ:
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def usable_cores(quota: Path = QUOTA) -> int:
    """Cores that this process may run on: what the scheduler allows, and no more than a container's share of time."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        share, period = quota.read_text().split()
        return max(1, min(allowed, math.ceil(int(share) / int(period))))
    except (OSError, ValueError):  # no cgroup v2, or "max": no limit
        return allowed
