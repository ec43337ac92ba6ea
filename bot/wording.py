"""Numbers, moments and lengths of time in Russian. Pure."""

from __future__ import annotations

from datetime import datetime

BAR = 12
# What must not be torn apart at the end of a line.
NARROW = "\u00a0"


def number(value: float, digits: int = 2) -> str:
    """With a decimal comma."""
    return f"{value:.{digits}f}".replace(".", ",").replace("-", "−")


def percent(share: float, digits: int = 0) -> str:
    """A share as «63 %»."""
    return f"{number(share * 100, digits)}{NARROW}%"


def seconds(value: float) -> str:
    """A short time."""
    return f"меньше 0,1{NARROW}с" if value < 0.05 else f"{number(value, 1)}{NARROW}с"


def together(text: str) -> str:
    """Percents of a foreign text kept whole."""
    return text.replace(" %", f"{NARROW}%")


def plural(count: int, one: str, few: str, many: str) -> str:
    """«1 ответ», «2 ответа», «5 ответов»."""
    tens, ones = abs(count) % 100, abs(count) % 10
    word = many if 11 <= tens <= 14 or ones == 0 or ones >= 5 else one if ones == 1 else few
    return f"{count} {word}"


def lasting(seconds: float) -> str:
    """A length of time, as coarse as people say it."""
    if seconds < 45:
        return "меньше минуты"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"~{minutes}{NARROW}мин"
    hours, rest = divmod(minutes, 60)
    if hours < 24:
        return f"~{hours} ч {rest} мин" if rest else f"~{hours} ч"
    return f"~{plural(hours // 24, 'день', 'дня', 'дней')}"


def ago(moment: datetime, now: datetime) -> str:
    """How long ago something was."""
    seconds = max(0.0, (now - moment).total_seconds())
    return "только что" if seconds < 45 else f"{lasting(seconds).removeprefix('~')} назад"


def stamp(moment: datetime) -> str:
    """A moment, to the minute, in UTC."""
    return f"{moment:%d.%m %H:%M} UTC"


def bar(done: float) -> str:
    """A progress bar for a share."""
    full = round(min(1.0, max(0.0, done)) * BAR)
    return "▓" * full + "░" * (BAR - full)
