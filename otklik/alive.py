"""`python -m otklik.alive NAME`: the container health check. A process is alive while it touches its heartbeat file.

Each long-running process calls `storage.ready.beat(NAME)` from its main loop; a stuck loop stops the beat.
"""

from __future__ import annotations

import sys
import time

from storage.ready import heartbeat_file

STALE_SECONDS = 60.0


def alive(name: str, *, now: float) -> bool:
    """Whether the process gave a sign of life within the last minute (`now`: seconds since the epoch)."""
    path = heartbeat_file(name)
    return path.exists() and now - path.stat().st_mtime < STALE_SECONDS


if __name__ == "__main__":
    sys.exit(0 if alive(sys.argv[1], now=time.time()) else 1)
