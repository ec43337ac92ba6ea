"""Names of people in a text, by natasha's Russian named-entity recogniser (a small neural network on numpy).

Optional: the package loads on the first text, and its absence is one clear message. Finds capitalised names in
sentences, and those in capitals alone (ИВАНОВ ПЁТР) that pymorphy3's dictionary knows as names; «саша» in small
letters and initials alone escape it. About 5 ms a sentence.
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
# What stands in capitals alone is no name to the recogniser.
_SHOUTED = re.compile(r"(?<![<А-ЯЁ])[А-ЯЁ]{3,}")
_NAMES = frozenset({"Name", "Surn", "Patr"})
_PLACEHOLDER = re.compile(r"<[А-ЯЁ]+>")


class NamesUnavailable(RecipeError):
    """natasha is not installed; the message says how to install it."""


class PersonNames:
    """A finder of people's names for `scrub(text, names=PersonNames())`; `keep`: words that are never names."""

    def __init__(self, keep: Collection[str] = ()) -> None:
        self._keep = KEPT | {word.lower() for word in keep}
        self._tag: Callable[[str], Any] | None = None
        self._parse: Callable[[str], Any] | None = None

    def prepare(self) -> None:
        """Load the recogniser now; NamesUnavailable without the package."""
        self._tag = self._tag or load()

    def __call__(self, text: str) -> Iterator[Span]:
        """Spans of people's names; words of placeholders and of `keep` are left in the text."""
        shouted = _SHOUTED.search(text)
        if not shouted and not _CAPITAL.search(text):
            return
        taken = [match.span() for match in _PLACEHOLDER.finditer(text)]
        found = list(self._people(text))
        for start, end in found:
            if self._counts(text[start:end], taken, start, end):
                yield Span(start, end, Kind.NAME)
        if not shouted:
            return
        taken += found
        # As long as the text, letter by letter: places stay the same.
        calm = _SHOUTED.sub(lambda match: match.group().capitalize(), text)
        for start, end in self._people(calm):
            begin = self._first_name(calm, start, end)
            if begin is not None and self._counts(text[begin:end], taken, begin, end):
                yield Span(begin, end, Kind.NAME)

    def _people(self, text: str) -> Iterator[tuple[int, int]]:
        self.prepare()
        assert self._tag is not None  # noqa: S101 – for the type checker
        return ((found.start, found.stop) for found in self._tag(text).spans if found.type == "PER")

    def _counts(self, words: str, taken: list[tuple[int, int]], start: int, end: int) -> bool:
        inside = any(begin < end and start < stop for begin, stop in taken)
        return not inside and not all(word in self._keep for word in re.findall(r"\w+", words.lower()))

    def _first_name(self, text: str, start: int, end: int) -> int | None:
        """Where the first word begins that a dictionary knows as a name: shouted, every verb looks like one."""
        if self._parse is None:
            import pymorphy3

            self._parse = pymorphy3.MorphAnalyzer(lang="ru").parse
        for word in re.finditer(r"\w{3,}", text[start:end]):
            if _NAMES & set(self._parse(word.group())[0].tag.grammemes):
                return start + word.start()
        return None


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
