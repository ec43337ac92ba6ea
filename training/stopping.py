"""Ctrl-C and SIGTERM as a question that a loop asks between two steps. Knows no method and no files."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from training.recipes import RecipeError


class Interrupted(RecipeError):
    """The run was asked to stop; it can be continued."""


@contextmanager
def asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C or SIGTERM came: the step is finished and kept first; a second Ctrl-C ends it at once."""
    asked: list[int] = []

    def ask(number: int, frame: Any) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    try:
        earlier = {one: signal.signal(one, ask) for one in (signal.SIGINT, signal.SIGTERM)}
    except ValueError:
        earlier = {}  # Not the main thread: whoever started us handles signals.
    try:
        yield lambda: bool(asked)
    finally:
        for one, handler in earlier.items():
            signal.signal(one, handler)
