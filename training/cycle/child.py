"""A step's process as the trainer sees it: started, watched for memory, asked to stop, killed with all that it started.

Knows no step and no job's state.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from storage.settings import StorageSettings
from training.cycle.places import JobFolder
from training.settings import TrainingSettings

MEGABYTE = 1 << 20
PROGRAM = ("-m", "training.cycle.stage")
OPENAI = ("MODELS_OPENAI_URL", "MODELS_OPENAI_KEY", "MODELS_OPENAI_MODEL")


class StepProcess:
    """One step in a process group of its own, with a pipe that tells it when the trainer is gone."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self._ended = asyncio.create_task(process.wait())

    @classmethod
    async def start(
        cls, step: str, folder: JobFolder, env: Mapping[str, str], program: Sequence[str] = PROGRAM
    ) -> StepProcess:
        """Start a step; what it prints goes to the folder's log."""
        folder.drop("failure.json")
        command = [sys.executable, *program, step, str(folder.path), "--with-parent"]
        with folder.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *command,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **env},
                cwd=Path.cwd(),
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return cls(process)

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.process.returncode is None

    async def wait(self, seconds: float) -> int | None:
        """Its exit status, or None if it still runs after so many seconds."""
        await asyncio.wait({self._ended}, timeout=seconds)
        return self._ended.result() if self._ended.done() else None

    async def stop(self, patience: float) -> None:
        """SIGTERM, so that it saves what it has, and SIGKILL after `patience` seconds for the whole group."""
        if self.running and patience > 0:
            self._signal(signal.SIGTERM)
            await self.wait(patience)
        self._signal(signal.SIGKILL)
        if self.running:
            await self._ended

    def memory(self) -> int:
        """MiB that it holds with all that it started; 0 if it is gone."""
        import psutil

        total = 0
        with contextlib.suppress(psutil.Error):
            parent = psutil.Process(self.process.pid)
            for one in (parent, *parent.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    total += one.memory_info().rss
        return total // MEGABYTE

    def _signal(self, number: int) -> None:
        # Its group may outlive it: what `accelerate launch` started, for one.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)


def env_of(storage: StorageSettings, settings: TrainingSettings) -> dict[str, str]:
    """Where the steps find what this process has from arguments rather than from the environment."""
    env = {"STORAGE_DIR": str(storage.dir.absolute()), "STORAGE_PRESETS": str(storage.presets.absolute())}
    env["OMP_NUM_THREADS"] = str(settings.threads)
    # Whatever serves people here, a refit answers with the weights that it tunes.
    env |= {
        "MODELS_ENGINE": "transformers",
        "MODELS_OPENAI_URL": "",
        "MODELS_OPENAI_KEY": "",
        "MODELS_OPENAI_MODEL": "",
    }
    if storage.database_url is not None:
        env["STORAGE_DATABASE_URL"] = storage.database_url.get_secret_value()
    return env
