"""One step of a refit in a process of its own: `python -m training.cycle.stage STEP FOLDER`.

The trainer starts it, watches it and may kill it at any moment; what was done stays done. Only one process works in a
job's folder at a time. Exit status 2: a fault that trying again would not mend, told in `failure.json`; 75: asked to
stop; anything else: unexpected.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import importlib
import logging
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from models.serving import other_base
from storage.garbage import seldom
from storage.settings import StorageSettings
from storage.uncompiled import uncompiled
from training.cycle.order import Order
from training.cycle.places import JobFolder
from training.recipes import RecipeError

FAULT, STOPPED = 2, 75
# So long a step waits for the end of one that was killed with its trainer.
LOCK_SECONDS = 60.0


class StepFailed(RecipeError):
    """A step cannot be done; the text says why and what to do."""


class AskedToStop(Exception):
    """The step was asked to end; it goes on from here another time."""


def prepare(folder: JobFolder, order: Order, storage: StorageSettings) -> None:
    """Sets, plan, recipes."""
    from training.cycle import preparing

    preparing.prepare(folder, order, storage)


def reward(folder: JobFolder, order: Order, storage: StorageSettings) -> None:
    """The preference model."""
    _run("reward", folder, order, storage)


def train(folder: JobFolder, order: Order, storage: StorageSettings) -> None:
    """The adapter."""
    _run(str((folder.read("plan") or {})["method"]), folder, order, storage)


def evaluate(folder: JobFolder, order: Order, storage: StorageSettings) -> None:
    """Evidence and verdict."""
    from training.cycle import evaluating
    from training.cycle.preparing import emotions
    from training.quiet import quiet

    quiet()
    _limit_gpu(order)
    evaluating.evaluate(folder, order, emotions(folder, storage))


def summary(folder: JobFolder, order: Order, storage: StorageSettings) -> None:
    """What a refit would learn from; no job."""
    from training.cycle import summing

    summing.summarize(folder, order, storage)


STEPS: dict[str, Callable[[JobFolder, Order, StorageSettings], None]] = {
    "summary": summary,
    "prepare": prepare,
    "reward": reward,
    "train": train,
    "evaluate": evaluate,
}


def _run(method: str, folder: JobFolder, order: Order, storage: StorageSettings) -> None:
    if (folder.adapter(method) / "adapter_config.json").is_file():
        return
    if order.settings.launch:
        _launched(method, folder, order, storage)
        return
    from training import recipes
    from training.cli import METHODS
    from training.cycle.evaluating import base_name
    from training.cycle.preparing import emotions
    from training.quiet import quiet
    from training.watch import Interrupted

    if order.start.base and other_base(order.start.base, now := base_name(order.base)):
        raise StepFailed(
            f"{order.start.adapter_id} was made for {order.start.base}, and the base is {now} now: roll the slot "
            f"{order.slot} back to the worker's own, then refit"
        )

    module, kind = METHODS[method]
    trainer = importlib.import_module(module)
    recipe = recipes.load(getattr(trainer, kind), folder.recipe(method))
    quiet()
    _limit_gpu(order)
    try:
        trainer.main(recipe, folder.path, emotions(folder, storage), True)
    except Interrupted as stopped:
        raise AskedToStop from stopped


def _launched(method: str, folder: JobFolder, order: Order, storage: StorageSettings) -> None:
    """The same through `accelerate launch`, whose processes belong to this one's group."""
    from training.cycle.preparing import PRESETS, emotions

    emotions(folder, storage)
    command = [sys.executable, "-m", "accelerate.commands.launch", *shlex.split(order.settings.launch)]
    command += ["-m", "training.cli", "train", method, "--recipe", str(folder.recipe(method)), "--resume"]
    own = {"STORAGE_DIR": str(folder.path), "STORAGE_PRESETS": str(folder.path / f"{PRESETS}.json")}
    ended = subprocess.run(command, env=os.environ | own, check=False)
    if ended.returncode != 0:
        raise StepFailed(
            f"accelerate launch ended with status {ended.returncode}: see {folder.log}, and TRAINING_LAUNCH"
        )


def _limit_gpu(order: Order) -> None:
    """Let torch refuse what is over the budget, before it takes the worker's memory."""
    if order.settings.gpu_memory_mb is None:
        return
    import torch

    if torch.cuda.is_available():
        whole = torch.cuda.get_device_properties(0).total_memory / (1 << 20)
        torch.cuda.set_per_process_memory_fraction(min(1.0, order.settings.gpu_memory_mb / whole))


@contextlib.contextmanager
def sole(folder: JobFolder) -> Iterator[None]:
    """Hold the folder's lock; the kernel lets go of it with the process. StepFailed if another process works there."""
    with (folder.path / "lock").open("w") as lock:
        end = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise AskedToStop(f"another process works in {folder.path}") from None
                time.sleep(0.2)
        yield


def die_with_parent() -> None:
    """End with the trainer, however it ends: it holds the other end of stdin and never writes."""

    def wait() -> None:
        with contextlib.suppress(OSError):
            while os.read(0, 1):
                pass
        os.killpg(os.getpgid(0), signal.SIGKILL)

    threading.Thread(target=wait, name="parent", daemon=True).start()


def _stop(number: int, frame: object) -> None:
    raise AskedToStop


def main(argv: list[str]) -> int:
    """Do one step."""
    step, path = argv[:2]
    folder = JobFolder(Path(path))
    if "--with-parent" in argv:
        die_with_parent()
    signal.signal(signal.SIGTERM, _stop)  # a Trainer puts its own in this place while it trains
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    # Before anything imports it: an optional kernel for 4-bit weights on CPU is missed without harm.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    try:
        with sole(folder):
            order = Order.model_validate(folder.read("job"))
            with contextlib.suppress(OSError):
                os.nice(order.settings.nice)
            STEPS[step](folder, order, StorageSettings())
    except AskedToStop:
        return STOPPED
    except Exception as error:
        return _failed(folder, step, error)
    return 0


def _failed(folder: JobFolder, step: str, error: Exception) -> int:
    traceback.print_exc()
    reason, final = explain(error, folder)
    with contextlib.suppress(OSError):
        folder.write("failure", {"step": step, "reason": reason, "final": final})
    print(f"{step}: {reason}", file=sys.stderr)
    return FAULT if final else 1


def explain(error: Exception, folder: JobFolder) -> tuple[str, bool]:
    """A line for people, and whether another attempt would meet the same."""
    from models.errors import ModelsError
    from training.cli import _disk_full

    if _disk_full(error):
        return f"the disk of {folder.path} is full: free some space and start the refit again", True
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return "there was too little memory: lower `rows` in the recipe, or give more (TRAINING_GPU_MEMORY_MB)", True
    if isinstance(error, RecipeError | ModelsError | FileNotFoundError | FileExistsError | PermissionError):
        return str(error), True
    if isinstance(error, OSError) and error.errno == errno.EROFS:
        return f"nothing can be written to {folder.path}", True
    first = (str(error).splitlines() or [""])[0][:300]
    return f"{type(error).__name__}: {first} (see {folder.log})", False


if __name__ == "__main__":
    seldom()
    uncompiled()
    sys.exit(main(sys.argv[1:]))
