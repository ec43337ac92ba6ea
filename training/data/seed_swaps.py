"""Seed rows about something else: a word that message and reply share becomes another word in both, in the same form.

«Собака сгрызла тапки» – «Ох уж эта собака!» is also told of a cow or a neighbour. A model cannot learn such rows by
heart; it has to look up in the message what to speak of (the copying that Olsson et al. 2022 call induction). Needs
pymorphy3 for the forms; knows seed rows, nothing of tokenizers.
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

from storage.contracts import Turn
from training.data.seed_corpus import SeedRow

_WORD = re.compile(r"[а-яё]+(?:-[а-яё]+)*", re.IGNORECASE)
_VOWELS = "аеёиоуыэюя"
SPOKEN_OF = ("NOUN", "VERB", "ADJF")
# What makes two words stand in for each other, and what a form of either is.
_KIND = {"NOUN": ("gender", "animacy"), "VERB": ("aspect", "transitivity"), "ADJF": ()}
_FORM = {
    "NOUN": ("number", "case"),
    "VERB": ("mood", "tense", "person", "number", "gender", "involvement"),
    "INFN": (),
    "ADJF": ("number", "case", "gender", "animacy"),
}
_ODD = {"Name", "Surn", "Patr", "Abbr", "Apro", "Anum", "Fixd", "Sgtm", "Pltm"}
# Too general to speak of, or woven into set phrases.
_KEPT = frozenset(
    _WORD.findall(
        "быть мочь хотеть стать знать думать сказать говорить делать сделать дать понимать понять самый весь какой "
        "такой этот тот свой мой твой наш ваш который другой один первый раз год день время дело человек час минута "
        "ночь утро вечер неделя месяц слово сторона конец начало половина пара вид случай образ правда пора идти "
        "пойти прийти выйти ждать давать взять привет спасибо хороший плохой новый старый большой друг бот"
    )
)


Group = tuple[str, tuple[str | None, ...], bool, bool]
# How often the other word is one of the same file.
NEAR = 0.7


class Form(NamedTuple):
    """One reading of a word: what it is a form of, and which."""

    lemma: str
    part: str
    kind: tuple[str | None, ...]
    grammemes: frozenset[str]


class Swapper:
    """Words to speak of instead, by kind, from texts; and rows with one or two of theirs exchanged for them.

    `least`: how often a word must occur in the texts (in any form) to be put anywhere. `rows`: what those of one file
    speak of stands in for each other first, since its subjects are near («собака» for «кошка», not for «премия»).
    """

    def __init__(self, texts: Iterable[str], least: int = 12, rows: Iterable[SeedRow] = ()) -> None:
        import pymorphy3

        self._parse = lru_cache(200_000)(pymorphy3.MorphAnalyzer(lang="ru").parse)
        self.read = lru_cache(200_000)(self._read)
        self._formed = lru_cache(200_000)(self._form_of)
        counts = Counter(word.lower() for text in texts for word in _WORD.findall(text))
        frequency: Counter[Form] = Counter()
        for word, count in counts.items():
            if (form := self.read(word)) and form.lemma not in _KEPT:
                frequency[form._replace(grammemes=frozenset())] += count
        self.instead: dict[Group, list[str]] = defaultdict(list)
        for form, count in sorted(frequency.items(), key=lambda item: (-item[1], item[0].lemma)):
            if count >= least:
                self.instead[self._group(form)].append(form.lemma)
        spoken = {(row.source, self._group(one), one.lemma): None for row in rows for one in self.shared(row)}
        self.near: dict[tuple[str, Group], list[str]] = defaultdict(list)
        for source, group, lemma in spoken:
            self.near[source, group].append(lemma)

    def shared(self, row: SeedRow) -> list[Form]:
        """What the person and the reply both speak of, in the reply's order; forms without grammemes."""
        said = {found.lemma for turn in row.turns for _, found in self._words(turn.text)}
        spoken = [found._replace(grammemes=frozenset()) for _, found in self._words(row.reply) if found.lemma in said]
        return [one for one in dict.fromkeys(spoken) if one.lemma not in _KEPT]

    def swapped(self, row: SeedRow, chooser: random.Random) -> SeedRow | None:
        """The row about something else, or None where nothing can be exchanged."""
        shared = self.shared(row)
        changed = row
        for one in chooser.sample(shared, len(shared))[: chooser.choice((1, 1, 2))]:
            group = self._group(one)
            near = self.near.get((row.source, group), ())
            instead = near if len(near) > 2 and chooser.random() < NEAR else self.instead.get(group, ())
            others = [other for other in instead if other != one.lemma]
            for other in chooser.sample(others, min(4, len(others))):
                if found := self._exchanged(changed, one, other):
                    changed = found
                    break
        return None if changed is row else changed

    def _exchanged(self, row: SeedRow, one: Form, other: str) -> SeedRow | None:
        texts = [self._text(text, one, other) for text in (*(turn.text for turn in row.turns), row.reply)]
        if any(text is None for text in texts):
            return None
        *said, reply = (str(text) for text in texts)
        turns = tuple(Turn(role=turn.role, text=text) for turn, text in zip(row.turns, said, strict=True))
        return replace(row, turns=turns, reply=reply, wordings=(), first=row.first or row.message)

    def _text(self, text: str, one: Form, other: str) -> str | None:
        """The text with every form of `one` replaced; None if a form of `other` is lacking."""
        parts: list[str] = []
        end = 0
        for match, found in self._words(text):
            if found.lemma != one.lemma or found.part != one.part:
                continue
            fresh = self._formed(other, one.part, one.kind, found.grammemes)
            if fresh is None:
                return None
            parts += [text[end : match.start()], _cased(fresh, match.group())]
            end = match.end()
        return "".join([*parts, text[end:]])

    def _words(self, text: str) -> Iterator[tuple[re.Match[str], Form]]:
        for match in _WORD.finditer(text):
            if found := self.read(match.group().lower()):
                yield match, found

    def _read(self, word: str) -> Form | None:
        parses = self._parse(word)
        if not parses or not parses[0].is_known or parses[0].score < 0.34:
            return None
        tag = parses[0].tag
        part = "VERB" if tag.POS == "INFN" else tag.POS
        if part not in SPOKEN_OF or _ODD & set(tag.grammemes):
            return None
        return Form(parses[0].normal_form, str(part), self._kind(tag), _grammemes(tag))

    def _kind(self, tag: Any) -> tuple[str | None, ...]:
        return tuple(getattr(tag, name) for name in _KIND["VERB" if tag.POS == "INFN" else tag.POS])

    def _group(self, form: Form) -> Group:
        """Words of one group stand in for each other; before a vowel «о» would become «об»."""
        return form.part, form.kind, form.lemma[0] in _VOWELS, form.lemma.endswith("ся")

    def _form_of(self, lemma: str, part: str, kind: tuple[str | None, ...], grammemes: frozenset[str]) -> str | None:
        shown = "INFN" if part == "VERB" else part  # «печь» is a stove as well
        for parse in self._parse(lemma):
            if parse.normal_form == lemma and shown == parse.tag.POS and self._kind(parse.tag) == kind:
                for form in parse.lexeme:
                    if _grammemes(form.tag) == grammemes:
                        return str(form.word)
        return None


def variants(rows: Sequence[SeedRow], swapper: Swapper, times: int, seed: int) -> Iterator[SeedRow]:
    """Up to `times` rows about something else for each row that can be swapped, in the order of the rows."""
    for number, row in enumerate(rows):
        chooser = random.Random(f"{seed}:{number}:{row.message}:{row.reply}")
        for _ in range(times if swapper.shared(row) else 0):
            if (found := swapper.swapped(row, chooser)) is not None:
                yield found


def _grammemes(tag: Any) -> frozenset[str]:
    return frozenset(
        {str(tag.POS)} | {str(value) for name in _FORM.get(tag.POS, ()) if (value := getattr(tag, name)) is not None}
    )


def _cased(word: str, like: str) -> str:
    if len(like) > 1 and like.isupper():
        return word.upper()
    return word.capitalize() if like[0].isupper() else word
