"""What is said of a canary, in Russian for admins and in English for operators. Pure; decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

Said = tuple[str, str]

NAMES: dict[str, Said] = {
    "rating": ("оценки", "ratings"),
    "fit": ("попадание в эмоцию", "emotion hit"),
    "errors": ("ответы без ошибок", "answers without failure"),
    "latency": ("время ответа", "latency"),
    "on_time": ("ответы без задержки", "answers on time"),
}
WON_RU = "Канарейка выиграла"
STALE_RU = "Канарейка ничего не показала"


class Line(Protocol):
    """What is needed of a measure's figures."""

    @property
    def name(self) -> str:
        """Which measure."""

    @property
    def ours(self) -> float:
        """The canary's mean."""

    @property
    def theirs(self) -> float:
        """The active adapter's mean."""

    @property
    def chats(self) -> tuple[int, int]:
        """Chats counted, canary and active."""

    @property
    def low(self) -> float:
        """What the difference is shown to lie above."""

    @property
    def high(self) -> float:
        """What the difference is shown to lie below."""


def figures(line: Line) -> Said:
    """Both arms' means and the interval of their difference."""
    ours, theirs = line.chats
    if line.name == "latency":
        ru = f"{number(line.ours, ru=True)} с против {number(line.theirs, ru=True)} с (чатов: {ours} и {theirs})"
        return ru, f"{number(line.ours)} s against {number(line.theirs)} s (chats: {ours} and {theirs})"
    a, b = (round(100 * one) for one in (line.ours, line.theirs))
    low, high = (round(100 * one) for one in (line.low, line.high))
    return (
        f"{a} из 100 против {b} из 100 (чатов: {ours} и {theirs}; разница от {low:+d} до {high:+d})",
        f"{a} in 100 against {b} in 100 (chats: {ours} and {theirs}; difference from {low:+d} to {high:+d})",
    )


def worse(line: Line) -> Said:
    """It was shown to be worse."""
    return _told(line, ("хуже", "worse"))


def better(line: Line) -> Said:
    """It was shown to be better."""
    return _told(line, ("лучше", "better"))


def kept(line: Line) -> Said:
    """It was shown not to be worse by the margin."""
    return _told(line, ("не хуже", "not worse"))


def stands(line: Line) -> Said:
    """Nothing is shown of it yet."""
    return _told(line, ("пока неясно", "not decided yet"))


def undecided(days: float) -> Said:
    """The longest time is over."""
    return f"{STALE_RU} за {days:g} сут.: решите сами", f"nothing was shown in {days:g} days: decide yourself"


def not_loaded(faults: Sequence[str]) -> Said:
    """No worker can load it."""
    return (
        f"ни один работник не смог загрузить эту версию: {faults[0][:160]}",
        f"no worker could load it: {faults[0][:160]}",
    )


def fused(failed: int, of: int, others: int, others_of: int) -> Said:
    """Too many failures at once."""
    return (
        f"ошибки: не ответила {failed} раз из последних {of} (прежняя за то же время {others} из {others_of})",
        f"failures: {failed} of its last {of} answers (the active one meanwhile {others} of {others_of})",
    )


def fell(name: str, now: tuple[float, int], before: tuple[float, int], margin: float) -> Said:
    """After its promotion it is worse than what answered before. `now`, `before`: mean and chats."""
    told = NAMES[name]
    a, b, points = round(100 * now[0]), round(100 * before[0]), round(100 * margin)
    return (
        f"{told[0]}: {a} из 100 против {b} из 100 прежде (чатов: {now[1]} и {before[1]}), хуже более чем на {points}",
        f"{told[1]}: {a} in 100 against {b} in 100 before (chats: {now[1]} and {before[1]}), worse by over {points}",
    )


def number(value: float, *, ru: bool = False) -> str:
    """A figure with two digits behind the point."""
    return f"{value:.2f}".replace(".", ",") if ru else f"{value:.2f}"


def _told(line: Line, what: Said) -> Said:
    name, told = NAMES[line.name], figures(line)
    return f"{name[0]}: {what[0]}, {told[0]}", f"{name[1]}: {what[1]}, {told[1]}"
