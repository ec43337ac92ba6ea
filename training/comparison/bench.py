"""One bench from its order to its report: freeze, train, judge, write. Reads top to bottom; every step is elsewhere."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from storage.presets import Presets
from training.comparison import beside, costs, judging, report, running, table, words
from training.comparison.costs import Cost
from training.comparison.frozen import SEED, Frozen, freeze
from training.comparison.judging import Asking, Judged
from training.comparison.plan import BenchRecipe
from training.comparison.running import Job, Place, Show
from training.evaluation.evaluating import trust, warnings
from training.recipes import RecipeError

BUNDLED = "bundled"
PLAN, COSTS = "bench.json", "costs.json"


@dataclass(frozen=True)
class Order:
    """What a person asked for."""

    recipe: BenchRecipe
    names: Sequence[str] | None
    base: str
    data: str
    pairs: str | None
    folder: Path
    resume: bool = False
    language: str = "ru"


def base_folder(name: str) -> str:
    """`bundled` as the starter's folder; others as they are."""
    from models.settings import STARTER

    return str(STARTER / "base") if name == BUNDLED else name


def run(order: Order, how: Asking, show: Show) -> int:
    """0, or 1 if an entry could not be trained; RecipeError if nothing can be compared."""
    from storage.settings import StorageSettings

    presets = StorageSettings().load_presets()
    entries = order.recipe.entries(order.names)
    if not entries:
        raise RecipeError(f"{order.recipe.name} has no methods to train: see `otklik bench table {order.recipe.name}`")
    if (order.folder / PLAN).is_file() and not order.resume:
        raise RecipeError(f"{order.folder} holds an earlier bench: go on with --resume, or give another --out")
    with running.held(order.folder) as place:
        show(f"freezing the split of {order.data}")
        frozen = freeze(order.data, order.pairs, order.folder / "data", presets, order.recipe.seed)
        _begin(order, frozen)
        jobs = running.jobs(entries, order.base, frozen, order.recipe.seed, order.folder)
        cost = trained(place, jobs, show)
        bases = {name: entry.base for name, entry in entries.items() if entry.base}
        chosen = judging.candidates(cost, order.base, bases, order.folder)
        judged = judging.judge(chosen, frozen, presets, order.folder, how, show)
        _write(order, cost, judged, frozen, presets, show)
    return 1 if table.failures(cost) else 0


def trained(place: Place, jobs: Mapping[str, list[Job] | str], show: Show) -> dict[str, Cost]:
    """The cost of every entry, trained one after another; entries that cannot be are told and left out."""
    found: dict[str, Cost] = {}
    for number, (name, steps) in enumerate(jobs.items(), 1):
        place_of = f"[{number}/{len(jobs)}] "
        if isinstance(steps, str):
            found[name] = Cost(identity="", failed=steps)
            show(f"{place_of}{name}: {steps}")
            continue
        done: list[Cost] = []
        for job in steps:
            show(f"{place_of}{job.name}: {job.part.method}, {job.part.recipe}")
            done.append(running.train(place, job, show))
            if done[-1].failed is not None:
                break
        found[name] = running.both(done)
    return found


def _begin(order: Order, frozen: Frozen) -> None:
    """Write down what is compared; RecipeError if this folder was begun with another base, split or seed."""
    path = order.folder / PLAN
    asked: dict[str, Any] = {"base": order.base, "data": order.data, "seed": order.recipe.seed, **_sizes(order)}
    asked["split"] = frozen.about()
    if path.is_file():
        earlier = json.loads(path.read_text(encoding="utf-8"))
        if other := [key for key in asked if earlier.get(key) != asked[key]]:
            raise RecipeError(f"{order.folder} was begun otherwise ({', '.join(other)} differ): give another --out")
    else:
        path.write_text(json.dumps(asked, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _sizes(order: Order) -> dict[str, Any]:
    return {"recipe": order.recipe.name, "prompts": order.recipe.prompts, "most": order.recipe.most}


def machine() -> str:
    """The processor and what computes, in words."""
    import torch

    names = [line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")]
    cpu = f"{names[0] if names else platform.machine()}, {os.cpu_count()} CPU"
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return f"{cpu}, {gpu}, torch {torch.__version__}"


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text(encoding="utf-8").splitlines() if path.is_file() else []


def _write(
    order: Order, cost: Mapping[str, Cost], judged: Judged, frozen: Frozen, presets: Presets, show: Show
) -> None:
    """Tables with costs, the figures as JSON, published ones beside them, the report and the card."""
    found, folder = judged.found, order.folder
    for language, suffix in (("en", ""), ("ru", ".ru")):
        text = table.markdown(found.table, cost, language) + warnings(found, language)
        text += f"\n{trust(judged.gate, language)}\n" if judged.gate else ""
        (folder / f"table{suffix}.md").write_text(text, encoding="utf-8")
    (folder / "table.csv").write_text(table.as_csv(found.table, cost), encoding="utf-8")
    (folder / "table.tex").write_text(table.latex(found.table, cost), encoding="utf-8")
    about = _about(order, judged, frozen)
    whole = {"about": about, "figures": table.figures(found.table, cost), "failed": table.failures(cost)}
    whole["costs"] = {name: one.model_dump(mode="json") for name, one in cost.items()}
    (folder / COSTS).write_text(json.dumps(whole, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    published = beside.text(order.recipe, folder, order.language) if order.recipe.published else None
    curves = {name: costs.losses(costs.measured(_run(folder, order, name))) for name in cost}
    told = report.Told(
        name=order.recipe.name,
        language=order.language,
        costs=cost,
        judged=judged,
        presets=presets,
        about=about,
        runs=runs(order),
        curves=curves,
        seed=order.recipe.seed,
        published=published,
        target=order.recipe.target,
    )
    report.write(folder, told)
    show(f"report: {folder / 'report.html'}; card: {folder / 'card.png'}")
    print((folder / ("table.ru.md" if order.language == "ru" else "table.md")).read_text(encoding="utf-8"))
    if published:
        (folder / "published.md").write_text(published, encoding="utf-8")
        print(published)


def _about(order: Order, judged: Judged, frozen: Frozen) -> dict[str, str]:
    """What ours was measured on, to stand beside what a published table was."""
    said = words.WORDS[order.language]
    return {
        "weights": said["bundled"] if order.base == base_folder(BUNDLED) else order.base,
        "data": said["of_data"].format(
            data=said["seed_corpus"] if order.data == SEED else order.data,
            rows=frozen.answers.manifest["rows"]["train.jsonl"],
            prompts=len(next(iter(judged.samples.values()))),
        ),
        "machine": machine(),
        "settings": ", ".join(f"{name}: {entry.recipe}" for name, entry in order.recipe.entries(order.names).items()),
    }


def runs(order: Order) -> list[dict[str, str]]:
    """What every entry was told, for the report."""
    return [
        {
            "entry": name,
            "title": entry.title,
            "method": entry.method,
            "recipe": str(entry.recipe),
            "rows": "" if entry.rows is None else str(entry.rows),
            "laid": ", ".join(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in entry.set.items()),
        }
        for name, entry in order.recipe.entries(order.names).items()
    ]


def _run(folder: Path, order: Order, name: str) -> Path:
    return folder / "runs" / f"{order.recipe.entries()[name].method}-{name}"
