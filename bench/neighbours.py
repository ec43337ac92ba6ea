"""What a busy neighbour costs: answers of the bundled starter alone, and beside programs that want the same cores.

    python -m bench.neighbours --repeats 5

Compared, interleaved, each in a process of its own: threads that spin while they wait for each other (OpenMP's own
way, as many as there are cores); threads that sleep (`storage.threads`), as many; and the worker as it is
(`models.devices.use_threads`). A row is the median of the repetitions, each the median of the messages, in seconds for
a whole answer with its candidates and emotion check. Neighbours are endless loops; they end with the bench.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

MESSAGES = ("Завтра экзамен, страшно", "Кот разбил вазу", "Купили билеты на море!", "Дождь идёт третий день")
CORES = str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
WAYS: dict[str, dict[str, str]] = {
    "spinning, all cores": {"OMP_WAIT_POLICY": "ACTIVE", "MODELS_THREADS": CORES},
    "sleeping, all cores": {"OMP_WAIT_POLICY": "PASSIVE", "MODELS_THREADS": CORES},
    "as the worker does": {},
}
OWN = ("OMP_", "GOMP_", "MODELS_")


def answer_times() -> list[float]:
    """Seconds of each answer, in this process, after one that is not counted."""
    from storage.threads import patient

    patient()
    from models.build import build_responder
    from models.cli import answers
    from models.settings import ModelsSettings
    from storage.contracts import ChatRequest, Turn, now
    from storage.presets import load_presets

    responder = build_responder(ModelsSettings(device="cpu"), load_presets())
    times = []
    for place, text in enumerate((MESSAGES[0], *MESSAGES)):
        request = ChatRequest(
            request_id=str(place), chat_id=1, user_id=1, emotion="joy", turns=(Turn(role="user", text=text),),
            seed=place, deadline=now() + timedelta(minutes=5),
        )  # fmt: skip
        began = time.monotonic()
        list(answers(responder, [request]))
        times.append(time.monotonic() - began)
    return times[1:]


@contextmanager
def neighbours(count: int) -> Iterator[None]:
    """So many processes that never rest."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for one in running:
            one.kill()
            one.wait()


def measured(way: dict[str, str]) -> float:
    """Median seconds of an answer in a process with these settings."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(OWN)} | way
    out = subprocess.run(
        [sys.executable, "-m", "bench.neighbours", "--child"], env=env, check=True, capture_output=True, text=True
    )
    times: list[float] = json.loads(out.stdout.splitlines()[-1])
    return statistics.median(times)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--neighbours", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(answer_times()))
        return
    found: dict[tuple[str, int], list[float]] = {}
    for _ in range(options.repeats):
        for count in options.neighbours:
            for name, way in WAYS.items():
                with neighbours(count):
                    found.setdefault((name, count), []).append(measured(way))
    print("| threads | " + " | ".join(f"{count} neighbours" for count in options.neighbours) + " |")
    print("| --- |" + " --- |" * len(options.neighbours))
    for name in WAYS:
        row = [statistics.median(found[name, count]) for count in options.neighbours]
        print(f"| {name} | " + " | ".join(f"{value:.2f}" for value in row) + " |")


if __name__ == "__main__":
    main()
