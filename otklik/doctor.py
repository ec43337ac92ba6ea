"""`otklik doctor`: checks everything that the product needs and says what to fix. Changes nothing."""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import os
import shutil
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape

from otklik.errors import EVERYTHING, PARTS, check_settings, explain
from storage.embedded import NoServerBinary, find_server
from storage.redis import connect
from storage.settings import StorageSettings

GIGABYTE = 1024**3


@dataclass(frozen=True)
class Finding:
    """What one check found. `level`: ok, note (works, but look) or fault (must be fixed)."""

    level: str
    what: str
    advice: str = ""


async def check_folder(settings: StorageSettings) -> Finding:
    """STORAGE_DIR (or the nearest folder above it that exists) can be written and has room."""
    folder = settings.dir.absolute()
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        return Finding("fault", f"folder {folder}: cannot be written", "set STORAGE_DIR to a folder that can be")
    free = shutil.disk_usage(existing).free / GIGABYTE
    if free < 1:
        return Finding("note", f"folder {folder}: only {free:.1f} GB free", "training needs a few GB")
    return Finding("ok", f"folder {folder}: writable, {free:.0f} GB free")


async def check_redis(settings: StorageSettings) -> Finding:
    """The named server answers and knows streams; without a name the embedded one can start."""
    if settings.redis_url is None:
        try:
            return Finding("ok", f"Redis: embedded ({find_server().name})")
        except NoServerBinary as error:
            return Finding("fault", "Redis: no server", str(error))
    client = connect(settings.redis(), connections=2)
    try:
        info = await asyncio.wait_for(client.info(), 10)
    except Exception as error:  # any failure of a foreign server is the finding itself
        return Finding("fault", f"Redis: {type(error).__name__}", "check STORAGE_REDIS_URL and that the server runs")
    finally:
        await client.aclose()
    version = str(info.get("redis_version", "0"))
    if int(version.split(".")[0]) < 7:
        return Finding("fault", f"Redis {version} is too old", "use Redis 7 or Valkey 8 or newer")
    if not int(info.get("aof_enabled", 0)):
        return Finding("note", f"Redis {version}: AOF is off", "set appendonly yes, else a crash loses messages")
    return Finding("ok", f"Redis {version}: answers, AOF on")


async def check_database(settings: StorageSettings) -> Finding:
    """The database can be reached."""
    from sqlalchemy import make_url, text
    from sqlalchemy.ext.asyncio import create_async_engine

    url = make_url(settings.database())
    if url.get_backend_name() == "sqlite" and not os.path.exists(url.database or ""):  # noqa: ASYNC240 - one stat
        return Finding("ok", "SQL: sqlite, will be created at the first start")
    try:
        engine = create_async_engine(settings.database())
        async with engine.connect() as connection:
            await asyncio.wait_for(connection.execute(text("SELECT 1")), 10)
        await engine.dispose()
    except Exception as error:  # any failure of a foreign server is the finding itself
        return Finding("fault", f"SQL: {type(error).__name__}", "check STORAGE_DATABASE_URL and that the server runs")
    return Finding("ok", f"SQL: {engine.dialect.name} answers")


async def check_models(_: StorageSettings) -> Finding:
    """The machine-learning packages and the model files are there."""
    missing = [name for name in ("torch", "transformers", "peft") if importlib.util.find_spec(name) is None]
    if missing:
        return Finding("note", f"models: {', '.join(missing)} not installed", "a worker needs: pip install -e '.[ml]'")
    from models.settings import ModelsSettings

    settings = ModelsSettings()
    if settings.engine != "transformers":
        return Finding("ok", f"models: engine {settings.engine}")
    for name, place in (("MODELS_BASE", settings.base_path()), ("MODELS_CLASSIFIER", settings.classifier_path())):
        if is_path(place) and not (Path(place) / "config.json").exists():
            return Finding("fault", f"models: no config.json in {place}", f"point {name} at a model folder or a hub id")
    return Finding("ok", f"models: base {settings.base}, classifier {settings.classifier}")


async def check_training(settings: StorageSettings) -> Finding:
    """What the trainer will do: its settings, recipes that are named, and where a refit gets its memory."""
    from training.settings import TrainingSettings

    training = TrainingSettings()
    if not training.refits:
        return Finding("ok", "training: this machine's trainer stores ratings only")
    if importlib.util.find_spec("torch") is None:
        return Finding("note", "training: torch is not installed, ratings are stored only", "pip install -e '.[ml]'")
    if lost := [f"{method}={path}" for method, path in training.recipes.items() if not path.is_file()]:
        return Finding("fault", f"training: no such recipe: {', '.join(lost)}", "correct TRAINING_RECIPES")
    when = [f"by the clock ({training.schedule} {training.timezone})"] if training.schedule else []
    when += [f"after {training.min_ratings} ratings"] if training.min_ratings else []
    decides = "the gate alone" if training.auto_promote else "an admin"
    return Finding("ok", f"training: refits {' and '.join(when) or 'when asked'}, {decides} lets them answer")


def is_path(place: str) -> bool:
    """Whether a model is named by a path rather than by a hub id (`owner/name`) or a word such as `none`."""
    return place.startswith((".", "/", "~")) or place.count("/") > 1 or Path(place).exists()


async def check_gpu(_: StorageSettings) -> Finding:
    """Which accelerator torch sees."""
    if importlib.util.find_spec("torch") is None:
        return Finding("note", "GPU: unknown, torch is not installed")
    import torch

    if torch.cuda.is_available():
        memory = torch.cuda.get_device_properties(0).total_memory / GIGABYTE
        return Finding("ok", f"GPU: {torch.cuda.get_device_name(0)}, {memory:.0f} GB")
    return Finding("note", "GPU: none, the starter model runs on the CPU", "7–8B models need a GPU")


async def check_telegram(_: StorageSettings) -> Finding:
    """The token is accepted by the Bot API."""
    from bot.settings import BotSettings

    settings = BotSettings()
    if settings.token is None:
        return Finding("note", "Telegram: BOT_TOKEN is not set, the playground opens instead")
    from aiogram import Bot
    from aiogram.client.session.aiohttp import AiohttpSession
    from aiogram.client.telegram import TelegramAPIServer

    try:
        session = AiohttpSession(api=TelegramAPIServer.from_base(settings.api_url))
        async with Bot(settings.token.get_secret_value(), session=session) as bot:
            me = await asyncio.wait_for(bot.get_me(), 15)
    except Exception as error:  # the finding itself; the message could hold the token, so only its type is shown
        return Finding("fault", f"Telegram: {type(error).__name__}", "check BOT_TOKEN (@BotFather) and BOT_API_URL")
    return Finding("ok", f"Telegram: @{me.username}")


CHECKS: tuple[Callable[[StorageSettings], Awaitable[Finding]], ...] = (
    check_folder,
    check_redis,
    check_database,
    check_models,
    check_training,
    check_gpu,
    check_telegram,
)
MARKS = {"ok": "[green]✓[/]", "note": "[yellow]•[/]", "fault": "[red]✗[/]"}


async def examine(settings: StorageSettings) -> list[Finding]:
    """Run every check; wrong settings and parts that are not installed here (an image has few) are findings too."""
    findings = []
    for check in CHECKS:
        try:
            findings.append(await check(settings))
        except ValidationError as error:
            findings.append(Finding("fault", explain(error), "mend these settings"))
        except ModuleNotFoundError as error:
            if error.name not in PARTS:
                raise
            findings.append(Finding("note", f"{error.name}/ is not part of this installation, left unchecked"))
    return findings


def main(argv: list[str]) -> int:
    """Entry of `otklik doctor`; exit status 1 if anything must be fixed."""
    argparse.ArgumentParser(prog="otklik doctor", description=__doc__).parse_args(argv)
    console = Console()
    try:
        settings = StorageSettings()
    except ValidationError:
        # No check can begin, but all other settings can be read.
        check_settings(EVERYTHING)
        raise
    findings = asyncio.run(examine(settings))
    for finding in findings:
        console.print(f"{MARKS[finding.level]} {escape(finding.what)}", highlight=False)
        if finding.advice:
            console.print(f"    → {escape(finding.advice)}", highlight=False)
    return 1 if any(finding.level == "fault" for finding in findings) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
