"""Emotions on the screen: the list, one of them, questions, the preview before saving. Pure."""

from __future__ import annotations

from aiogram.types import InlineKeyboardButton
from aiogram.utils.formatting import Bold, Pre, Text, as_list

from bot.admin import callbacks as c
from bot.admin import preset_texts as texts
from bot.admin.preset_form import labels, write
from bot.admin.screens import Screen
from bot.admin.texts import BACK, NO, TO_PANEL
from bot.catalogue import Catalogue
from bot.keyboards import button, rows
from storage.presets import Preset

MOST = 60


def listed(catalogue: Catalogue, admin: int) -> Screen:
    """All of them, switched-off ones too."""
    lines = [
        texts.LIST_LINE.format(emoji=one.emoji, title=one.title, id=one.id, marks=marks(catalogue, one))
        for one in catalogue.all[:MOST]
    ]
    buttons = [
        button(f"{one.emoji} {one.title}", c.OfPreset(admin=admin, act="card", preset=one.id))
        for one in catalogue.all[:MOST]
    ]
    pairs = [buttons[i : i + 2] for i in range(0, len(buttons), 2)]
    return Screen(
        as_list(Bold(texts.LIST_HEAD), Text("\n".join(lines)), Text(texts.LIST_ABOUT), sep="\n\n"),
        rows(
            *pairs,
            [button(texts.ADD, c.OfPreset(admin=admin, act="add"))],
            [button(TO_PANEL, c.Open(admin=admin, view="panel"))],
        ),
    )


def marks(catalogue: Catalogue, preset: Preset) -> str:
    """What is unusual about a preset."""
    change = catalogue.changed(preset.id)
    told = texts.OFF_MARK if preset.id in catalogue.off else ""
    if not catalogue.in_file(preset.id):
        return told + texts.ADDED_MARK
    return told + (texts.CHANGED_MARK if change is not None and change.body is not None else "")


def one(catalogue: Catalogue, preset: Preset, chats: int, admin: int) -> Screen:
    """A preset as it is."""

    def acts(text: str, act: str) -> InlineKeyboardButton:
        return button(text, c.OfPreset.model_validate({"admin": admin, "act": act, "preset": preset.id}))

    change = catalogue.changed(preset.id)
    switch = acts(texts.ON, "on") if preset.id in catalogue.off else acts(texts.OFF, "off")
    back = []
    if not catalogue.in_file(preset.id):
        back = [acts(texts.REMOVE, "remove")]
    elif change is not None and change.body is not None:
        back = [acts(texts.FILE, "file")]
    head = Text(Bold(f"{preset.emoji} {preset.title}"), marks(catalogue, preset))
    return Screen(
        as_list(head, Pre(write(preset)), Text(texts.CHATS.format(count=chats)), sep="\n\n"),
        rows([acts(texts.EDIT, "edit"), switch], back, [button(BACK, c.Open(admin=admin, view="presets"))]),
    )


def question(data: c.OfPreset, preset: Preset, chats: int, fallback: str) -> Screen:
    """«Are you sure»."""
    asked, yes = texts.QUESTIONS[data.act]
    return Screen(
        Text(asked.format(title=preset.title, chats=chats, fallback=fallback)),
        rows(
            [button(yes, data.model_copy(update={"sure": True}))],
            [button(NO, data.model_copy(update={"act": "card"}))],
        ),
    )


def ask_new(catalogue: Catalogue) -> Screen:
    """What to send."""
    known = ", ".join(sorted(labels(catalogue.file)))
    # {intensity} is meant literally here.
    asked = texts.ASK_NEW.replace("{labels}", known)
    return Screen(as_list(Text(asked), Pre(texts.EXAMPLE), sep="\n\n"))


def ask_change(preset: Preset) -> Screen:
    """What to send."""
    return Screen(as_list(Text(texts.ASK_CHANGE), Pre(write(preset)), sep="\n\n"))


def preview(preset: Preset, new: bool, draft: str, admin: int) -> Screen:
    """The preset as it would be."""
    head = texts.PREVIEW_NEW if new else texts.PREVIEW
    return Screen(
        as_list(Bold(head), Text(f"{preset.emoji} {preset.title}"), Pre(write(preset)), sep="\n\n"),
        rows(
            [button(texts.SAVE, c.OfPreset(admin=admin, act="save", preset=preset.id, draft=draft))],
            [button(texts.DROP, c.OfPreset(admin=admin, act="drop", preset=preset.id, draft=draft))],
        ),
    )


def wrong(found: list[str]) -> Screen:
    """What is to be put right."""
    return Screen(Text("\n".join([texts.WRONG, *(f"• {one}" for one in found), "", texts.AGAIN])))
