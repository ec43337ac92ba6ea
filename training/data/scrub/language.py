"""How sure it is that a text is Russian, and not another language in the same letters.

A naive Bayes sum of three witnesses: py3langid among the languages written in Cyrillic, how many words pymorphy3's
dictionary of Russian knows, and letters that only some alphabets have. Knows no rows; the weights were set by hand on
tests/training/scrub/languages.txt.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Sequence

CYRILLIC_LANGUAGES = ("ru", "uk", "bg", "sr", "be", "mk", "kk", "ky", "mn", "tg")
_WORD = re.compile(r"[^\W\d_]+")
_CYRILLIC = re.compile(r"[\u0400-\u04ff]")
_FOREIGN = re.compile(r"[^А-Яа-яЁё]")
_RUSSIAN = re.compile(r"[ыэё]", re.IGNORECASE)
_NO_LANGUAGE = re.compile(r"<[А-ЯЁA-Z]+>|https?://\S+|(?<!\w)@\w+")
_LAUGHTER = re.compile(r"(?:[ахеи]*(?:ха|хе|хи|ах|ех|их)[ахеи]*|(.)\1+|[хм]м+)", re.IGNORECASE)
_KNOWN = math.log(0.97 / 0.65)  # neighbours share roots and letters: two thirds of short words would pass for Russian
_UNKNOWN = math.log(0.03 / 0.35)  # slang, slips and names; rarer than in a neighbour language by far
_FOREIGN_LETTER = -3.0
_RUSSIAN_LETTER = 1.0
# Undoes the detector's uniform prior of one in ten: Russian is two in five before a word is read.
_PRIOR = math.log(len(CYRILLIC_LANGUAGES) - 1) + math.log(0.4 / 0.6)


@functools.cache
def _detector() -> Callable[[str], list[tuple[str, float]]]:
    """The detector limited to languages in Cyrillic, with probabilities; a second to load, once."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier  # type: ignore[import-untyped]

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages(list(CYRILLIC_LANGUAGES))
    rank: Callable[[str], list[tuple[str, float]]] = identifier.rank
    return rank


@functools.cache
def _dictionary() -> Callable[[str], bool]:
    """Whether Russian knows a word, in any of its forms."""
    import pymorphy3

    known: Callable[[str], bool] = pymorphy3.MorphAnalyzer(lang="ru").word_is_known
    return known


def log_odds(probability: float, known: int, unknown: int, foreign: bool, russian: bool) -> float:
    """Log-odds of Russian: the detector's, plus what words and letters add (naive Bayes)."""
    probability = min(max(probability, 1e-6), 1 - 1e-6)
    return (
        math.log(probability / (1 - probability))
        + _PRIOR
        + known * _KNOWN
        + unknown * _UNKNOWN
        + foreign * _FOREIGN_LETTER
        + (russian and not foreign) * _RUSSIAN_LETTER
    )


def cyrillic(text: str) -> float:
    """Share of Cyrillic among the letters, 0 to 1; 0 without letters."""
    letters = sum(map(str.isalpha, text))
    return len(_CYRILLIC.findall(text)) / letters if letters else 0.0


def judged(words: Sequence[str]) -> tuple[int, int]:
    """How many words the dictionary knows and does not; laughter and, after the first word, names are no witnesses."""
    is_known = _dictionary()
    known = unknown = 0
    for position, word in enumerate(words):
        if is_known(word.lower()):
            known += 1
        elif not _LAUGHTER.fullmatch(word) and not (position and word.istitle()):
            unknown += 1
    return known, unknown


def russian(text: str) -> float:
    """From 0 (another language, or no words) to 1 (surely Russian); about 0.5 and more is worth keeping.

    Share of Cyrillic letters times the probability that the Cyrillic words are Russian. Placeholders, links and
    @names do not count.
    """
    text = _NO_LANGUAGE.sub(" ", text)
    share = cyrillic(text)
    words = [word for word in _WORD.findall(text) if _CYRILLIC.search(word)]
    if not words:
        return 0.0
    known, unknown = judged(words)
    joined = " ".join(words).lower()
    odds = log_odds(
        probability=dict(_detector()(joined))["ru"],
        known=known,
        unknown=unknown,
        foreign=bool(_FOREIGN.search(joined.replace(" ", ""))),
        russian=bool(_RUSSIAN.search(joined)),
    )
    return share / (1 + math.exp(min(-odds, 700.0)))
