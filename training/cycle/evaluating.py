"""The third step of a refit: old and new adapter answer the same prompts with the same seeds by what serves, and the
gate decides. Leaves `evidence.json`, `verdict.json`, `report.md`, `picture.png`; what is there is kept.

Knows models and evaluation; no job's state.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from storage.presets import Presets
from training.cycle import judging, replay
from training.cycle.laying import base_path
from training.cycle.order import SHARED, Order
from training.cycle.places import JobFolder, read_json
from training.cycle.preparing import frozen_sets
from training.cycle.replay import Frozen
from training.cycle.safety import speaks_of_suicide
from training.data.rows import Answer, Feedback, Pair, Row
from training.data.steps.texts import fold
from training.evaluation.answering import Asked, Drawing, ask
from training.evaluation.metrics.column import Absent
from training.evaluation.metrics.perplexity import Surprise
from training.evaluation.samples import Sample
from training.evaluation.systems import Surprises, System, gather
from training.gate import Evidence, GateRules, Verdict, decide
from training.recipes import RecipeError

OLD, NEW, FIRST = "incumbent", "candidate", "anchor"
CARD = ("emotion_hit", "preference", "faults", "repetition", "length", "perplexity")


def evaluate(folder: JobFolder, order: Order, presets: Presets) -> Verdict:
    """The verdict on the job's adapter; RecipeError where it cannot be judged."""
    plan = folder.read("plan") or {}
    known = folder.read("evidence")
    evidence = Evidence.model_validate(known) if known else _measure(folder, order, plan, presets)
    folder.write("evidence", evidence.model_dump(mode="json"))
    verdict = decide(evidence, rules(order, bool(plan.get("preference"))))
    _conclude(folder, order, plan, evidence, verdict, presets)
    return verdict


def rules(order: Order, opinion: bool) -> GateRules:
    """The gate's rules; without a preference model emotion alone has to show that the candidate is better."""
    return GateRules.model_validate({"need_opinion": opinion, **order.settings.gate})


def _measure(folder: JobFolder, order: Order, plan: dict[str, Any], presets: Presets) -> Evidence:
    from models.build import build_classifier
    from models.settings import ModelsSettings
    from training.evaluation import gate as gates
    from training.gating.gather import gather as evidence_of

    settings = order.settings
    picker = build_classifier(ModelsSettings(engine="transformers"))
    gate = gates.load(settings.gate_classifier, picker)
    asked = prompts(folder, order, presets)
    base = base_path(order.base)
    chosen = [
        System(OLD, base, order.incumbent.folder),
        System(NEW, base, folder.adapter(str(plan["method"]))),
    ]
    if order.anchor is not None:
        chosen.append(System(FIRST, base, order.anchor.folder))
    folder.write("evaluating", {"answers": len(chosen) * len(asked)})
    found, surprises = gather(
        chosen,
        asked,
        presets,
        folder.path / "evaluation",
        drawing=Drawing(seed=0, candidates=1),
        texts=replay.seed_texts(settings.texts),
    )
    return evidence_of(
        found[OLD],
        found[NEW],
        presets,
        gate,
        picker=picker,
        scores=_scores(folder, plan, found, asked, presets),
        judged=judging.judged(
            folder, presets, found[OLD], found[NEW], of_the_corpus(folder, order, asked), settings.gate_judge
        ),
        texts=_texts(surprises),
        anchor=(found[FIRST], _surprise(surprises, FIRST) or ()) if FIRST in found else None,
        crisis=speaks_of_suicide,
    )


def prompts(folder: JobFolder, order: Order, presets: Presets) -> list[Asked]:
    """Prompts of people whose rows nothing was learned from, up to half, and held-out ones of the seed corpus; those
    that stand among the rows to learn from are left out. RecipeError if none is left."""
    told = folder.read("sets") or {"folders": {}}
    frozen = frozen_sets(folder, order.slot, told)
    learned = {_prompt(row) for kind in told["folders"] for row in frozen.train(kind)}
    most = order.settings.prompts
    people = _ask(_unseen(_people(frozen), learned), presets, most // 2)
    seed = [
        row
        for row in replay.seed_rows("answers", presets)
        if isinstance(row, Answer) and row.tags.get("split") == "held_out" and order.slot in (SHARED, row.emotion)
    ]
    found = {one.key: one for one in people}
    for one in _ask(_unseen(seed, learned), presets, most):
        if len(found) < most:
            found.setdefault(one.key, one)
    if not found:
        raise RecipeError("evaluation: no prompt is left that nothing was learned from")
    return list(found.values())


def of_the_corpus(folder: JobFolder, order: Order, asked: Sequence[Asked]) -> set[str]:
    """Prompts that nobody here wrote: what may be shown to a judge."""
    told = folder.read("sets") or {"folders": {}}
    written = {_prompt(row) for row in _people(frozen_sets(folder, order.slot, told))}
    return {one.key for one in asked if _prompt(one.row) not in written}


def _ask(rows: list[Answer], presets: Presets, most: int) -> list[Asked]:
    return ask(rows, presets, most) if rows and most else []


def _people(frozen: Frozen) -> Iterable[Answer]:
    for kind in ("answers", "pairs", "feedback"):
        for row in frozen.held_out(kind):
            if isinstance(row, Answer | Pair | Feedback):
                said = row.chosen if isinstance(row, Pair) else row.answer
                shared = row.model_dump(include={"prompt", "emotion", "intensity", "persona", "system"})
                yield Answer(**shared, answer=said)


def _unseen(rows: Iterable[Answer], learned: set[str]) -> list[Answer]:
    return [row for row in rows if _prompt(row) not in learned]


def _prompt(row: Row) -> str:
    turns = getattr(row, "prompt", ())
    return fold("\n".join(turn.text for turn in turns))


def _scores(
    folder: JobFolder, plan: dict[str, Any], found: dict[str, list[Sample]], asked: Sequence[Asked], presets: Presets
) -> tuple[Sequence[float], Sequence[float]] | None:
    """What the preference model gives to both systems' answers; None where none was fitted."""
    if not plan.get("preference"):
        return None
    from training.scoring import Drawn, ModelTerm

    term = ModelTerm(folder.adapter("reward"), None, presets)
    rows = {one.key: one.row for one in asked}

    def scored(samples: Sequence[Sample]) -> list[float]:
        return term([Drawn(rows[one.key], one.answer, one.tokens, one.finished) for one in samples])

    return scored(found[OLD]), scored(found[NEW])


def _texts(surprises: Surprises) -> tuple[Sequence[Surprise], Sequence[Surprise]] | None:
    old, new = _surprise(surprises, OLD), _surprise(surprises, NEW)
    return None if old is None or new is None else (old, new)


def _surprise(surprises: Surprises, system: str) -> Sequence[Surprise] | None:
    found = surprises.get("texts", {}).get(system)
    return None if found is None or isinstance(found, Absent) else found


def _conclude(
    folder: JobFolder, order: Order, plan: dict[str, Any], evidence: Evidence, verdict: Verdict, presets: Presets
) -> None:
    """The verdict with what was measured; it is written last, so that it is there only with all that belongs to it."""
    from training.cycle import picture, report

    whole = {
        **verdict.model_dump(mode="json"),
        "text_ru": verdict.text("ru"),
        "text_en": verdict.text("en"),
        "method": plan["method"],
        "metrics": metrics(verdict),
        "prompt": _prompt_version(order, presets),
        "base": base_name(order.base, trained_revision(folder, str(plan["method"]))),
        "prompts": len(evidence.prompts),
    }
    report.write(folder, order, plan, verdict)
    picture.draw(folder, order, plan, evidence, verdict)
    folder.write("verdict", whole)


def metrics(verdict: Verdict) -> dict[str, Any]:
    """What the registry keeps of an adapter: by check, old and new mean, the bound and what it was held against."""
    return {
        one.name: one.model_dump(include={"incumbent", "candidate", "bound", "limit", "n", "passed"}, mode="json")
        for one in verdict.checks
    }


def _prompt_version(order: Order, presets: Presets) -> str:
    from models.prompt import prompt_version
    from training import bases

    return prompt_version(bases.load_tokenizer(base_path(order.base)), presets)


def trained_revision(folder: JobFolder, method: str) -> str | None:
    """What the run says of the base that it has loaded: a hub id's commit; None where there is no run."""
    told = read_json(folder.run(method) / "manifest.json") or {}
    known: str | None = told.get("base", {}).get("revision")
    return known


def base_name(base: str, revision: str | None = None) -> str:
    """The base's name as a worker that has loaded this revision says: with a hash, or a hub id's commit."""
    from models.engines.loading import name_of

    where = base_path(base)
    if not Path(where).is_dir():
        from transformers import AutoConfig

        # So that the cache knows the commit.
        AutoConfig.from_pretrained(where, revision=revision)
    return name_of(where, revision)
