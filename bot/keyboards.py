"""Inline keyboards, made from plain values. Knows no storage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aiogram.filters.callback_data import CallbackData
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup

from bot import callbacks as c
from bot import texts
from storage.contracts import Rating
from storage.presets import AutoPreset, Preset, Presets

PAGE = 6
CRITERIA = (("c", "content"), ("g", "grammar"), ("s", "structure"), ("y", "style"))
WRONG_EMOTION = "wrong_emotion"


def button(text: str, data: CallbackData) -> InlineKeyboardButton:
    """One button."""
    return InlineKeyboardButton(text=text, callback_data=data.pack())


def rows(*lines: Sequence[InlineKeyboardButton]) -> InlineKeyboardMarkup:
    """A keyboard of these lines, empty ones left out."""
    return InlineKeyboardMarkup(inline_keyboard=[list(line) for line in lines if line])


@dataclass(frozen=True, slots=True)
class Answer:
    """What the keyboard under an answer needs to know: place among the variants, and whether there may be more.

    `chosen`: the emotion («🤗 сочувствие») of an answer whose emotion «авто» chose, so that people see which it is.
    """

    request_id: str
    place: int = 1
    total: int = 1
    more: bool = True
    chosen: str = ""


@dataclass(frozen=True, slots=True)
class Marks:
    """What was said of an answer. `mine` in a private chat, counts in a group."""

    mine: Rating | None = None
    up: int = 0
    down: int = 0


def marks(ratings: dict[int, Rating], answer: str, *, private: bool) -> Marks:
    """The marks to show for one answer; judgements of other variants of it are not its."""
    mine = [rating for rating in ratings.values() if rating.request_id == answer]
    if private:
        return Marks(mine=mine[0] if mine else None)
    return Marks(up=sum(r.thumb == 1 for r in mine), down=sum(r.thumb == -1 for r in mine))


def _thumb(emoji: str, chosen: bool, count: int) -> str:
    if count:
        return f"{emoji} {count}"
    return f"{emoji} ✓" if chosen else emoji


def answer(shown: Answer, said: Marks | None = None) -> InlineKeyboardMarkup:
    """The rating keyboard under an answer."""
    said = said or Marks()
    thumb = said.mine.thumb if said.mine else None
    key = shown.request_id
    thumbs = [
        button(_thumb("👍", thumb == 1, said.up), c.Thumb(up=True, answer=key)),
        button(_thumb("👎", thumb == -1, said.down), c.Thumb(up=False, answer=key)),
    ]
    if shown.more:
        thumbs.append(button(texts.BUTTON_ANOTHER, c.Another(answer=key)))
    leaves: list[InlineKeyboardButton] = []
    if shown.total > 1:
        leaves = [
            button("◀", c.Leaf(forward=False, answer=key)),
            button(f"{shown.place}/{shown.total}", c.Label()),
            button("▶", c.Leaf(forward=True, answer=key)),
        ]
    opener = f"{texts.BUTTON_DETAILS} · {shown.chosen}" if shown.chosen else texts.BUTTON_DETAILS
    return rows(thumbs, leaves, [button(opener, c.Details(open=True, answer=key))])


def details(key: str, mine: Rating | None) -> InlineKeyboardMarkup:
    """The panel with four criteria, «не та эмоция» and «готово». In a group `mine` is not shown."""
    lines: list[list[InlineKeyboardButton]] = []
    for letter, name in CRITERIA:
        given = getattr(mine.stars, name) if mine and mine.stars else None
        lines.append([button(texts.CRITERIA[name], c.Label(what=letter))])
        lines.append(
            [
                button(f"{step} ✓" if step == given else str(step), c.Star(criterion=letter, stars=step, answer=key))
                for step in (1, 2, 3, 4, 5)
            ]
        )
    wrong = mine is not None and mine.reason == WRONG_EMOTION
    lines.append([button(texts.BUTTON_WRONG_EMOTION + (" ✓" if wrong else ""), c.WrongEmotion(answer=key))])
    lines.append([button(texts.BUTTON_DONE, c.Details(open=False, answer=key))])
    return rows(*lines)


def page_of(presets: Presets, preset_id: str) -> int:
    """The page of emotions on which a preset stands."""
    ids = [presets.auto.id, *(preset.id for preset in presets.presets)]
    return ids.index(preset_id) // PAGE if preset_id in ids else 0


def emotions_around(presets: Presets, chosen: str) -> InlineKeyboardMarkup:
    """The page on which the chosen emotion stands."""
    return emotions(presets, chosen, page_of(presets, chosen))


def emotions(presets: Presets, chosen: str, page: int = 0) -> InlineKeyboardMarkup:
    """One page of emotions, two a line, arrows where there is more."""
    everything: list[Preset | AutoPreset] = [presets.auto, *presets.presets]
    pages = max(1, -(-len(everything) // PAGE))
    page = page % pages
    shown = everything[page * PAGE : (page + 1) * PAGE]
    buttons = [
        button(f"{p.emoji} {p.title}{' ✓' if p.id == chosen else ''}", c.PickEmotion(preset=p.id)) for p in shown
    ]
    lines = [buttons[i : i + 2] for i in range(0, len(buttons), 2)]
    if pages > 1:
        lines.append(
            [
                button("◀", c.EmotionPage(page=(page - 1) % pages)),
                button(f"{page + 1}/{pages}", c.Label()),
                button("▶", c.EmotionPage(page=(page + 1) % pages)),
            ]
        )
    return rows(*lines)


def intensities(chosen: int) -> InlineKeyboardMarkup:
    """Three steps."""
    return rows(
        *[
            [button(texts.INTENSITIES[step] + (" ✓" if step == chosen else ""), c.PickIntensity(step=step))]
            for step in (1, 2, 3)
        ]
    )


def personas(chosen: str) -> InlineKeyboardMarkup:
    """Ready personas, none, and one's own words."""
    ready = [
        [button(title + (" ✓" if text == chosen else ""), c.PickPersona(number=number))]
        for number, (title, text) in enumerate(texts.PERSONAS)
    ]
    return rows(
        *ready,
        [button(texts.BUTTON_OWN_PERSONA, c.PickPersona(number=-2))],
        [button(texts.BUTTON_NO_PERSONA + ("" if chosen else " ✓"), c.PickPersona(number=-1))],
    )


def consent() -> InlineKeyboardMarkup:
    """Yes and no."""
    return rows(
        [button(texts.BUTTON_AGREE, c.Consent(agreed=True)), button(texts.BUTTON_DISAGREE, c.Consent(agreed=False))]
    )


def forget(user: int) -> InlineKeyboardMarkup:
    """Confirmation of /forget."""
    return rows(
        [button(texts.BUTTON_FORGET_YES, c.Forget(user=user, sure=True))],
        [button(texts.BUTTON_FORGET_NO, c.Forget(user=user, sure=False))],
    )
