"""Which of the answers that carry the emotion belongs to what was said.

After MMI-antiLM of Li et al. 2016 (arXiv:1510.03055), with λ = ⅕ over the whole answer: its log probability, less a
fifth of what it would be to anybody. Small models say what is always likely; this asks what the message made likelier.
Knows jobs and an engine that can score texts; no sampling and no clock.
"""

from __future__ import annotations

from dataclasses import replace

import structlog

from models.engine import Row, Scorer
from models.jobs import Job
from models.judging import Judge
from models.selection import rivals
from storage.contracts import Candidate, Turn

log = structlog.get_logger(__name__)

# The message that says nothing.
NOTHING = (Turn(role="user", text="…"),)
LAMBDA = 1 / 5


def relevance(own: float, bare: float) -> float:
    """Of an answer's mean log probability after the message (`own`) and after nothing (`bare`).

    Of 553 answers of the bundled model that were read, a sensible one stood above one that was not for 0.64 of the
    pairs, a readable one above a broken one for 0.95 (λ = ⅓: 0.61 and 0.70; 0: 0.62 and 0.99, and such answers speak
    less of the message; ADR 41).
    """
    return own - LAMBDA * bare


def weighed(engine: Scorer, judge: Judge, job: Job) -> list[Candidate]:
    """The job's candidates in their order; where relevance decides between several, those have it.

    An engine that fails here costs the relevance, not the answer.
    """
    scored = judge.score(job.prompt.preset, job.prompt.turns[-1].text, job.kept)
    able = [
        index
        for index in rivals(scored, job.request.seen, job.prompt.intensity, job.said)
        if scored[index].fits is not False and job.kept[index].likelihood is not None
    ]
    fresh = [index for index in able if job.kept[index].relevance is None]
    if len(able) < 2 or not fresh:
        return job.kept
    prompt = replace(job.prompt, turns=NOTHING)
    rows = [Row(f"{job.job_id}/relevance/{index}", prompt, job.sampling, job.seed, job.adapter) for index in fresh]
    try:
        anywhere = engine.likelihoods(rows, [job.kept[index].text for index in fresh])
    except Exception as error:
        log.warning("relevance not known", request_id=job.job_id, error=type(error).__name__)
        return job.kept
    found = list(job.kept)
    for index, bare in zip(fresh, anywhere, strict=True):
        found[index] = found[index].model_copy(update={"relevance": relevance(found[index].likelihood or 0.0, bare)})
    return found
