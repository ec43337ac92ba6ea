"""Which candidate is sent, and whether to try again. Pure: no model, no clock, no I/O."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence, Set
from dataclasses import dataclass
from enum import StrEnum

from storage.contracts import Candidate

# Shortest echo that is a fault: «Привет!» to «Привет» is an answer.
ECHO_WORDS = 3
LOOP_REPEATS = 3
LOOP_UNIT = 8
# Words of the shortest sentence that is not said twice in a dialogue where there is another.
PHRASE = 4
# Where the emotion is wanted very strongly, it must be unmistakable before the answer is to the point.
STRONGEST = 3
ABOUT_AS_SURE = 0.05
# A full stop after a single letter or a number is «т. е.» or «1.», not the end of a sentence.
SENTENCE_END = re.compile(r"(?:(?<=[^\W\d_]{2})\.|(?<=[»\")])\.|[!?…]|\.{2,})[.!?…]*[»\")]*(?=\s|\Z)")
STUCK = re.compile(r"([^\s.…\d])\1{11}|([^\W\d_]{2,8}?)\2{11}")


class Defect(StrEnum):
    """Why a text must not be sent."""

    EMPTY = "empty"
    LOOPING = "looping"
    MARKUP = "markup"
    ECHO = "echo"


@dataclass(frozen=True)
class Scored:
    """A candidate with what the classifier and the checks say of it. `fits` is None if nobody checked."""

    candidate: Candidate
    fits: bool | None
    defect: Defect | None


@dataclass(frozen=True)
class Choice:
    """The candidate to send, None if every one is defective, whether it carries the emotion, and whether it says again
    what the person has seen or was told in this dialogue (there was nothing else)."""

    candidate: Candidate | None
    fit_ok: bool | None
    again: bool = False


def defect(text: str, message: str) -> Defect | None:
    """The gravest fault of an answer to `message`, None if it may be sent."""
    if not re.search(r"\w", text) and not _is_emoji(text):
        return Defect.EMPTY
    if _broken_markup(text):
        return Defect.MARKUP
    if looping(text):
        return Defect.LOOPING
    if _echoes(text, message):
        return Defect.ECHO
    return None


def looping(text: str) -> bool:
    """Whether the text repeats itself: a phrase of up to 8 words three times in a row, a line or sentence thrice.

    A single word counts from four times on («да, да, да» is lively), and so do runs of one character, or of up to eight
    letters, from 12 on («ижижиж…»; people laugh «хахаха» more briefly).
    """
    words = _words(text)
    if any(_repeats(words, unit, LOOP_REPEATS + (1 if unit == 1 else 0)) for unit in range(1, LOOP_UNIT + 1)):
        return True
    parts = [part.strip().lower() for part in re.split(r"[.!?…\n]+", text) if len(part.split()) >= 3]
    return any(parts.count(part) >= LOOP_REPEATS for part in set(parts)) or bool(STUCK.search(text))


def whole(text: str) -> str:
    """A text cut at the token limit, up to the end of its last full sentence where it has one.

    Loops stay as they are, so that they are still seen to be loops.
    """
    ends = [match.end() for match in SENTENCE_END.finditer(text)]
    return text[: ends[-1]] if ends and not looping(text) else text


def _repeats(words: Sequence[str], unit: int, times: int) -> bool:
    """Whether some `unit` words stand `times` times in a row."""
    run = 0
    for index in range(unit, len(words)):
        run = run + 1 if words[index] == words[index - unit] else 0
        if run >= unit * (times - 1):
            return True
    return False


def _words(text: str) -> list[str]:
    # «ха-ха-ха-ха» is one word, not a loop.
    return re.findall(r"\w+(?:-\w+)*", text.lower())


def _is_emoji(text: str) -> bool:
    return any(ord(char) >= 0x2190 for char in text.strip()) and "\ufffd" not in text


def _broken_markup(text: str) -> bool:
    template = re.search(r"<\|[^|]*\|>|</?s>|\[/?INST\]|<unk>|<pad>|\ufffd", text)
    turn = re.search(r"^(Человек|Собеседник|user|assistant|system)\s*:", text, re.MULTILINE | re.IGNORECASE)
    return bool(template or turn) or text.count("```") % 2 == 1


def _echoes(text: str, message: str) -> bool:
    words = _words(message)
    return len(words) >= ECHO_WORDS and _words(text) == words


def choose(scored: Sequence[Scored], seen: Sequence[str] = (), intensity: int = 2, said: Sequence[str] = ()) -> Choice:
    """The best candidate: of the `rivals` that fit the most relevant, where that is known; otherwise the highest fit.
    First wins ties."""
    able = [scored[index] for index in rivals(scored, seen, intensity, said)]
    if not able:
        return Choice(None, None)
    best = max(able, key=_worth)
    known = [_words(text) for text in (*seen, *said)]
    return Choice(best.candidate, best.fits, again=_words(best.candidate.text) in known)


def rivals(
    scored: Sequence[Scored], seen: Sequence[str] = (), intensity: int = 2, said: Sequence[str] = ()
) -> list[int]:
    """Places of the candidates among which relevance decides: clean before defective, new before `seen` (word by word),
    fitting before not, ended by itself before cut at the token limit, new before `said` earlier in the dialogue, whole
    or a sentence of it. At the strongest `intensity` only those about as fitting as the best one. Empty if every one is
    defective."""
    clean = [index for index, item in enumerate(scored) if item.defect is None]
    known = [_words(text) for text in seen]
    able = [index for index in clean if _words(scored[index].candidate.text) not in known] or clean
    before = [_words(text) for text in said]
    phrases = {phrase for text in said for phrase in _sentences(text)}
    for standing in (_standing, lambda item: -_repeated(item.candidate.text, before, phrases)):
        highest = max((standing(scored[index]) for index in able), default=None)
        able = [index for index in able if standing(scored[index]) == highest]
    surest = max((scored[index].candidate.fit for index in able), default=0.0)
    least = surest - ABOUT_AS_SURE if intensity >= STRONGEST else 0.0
    return [index for index in able if scored[index].candidate.fit >= least]


def _repeated(text: str, before: Sequence[list[str]], phrases: Set[tuple[str, ...]]) -> int:
    """2 for a text that was said before, 1 for one with a sentence that was, else 0."""
    if _words(text) in before:
        return 2
    return int(not phrases.isdisjoint(_sentences(text)))


def _sentences(text: str) -> set[tuple[str, ...]]:
    """Words of every sentence; shorter ones than PHRASE words may well be said twice."""
    found = (tuple(_words(part)) for part in re.split(r"[.!?…\n]+", text))
    return {words for words in found if len(words) >= PHRASE}


def _standing(item: Scored) -> tuple[bool, bool]:
    return item.fits is True, item.candidate.finish == "stop"


def _worth(item: Scored) -> tuple[float, float]:
    relevance = item.candidate.relevance if item.fits is not False else None
    return -math.inf if relevance is None else relevance, item.candidate.fit


def try_again(choice: Choice, attempts: int, retries: int, seconds_left: float, seconds_a_round: float) -> bool:
    """Whether another round is worth it: nothing fitting or new yet, rounds left, and time for one before the deadline.

    Unchecked answers (`fit_ok` None) are repeated only when all of them are defective.
    """
    wanted = choice.candidate is None or choice.fit_ok is False or choice.again
    return wanted and attempts <= retries and seconds_left > 1.5 * seconds_a_round
