"""The `otklik` command: a table of sub-commands. Imports nothing heavy until a sub-command runs."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable

# sub-command: (module:function, what it does)
COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("otklik.up:main", "run everything on this machine; without BOT_TOKEN opens the playground"),
    "chat": ("otklik.chat:main", "talk in the terminal"),
    "reply": ("otklik.reply:main", "one answer, or JSON lines from stdin"),
    "classify": ("models.cli:classify", "emotions of texts"),
    "bot": ("bot.app:main", "the Telegram bot alone (needs STORAGE_REDIS_URL)"),
    "worker": ("models.app:main", "a generation worker alone (needs STORAGE_REDIS_URL)"),
    "trainer": ("training.trainer:main", "stores ratings and refits adapters from them (needs STORAGE_REDIS_URL)"),
    "api": ("bot.api.app:main", "the HTTP API alone (needs STORAGE_REDIS_URL)"),
    "keys": ("otklik.keys:main", "make, list and revoke keys of the HTTP API"),
    "knowledge": ("otklik.knowledge:main", "import, list and remove articles that operators attach to questions"),
    "widget": ("otklik.widget:main", "the operators' widget as a package for Zoho CRM"),
    "playground": ("bot.playground.app:main", "the local Telegram alone"),
    "train": ("training.cli:train", "one training run: otklik train METHOD --recipe FILE [--set key=value]"),
    "data": ("training.cli:data", "prepare and check training data"),
    "evaluate": ("training.evaluation.commands:main", "compare models and adapters on a frozen set: metrics, tests"),
    "bench": ("training.comparison.commands:main", "train all methods side by side; published tables beside ours"),
    "export": ("training.export.commands:main", "merge an adapter, write GGUF or Ollama files, push to a hub"),
    "judge": ("training.evaluation.judging.commands:main", "compare systems' answers by a judging model"),
    "ratings": ("training.evaluation.people_commands:main", "people's ratings of every system, with intervals"),
    "adapters": ("otklik.adapters:main", "the registry: list, promote, try on a share, roll back, verify, clean"),
    "simulate": ("training.simulation.commands:main", "does the loop learn? made-up people, real queue and refits"),
    "doctor": ("otklik.doctor:main", "check settings, Redis, SQL, model files, GPU, Telegram token"),
}


def usage() -> str:
    """The help text: one line a sub-command."""
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {what}" for name, (_, what) in COMMANDS.items()]
    return "\n".join(
        ["usage: otklik COMMAND [options]", "", "commands:", *lines, "", "otklik COMMAND --help tells more."]
    )


def load(target: str) -> Callable[[list[str]], int]:
    """Import `module:function`."""
    module, _, name = target.partition(":")
    function: Callable[[list[str]], int] = getattr(importlib.import_module(module), name)
    return function


def main(argv: list[str] | None = None) -> int:
    """Run a sub-command; returns its exit status."""
    arguments = sys.argv[1:] if argv is None else argv
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())
        return 0
    name, *rest = arguments
    if name not in COMMANDS:
        print(f"otklik: there is no command {name!r}\n\n{usage()}", file=sys.stderr)
        return 2
    from otklik.errors import READS, readable  # after the table, so that --help stays instant
    from storage.garbage import seldom
    from storage.threads import patient
    from storage.uncompiled import uncompiled

    seldom()
    uncompiled()
    patient()
    return readable(lambda rest: load(COMMANDS[name][0])(rest), rest, READS.get(name, ()))


if __name__ == "__main__":
    sys.exit(main())
