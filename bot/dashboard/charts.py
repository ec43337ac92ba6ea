"""Small charts as SVG, made on the server: shares over days, old against new. Pure; labels are escaped by the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 640, 220
LEFT, RIGHT, TOP, BOTTOM = 62, 12, 14, 30


@dataclass(frozen=True, slots=True)
class Series:
    """A line: where its points are on the page, and what it ends at."""

    name: str
    points: str
    dots: tuple[tuple[float, float, str], ...]
    end: float
    color: int


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over days with a grid. `ticks`: height and label; `days`: place and label."""

    series: tuple[Series, ...]
    ticks: tuple[tuple[float, str], ...]
    days: tuple[tuple[float, str], ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = WIDTH - RIGHT


def shares(days: Sequence[str], found: Mapping[str, Mapping[str, tuple[int, float]]]) -> Chart | None:
    """Shares (0–1) by name and day, with how many they are of; None without any. Days without figures are gaps."""
    if not any(found.values()):
        return None
    places = {day: LEFT + (WIDTH - LEFT - RIGHT) * (number + 0.5) / len(days) for number, day in enumerate(days)}
    lines = []
    for color, (name, by_day) in enumerate(sorted(found.items())):
        dots = tuple(
            (round(places[day], 1), _height(by_day[day][1]), f"{day}: {by_day[day][1]:.0%} из {by_day[day][0]}")
            for day in days
            if day in by_day
        )
        if dots:
            points = " ".join(f"{x},{y}" for x, y, _ in dots)
            last = [by_day[day][1] for day in days if day in by_day][-1]
            lines.append(Series(name, points, dots, last, color % 8))
    every = max(1, len(days) // 7)
    return Chart(
        series=tuple(lines),
        ticks=tuple((_height(part), f"{part:.0%}") for part in (0.0, 0.25, 0.5, 0.75, 1.0)),
        days=tuple((round(places[day], 1), day[8:] + "." + day[5:7]) for day in days[::-every][::-1]),
    )


def _height(share: float) -> float:
    return round(TOP + (HEIGHT - TOP - BOTTOM) * (1 - share), 1)
