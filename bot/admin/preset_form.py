"""An emotion as a message: lines «name: value» that a person can write, read into a preset or into what is wrong, in
Russian. Pure.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from bot.admin import preset_texts as texts
from bot.split import units
from storage.presets import Preset, Presets

ID = re.compile(r"[a-z][a-z0-9_]{0,23}")
# Names that would be taken for something else: a slot, a preset of the policy table.
RESERVED = frozenset({"shared", "none"})
MOST_TITLE, MOST_EMOJI, MOST_SYSTEM = 24, 8, 1200
SAMPLING = {
    "температура": "temperature",
    "top-p": "top_p",
    "top-k": "top_k",
    "повторы": "repetition_penalty",
    "длина": "max_new_tokens",
}
# Within what the shape takes: more than this is a slip of the hand.
LIMITS = {
    "temperature": (0.0, 2.0, False),
    "top_p": (0.05, 1.0, False),
    "top_k": (0.0, 1000.0, True),
    "repetition_penalty": (0.5, 2.0, False),
    "max_new_tokens": (8.0, 512.0, True),
}
FIELDS = {
    "id": "id",
    "эмодзи": "emoji",
    "название": "title",
    "метки": "labels",
    "сила": "intensity",
    "текст": "system",
    **SAMPLING,
}
# English names work too, as in presets.yaml.
NAMES = {**FIELDS, **{value: value for value in FIELDS.values()}}
RUSSIAN = {value: name for name, value in FIELDS.items()}
LINE = re.compile(r"^\s*([A-Za-zА-Яа-яЁё_-]+)\s*[:：]\s?(.*)$")
TAKEN_BACK = ("нет", "-", "—")


@dataclass(slots=True)
class Form:
    """What a message says: values by English name, and complaints."""

    values: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)


def read(message: str) -> Form:
    """Lines «name: value». Lines after «текст» that name nothing go on with it."""
    form = Form()
    last: str | None = None
    for line in message.splitlines():
        found = LINE.match(line)
        name = NAMES.get(found.group(1).lower()) if found else None
        if found and name is not None:
            if name in form.values:
                form.wrong.append(texts.FORM_TWICE.format(name=RUSSIAN[name]))
            form.values[name] = found.group(2).strip()
            last = name
        elif last == "system":
            form.values["system"] = f"{form.values['system']}\n{line.strip()}".strip()
        elif line.strip():
            form.wrong.append(texts.FORM_LINE.format(line=line.strip()[:60]))
    if not form.values and not form.wrong:
        form.wrong.append(texts.FORM_EMPTY)
    return form


def write(preset: Preset) -> str:
    """A preset as such a message."""
    lines = [
        f"id: {preset.id}",
        f"эмодзи: {preset.emoji}",
        f"название: {preset.title}",
        f"метки: {', '.join(preset.labels)}",
        f"сила: {preset.intensity}",
        *(f"{RUSSIAN[name]}: {value:g}" for name, value in preset.sampling.items() if name in RUSSIAN),
        f"текст: {preset.system}",
    ]
    return "\n".join(lines)


def build(form: Form, before: Preset | None, others: Presets, all_ids: Collection[str]) -> Preset | list[str]:
    """The preset that a form makes of `before` (None: a new one), or everything that is wrong.

    `others`: the installation's presets, for titles and labels; `all_ids`: ids that are taken, switched-off ones too.
    """
    wrong = list(form.wrong)
    body: dict[str, Any] = before.model_dump() if before is not None else {"sampling": {}}
    body["sampling"] = dict(body.get("sampling", {}))
    for name, value in form.values.items():
        _put(body, name, value, wrong)
    if before is not None and body.get("id") != before.id:
        wrong.append(texts.FORM_ID_STAYS.format(id=before.id))
    wrong += _checked(body, before, others, all_ids)
    if wrong:
        return wrong
    try:
        return Preset.model_validate(body)
    except ValidationError as error:
        return _russian(error)


def _put(body: dict[str, Any], name: str, value: str, wrong: list[str]) -> None:
    if name in SAMPLING.values():
        _put_number(body["sampling"], name, value, wrong)
    elif name == "labels":
        body["labels"] = tuple(label.strip().lower() for label in value.split(",") if label.strip())
    elif name == "intensity":
        body["intensity"] = int(value) if value in ("1", "2", "3") else 0
    else:
        body[name] = value


def _put_number(sampling: dict[str, float], name: str, value: str, wrong: list[str]) -> None:
    if value.lower() in TAKEN_BACK:
        sampling.pop(name, None)
        return
    low, high, whole = LIMITS[name]
    try:
        number = float(value.replace(",", "."))
    except ValueError:
        number = math.nan
    if not low <= number <= high or (whole and not number.is_integer()):
        kind = texts.FORM_WHOLE if whole else texts.FORM_NUMBER
        wrong.append(kind.format(name=RUSSIAN[name], low=f"{low:g}", high=f"{high:g}", value=value[:20]))
    else:
        sampling[name] = number


def _checked(body: dict[str, Any], before: Preset | None, others: Presets, all_ids: Collection[str]) -> list[str]:
    wrong = [
        texts.FORM_MISSING.format(name=RUSSIAN[name])
        for name in ("id", "emoji", "title", "labels", "system")
        if not body.get(name)
    ]
    wrong += _id(str(body.get("id") or ""), before, others, all_ids) + _title(body, others)
    for name, most in (("title", MOST_TITLE), ("emoji", MOST_EMOJI), ("system", MOST_SYSTEM)):
        if (length := units(str(body.get(name) or ""))) > most:
            wrong.append(texts.FORM_LONG.format(name=RUSSIAN[name], most=most, length=length))
    known = labels(others)
    if unknown := [label for label in body.get("labels") or () if label not in known]:
        wrong.append(texts.FORM_LABELS.format(unknown=", ".join(unknown)[:60], known=", ".join(sorted(known))))
    if body.get("intensity", 2) not in (1, 2, 3):
        wrong.append(texts.FORM_INTENSITY)
    return wrong + _braces(str(body.get("system") or ""))


def _id(wanted: str, before: Preset | None, others: Presets, all_ids: Collection[str]) -> list[str]:
    if not wanted or before is not None:
        return []
    if not ID.fullmatch(wanted):
        return [texts.FORM_ID]
    if wanted in RESERVED or wanted == others.auto.id or wanted in all_ids:
        return [texts.FORM_ID_TAKEN.format(id=wanted)]
    return []


def _title(body: dict[str, Any], others: Presets) -> list[str]:
    title = str(body.get("title") or "")
    same = others.find(title) if title else None
    return [texts.FORM_TITLE_TAKEN.format(title=title[:30])] if same is not None and same.id != body.get("id") else []


def _braces(system: str) -> list[str]:
    """A misspelt {intensity} would reach the model as it is."""
    strange = [one for one in re.findall(r"\{[^{}]*\}", system) if one != "{intensity}"]
    return [texts.FORM_BRACES.format(found=strange[0][:30])] if strange else []


def labels(presets: Presets) -> set[str]:
    """The classifier's labels, as far as presets and policy name them."""
    return {label for preset in presets.presets for label in preset.labels} | set(presets.auto.policy)


def _russian(error: ValidationError) -> list[str]:
    """What the shape itself refuses, where none of the checks above did: which values."""
    names = {str(part) for one in error.errors() for part in one["loc"] if str(part) in RUSSIAN}
    return [texts.FORM_WRONG.format(name=RUSSIAN[name]) for name in sorted(names)] or [texts.FORM_OFF]
