"""A judge's reply as a verdict: one strict JSON form, read by a pure function. Knows no judge.

The form is `{"relevance": 1, "clarity": 0, …}`: 1 or 2 for the answer that stands better, 0 where they are equal.
Digits, because «А» and «В» of a Russian reply look like the Latin letters and are none.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

Choice = Literal[0, 1, 2]
Verdict = Mapping[str, Choice]
# Reasoning models think aloud; an answer cut off in thought holds no verdict.
THOUGHT = re.compile(r"<(think|thinking|reasoning)>.*?(</\1>|\Z)", re.DOTALL | re.IGNORECASE)
REASON = "why"
CHOICES: dict[int | str, Choice] = {0: 0, 1: 1, 2: 2, "0": 0, "1": 1, "2": 2}
THOUGHT_END = re.compile(r"</(?:think|thinking|reasoning)>", re.IGNORECASE)
LONGEST = 20_000


class Unparsable(ValueError):
    """The reply holds no verdict, or more than one; the message says which, without quoting the reply."""


def parse(reply: str, criteria: Sequence[str]) -> dict[str, Choice]:
    """The verdict in a reply: criterion → 0, 1 or 2. Text around it and code fences are let pass.

    Objects that do not have exactly the criteria (and, if it wishes, `why`) are not verdicts. Two verdicts that differ
    are none: which of them is meant cannot be known.
    """
    told: list[dict[str, Choice]] = []
    faults: list[str] = []
    # Some templates open the thought themselves: the reply then has its end only.
    said = THOUGHT_END.split(THOUGHT.sub(" ", reply[-LONGEST:]))[-1]
    for raw in _objects(said):
        try:
            told.append(_verdict(raw, criteria))
        except Unparsable as fault:
            faults.append(str(fault))
    if not told:
        raise Unparsable(faults[0] if faults else "no JSON object")
    if any(one != told[0] for one in told):
        raise Unparsable("several verdicts that differ")
    return told[0]


def _verdict(pairs: list[tuple[str, Any]], criteria: Sequence[str]) -> dict[str, Choice]:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise Unparsable("a criterion is told twice")
    given = dict(pairs)
    given.pop(REASON, None)
    if missing := [name for name in criteria if name not in given]:
        raise Unparsable(f"without {', '.join(missing)}")
    if len(given) != len(criteria):
        raise Unparsable("with names that were not asked for")
    return {name: _choice(name, given[name]) for name in criteria}


def _choice(name: str, value: object) -> Choice:
    # JSON's true and 1.0 equal 1 in Python and mean something else.
    if type(value) is str or type(value) is int:
        found = CHOICES.get(value.strip() if isinstance(value, str) else value)
        if found is not None:
            return found
    raise Unparsable(f"{name} is neither 0, 1 nor 2")


class _Pairs(list[tuple[str, Any]]):
    """An object as its pairs, so that a name told twice is seen."""


def _objects(text: str) -> Iterator[list[tuple[str, Any]]]:
    """Every JSON object in a text that is not inside another."""
    decoder = json.JSONDecoder(object_pairs_hook=_Pairs)
    place = text.find("{")
    while place >= 0:
        try:
            found, end = decoder.raw_decode(text, place)
        except (ValueError, RecursionError):
            end = place + 1
        else:
            yield found
        place = text.find("{", end)
