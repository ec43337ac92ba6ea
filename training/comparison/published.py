"""Figures of a published table beside ours: what differs, and whether the published ones agree with each other.

Pure: numbers and words in, lines out. Only what a recipe holds is called published; what it does not hold is «not
stated».
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Figures = Mapping[str, Mapping[str, float]]
# One text for all languages, or one under each.
Said = str | dict[Literal["en", "ru"], str]
NOT_STATED: Said = {"en": "not stated", "ru": "не указано"}


class Ratio(BaseModel):
    """A published ratio of two published figures, `system.column` each."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    over: str
    under: str
    says: float


class Counts(BaseModel):
    """How many people gave 1, 2, 3, 4 and 5, and the mean that was printed with them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    system: str
    criterion: str
    counts: tuple[int, int, int, int, int]
    mean: float | None = None

    def __str__(self) -> str:
        return f"{self.system}, {self.criterion}"


class Published(BaseModel):
    """A published table and what is known of how it came about."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    about: dict[str, str] = Field(description="What the table is, under `en` and `ru`.")
    columns: dict[str, Said] = Field(description="Column of ours → its title, with units.")
    figures: dict[str, dict[str, float]] = Field(
        default_factory=dict, description="System → column → figure. Systems are named as ours."
    )
    ratios: tuple[Ratio, ...] = ()
    ratings: tuple[Counts, ...] = ()
    weights: Said = NOT_STATED
    data: Said = NOT_STATED
    machine: Said = NOT_STATED
    settings: Said = NOT_STATED

    @model_validator(mode="after")
    def _known(self) -> Published:
        for ratio in self.ratios:
            for place in (ratio.over, ratio.under):
                self.at(place)
        if missing := {"en", "ru"} - set(self.about):
            raise ValueError(f"`about` lacks {', '.join(sorted(missing))}")
        unknown = {column for own in self.figures.values() for column in own} - set(self.columns)
        if unknown:
            raise ValueError(f"figures without a title under `columns`: {', '.join(sorted(unknown))}")
        return self

    def at(self, place: str) -> float:
        """The figure of `system.column`; ValueError if there is none."""
        system, _, column = place.partition(".")
        if column not in self.figures.get(system, {}):
            raise ValueError(f"there is no published figure {place}")
        return self.figures[system][column]


def said(text: Said, language: str) -> str:
    """A text in a language; one that has none in it is shown as it is."""
    return text if isinstance(text, str) else text["ru" if language == "ru" and "ru" in text else "en"]


def decimals(figure: float) -> int:
    """Digits after the point that a figure was printed with; a lost trailing zero is not seen."""
    return len(f"{figure:.10f}".rstrip("0").partition(".")[2])


def agrees(printed: float, exact: float) -> bool:
    """Whether `exact`, rounded or cut to the digits of `printed`, is `printed`."""
    unit: float = 10.0 ** -decimals(printed)
    return abs(printed - exact) <= unit / 2 + 1e-9 or 0 <= exact - printed < unit


HEADS = {
    "en": ("system", "figure", "published", "ours"),
    "ru": ("система", "показатель", "опубликовано", "у нас"),
}
PARTS = {
    "en": {"weights": "weights", "data": "data", "machine": "machine", "settings": "settings"},
    "ru": {"weights": "веса", "data": "данные", "machine": "машина", "settings": "настройки"},
}
WORDS = {
    "en": {
        "contradiction": "CONTRADICTION: ",
        "ratio": "{over} / {under} = {exact:.1f}, as printed ({says:g})",
        "no_ratio": "{over} / {under} = {exact:.2f}, printed is {says:g}",
        "absent": "not stated", "unmeasured": "not measured", "differs": "What differs",
        "checks": "Whether the published figures agree with each other", "nothing": "There is nothing to check.",
        "theirs": "published: {theirs}; ours: {ours}", "no_ours": "nothing was measured here",
        "none": "No figures of it are at hand, only the settings.",
    },
    "ru": {
        "contradiction": "ПРОТИВОРЕЧИЕ: ",
        "ratio": "{over} / {under} = {exact:.1f}, как и напечатано ({says:g})",
        "no_ratio": "{over} / {under} = {exact:.2f}, напечатано {says:g}",
        "absent": "не указано", "unmeasured": "не измерено", "differs": "Чем отличается",
        "checks": "Согласуются ли опубликованные числа между собой", "nothing": "Проверять нечего.",
        "theirs": "опубликовано: {theirs}; у нас: {ours}", "no_ours": "здесь ничего не измерено",
        "none": "Её чисел под рукой нет, только настройки.",
    },
}  # fmt: skip


def checks(published: Published, language: str = "en") -> list[str]:
    """What follows from the published figures themselves, contradictions among them."""
    return [*_ratings(published, language), *_ratios(published, language)]


def _ratings(published: Published, language: str) -> Iterator[str]:
    from training.evaluation.people.published import check

    for one in published.ratings:
        if one.mean is not None:
            found = check(one.counts, one.mean)
            mark = "" if found.follows else WORDS[language]["contradiction"]
            yield f"{mark}{one.system}, {one.criterion}: {found.words(language)}"


def _ratios(published: Published, language: str) -> Iterator[str]:
    words = WORDS[language]
    for one in published.ratios:
        exact = published.at(one.over) / published.at(one.under)
        kind, mark = ("ratio", "") if agrees(one.says, exact) else ("no_ratio", words["contradiction"])
        yield mark + words[kind].format(over=one.over, under=one.under, exact=exact, says=one.says)


def rows(published: Published, ours: Mapping[str, Mapping[str, str]], language: str = "en") -> list[tuple[str, ...]]:
    """(system, figure, published, ours) for all that was published or measured under the table's columns."""
    words = WORDS[language]
    told: dict[str, dict[str, float]] = {name: dict(own) for name, own in published.figures.items()}
    for one in published.ratings:
        if one.mean is not None:
            told.setdefault(one.system, {})[one.criterion] = one.mean
    titles = {one.criterion: one.criterion for one in published.ratings}
    titles |= {name: said(title, language) for name, title in published.columns.items()}
    found: list[tuple[str, ...]] = []
    for system in [*told, *(name for name in ours if name not in told)]:
        for column, title in titles.items():
            theirs, own = told.get(system, {}).get(column), ours.get(system, {}).get(column)
            if theirs is None and own is None:
                continue
            shown = words["absent"] if theirs is None else f"{theirs:g}"
            found.append((system, title, shown, words["unmeasured"] if own is None else own))
    return found


def markdown(
    published: Published,
    ours: Mapping[str, Mapping[str, str]],
    about: Mapping[str, str],
    language: str = "en",
) -> str:
    """The comparison, what differs (`about` says it of ours: weights, data, machine, settings), and the checks."""
    words = WORDS[language]
    lines = [published.about[language], ""]
    if beside := rows(published, ours, language):
        lines += ["| " + " | ".join(HEADS[language]) + " |", "| --- | --- | --- | --- |"]
        lines += ["| " + " | ".join(row) + " |" for row in beside]
    else:
        lines.append(words["none"])
    if published.ratings:
        lines += ["", stars(published, language)]
    lines += ["", f"**{words['differs']}**", ""]
    for key, title in PARTS[language].items():
        theirs = said(getattr(published, key), language)
        told = words["theirs"].format(theirs=theirs, ours=about.get(key, words["no_ours"]))
        lines.append(f"- {title}: {told}")
    lines += ["", f"**{words['checks']}**", ""]
    lines += [f"- {line}" for line in checks(published, language)] or [words["nothing"]]
    return "\n".join(lines) + "\n"


def stars(published: Published, language: str = "en") -> str:
    """Means with intervals, weighted totals, positive and negative shares of the published counts, as Markdown."""
    from training.evaluation.people import report, scores

    counts: dict[str, dict[str, tuple[int, ...]]] = {}
    for one in published.ratings:
        counts.setdefault(one.system, {})[one.criterion] = one.counts
    return report.stars([scores.of_counts(system, own) for system, own in counts.items()], language)
