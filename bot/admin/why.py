"""Where an answer came from: adapter, base, sampling, seed, candidates with scores, timings. Pure.

What is quoted of answers is cut and goes as plain text; what people wrote is not shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiogram.utils.formatting import Bold, Code, ExpandableBlockQuote, Text, as_list

from bot import wording as words
from bot.admin import callbacks as c
from bot.admin import why_texts as texts
from bot.admin.names import adapter_name
from bot.admin.screens import Screen, clipped
from bot.keyboards import button, rows
from storage.presets import Presets
from storage.tables import ReplyRow

MOST_CANDIDATES = 8
MOST_TEXT = 260


def render(row: ReplyRow, presets: Presets, admin: int) -> Screen:
    """The provenance of one answer."""
    preset = next((one for one in presets.presets if one.id == row.emotion), None)
    emotion = f"{preset.emoji} {preset.title}" if preset else row.emotion
    head = [
        texts.WHY_EMOTION.format(emotion=emotion, intensity=row.intensity),
        texts.WHY_FIT.format(fit=_fit(row.fit, row.fit_ok)),
        texts.WHY_ARM.format(arm=texts.ARMS.get(row.arm, row.arm[:40])),
    ]
    parts: list[Text] = [Text(Bold(texts.WHY_HEAD), "\n", "\n".join(head))]
    made = row.provenance
    if made is None:
        parts.append(Text(texts.WHY_UNMADE))
    else:
        parts += [_made(made), Text("\n".join(_timings(made)))]
    if row.candidates:
        shown = [_candidate(one, row.text) for one in row.candidates[:MOST_CANDIDATES]]
        parts.append(Text(Bold(texts.WHY_CANDIDATES.format(count=len(row.candidates))), "\n", as_list(*shown)))
    parts.append(Text(texts.WHY_REQUEST, Code(row.request_id)))
    again = button(texts.REPLAY, c.OfReply(admin=admin, act="replay", request=row.request_id))
    return Screen(as_list(*parts, sep="\n\n"), rows([again]) if made is not None and row.request else None)


def _fit(fit: float | None, ok: bool | None) -> str:
    if fit is None:
        return texts.WHY_UNCHECKED
    return f"{words.percent(fit)}{'' if ok is None else ' ✅' if ok else ' ❌'}"


def _made(made: Mapping[str, Any]) -> Text:
    sampling = made.get("sampling")
    values = sampling.items() if isinstance(sampling, Mapping) else ()
    drawn = ", ".join(f"{texts.SAMPLING.get(str(name), name)} {_value(value)}" for name, value in values)
    lines = [
        Text(texts.WHY_ADAPTER, Code(adapter_name(made.get("adapter")) if made.get("adapter") else texts.BARE_BASE)),
        Text(texts.WHY_BASE, Code(str(made.get("base_model", ""))[-60:])),
        Text(texts.WHY_PROMPT, Code(str(made.get("prompt_version", ""))[:24])),
        Text(texts.WHY_CLASSIFIER, Code(str(made.get("classifier") or texts.NOTHING)[-60:])),
        Text(texts.WHY_SAMPLING.format(sampling=drawn)),
        Text(texts.WHY_SEED.format(seed=made.get("seed"), attempts=made.get("attempts", 1))),
        Text(texts.WHY_WORKER.format(worker=str(made.get("worker", ""))[:60])),
    ]
    return as_list(*lines)


def _timings(made: Mapping[str, Any]) -> list[str]:
    found = made.get("timings")
    given = found if isinstance(found, Mapping) else {}
    told = [
        f"{texts.TIMINGS[name]} {words.number(float(value))} с"
        for name, value in given.items()
        if name in texts.TIMINGS and isinstance(value, (int, float))
    ]
    return [texts.WHY_TIMES.format(times=", ".join(told) or texts.NOTHING)]


def _candidate(one: Mapping[str, Any], chosen: str) -> Text:
    text = str(one.get("text", ""))
    fit = one.get("fit")
    score = words.percent(float(fit)) if isinstance(fit, (int, float)) else texts.NOTHING
    likely = one.get("probabilities")
    best = sorted(likely.items(), key=lambda pair: -pair[1])[:3] if isinstance(likely, Mapping) else []
    labels = ", ".join(f"{label} {words.percent(float(share))}" for label, share in best)
    head = f"{'👉' if text == chosen else '▫️'} {score}" + (f" · {labels}" if labels else "")
    return Text(head, "\n", ExpandableBlockQuote(clipped(text, MOST_TEXT) or texts.NOTHING))


def _value(value: object) -> str:
    return words.number(value) if isinstance(value, float) else str(value)


def repeated(same: bool, text: str, different: tuple[str, ...], seconds: float) -> Screen:
    """What came of making the answer again."""
    head = texts.REPLAY_SAME if same else texts.REPLAY_OTHER
    parts: list[Text] = [Text(Bold(head), "\n", texts.REPLAY_TOOK.format(seconds=words.number(seconds, 1)))]
    if not same:
        names = ", ".join(texts.DIFFERENCES.get(name, name) for name in different)
        parts.append(Text(texts.REPLAY_WHY.format(names=names) if names else texts.REPLAY_NO_REASON))
        parts.append(ExpandableBlockQuote(clipped(text, 1500) or texts.NOTHING))
    return Screen(as_list(*parts, sep="\n\n"))
