"""Which systems meet on which prompts: samples of several files, grouped, paired and counted. Asks nobody."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

from training.evaluation.judging.winning import Compared
from training.evaluation.people.strengths import Duel
from training.evaluation.samples import Sample, matched
from training.recipes import RecipeError

REFERENCE = "reference"
Pairing = list[tuple[Sample, Sample]]


def by_system(samples: Iterable[Sample]) -> dict[str, list[Sample]]:
    """System → its samples; RecipeError where a system answers one prompt with one seed twice."""
    found: dict[str, dict[tuple[str, int], Sample]] = {}
    for sample in samples:
        place = (sample.key, sample.seed)
        if place in found.setdefault(sample.system, {}):
            raise RecipeError(
                f"'{sample.system}' answers prompt {sample.key} with seed {sample.seed} twice: files of two systems "
                "must name them differently"
            )
        found[sample.system][place] = sample
    return {system: list(those.values()) for system, those in found.items()}


def with_references(systems: dict[str, list[Sample]]) -> dict[str, list[Sample]]:
    """The systems after one more, `reference`: the answers that the set itself has."""
    if REFERENCE in systems:
        raise RecipeError(f"a system is named '{REFERENCE}', which is what the set's own answers are called")
    known: dict[tuple[str, int], Sample] = {}
    for sample in (sample for those in systems.values() for sample in those):
        if sample.reference is not None:
            change = {"system": REFERENCE, "answer": sample.reference, "tokens": 0, "seconds": 0.0, "finished": True}
            known.setdefault((sample.key, sample.seed), sample.model_copy(update=change))
    if not known:
        raise RecipeError("no sample has a reference to compare with")
    return {REFERENCE: list(known.values()), **systems}


def pairings(
    systems: dict[str, list[Sample]], baseline: str | None = None, *, every: bool = False, limit: int | None = None
) -> list[Pairing]:
    """Every other system against the baseline (the first, unless named), or every two; the first `limit` prompts.

    RecipeError where there is nothing to compare.
    """
    if len(systems) < 2:
        raise RecipeError(f"two systems are needed to compare, there is {', '.join(systems) or 'none'}")
    base = baseline or next(iter(systems))
    if base not in systems:
        raise RecipeError(f"there is no system '{base}', only {', '.join(systems)}")
    names = [(other, one) for one, other in combinations(systems, 2)]
    if not every:
        names = [(name, base) for name in systems if name != base]
    return [_pairing(systems, one, other, limit) for one, other in names]


def _pairing(systems: dict[str, list[Sample]], one: str, other: str, limit: int | None) -> Pairing:
    pairs = matched(systems[one], systems[other])
    if not pairs:
        raise RecipeError(f"'{one}' and '{other}' share no prompt with one seed: were they asked the same set?")
    if wrong := [mine.key for mine, theirs in pairs if mine.prompt != theirs.prompt]:
        raise RecipeError(f"prompt {wrong[0]} of '{one}' and of '{other}' are not the same text")
    keys = list(dict.fromkeys(mine.key for mine, _ in pairs))[:limit]
    kept = set(keys)
    return [pair for pair in pairs if pair[0].key in kept]


def duels(compared: Compared, preferences: dict[str, dict[str, float]], name: str) -> Sequence[Duel]:
    """A comparison's preferences as pairs to take strengths from, one a prompt."""
    return [Duel(compared.one, compared.other, values[name], prompt) for prompt, values in preferences.items()]
