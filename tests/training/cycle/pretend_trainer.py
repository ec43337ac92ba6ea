"""A trainer process that works on jobs with pretended steps, until it is killed: `python FILE OWNER LEASE`."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

from storage.database import Database
from storage.redis import connect
from storage.settings import StorageSettings
from training.cycle.loop import RefitLoop
from training.settings import TrainingSettings

PROGRAM = (str(Path(__file__).with_name("pretend_stage.py")),)


async def main(owner: str, lease: float) -> None:
    storage = StorageSettings()
    settings = TrainingSettings(lease_seconds=lease, poll_seconds=0.1, schedule=None)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    database, client = Database(storage.database()), connect(storage.redis(), connections=8)
    loop = RefitLoop(database, client, storage, settings, stop)
    loop.running.owner, loop.running.program = owner, PROGRAM
    await loop._forever("jobs", settings.poll_seconds, loop._job)
    await client.aclose()
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
