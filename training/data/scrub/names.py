"""Names of people in a text, by natasha's Russian named-entity recogniser (a small neural network on numpy).

Optional: the package loads on the first text, and its absence is one clear message. Finds capitalised names in
sentences; «саша» in small letters and initials alone escape it. About 5 ms a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from typing import Any

from training.data.scrub.spans import Kind, Span
from training.recipes import RecipeError

INSTALL = "pip install 'natasha>=1.6,<2'"
# Capitalised at the start of a sentence or a title, these are still no people.
_NO_PEOPLE = """
январь января январе февраль февраля феврале март марта марте апрель апреля апреле май мая мае июнь июня июне июль
июля июле август августа августе сентябрь сентября сентябре октябрь октября октябре ноябрь ноября ноябре декабрь
декабря декабре понедельник вторник среда среду четверг пятница пятницу суббота субботу воскресенье весна лето осень
зима бог боже господи господь иисус христос аллах алиса маруся салют сири алекса дед мороз снегурочка санта клаус
яндекс телеграм ватсап
"""
KEPT = frozenset(_NO_PEOPLE.split())
_CAPITAL = re.compile(r"[А-ЯЁA-Z][а-яёa-z]")
_PLACEHOLDER = re.compile(r"<[А-ЯЁ]+>")


class NamesUnavailable(RecipeError):
    """natasha is not installed; the message says how to install it."""


class PersonNames:
    """A finder of people's names for `scrub(text, names=PersonNames())`; `keep`: words that are never names."""

    def __init__(self, keep: Collection[str] = ()) -> None:
        self._keep = KEPT | {word.lower() for word in keep}
        self._tag: Callable[[str], Any] | None = None

    def prepare(self) -> None:
        """Load the recogniser now; NamesUnavailable without the package."""
        self._tag = self._tag or load()

    def __call__(self, text: str) -> Iterator[Span]:
        """Spans of people's names; words of placeholders and of `keep` are left in the text."""
        if not _CAPITAL.search(text):
            return
        if self._tag is None:
            self._tag = load()
        taken = [match.span() for match in _PLACEHOLDER.finditer(text)]
        for found in self._tag(text).spans:
            words = re.findall(r"\w+", text[found.start : found.stop].lower())
            inside = any(start < found.stop and found.start < end for start, end in taken)
            if found.type == "PER" and not inside and not all(word in self._keep for word in words):
                yield Span(found.start, found.stop, Kind.NAME)


def load() -> Callable[[str], Any]:
    """natasha's tagger: text → markup with `spans` (start, stop, type); takes about a second.

    Raises NamesUnavailable without the package.
    """
    try:
        from natasha import NewsEmbedding, NewsNERTagger
    except ImportError:
        raise NamesUnavailable(f"names of people are found by natasha, which is not installed: {INSTALL}") from None
    tagger: Callable[[str], Any] = NewsNERTagger(NewsEmbedding())
    return tagger
