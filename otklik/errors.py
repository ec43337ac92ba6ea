"""Turns what goes wrong at start into sentences that say what to do, instead of tracebacks."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable

from pydantic import ValidationError

from storage.embedded import NoServerBinary, ServerDidNotStart

# An image of the Dockerfile holds some of them only.
PARTS = ("bot", "models", "training")
# The settings that the commands of a whole process read.
READS = {
    "bot": ("storage.settings:StorageSettings", "bot.settings:BotSettings"),
    "api": ("storage.settings:StorageSettings", "bot.settings:BotSettings", "bot.api.settings:ApiSettings"),
    "worker": ("storage.settings:StorageSettings", "models.settings:ModelsSettings"),
    "trainer": ("storage.settings:StorageSettings", "training.settings:TrainingSettings"),
}
EVERYTHING = tuple(dict.fromkeys(place for places in READS.values() for place in places))
READS["up"] = EVERYTHING


class WrongSettings(Exception):
    """Settings of this installation are wrong; the message has a line for each."""


def wrong_settings(places: Iterable[str]) -> list[str]:
    """What is wrong with the settings of these classes (`module:class`), an explanation a class."""
    found = []
    for place in places:
        module, _, name = place.partition(":")
        try:
            getattr(importlib.import_module(module), name)()
        except ValidationError as error:
            found.append(explain(error))
        except ModuleNotFoundError as error:
            if error.name not in PARTS:
                raise
    return found


def check_settings(places: Iterable[str]) -> None:
    """WrongSettings with everything that is wrong with these classes, if anything is."""
    if found := wrong_settings(places):
        raise WrongSettings("\n".join(found))


def explain(error: ValidationError) -> str:
    """Every wrong setting, a line each, by its name. Values are not shown: they may be secret."""
    prefix = error.title.removesuffix("Settings").upper() + "_" if error.title.endswith("Settings") else ""
    lines = []
    for problem in error.errors(include_input=False, include_url=False):
        field = ".".join(map(str, problem["loc"]))
        lines.append(f"  {prefix}{field.upper()}: {problem['msg']}" if field else f"  {problem['msg']}")
    return "\n".join([f"settings are wrong ({error.title}):", *lines])


def readable(command: Callable[[list[str]], int], arguments: list[str], reads: Iterable[str] = ()) -> int:
    """Run a command; what it lacks (settings, servers, parts) is explained on stderr with exit status 2.

    `reads`: classes of settings that are told of as well if one is wrong.
    """
    try:
        return command(arguments)
    except KeyboardInterrupt:
        return 130
    except ValidationError as error:
        print("otklik: " + "\n".join(wrong_settings(reads) or [explain(error)]), file=sys.stderr)
        return 2
    except WrongSettings as error:
        print(f"otklik: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if error.name not in PARTS:
            raise
        print(f"otklik: {error.name}/ is not part of this installation, and this command needs it", file=sys.stderr)
        return 2
    except (NoServerBinary, ServerDidNotStart) as error:
        print(f"otklik: {error}", file=sys.stderr)
        return 2
