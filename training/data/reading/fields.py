"""Typed access to a record's fields that gathers every fault instead of stopping at the first one.

Knows what rows have in common (emotion, person, scores, tags); the readers know the rest.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from storage.presets import Preset, Presets
from training.data.reading.records import BadRecord, Fault, LeftOut, Record, name_type

# Words for yes and no as people and programs write them, lower case.
YES = {"да", "yes", "true", "y", "1", "+", "+1", "ok", "решено", "решён", "решен", "решена", "успех", "solved",
       "resolved", "success", "good", "👍", "✅", "❤"}  # fmt: skip
NO = {"нет", "no", "false", "n", "0", "-", "-1", "нерешено", "нерешён", "нерешен", "нерешена", "неуспех", "unsolved",
      "unresolved", "failure", "bad", "👎", "❌"}  # fmt: skip
# Kept as tags without asking; others are asked for by name.
TAGS = ("category", "model", "source", "made_by", "outcome", "split", "language", "topic", "register")
NO_SCORES = ("id", "index", "idx", "intensity")
LONGEST_TAG = 200


@dataclass(frozen=True)
class Options:
    """How a source's records are read."""

    presets: Presets
    names: Mapping[str, str | None] = field(default_factory=dict)
    person: str | None = None
    tags: Sequence[str] = ()
    kind: str | None = None
    first: str = "user"

    @cached_property
    def wanted_tags(self) -> list[str]:
        """Names of fields that become tags, in order."""
        return sorted({*TAGS, *(one.casefold() for one in self.tags)})


class Fields:
    """One record's fields. `done()` raises BadRecord with all that was missed."""

    def __init__(self, record: Record, options: Options) -> None:
        self.place = record.place
        self.options = options
        self._values = folded(record.fields)
        self._faults: list[Fault] = []
        self._used: set[str] = set()
        self.asked: set[str] = set()  # all names that a reader wanted to know about

    def fault(self, name: str, reason: str) -> None:
        """Remember what is wrong with a field."""
        self._faults.append(Fault(self.place, self._shown(name), reason))

    def done(self) -> None:
        """Raise what was found."""
        if self._faults:
            raise BadRecord(self._faults)

    def has(self, name: str) -> bool:
        """Whether the field is there, even if empty."""
        self.asked.add(name)
        return lookup(self._values, self.options.names.get(name, name)) is not None or self._there(name)

    def take(self, *names: str) -> Any:
        """The value of the first of the names that is there; None if none is."""
        self.asked.update(names)
        for name in names:
            actual = self.options.names.get(name, name)
            if actual is not None:
                self._used.add(actual.casefold())
                value = lookup(self._values, actual)
                if value is not None:
                    return value
        return None

    def text(self, *names: str, optional: bool = False) -> str:
        """A text without outer blanks. Required ones must be there and not blank; "" stands for a fault."""
        value = self.take(*names)
        if value is None or (optional and value == ""):
            if not optional:
                self.fault(names[0], self._missing(names))
            return ""
        return self.clean(names[0], value)

    def answer(self, *names: str) -> str:
        """A text that may be empty in good data: LeftOut if the field is there and blank."""
        value = self.take(*names)
        if (value is None and any(map(self.has, names))) or (isinstance(value, str) and not value.strip()):
            raise LeftOut
        return self.text(*names)

    def clean(self, name: str, value: Any) -> str:
        """A value as a text that is not blank, or a fault and ""."""
        if not isinstance(value, str):
            self.fault(name, f"expected a text, got {name_type(value)}")
        elif not value.strip():
            self.fault(name, "expected a text, got an empty one")
        elif not _encodes(value):
            self.fault(name, "holds half a character (a lone surrogate); write the file again in UTF-8")
        else:
            return value.strip()
        return ""

    def verdict(self, *names: str) -> bool:
        """Yes or no in words, numbers or thumbs of either language."""
        value = self.take(*names)
        found = None if value is None else judged(value)
        if found is None:
            got = "nothing" if value is None else f"{name_type(value)} that is neither"
            self.fault(names[0], f"expected yes or no (да/нет, true/false, 1/0, 👍/👎), got {got}")
        return bool(found)

    def common(self) -> dict[str, Any]:
        """What every kind of row has; to be asked last, for what was not taken before becomes scores and tags."""
        options = self.options
        found: dict[str, Any] = {"origin": self.place, "system": self.text("system", optional=True)}
        found["persona"] = self.text("persona", optional=True)
        found |= self._emotion()
        if options.person:
            found["person"] = self._person(options.person)
        found["scores"] = self._scores()
        found["tags"] = self._tags()
        return found

    def _emotion(self) -> dict[str, Any]:
        name = self.text("emotion", optional=True)
        found: dict[str, Any] = {}
        if name:
            preset = self.options.presets.find(name)
            if isinstance(preset, Preset):
                found = {"emotion": preset.id, "intensity": preset.intensity}
            else:
                ids = ", ".join(one.id for one in self.options.presets.presets)
                self.fault("emotion", f"expected a preset ({ids}) or its title; `fields: {{emotion: null}}` ignores it")
        intensity = self.take("intensity")
        if name and intensity not in (None, ""):
            number = as_number(intensity)
            if number in (1, 2, 3):
                found["intensity"] = int(number)
            else:
                self.fault("intensity", "expected 1, 2 or 3")
        return found

    def _person(self, name: str) -> str:
        value = self.take(name)
        if isinstance(value, bool) or not isinstance(value, str | int) or not str(value).strip():
            self.fault(name, f"expected whose words these are (a text or a number), got {name_type(value)}")
            return ""
        return opaque(str(value))

    def _scores(self) -> dict[str, float]:
        numbers = {name: as_number(value) for name, value in self._values.items() if self._free(name)}
        return {name: number for name, number in sorted(numbers.items()) if number is not None}

    def _tags(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for name in self.options.wanted_tags:
            if name not in self._values and "." not in name:
                continue
            value = lookup(self._values, name)
            if isinstance(value, bool | int) or (isinstance(value, str) and value.strip() and _encodes(value)):
                found[name] = str(value).strip()[:LONGEST_TAG] if not isinstance(value, bool) else str(value).lower()
        return found

    def _free(self, name: str) -> bool:
        return name not in self._used and name not in NO_SCORES and name not in TAGS

    def _there(self, name: str) -> bool:
        actual = self.options.names.get(name, name)
        return actual is not None and actual.casefold() in self._values

    def _shown(self, name: str) -> str:
        return self.options.names.get(name) or name

    def _missing(self, names: Sequence[str]) -> str:
        there = ", ".join(list(self._values)[:12]) or "none"
        wanted = "expected a text" if self.has(names[0]) else "is missing"
        return f"{wanted}; fields here: {there}; map another one with `fields: {{{names[0]}: NAME}}`"


def folded(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields by their names without case and outer blanks."""
    return {str(name).strip().casefold(): value for name, value in fields.items() if name}


def lookup(fields: Mapping[str, Any], name: str | None) -> Any:
    """The value of a folded name; `a.b` looks into an object if there is no such name."""
    if name is None:
        return None
    if (name := name.casefold()) in fields:
        return fields[name]
    if "." not in name:
        return None
    outer, _, inner = name.partition(".")
    value = fields.get(outer)
    return lookup(folded(value), inner) if isinstance(value, dict) else None


def as_number(value: Any) -> float | None:
    """A finite number, or a text that is one; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value.replace(",", ".") if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def judged(value: Any) -> bool | None:
    """Yes, no, or None for neither. Skin tones, variation selectors and full stops do not matter."""
    if isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int | str):
        return None
    word = "".join(char for char in str(value) if char not in "\ufe0f🏻🏼🏽🏾🏿").strip(" .!\t\n").casefold()
    word = word.replace("не ", "не", 1) if word.startswith("не ") else word
    return True if word in YES else False if word in NO else None


def opaque(person: str) -> str:
    """An id that tells persons apart without naming them: 16 hex digits of the SHA-256."""
    return hashlib.sha256(person.strip().encode("utf-8", "replace")).hexdigest()[:16]


def _encodes(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
