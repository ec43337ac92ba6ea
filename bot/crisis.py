"""Does a message sound like suicide or self-harm? Pure; the phrases are data (`crisis.yaml`), the rules are here.

Text is folded first: case, ё, stress marks, Latin look-alikes, repeated letters, l e t t e r s  a p a r t, Latin
spelling of Russian, vowels by ear (`пакончу с сабой`). Then known hyperbole is taken out («умираю со смеху»), and what
is left is searched for phrases, typos included: one letter wrong, missing or too many in words of six letters and more,
two letters swapped or one missing in words of four and five. It misses what it has no phrase for; it is no diagnosis,
only a reason to show help.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import yaml

PHRASES = Path(__file__).with_name("crisis.yaml")
BREAK = "."
GAP = 1

LOOKALIKES = str.maketrans("abcehkmoptxyur036@", "авсенкмортхуигозба")
TRANSLIT = (
    ("shch", "щ"), ("sch", "щ"), ("zh", "ж"), ("kh", "х"), ("ch", "ч"), ("sh", "ш"), ("ts", "ц"), ("yu", "ю"),
    ("ju", "ю"), ("ya", "я"), ("ja", "я"), ("yo", "е"), ("jo", "е"), ("ye", "е"), ("iy", "ий"), ("'", "ь"),
)  # fmt: skip
BY_EAR = str.maketrans("оеы", "аии")
LETTERS = str.maketrans("abcdefghijklmnopqrstuvwxyz", "абцдефгхийклмнопкрстуввхыз")


def is_crisis(text: str) -> bool:
    """Whether help should be shown instead of an answer."""
    rules = load()
    return any(rules.crisis(words) for words in readings(text))


def readings(text: str) -> Iterator[list[str]]:
    """The ways to read a text: as written, and Latin letters as Russian by sound."""
    lowered = unicodedata.normalize("NFKC", text).lower().replace("ё", "е")
    lowered = re.sub(r"[\u0300-\u036f\u200b-\u200f\u2060\ufeff\u00ad]", "", lowered)
    yield split_words(lowered.translate(LOOKALIKES) if re.search("[а-я]", lowered) else lowered)
    if re.search("[a-z]", lowered):
        for spelled, letter in TRANSLIT:
            lowered = lowered.replace(spelled, letter)
        yield split_words(lowered.translate(LETTERS))


def split_words(text: str) -> list[str]:
    """Words with repeated letters collapsed; sentence ends become breaks; single letters in a row become one word."""
    joined = re.sub(
        r"(?<![а-яa-z])[а-я](?:[\s.\-_*,·]{1,3}[а-я]){3,}(?![а-яa-z])", lambda m: re.sub("[^а-я]", "", m[0]), text
    )
    joined = re.sub(r"\b(н[еи])(?=хоч|хот|вижу|могу|жела)|\b(хочу)(?=уме|сдо|жи|исч)", r"\g<0> ", joined)
    joined = re.sub(r"\bс(?=соб[оа])", "с ", joined)
    joined = re.sub(r"(?<=[а-я])[*_.\-·](?=[а-я])", "", joined)
    return [collapse(word) for word in re.findall(r"[а-яa-z]+|[.!?\n…;]", joined)]


def collapse(word: str) -> str:
    """`умеррррреть` → `умереть`, spelled by ear: `сабой` = `собой`, `ни` = `не`; sentence marks become one sign."""
    if not word[0].isalpha():
        return BREAK
    if word == "нее":
        return word
    word = re.sub(r"(.)\1+", r"\1", word)
    if len(word) < 3:
        return "не" if word == "ни" else word
    return re.sub("т[ь]?ся$", "ца", word).translate(BY_EAR)


@dataclass(frozen=True, slots=True)
class Token:
    """One place of a phrase: any of these words, `stems` by their beginning. `banned` must not stand here."""

    words: frozenset[str]
    stems: frozenset[str]
    banned: bool = False


@dataclass(slots=True)
class Speller:
    """Finds which known words and stems a word of the text can be."""

    words: dict[str, set[str]] = field(default_factory=dict)
    stems: set[str] = field(default_factory=set)
    other: frozenset[str] = frozenset()

    def learn(self, token: Token) -> None:
        """Know the words of a token."""
        self.stems |= token.stems
        for word in token.words:
            for key in (word, *_shorter(word)):
                self.words.setdefault(key, set()).add(word)

    def meanings(self, word: str) -> frozenset[str]:
        """Known words (as they are) and stems (with `*`) that this may be."""
        keys = (word, *_shorter(word))
        near = {known for key in keys for known in self.words.get(key, ()) if close(word, known)}
        if word in self.other:
            near &= {word}
        stems = {word[:end] + "*" for end in range(3, len(word) + 1) if word[:end] in self.stems}
        return frozenset(near | stems)


def _shorter(word: str) -> list[str]:
    return [word[:i] + word[i + 1 :] for i in range(len(word))] if len(word) >= 4 else []


def close(word: str, known: str) -> bool:
    """Equal, or one slip apart: any slip in six letters and more, a swap or a lost letter in four and five."""
    if word == known:
        return True
    if min(len(word), len(known)) < 3 or len(known) < 4 or word[0] != known[0]:
        return False
    if len(word) == len(known):
        wrong = [i for i, (a, b) in enumerate(zip(word, known, strict=True)) if a != b]
        swap = len(wrong) == 2 and wrong[1] == wrong[0] + 1 and sorted(word) == sorted(known)
        return swap or (len(wrong) == 1 and len(known) >= 6)
    if len(word) == len(known) - 1:
        return word in _shorter(known)
    return len(word) == len(known) + 1 and len(known) >= 6 and known in _shorter(word)


Phrase = tuple[Token, ...]


class Rules:
    """All phrases, indexed by what may begin them."""

    def __init__(
        self, crisis: Iterable[str], hyperbole: Iterable[str], fillers: Iterable[str], other: Iterable[str] = ()
    ) -> None:
        self.fillers = frozenset(map(collapse, fillers))
        self._crisis = [parse(line) for line in crisis]
        self._hyperbole = [parse(line) for line in hyperbole]
        self._speller = Speller(other=frozenset(map(collapse, other)))
        for phrase in (*self._crisis, *self._hyperbole):
            for token in phrase:
                self._speller.learn(token)

    def crisis(self, words: list[str]) -> bool:
        """Whether any phrase is left when hyperbole is taken out."""
        kept = [BREAK, *(word for word in words if word not in self.fillers), BREAK]
        meant = [self._speller.meanings(word) if word != BREAK else frozenset({BREAK}) for word in kept]
        present = frozenset().union(*meant)
        for phrase in self._hyperbole:
            start = 0
            while possible(present, phrase) and (found := find(meant, phrase, start)) is not None:
                meant[found[0] : found[1]] = [frozenset({BREAK})]
                start = found[0] + 1
        return any(possible(present, phrase) and find(meant, phrase, 0) is not None for phrase in self._crisis)


def parse(line: str) -> Phrase:
    """`не хоч* жить -в|с`: words or stems in order, alternatives by `|`, `-` what must not stand there, `.` an end."""
    return tuple(_token(part) for part in line.replace("ё", "е").split())


def _token(part: str) -> Token:
    banned = part.startswith("-")
    options = part.removeprefix("-").split("|")
    return Token(
        words=frozenset(collapse(option) for option in options if not option.endswith("*")),
        stems=frozenset(collapse(option[:-1]) for option in options if option.endswith("*")),
        banned=banned,
    )


def fits(meanings: frozenset[str], token: Token) -> bool:
    """Whether a word of the text can be this token."""
    return not token.words.isdisjoint(meanings) or any(stem + "*" in meanings for stem in token.stems)


def possible(present: frozenset[str], phrase: Phrase) -> bool:
    """Whether a text with these words has a word for every token: most phrases need no search."""
    return all(token.banned or fits(present, token) for token in phrase)


def find(meant: list[frozenset[str]], phrase: Phrase, start: int) -> tuple[int, int] | None:
    """`(first, behind)` of the phrase at or after `start`, with at most one other word between two of its words."""
    for position in range(start, len(meant)):
        end = _match(meant, phrase, 0, position, first=True)
        if end is not None:
            return position, end
    return None


def _match(
    meant: list[frozenset[str]], phrase: Phrase, index: int, position: int, *, first: bool = False
) -> int | None:
    """The end of the rest of a phrase from here; None if it is not here."""
    if index == len(phrase):
        return position
    token = phrase[index]
    if token.banned:
        place = position - 1 if first else position
        if 0 <= place < len(meant) and fits(meant[place], token):
            return None
        return _match(meant, phrase, index + 1, position, first=first)
    # Nothing stands between a sentence's end and the word beside it.
    beside = BREAK in token.words or (index > 0 and BREAK in phrase[index - 1].words)
    for skipped in range(1 if first or beside else GAP + 1):
        place = position + skipped
        if place >= len(meant):
            return None
        if fits(meant[place], token):
            end = _match(meant, phrase, index + 1, place + 1)
            if end is not None:
                return end
        if BREAK in meant[place]:
            return None
    return None


@lru_cache(maxsize=1)
def load(path: Path = PHRASES) -> Rules:
    """Read the phrases."""
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    return Rules(data["crisis"], data["hyperbole"], data["fillers"], data["other"])
