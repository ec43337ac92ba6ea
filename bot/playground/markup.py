"""Checks keyboards under messages as Telegram does. Does not know what a button is for."""

from __future__ import annotations

import json
from typing import Any

from bot.playground.errors import bad_request
from bot.playground.limits import Limits
from bot.playground.state import Json

ACTIONS = [
    "callback_data",
    "url",
    "web_app",
    "login_url",
    "switch_inline_query",
    "switch_inline_query_current_chat",
    "switch_inline_query_chosen_chat",
    "copy_text",
    "callback_game",
    "pay",
]
MAX_BUTTONS = 100


def parse_markup(raw: Any, limits: Limits, *, private: bool = True) -> tuple[list[list[Json]], Json | None]:
    """(inline keyboard, reply keyboard or its removal); ApiError for what Telegram refuses.

    `private`: whether the chat is one of a person with the bot; Mini Apps open nowhere else.
    """
    if raw in (None, ""):
        return [], None
    try:
        markup = json.loads(raw) if isinstance(raw, str) else raw
    except ValueError:
        raise bad_request("can't parse reply keyboard markup JSON object") from None
    if not isinstance(markup, dict):
        raise bad_request("object expected as reply markup")
    if "inline_keyboard" in markup:
        return _inline(markup["inline_keyboard"], limits, private), None
    if "keyboard" in markup:
        return [], _reply_keyboard(markup)
    if markup.get("remove_keyboard") or markup.get("force_reply"):
        return [], markup
    return [], None


def _rows(rows: Any, what: str) -> list[list[Any]]:
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise bad_request(f'field "{what}" of the markup must be an Array of Arrays')
    if sum(len(row) for row in rows) > MAX_BUTTONS:
        raise bad_request("reply markup is too long")
    return rows


def _inline(rows: Any, limits: Limits, private: bool) -> list[list[Json]]:
    keyboard = [[_button(button, limits, private) for button in row] for row in _rows(rows, "inline_keyboard")]
    return [row for row in keyboard if row]


def _button(button: Any, limits: Limits, private: bool) -> Json:
    where = "can't parse inline keyboard button: "
    if not isinstance(button, dict) or not isinstance(button.get("text"), str):
        raise bad_request(where + 'Can\'t find field "text"')
    if not button["text"].strip():
        raise bad_request("BUTTON_TEXT_EMPTY" if button["text"] else where + "Text can't be empty")
    if not any(action in button for action in ACTIONS):
        raise bad_request(where + "Text buttons are unallowed in the inline keyboard")
    data = button.get("callback_data")
    if data is not None and (not isinstance(data, str) or not 0 < len(data.encode()) <= limits.callback_bytes):
        raise bad_request("BUTTON_DATA_INVALID")
    url = button.get("url")
    if url is not None and not str(url).startswith(("http://", "https://", "tg://")):
        raise bad_request(f"inline keyboard button URL '{url}' is invalid: Wrong HTTP URL")
    if "web_app" in button:
        _check_app(button["web_app"], private)
    return {"text": button["text"], **{key: button[key] for key in ACTIONS if key in button}}


def _check_app(app: Any, private: bool) -> None:
    url = app.get("url") if isinstance(app, dict) else None
    if not isinstance(url, str):
        raise bad_request("can't parse inline keyboard button: Can't find field \"url\"")
    if not url.startswith("https://"):
        raise bad_request(f"inline keyboard button Web App URL '{url}' is invalid: Only HTTPS links are allowed")
    if not private:
        raise bad_request("BUTTON_TYPE_INVALID")


def _reply_keyboard(markup: Json) -> Json:
    rows: list[list[Json]] = []
    for row in _rows(markup["keyboard"], "keyboard"):
        buttons = [one if isinstance(one, dict) else {"text": one if isinstance(one, str) else ""} for one in row]
        if any(not str(one.get("text", "")).strip() for one in buttons):
            raise bad_request("can't parse keyboard button: Text can't be empty")
        if buttons:
            rows.append(buttons)
    return {**markup, "keyboard": rows}
