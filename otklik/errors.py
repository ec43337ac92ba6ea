"""Turns what goes wrong at start into sentences that say what to do, instead of tracebacks."""

from __future__ import annotations

import sys
from collections.abc import Callable

from pydantic import ValidationError

from storage.embedded import NoServerBinary, ServerDidNotStart

# An image of the Dockerfile holds some of them only.
PARTS = ("bot", "models", "training")


def explain(error: ValidationError) -> str:
    """Every wrong setting, a line each, by its name. Values are not shown: they may be secret."""
    prefix = error.title.removesuffix("Settings").upper() + "_" if error.title.endswith("Settings") else ""
    lines = []
    for problem in error.errors(include_input=False, include_url=False):
        field = ".".join(map(str, problem["loc"]))
        lines.append(f"  {prefix}{field.upper()}: {problem['msg']}" if field else f"  {problem['msg']}")
    return "\n".join([f"settings are wrong ({error.title}):", *lines])


def readable(command: Callable[[list[str]], int], arguments: list[str]) -> int:
    """Run a command; what it lacks (settings, servers, parts) is explained on stderr with exit status 2."""
    try:
        return command(arguments)
    except KeyboardInterrupt:
        return 130
    except ValidationError as error:
        print(f"otklik: {explain(error)}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if error.name not in PARTS:
            raise
        print(f"otklik: {error.name}/ is not part of this installation, and this command needs it", file=sys.stderr)
        return 2
    except (NoServerBinary, ServerDidNotStart) as error:
        print(f"otklik: {error}", file=sys.stderr)
        return 2
