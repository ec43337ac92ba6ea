"""A judging model's opinion of old and new answers, for the gate: asked where TRAINING_GATE_JUDGE says so.

Only about prompts of the seed corpus, so that nobody's words reach the judge's server. A judge that cannot be asked
holds no refit up: its opinion is missing then. Knows no gate.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from storage.presets import Presets
from training.cycle.places import JobFolder
from training.evaluation.samples import Sample, matched


def judged(
    folder: JobFolder, presets: Presets, old: Sequence[Sample], new: Sequence[Sample], keys: set[str], most: int
) -> dict[str, float] | None:
    """Prompt → preference for the new answer in [0, 1], both orders asked, of up to `most` prompts among `keys`; None
    where nobody was asked."""
    if not most:
        return None
    from training.evaluation.judging.asking import JudgeFailed
    from training.evaluation.judging.cache import Cache
    from training.evaluation.judging.commands import CACHE, opened
    from training.evaluation.judging.criteria import find
    from training.evaluation.judging.running import Run, plan
    from training.evaluation.judging.settings import load
    from training.evaluation.judging.winning import TOTAL, preferences

    pairs = [pair for pair in matched(new, old) if pair[0].key in keys][:most]
    criteria, titles = find("general"), {one.id: one.title for one in presets.presets}
    cache = Cache(folder.path / "evaluation" / CACHE)
    try:
        settings = load()
        with opened(settings) as judge:
            run = Run(judge, criteria, cache, titles, settings.tries, settings.concurrency)
            answered, _ = run.ask(plan(pairs))
    except JudgeFailed as error:
        print(f"the judge was not asked: {error}", file=sys.stderr)
        return None
    finally:
        cache.close()
    return {key: found[TOTAL] for key, found in preferences(answered, criteria).items()}
