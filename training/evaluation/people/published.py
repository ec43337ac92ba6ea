"""Whether a published mean follows from its published counts, and which single slip would explain it if not.

What it finds of the table that this product grew from: GPT-J content (18, 31, 29, 29, 17) gives 368/124 = 2.9677 and
LLaMA-2 structure (8, 18, 25, 34, 39) gives 450/124 = 3.6290, both as published. LLaMA-2 style (9, 14, 30, 33, 37) does
not give the published 3.6210: its 123 answers give 444/123 = 3.6098. 3.6210 is 449/124, what one more answer of 5
stars gives, and 124 answers are what the other rows have.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Slip:
    """One rating more (`added`), fewer (`removed`), or both: another value. `counts` as they would then be."""

    added: int | None
    removed: int | None
    counts: tuple[int, ...]

    @property
    def mean(self) -> str:
        """Sum and number of the ratings, as a fraction."""
        return fraction(self.counts)


@dataclass(frozen=True)
class Finding:
    """A published mean beside the one that its counts give."""

    counts: tuple[int, ...]
    published: float
    digits: int
    slips: tuple[Slip, ...]

    @property
    def mean(self) -> float:
        """Mean of the counts."""
        return mean(self.counts)

    @property
    def follows(self) -> bool:
        """Whether the counts give the published mean, to its digits."""
        return agrees(self.counts, self.published, self.digits)

    def words(self, language: str = "en") -> str:
        """The finding in a sentence or two, English or Russian."""
        told = WORDS[language]
        facts = {
            "counts": ", ".join(map(str, self.counts)),
            "n": sum(self.counts),
            "fraction": fraction(self.counts),
            "mean": f"{self.mean:.{self.digits}f}",
            "published": f"{self.published:.{self.digits}f}",
        }
        if self.follows:
            return told["follows"].format(**facts)
        if not self.slips:
            return told["differs"].format(**facts) + " " + told["unexplained"]
        ways = "; ".join(_way(slip, language) for slip in self.slips)
        return told["differs"].format(**facts) + " " + told["explained"].format(ways=ways, **facts)


WORDS = {
    "en": {
        "follows": "{counts} ({n} answers) give {fraction} = {mean}, as published.",
        "differs": "{counts} ({n} answers) give {fraction} = {mean}, not the published {published}.",
        "explained": "{published} would follow with {ways}.",
        "unexplained": "No single rating more, fewer or different explains it.",
        "added": "one more answer of {added}: {fraction} from {counts}",
        "removed": "one answer of {removed} fewer: {fraction} from {counts}",
        "changed": "one {removed} read as {added}: {fraction} from {counts}",
    },
    "ru": {
        "follows": "{counts} (ответов: {n}) дают {fraction} = {mean}, как опубликовано.",
        "differs": "{counts} (ответов: {n}) дают {fraction} = {mean}, а не опубликованные {published}.",
        "explained": "{published} получилось бы, если: {ways}.",
        "unexplained": "Одной лишней, недостающей или изменённой оценкой это не объяснить.",
        "added": "добавить один ответ с оценкой {added}: {fraction} из {counts}",
        "removed": "убрать один ответ с оценкой {removed}: {fraction} из {counts}",
        "changed": "считать одну оценку {removed} за {added}: {fraction} из {counts}",
    },
}


def check(counts: Sequence[int], published: float, digits: int = 4) -> Finding:
    """Compare a published mean with its counts of 1–5. ValueError if they are not five, or all 0."""
    given = tuple(int(one) for one in counts)
    if len(given) != 5 or min(given) < 0 or not sum(given):
        raise ValueError("counts must be five numbers for 1 to 5, not all 0")
    slips = () if agrees(given, published, digits) else tuple(_slips(given, published, digits))
    return Finding(given, published, digits, slips)


def mean(counts: Sequence[int]) -> float:
    """Mean stars of counts of 1–5."""
    return sum(star * count for star, count in enumerate(counts, 1)) / sum(counts)


def fraction(counts: Sequence[int]) -> str:
    """Mean stars as sum/number."""
    return f"{sum(star * count for star, count in enumerate(counts, 1))}/{sum(counts)}"


def agrees(counts: Sequence[int], published: float, digits: int) -> bool:
    """Whether the mean rounds to the published one."""
    return bool(abs(mean(counts) - published) <= 0.5 * 10**-digits + 1e-12)


def _slips(counts: tuple[int, ...], published: float, digits: int) -> Iterator[Slip]:
    stars: tuple[int | None, ...] = (None, 1, 2, 3, 4, 5)
    for added in stars:
        for removed in stars:
            changed = tuple(count + int(star == added) - int(star == removed) for star, count in enumerate(counts, 1))
            if added != removed and min(changed) >= 0 and sum(changed) > 0 and agrees(changed, published, digits):
                yield Slip(added, removed, changed)


def _way(slip: Slip, language: str) -> str:
    kind = "changed" if slip.added and slip.removed else "added" if slip.added else "removed"
    counts = ", ".join(map(str, slip.counts))
    return WORDS[language][kind].format(added=slip.added, removed=slip.removed, fraction=slip.mean, counts=counts)
