"""Memory and time of a run: a thread samples this process, so that peaks inside a step are seen. Knows no method."""

from __future__ import annotations

import os
import threading
import time
from types import TracebackType

MEGABYTE = 1 << 20


def resident() -> int:
    """Bytes of memory that this process holds now (RSS)."""
    import psutil

    return int(psutil.Process(os.getpid()).memory_info().rss)


def cuda_peak() -> int:
    """Bytes allocated on the GPU at most since `MemoryWatch` began; 0 without one."""
    import torch

    return int(torch.cuda.max_memory_allocated()) if torch.cuda.is_available() else 0


class MemoryWatch:
    """Samples RSS and allocated GPU memory while it is open.

    `timeline`: (seconds since the start, RSS in MiB, GPU MiB); thinned to every second sample when it gets long.
    """

    def __init__(self, every: float = 0.2, most: int = 2000) -> None:
        self.every, self.most = every, most
        self.timeline: list[tuple[float, float, float]] = []
        self.peak_rss = 0
        self.before = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="memory", daemon=True)

    def __enter__(self) -> MemoryWatch:
        import torch

        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        self.before = self.peak_rss = resident()
        self._began = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def peak(self) -> dict[str, float]:
        """`peak_rss_mb`, `rss_before_mb` and, with a GPU, `peak_cuda_mb`: MiB."""
        values = {"peak_rss_mb": self.peak_rss / MEGABYTE, "rss_before_mb": self.before / MEGABYTE}
        if cuda := cuda_peak():
            values["peak_cuda_mb"] = cuda / MEGABYTE
        return {name: round(value, 1) for name, value in values.items()}

    def _sample(self) -> None:
        import torch

        while True:
            now = resident()
            self.peak_rss = max(self.peak_rss, now)
            gpu = torch.cuda.memory_allocated() if torch.cuda.is_available() else 0
            self.timeline.append((round(time.monotonic() - self._began, 2), now / MEGABYTE, gpu / MEGABYTE))
            if len(self.timeline) >= self.most:
                self.timeline = self.timeline[::2]
                self.every *= 2
            if self._stop.wait(self.every):
                return
