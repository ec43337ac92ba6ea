"""Texts as words, for every metric that counts them: any alphabet, one spelling, optionally stems. Knows no metric."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache

_WORD = re.compile(r"[^\W_]+")
_CYRILLIC = re.compile(r"[а-я]")
# As rouge-score has it: shorter words are left as they are.
STEMMED_FROM = 4


def words(text: str) -> list[str]:
    """Lower-case runs of letters and digits of any alphabet; «ё» is «е», and composed and split letters are one."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).lower().replace("ё", "е"))


def ngrams(tokens: Sequence[str], size: int) -> list[tuple[str, ...]]:
    """Runs of `size` words, in order, repeats included."""
    return [tuple(tokens[start : start + size]) for start in range(len(tokens) - size + 1)]


class Tokenizer:
    """What rouge-score asks for; its own one knows a–z and 0–9 alone and gives identical Russian texts a zero."""

    def __init__(self, stem: bool = False) -> None:
        self._stem = stemmer() if stem else None

    def tokenize(self, text: str) -> list[str]:
        """Words or their stems."""
        found = words(text)
        return found if self._stem is None else [self._stem(word) for word in found]


def stemmer() -> Callable[[str], str]:
    """Snowball's Russian stemmer for Cyrillic words, Porter's for the others; words under 4 letters stay."""
    from nltk.stem.porter import PorterStemmer
    from nltk.stem.snowball import RussianStemmer

    russian, english = RussianStemmer(), PorterStemmer()

    @lru_cache(maxsize=65536)
    def stem(word: str) -> str:
        if len(word) < STEMMED_FROM:
            return word
        return str((russian if _CYRILLIC.search(word) else english).stem(word))

    return stem
