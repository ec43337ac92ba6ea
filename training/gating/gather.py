"""Evidence of two systems' answers: what the gate classifier, a preference model, a judge and plain counting say.

Models are given as functions, loaded elsewhere; nothing is decided here. The preference model should be one that was
fitted on other people's ratings than the candidate learned from, and the gate one that picked nothing.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

from storage.presets import Presets
from training.data.cleaning import profane
from training.evaluation import emotion, suspicions
from training.evaluation.gate import Opinion
from training.evaluation.metrics import Absent, Measured, Options, measure
from training.evaluation.metrics.perplexity import Surprise
from training.evaluation.samples import Sample, matched
from training.gating.evidence import Evidence, EvidenceError, Prompt, Shown, Text

Asks = Callable[[str], bool]
# Likelier or less likely by less than this is a tie.
TIE = 1e-6


def gather(
    incumbent: Sequence[Sample],
    candidate: Sequence[Sample],
    presets: Presets,
    gate: Opinion,
    *,
    picker: Opinion | None = None,
    scores: tuple[Sequence[float], Sequence[float]] | None = None,
    judged: Mapping[str, float] | None = None,
    texts: tuple[Sequence[Surprise], Sequence[Surprise]] | None = None,
    anchor: tuple[Sequence[Sample], Sequence[Surprise]] | None = None,
    crisis: Asks | None = None,
    options: Options | None = None,
) -> Evidence:
    """Evidence of the prompts that both answered with the same seed; several seeds of a prompt are averaged.

    `scores`: what a preference model gives to both systems' samples, in their order. `judged`: prompt → preference for
    the candidate in [0, 1] (`judging.winning.preferences` with the candidate as the first system). `texts`: both
    systems' surprise at held-out texts. `anchor`: samples of the version that the slot began with, and its surprise at
    the texts, where it is not the incumbent. `crisis`: whether an answer speaks of suicide. EvidenceError where systems
    share no prompt, or numbers are as many as something else.
    """
    pairs = matched(incumbent, candidate)
    if not pairs:
        raise EvidenceError("evidence: the systems answered no prompt in common; give both the same prompts and seeds")
    liked = _preferences(incumbent, candidate, scores) if scores is not None else {}
    sides = [[pair[side] for pair in pairs] for side in (0, 1)]
    first = [pair[0] for pair in matched(anchor[0], candidate)] if anchor is not None else []
    shown = [_shown(own, presets, gate, picker, crisis, options) if own else {} for own in (*sides, first)]
    rows = [
        Prompt(
            key=key,
            emotion=next(one.emotion for one in sides[0] if one.key == key),
            incumbent=shown[0][key],
            candidate=shown[1][key],
            anchor=shown[2].get(key),
            preference=liked.get(key),
            judge=(judged or {}).get(key),
        )
        for key in shown[0]
    ]
    return Evidence(
        prompts=tuple(rows), texts=_texts(*texts, anchor[1] if anchor is not None else ()) if texts is not None else ()
    )


def _preferences(
    incumbent: Sequence[Sample], candidate: Sequence[Sample], scores: tuple[Sequence[float], Sequence[float]]
) -> dict[str, float]:
    """Prompt → share of its answers that score higher than the incumbent's, ties as half."""
    if len(scores[0]) != len(incumbent) or len(scores[1]) != len(candidate):
        raise EvidenceError("evidence: a preference model's scores are one a sample, for both systems")
    before = {(one.key, one.seed): score for one, score in zip(incumbent, scores[0], strict=True)}
    found: dict[str, list[float]] = defaultdict(list)
    for one, score in zip(candidate, scores[1], strict=True):
        other = before.get((one.key, one.seed))
        if other is not None and math.isfinite(score) and math.isfinite(other):
            found[one.key].append(0.5 if abs(score - other) < TIE else float(score > other))
    return {key: fmean(own) for key, own in found.items()}


def _shown(
    samples: Sequence[Sample],
    presets: Presets,
    gate: Opinion,
    picker: Opinion | None,
    crisis: Asks | None,
    options: Options | None,
) -> dict[str, Shown]:
    """Prompt → what was measured of one system's answers to it."""
    found = measure(samples, ("diversity", "faults"), options) | suspicions.measured(samples, presets)
    if options is not None and options.acceptability is not None:
        found |= measure(samples, ("acceptability",), options)
    found |= emotion.values(samples, emotion.judge(samples, presets, gate, picker))
    places: dict[str, list[int]] = defaultdict(list)
    for place, sample in enumerate(samples):
        places[sample.key].append(place)
    told: dict[str, Shown] = {}
    for key, own in places.items():
        texts = [samples[place].answer for place in own]
        told[key] = Shown(
            characters=round(fmean(map(len, texts))),
            hit=_value(found, "emotion_hit", own),
            fault=fmean(max(_at(found, "empty", place), _at(found, "looping", place)) for place in own),
            repetition=_value(found, "repetition", own),
            profane=fmean(float(profane(text)) for text in texts),
            crisis=fmean(float(crisis is not None and crisis(text)) for text in texts),
            signs={
                sign.column: value
                for sign in suspicions.SIGNS
                if (value := _value(found, sign.column, own)) is not None
            },
        )
    return told


def _at(found: Measured, column: str, place: int) -> float:
    values = found[column]
    return 0.0 if isinstance(values, Absent) else values[place] or 0.0


def _value(found: Measured, column: str, places: Sequence[int]) -> float | None:
    """Mean of a column over a prompt's answers; None where it was not measured."""
    values = found.get(column)
    if values is None or isinstance(values, Absent):
        return None
    known = [value for place in places if (value := values[place]) is not None]
    return fmean(known) if known else None


def _texts(
    incumbent: Sequence[Surprise], candidate: Sequence[Surprise], anchor: Sequence[Surprise]
) -> tuple[Text, ...]:
    after = {one.key: one for one in candidate}
    first = {one.key: one.nats for one in anchor}
    both = [one for one in incumbent if one.key in after and one.tokens]
    return tuple(
        Text(
            key=one.key,
            incumbent_nats=one.nats,
            candidate_nats=after[one.key].nats,
            anchor_nats=first.get(one.key),
            tokens=one.tokens,
        )
        for one in both
    )
