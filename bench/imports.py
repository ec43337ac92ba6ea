"""What looking for garbage, and PyTorch's compiler, cost a process that imports the training libraries.

    python -m bench.imports

A process of its own for every import, the settings in turn; user and system time of the child, median of the runs.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys

WANTED = "import peft, trl; from transformers import AutoModelForCausalLM, Trainer; from trl import DPOTrainer"
SELDOM = "from storage.garbage import seldom; seldom(); "
SETTINGS = {
    "Python's own (700, 10, 10)": "",
    "storage.garbage": SELDOM,
    "storage.garbage and storage.uncompiled": SELDOM + "from storage.uncompiled import uncompiled; uncompiled(); ",
}


def seconds(code: str) -> float:
    """Processor time of one process that runs the code."""
    child = subprocess.Popen([sys.executable, "-c", code])
    _, status, used = os.wait4(child.pid, 0)
    if status:
        sys.exit(f"bench.imports: the import failed (status {os.waitstatus_to_exitcode(status)})")
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Print a row a setting."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    repeats: int = parser.parse_args().repeats
    found: dict[str, list[float]] = {name: [] for name in SETTINGS}
    for _ in range(repeats):
        for name, before in SETTINGS.items():
            found[name].append(seconds(before + WANTED))
    first = statistics.median(next(iter(found.values())))
    print("| setting | processor seconds | ratio |\n| --- | --- | --- |")
    for name, times in found.items():
        print(f"| {name} | {statistics.median(times):.2f} | {statistics.median(times) / first:.2f} |")


if __name__ == "__main__":
    main()
