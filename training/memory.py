"""Memory and time of a run over all its parts: a thread samples this process, so that peaks inside a step are seen.

Knows no method.
"""

from __future__ import annotations

import json
import os
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType

from training.runs import main_process

MEGABYTE = 1 << 20
WRITTEN = 10.0  # seconds between two looks that a kill cannot take away


def resident() -> int:
    """Bytes of memory that this process holds now (RSS)."""
    import psutil

    return int(psutil.Process(os.getpid()).memory_info().rss)


def cuda_peak() -> int:
    """Bytes allocated on the GPU at most since `MemoryWatch` began; 0 without one."""
    import torch

    return int(torch.cuda.max_memory_allocated()) if torch.cuda.is_available() else 0


@dataclass
class Part:
    """What one part of a run took, from its start or `--resume` to its end, a signal or a kill."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_rss: int = 0
    before: int = 0
    peak_cuda: int = 0
    timeline: list[tuple[float, float, float]] = field(default_factory=list)


class MemoryWatch:
    """Samples RSS and allocated GPU memory while it is open.

    `timeline`: (seconds since the start, RSS in MiB, GPU MiB); thinned to every second sample when it gets long.
    `parts`: a file in which each part of a run that is continued finds what the earlier ones took; figures are then of
    all parts. A kill costs the last WRITTEN seconds of a part.
    """

    def __init__(self, parts: Path | None = None, resumed: bool = False, every: float = 0.2, most: int = 2000) -> None:
        self.path, self.every, self.most = parts, every, most
        self.earlier = _read(parts) if parts and resumed else []
        self.now = Part()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="memory", daemon=True)

    def __enter__(self) -> MemoryWatch:
        import torch

        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        self.now.before = self.now.peak_rss = resident()
        self._began, self._worked = time.monotonic(), time.process_time()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self._write()

    @property
    def parts(self) -> list[Part]:
        """What was done so far, part after part; this one is the last."""
        return [*self.earlier, self.now]

    @property
    def seconds(self) -> float:
        """Wall time of all parts."""
        return sum(one.seconds for one in self.parts)

    @property
    def cpu_seconds(self) -> float:
        """CPU time of all parts, of this process."""
        return sum(one.cpu_seconds for one in self.parts)

    @property
    def timeline(self) -> list[tuple[float, float, float]]:
        """All parts one after another."""
        found: list[tuple[float, float, float]] = []
        begun = 0.0
        for one in self.parts:
            found += [(round(begun + seconds, 2), rss, gpu) for seconds, rss, gpu in one.timeline]
            begun += one.seconds
        return found

    def peak(self) -> dict[str, float]:
        """`peak_rss_mb`, `rss_before_mb` and, with a GPU, `peak_cuda_mb`: MiB, of the part that took most."""
        most = max(self.parts, key=lambda one: one.peak_rss)
        values = {"peak_rss_mb": most.peak_rss / MEGABYTE, "rss_before_mb": most.before / MEGABYTE}
        if cuda := max(one.peak_cuda for one in self.parts):
            values["peak_cuda_mb"] = cuda / MEGABYTE
        return {name: round(value, 1) for name, value in values.items()}

    def told(self) -> str:
        """` in 3 parts` for a run that was continued, nothing otherwise."""
        return f" in {len(self.parts)} parts" if len(self.parts) > 1 else ""

    def _sample(self) -> None:
        import torch

        written = time.monotonic()
        while True:
            held, now = resident(), self.now
            now.peak_rss = max(now.peak_rss, held)
            gpu = torch.cuda.memory_allocated() if torch.cuda.is_available() else 0
            passed = round(time.monotonic() - self._began, 2)
            now.timeline.append((passed, round(held / MEGABYTE, 1), round(gpu / MEGABYTE, 1)))
            if len(now.timeline) >= self.most:
                now.timeline = now.timeline[::2]
                self.every *= 2
            if time.monotonic() - written > WRITTEN:
                self._write()
                written = time.monotonic()
            if self._stop.wait(self.every):
                return

    def _write(self) -> None:
        now = self.now
        now.seconds, now.cpu_seconds = time.monotonic() - self._began, time.process_time() - self._worked
        now.peak_cuda = cuda_peak()
        if self.path is None or not main_process():
            return
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps([asdict(one) for one in self.parts]), encoding="utf-8")
        fresh.replace(self.path)


def _read(path: Path) -> list[Part]:
    if not path.is_file():
        return []
    return [
        Part(**{**one, "timeline": [(seconds, rss, gpu) for seconds, rss, gpu in one["timeline"]]})
        for one in json.loads(path.read_text(encoding="utf-8"))
    ]
