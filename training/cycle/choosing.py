"""Which method a refit takes for what people said, and why, in Russian and English. Pure: counts in, a choice out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

# Disliked or liked rows must make up so much of the thumbs: of one kind alone KTO learns nothing to tell apart.
RAREST = 0.1
# Chosen answers longer than rejected ones by more than this teach DPO length: SimPO's reward is a token's mean.
LONGER = 1.25


@dataclass(frozen=True)
class Needs:
    """From how many rows on a method may be chosen."""

    pairs: int = 100
    thumbs: int = 100
    answers: int = 100


@dataclass(frozen=True)
class Counts:
    """Usable rows to learn from, held-out ones not among them. `longer`: mean length of chosen over rejected."""

    answers: int = 0
    pairs: int = 0
    liked: int = 0
    disliked: int = 0
    people: int = 0
    longer: float | None = None

    @property
    def thumbs(self) -> int:
        """Answers with a thumb."""
        return self.liked + self.disliked

    @property
    def both(self) -> bool:
        """Whether liked and disliked ones are both there in earnest."""
        return min(self.liked, self.disliked) >= max(1, RAREST * self.thumbs)


@dataclass(frozen=True)
class Choice:
    """A method, None: nothing is to be done. Reasons: a line each."""

    method: str | None
    ru: tuple[str, ...] = field(default=())
    en: tuple[str, ...] = field(default=())

    def as_json(self) -> dict[str, Any]:
        """For `plan.json` and the job's row."""
        return {**asdict(self), "ru": list(self.ru), "en": list(self.en)}


def choose(counts: Counts, needs: Needs, wanted: str = "auto") -> Choice:
    """The method for these rows; `wanted` is taken as it is where there is anything to learn from at all."""
    if wanted != "auto":
        return _asked(counts, wanted)
    if counts.pairs >= needs.pairs:
        return _pairs(counts)
    if counts.thumbs >= needs.thumbs and counts.both:
        few = counts.pairs, needs.pairs
        return Choice(
            "kto",
            (
                f"оценок 👍 и 👎: {counts.liked} и {counts.disliked}, их хватает для KTO",
                f"пар «лучше — хуже» {few[0]}, для DPO нужно {few[1]}",
            ),
            (
                f"{counts.liked} answers with 👍 and {counts.disliked} with 👎 are enough for KTO",
                f"{few[0]} pairs, DPO needs {few[1]}",
            ),
        )
    if counts.answers >= needs.answers:
        return Choice(
            "sft",
            (
                f"исправлений и ответов на 5 звёзд: {counts.answers}, их хватает для SFT",
                "сравнений и оценок для других методов пока мало",
            ),
            (
                f"{counts.answers} corrections and five-star answers are enough for SFT",
                "too few comparisons and thumbs for the other methods",
            ),
        )
    return _nothing(counts, needs)


def _pairs(counts: Counts) -> Choice:
    if counts.longer is not None and counts.longer > LONGER:
        return Choice(
            "simpo",
            (
                f"пар «лучше — хуже»: {counts.pairs}",
                f"лучшие ответы в них в {counts.longer:.2f} раза длиннее: SimPO не поощряет длину",
            ),
            (
                f"{counts.pairs} pairs",
                f"the better answers are {counts.longer:.2f} times as long: SimPO does not reward length",
            ),
        )
    return Choice(
        "dpo",
        (f"пар «лучше — хуже»: {counts.pairs}, их хватает для DPO",),
        (f"{counts.pairs} pairs are enough for DPO",),
    )


Rows = tuple[Callable[[Counts], int], str, str]
SOURCES: Mapping[str, Rows] = {
    "dpo": (lambda counts: counts.pairs, "пар", "pairs"),
    "simpo": (lambda counts: counts.pairs, "пар", "pairs"),
    "kto": (lambda counts: counts.thumbs + counts.pairs, "оценок", "thumbs"),
    "sft": (lambda counts: counts.answers, "исправлений и ответов на 5 звёзд", "corrections and five-star answers"),
    "rlhf": (lambda counts: counts.pairs, "пар для модели предпочтений", "pairs for a preference model"),
}


def _asked(counts: Counts, wanted: str) -> Choice:
    if wanted not in SOURCES:
        known = ", ".join(SOURCES)
        return Choice(
            None,
            (f"метода {wanted} нет; есть {known}",),
            (f"there is no refit by {wanted}; methods are {known}",),
        )
    count, russian, english = SOURCES[wanted]
    if not count(counts):
        return Choice(
            None,
            (f"методу {wanted} учиться не на чем: {russian} нет",),
            (f"{wanted} has nothing to learn from: there are no {english}",),
        )
    return Choice(
        wanted,
        (f"метод задан; {russian}: {count(counts)}",),
        (f"the method was given; {english}: {count(counts)}",),
    )


def _nothing(counts: Counts, needs: Needs) -> Choice:
    """What is missing for each method, the nearest first."""
    missing: list[tuple[float, str, str]] = []
    for have, need, russian, english in (
        (counts.pairs, needs.pairs, "пар «лучше — хуже»", "pairs"),
        (counts.thumbs, needs.thumbs, "оценок 👍 и 👎", "thumbs"),
        (counts.answers, needs.answers, "исправлений или ответов на 5 звёзд", "corrections or five-star answers"),
    ):
        if have < need:
            more = need - have
            missing.append(
                (have / need, f"ещё {more} {russian} (есть {have})", f"{more} more {english} (there are {have})")
            )
        else:
            rare = "👎" if counts.disliked < counts.liked else "👍"
            missing.append((1.0, f"больше {rare}: почти все оценки одинаковы", f"more {rare}: nearly all thumbs agree"))
    missing.sort(key=lambda one: -one[0])
    return Choice(
        None,
        ("учиться пока не на чем; нужно одно из:", *(one[1] for one in missing)),
        ("too little to learn from yet; one of these is needed:", *(one[2] for one in missing)),
    )
