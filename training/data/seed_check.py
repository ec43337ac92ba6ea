"""Validation of the seed corpus: blocks, balance, duplicates, length, characters, words and spelling.

Every check is a function from rows to faults; `check` runs them all. Spelling asks a dictionary that is passed in.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from training.data.cleaning import profane
from training.data.seed_corpus import EMOTIONS, SeedRow, folded

KNOWN_WORDS = Path(__file__).with_name("spelling.txt")
PEOPLES_WORDS = Path(__file__).with_name("spelling_people.txt")
WORDS = (2, 60)
SENTENCES = 4
BALANCE = 0.2
EMOJI_SHARE = 1 / 15
_WORD = re.compile(r"[а-яё]+(?:-[а-яё]+)*")
_END = re.compile(r"[.!?…]+[»)]*(?=\s|$)")
_FOREIGN = re.compile(r"[A-Za-z]|[<>{}\[\]*_#`~^|\\]|https?:|\s{2,}")
_EMOJI = re.compile("[\U0001f300-\U0001faff\u2600-\u27bf]")
_CLICHES = re.compile(
    r"языков\w+ модел|как (?:я )?могу (?:вам |тебе )?помочь|искусственн\w+ интеллект|обращайтесь", re.I
)


def check(rows: Sequence[SeedRow], known: Callable[[str], bool]) -> list[str]:
    """All faults of the corpus, one line each; an empty list is a sound corpus."""
    checks = (blocks, balance, duplicates, rewordings, wording)
    return [fault for one in checks for fault in one(rows)] + spelling(rows, known)


def blocks(rows: Iterable[SeedRow]) -> list[str]:
    """Every message is answered in every emotion, and no cell of a message twice."""
    found: dict[tuple[str, str], list[SeedRow]] = defaultdict(list)
    for row in rows:
        found[(row.source, row.message)].append(row)
    faults: list[str] = []
    for members in found.values():
        missing = set(EMOTIONS) - {row.emotion for row in members}
        if missing:
            faults.append(f"{_place(members[0])}: no reply in {', '.join(sorted(missing))}")
        cells = Counter((row.emotion, row.intensity) for row in members)
        faults += [f"{_place(members[0])}: {emotion} {step} twice" for (emotion, step), n in cells.items() if n > 1]
    return faults


def balance(rows: Sequence[SeedRow]) -> list[str]:
    """Every emotion at every intensity stands within a fifth of the mean."""
    cells = Counter((row.emotion, row.intensity) for row in rows)
    mean = len(rows) / (3 * len(EMOTIONS))
    return [
        f"{emotion} {step}: {cells[emotion, step]} rows, the mean is {mean:.0f}"
        for emotion in EMOTIONS
        for step in (1, 2, 3)
        if abs(cells[emotion, step] - mean) > BALANCE * mean
    ]


def duplicates(rows: Sequence[SeedRow]) -> list[str]:
    """No reply stands twice, and no two share nine tenths of their words."""
    seen: dict[frozenset[str], SeedRow] = {}
    by_word: dict[str, list[frozenset[str]]] = defaultdict(list)
    frequency = Counter(word for row in rows for word in set(words(row.reply)))
    faults: list[str] = []
    for row in rows:
        bag = frozenset(words(row.reply))
        rare = sorted(bag, key=lambda word: frequency[word])[:2]
        like = next((other for word in rare for other in by_word[word] if _alike(bag, other)), None)
        if like is not None:
            faults.append(f"{_place(row)}: almost the same reply as {_place(seen[like])}")
        seen.setdefault(bag, row)
        for word in rare:
            by_word[word].append(bag)
    return faults


def rewordings(rows: Sequence[SeedRow]) -> list[str]:
    """No other wording is said twice or is the message of a block: it would stand on both sides of the split."""
    first = {row.message: row for row in rows}.values()
    seen = {folded(row.message): row for row in first}
    faults: list[str] = []
    for row in first:
        for text in row.wordings:
            said = folded("\n".join([*(turn.text for turn in row.turns[:-1]), text]))
            if said in seen:
                faults.append(f"{_place(row)}: wording '{text}' stands already above {_place(seen[said])}")
            seen[said] = row
            if profane(text):
                faults.append(f"{_place(row)}: profanity in wording '{text}'")
    return faults


def wording(rows: Sequence[SeedRow]) -> list[str]:
    """Length, characters, profanity and clichés of replies."""
    faults: list[str] = []
    for row in rows:
        count = len(words(row.reply))
        if not WORDS[0] <= count <= WORDS[1]:
            faults.append(f"{_place(row)}: {count} words")
        if sentences(row.reply) > SENTENCES:
            faults.append(f"{_place(row)}: more than {SENTENCES} sentences")
        if strange := _FOREIGN.search(row.reply):
            faults.append(f"{_place(row)}: '{strange.group()}' is no part of plain Russian text")
        if profane(row.reply) or _CLICHES.search(row.reply):
            faults.append(f"{_place(row)}: profanity or an assistant's cliché")
    emoji = sum(bool(_EMOJI.search(row.reply)) for row in rows)
    if emoji > EMOJI_SHARE * len(rows):
        faults.append(f"emoji in {emoji} of {len(rows)} replies")
    return faults


def spelling(rows: Sequence[SeedRow], known: Callable[[str], bool]) -> list[str]:
    """Words that neither the dictionary nor the list of talk's own words (`spelling.txt`) knows.

    What people say may also have slang, drawn-out letters and the slips of `spelling_people.txt`; replies may not.
    """
    allowed = set(KNOWN_WORDS.read_text(encoding="utf-8").split())
    theirs = allowed | set(PEOPLES_WORDS.read_text(encoding="utf-8").split())
    answers: dict[str, SeedRow] = {}
    said: dict[str, SeedRow] = {}
    messages = {(row.source, row.message): row for row in reversed(list(rows))}.values()
    for found, lines in (
        (answers, ((row.reply, row) for row in rows)),
        (said, ((line, row) for row in messages for line in (row.message, *row.wordings))),
    ):
        for line, row in lines:
            for word in words(line):
                found.setdefault(word, row)
    wrong = {word: row for word, row in answers.items() if word not in allowed}
    wrong |= {word: row for word, row in said.items() if word not in theirs}
    return [
        f"{_place(row)}: unknown word '{word}'"
        for word, row in wrong.items()
        if not known(word) and not all(known(part) for part in word.split("-"))
    ]


def dictionary() -> Callable[[str], bool]:
    """The dictionary of pymorphy3."""
    import pymorphy3

    analyzer = pymorphy3.MorphAnalyzer(lang="ru")
    return lambda word: bool(analyzer.word_is_known(word))


def words(text: str) -> list[str]:
    """Lower-cased Russian words, hyphens kept."""
    return _WORD.findall(text.lower())


def sentences(text: str) -> int:
    """How many sentences end in it: at full stops, dots and marks before a space or the end, quoted ones as well."""
    return len(_END.findall(text))


def _alike(one: frozenset[str], two: frozenset[str]) -> bool:
    return len(one & two) >= 0.9 * len(one | two)


def _place(row: SeedRow) -> str:
    return f"{row.source}:{row.line}"
