"""Personal data out of everything that people wrote, corrections too, before it becomes a row. Knows texts only.

How it is found is training/data/scrub's; here most texts are passed at a glance, and repeated ones are done once.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from functools import lru_cache

from training.data import scrub

# Nothing that `scrub` looks for does without one of these; «собака» and «at» spell an e-mail's sign.
_MAY_HOLD = re.compile(r"[@\d]|://|\w\.\w|собака|\bat\b", re.IGNORECASE)
REMEMBERED = 1 << 13


class Scrubber:
    """Changes texts and counts what was found in them."""

    def __init__(self, *, names: bool = False, off: bool = False) -> None:
        self.found: Counter[str] = Counter()
        self._off = off
        self._names = _person_names() if names and not off else None
        self._scrubbed: Callable[[str], tuple[str, Counter[str]]] = lru_cache(REMEMBERED)(self._scrub)

    def __call__(self, text: str) -> str:
        """The text with placeholders in place of personal data."""
        if self._off or (self._names is None and not _MAY_HOLD.search(text)):
            return text
        clean, found = self._scrubbed(text)
        self.found.update(found)
        return clean

    def _scrub(self, text: str) -> tuple[str, Counter[str]]:
        return scrub.scrub(text, names=self._names)


def _person_names() -> scrub.Names:
    from training.data.scrub.names import PersonNames

    return PersonNames(())
