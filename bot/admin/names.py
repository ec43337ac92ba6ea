"""How adapters, slots, methods and states are called on a screen. Pure; what is unknown keeps its id."""

from __future__ import annotations

from bot.admin import texts
from storage.contracts import JobState
from storage.loop_tables import JobRow
from storage.presets import Presets
from storage.repositories.slots import SHARED

SHOWN = 12


def adapter_name(adapter_id: str | None) -> str:
    """An adapter's id, short; None is what the worker has by itself."""
    if adapter_id is None:
        return texts.OWN_ADAPTER
    return adapter_id if len(adapter_id) <= SHOWN + 4 else f"{adapter_id[:SHOWN]}…"


def slot_title(name: str, presets: Presets) -> str:
    """«общий», or the emotion's title."""
    if name == SHARED:
        return texts.SHARED
    preset = next((preset for preset in presets.presets if preset.id == name), None)
    return preset.title if preset else name


def slot_words(name: str, presets: Presets) -> dict[str, str]:
    """A slot in a sentence: `slot` alone, `for_slot` and `For_slot` («для …»), `subject` at a sentence's head."""
    title = slot_title(name, presets)
    told = texts.FOR_SHARED if name == SHARED else texts.FOR_PRESET.format(title=title)
    subject = texts.SHARED_SUBJECT if name == SHARED else texts.PRESET_SUBJECT.format(title=title)
    return {"slot": title, "for_slot": told, "For_slot": told[0].upper() + told[1:], "subject": subject}


def method_name(job: JobRow) -> str:
    """The method: the chosen one where it is known, else what was asked for."""
    method = job.method or str(job.order.get("method", "auto"))
    return texts.METHOD_NAMES.get(method, method)


def state_of(job: JobRow) -> JobState | None:
    """The job's state; None for one of a newer release."""
    try:
        return JobState(job.state)
    except ValueError:
        return None


def stage(job: JobRow) -> str:
    """The state in words."""
    state = state_of(job)
    return texts.STAGES[state] if state else job.state
