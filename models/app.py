"""`otklik worker`: composition root of the worker process. Settings, clients and threads are made here only."""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import structlog
from pydantic import ValidationError

from models.adapter_watch import AdapterWatch, Fetch
from models.attempts import Attempts
from models.build import build_responder, load_models
from models.classifier import Classifier
from models.engine import Engine
from models.errors import EngineBroken, ModelsError
from models.logs import log_to_stderr
from models.metrics import Metrics
from models.settings import ModelsSettings
from models.shared_gpu import SharedGpu
from models.smoke import probe
from models.worker import Worker
from storage.adapter_files import fetch
from storage.contracts import ServedAdapter
from storage.conversation import Conversation
from storage.loop_board import LoopBoard
from storage.ready import notify_ready
from storage.redis import connect
from storage.settings import StorageSettings

log = structlog.get_logger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one worker until SIGTERM or SIGINT.

    0: stopped as asked, 1: the engine broke, 70: it hung, 2: settings or files are wrong; all but 0 are said on stderr.
    """
    parser = argparse.ArgumentParser(prog="otklik worker", description="Answer requests from the queue.")
    parser.add_argument("--id", help="name of this worker in provenance and logs (default: host, process, random)")
    options = parser.parse_args(argv)
    log_to_stderr()
    try:
        models, storage = ModelsSettings(), StorageSettings()
        asyncio.run(serve(models, storage, options.id or worker_name()))
    except ValidationError:
        raise  # explained, setting by setting, where every command's errors are
    except EngineBroken as error:
        print(f"otklik worker: {error}; start it anew", file=sys.stderr)
        return 1
    except (ModelsError, ValueError) as error:
        print(f"otklik worker: {error}", file=sys.stderr)
        return 2
    return 0


async def serve(models: ModelsSettings, storage: StorageSettings, worker_id: str) -> None:
    """Load everything in the model's thread, then serve until a signal."""
    stop = asyncio.Event()
    # Loading cannot be cut short, and nothing is held yet.
    _on_signals(os._exit, 0)
    metrics = Metrics()
    redis = connect(storage.redis())
    conversation = Conversation(redis, storage)
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="model")
    loop = asyncio.get_running_loop()
    try:
        responder = await loop.run_in_executor(
            thread, lambda: build_responder(models, storage.load_presets(), worker=worker_id, metrics=metrics)
        )
        # A worker whose engine cannot answer at all must not take anybody's request.
        own = responder.intake.routes.own
        await loop.run_in_executor(thread, probe, responder.engine, responder.intake.presets, own)
        _on_signals(stop.set)
        if models.metrics_listen:
            metrics.listen(models.metrics_listen)
        board = LoopBoard(redis, storage)
        watch = AdapterWatch(
            board,
            responder,
            thread,
            adapter_source(models, storage),
            worker_id=worker_id,
            attempts=Attempts(cache_folder(storage)),
            limit=models.adapters_loaded,
        )

        gpu = None
        if models.shares_gpu:

            def load() -> tuple[Engine, Classifier | None]:
                return load_models(models, storage.load_presets())

            gpu = SharedGpu(board, responder, thread, load, watch, worker_id=worker_id, requests=conversation.requests)

        def ready() -> None:
            log.info("worker ready", worker=worker_id, engine=models.engine)
            notify_ready(f"engine {models.engine}")

        worker = Worker(
            conversation,
            responder,
            thread,
            worker_id=worker_id,
            rows=models.batch,
            rows_each=responder.intake.candidates,
            drain_seconds=models.drain_seconds,
            stuck_seconds=models.stuck_seconds,
            watch=watch,
            gpu=gpu,
            on_ready=ready,
        )
        await worker.run(stop)
    finally:
        thread.shutdown(wait=True, cancel_futures=True)
        await redis.aclose()


def _on_signals(doing: Callable[..., object], *arguments: object) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, doing, *arguments)


def adapter_source(models: ModelsSettings, storage: StorageSettings) -> Fetch:
    """Where a worker gets adapters' folders from: the store, through a cache on this machine, hashes checked.

    With MODELS_OPENAI_ADAPTERS the engine's server reads the same store by itself, at that path.
    """
    cache, address = cache_folder(storage), storage.adapters_address()

    def source(served: ServedAdapter) -> Path:
        folder = fetch(served, cache, address)
        return Path(models.openai_adapters, served.adapter_id) if models.openai_adapters else folder.absolute()

    return source


def cache_folder(storage: StorageSettings) -> Path:
    """Where the workers of this machine keep adapters' files."""
    return storage.dir / "cache" / "adapters"


def worker_name() -> str:
    """Unique among workers, readable in logs."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"


if __name__ == "__main__":
    sys.exit(main())
