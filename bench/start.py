"""How long `make demo` takes from its start to the printed address, where everything is installed.

    python -m bench.start --repeats 5

Every run begins in an empty STORAGE_DIR and ends by Ctrl-C; the machine's load before it stands beside.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.journey.running import free_port

ROOT = Path(__file__).resolve().parents[1]


def started() -> tuple[float, float]:
    """Seconds until the address was printed, and from Ctrl-C to the end."""
    with tempfile.TemporaryDirectory() as folder:
        own = {
            "STORAGE_DIR": folder,
            "BOT_PLAYGROUND_LISTEN": f"127.0.0.1:{free_port()}",
            "API_LISTEN": f"127.0.0.1:{free_port()}",
        }
        began = time.monotonic()
        command = ["make", "--no-print-directory", "demo"]
        pipe = subprocess.PIPE
        with subprocess.Popen(
            command, cwd=ROOT, env=os.environ | own, stdout=pipe, text=True, start_new_session=True
        ) as demo:
            assert demo.stdout is not None
            said = next((line for line in demo.stdout if "Отклик готов" in line), None)
            if said is None:
                sys.exit("bench.start: `make demo` ended before it was ready")
            ready = time.monotonic()
            os.killpg(demo.pid, signal.SIGINT)
            demo.stdout.read()
        return ready - began, time.monotonic() - ready


def main() -> None:
    """Print a row a run, and the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    found: list[tuple[float, float]] = []
    print("| run | to the address, s | Ctrl-C to the end, s | load before |\n| --- | --- | --- | --- |")
    for run in range(parser.parse_args().repeats):
        load = os.getloadavg()[0]
        found.append(started())
        print(f"| {run + 1} | {found[-1][0]:.1f} | {found[-1][1]:.1f} | {load:.1f} |", flush=True)
    print(f"| median | {' | '.join(f'{statistics.median(times):.1f}' for times in zip(*found, strict=True))} | |")


if __name__ == "__main__":
    main()
