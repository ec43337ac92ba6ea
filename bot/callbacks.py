"""What buttons carry, typed. Telegram allows 64 bytes; a request id takes 24 of them."""

from __future__ import annotations

from typing import Annotated, Literal

from aiogram.filters.callback_data import CallbackData
from pydantic import Field


class PickEmotion(CallbackData, prefix="e"):
    """An emotion was chosen."""

    preset: str


class EmotionPage(CallbackData, prefix="ep"):
    """Another page of emotions."""

    page: int


class PickIntensity(CallbackData, prefix="i"):
    """A step was chosen."""

    step: Annotated[int, Field(ge=1, le=3)]


class PickPersona(CallbackData, prefix="p"):
    """A ready persona by number, −1 for none, −2 for one's own words."""

    number: int


class Consent(CallbackData, prefix="c"):
    """The answer to «may the dialogue be learned from»."""

    agreed: bool


class Forget(CallbackData, prefix="f"):
    """The confirmation of /forget, for the person who asked."""

    user: int
    sure: bool


class Thumb(CallbackData, prefix="t"):
    """👍 or 👎 on an answer."""

    up: bool
    answer: str


class Another(CallbackData, prefix="a"):
    """«Другой вариант»."""

    answer: str


class Leaf(CallbackData, prefix="l"):
    """An arrow: one variant back or forth from the one that was shown."""

    forward: bool
    answer: str


class Details(CallbackData, prefix="d"):
    """Opens or closes the panel with the four criteria."""

    open: bool
    answer: str


class Star(CallbackData, prefix="s"):
    """1–5 for one criterion: c(ontent), g(rammar), s(tructure), y (style)."""

    criterion: Literal["c", "g", "s", "y"]
    stars: Annotated[int, Field(ge=1, le=5)]
    answer: str


class WrongEmotion(CallbackData, prefix="w"):
    """«Не та эмоция», pressed again to take it back."""

    answer: str


class Label(CallbackData, prefix="n"):
    """A button that only shows something."""

    what: str = ""
