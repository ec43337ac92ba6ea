"""Systems of an evaluation: their names, bases and adapters, and their answers in a folder, begun, finished or gone on
with. Knows no metric.

`samples/NAME.jsonl` appears when it is whole; until then `NAME.part.jsonl` holds the groups of prompts that are done.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from models.reader import FOLDER
from storage.presets import Presets
from training.evaluation import answering, samples
from training.evaluation.answering import GROUP, Asked, Drawing
from training.evaluation.metrics import perplexity
from training.evaluation.metrics.column import Absent
from training.evaluation.metrics.perplexity import Surprise
from training.evaluation.samples import Sample
from training.recipes import RecipeError
from training.runs import progress

if TYPE_CHECKING:
    from models.classifier import Classifier
    from training.evaluation.plain_engine import PlainEngine

NAME = re.compile(r"[\w.-]{1,60}")
BUNDLED = "bundled"
# `texts` and `references` → system → what its model made of them.
Surprises = dict[str, dict[str, Sequence[Surprise] | Absent]]


@dataclass(frozen=True)
class System:
    """A model to be asked. `base`: folder, hub id or `bundled`; `adapter`: a folder as the worker serves it."""

    name: str
    base: str
    adapter: Path | None = None


def parse(text: str) -> System:
    """`NAME=BASE` or `NAME=BASE+ADAPTER`; `bundled` is the starter's base or adapter. RecipeError if it is neither."""
    name, equals, model = text.partition("=")
    if not equals or not model or not NAME.fullmatch(name):
        raise RecipeError(
            f"--system {text}: write it as NAME=BASE or NAME=BASE+ADAPTER, NAME of letters, digits, . - _"
        )
    base, _, adapter = model.rpartition("+") if "+" in model and not Path(model).is_dir() else (model, "", "")
    if not base:
        raise RecipeError(f"--system {text}: there is no base model before the +")
    return System(name, base, _adapter(text, adapter) if adapter else None)


def _adapter(text: str, adapter: str) -> Path:
    from models.settings import STARTER

    folder = STARTER / "adapter" if adapter == BUNDLED else Path(adapter)
    if not (folder / "adapter_config.json").is_file():
        raise RecipeError(f"--system {text}: {folder} holds no adapter (no adapter_config.json)")
    return folder


class Answers:
    """The answers of systems under one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "samples"
        self.folder.mkdir(parents=True, exist_ok=True)

    def file(self, name: str) -> Path:
        """Where a system's finished samples are."""
        return self.folder / f"{name}.jsonl"

    def begun(self, name: str, plan: dict[str, Any]) -> bool:
        """Write down what is asked of a system; whether it is finished already. RecipeError if it was asked else."""
        path = self.folder / f"{name}.plan.json"
        if path.is_file():
            earlier = json.loads(path.read_text(encoding="utf-8"))
            other = [key for key in plan if earlier.get(key) != plan[key]]
            if other:
                raise RecipeError(
                    f"{path} tells of another evaluation ({', '.join(other)} differ): name another --out, or remove it "
                    f"and {self.file(name).name}"
                )
        else:
            path.write_text(json.dumps(plan, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        return self.file(name).is_file()

    def draw(
        self,
        system: System,
        engine: PlainEngine,
        asked: Sequence[Asked],
        drawing: Drawing,
        picker: Classifier | None,
        show: Callable[[float, str], object] = lambda done, note: None,
    ) -> list[Sample]:
        """All answers of a system, those of an interrupted evaluation first; `show` hears how many there are."""
        part = self.folder / f"{system.name}.part.jsonl"
        kept, done = finished_groups(_whole_lines(part), asked)
        samples.write(part, kept)
        show(len(kept), "")
        with part.open("a", encoding="utf-8") as out:
            rest = asked[done * GROUP :]
            for sample in answering.answers(
                engine, system.adapter, rest, engine.presets, system=system.name, drawing=drawing, picker=picker
            ):
                out.write(sample.model_dump_json(exclude_defaults=True) + "\n")
                kept.append(sample)
                show(len(kept), f"{len(kept)} of {len(asked)} answers")
        part.replace(self.file(system.name))
        return kept


def gather(
    chosen: Sequence[System],
    asked: Sequence[Asked],
    presets: Presets,
    folder: Path,
    *,
    drawing: Drawing,
    picker: Classifier | None = None,
    texts: Sequence[str] = (),
    references: bool = False,
) -> tuple[dict[str, list[Sample]], Surprises]:
    """Samples by system in the order given, drawn or found finished in `folder`, and what models make of `texts` and of
    the set's own answers. A base is loaded once for all its systems, and not at all where nothing is left to do."""
    answers, found = Answers(folder), dict[str, list[Sample]]()
    wanted = {"texts": bool(texts), "references": references}
    surprises: Surprises = {kind: {} for kind, asked_for in wanted.items() if asked_for}
    for base, group in itertools.groupby(sorted(chosen, key=lambda one: one.base), key=lambda one: one.base):
        opened: list[PlainEngine] = []
        for system in group:
            name = picker.id if picker else None
            if answers.begun(system.name, plan(system, asked, drawing, name)):
                found[system.name] = list(samples.read(answers.file(system.name)))
            else:
                with progress(system.name, len(asked)) as show:
                    engine = _open(opened, base, presets)
                    found[system.name] = answers.draw(system, engine, asked, drawing, picker, show)
            if surprises:
                _surprised(surprises, system, asked, texts, _open(opened, base, presets))
    return {one.name: found[one.name] for one in chosen}, surprises


def _open(opened: list[PlainEngine], base: str, presets: Presets) -> PlainEngine:
    if not opened:
        opened.append(answering.open_engine(base, presets))
    return opened[0]


def _surprised(
    surprises: Surprises, system: System, asked: Sequence[Asked], texts: Sequence[str], engine: PlainEngine
) -> None:
    adapter = None if system.adapter is None else str(system.adapter)
    if system.adapter is not None:
        engine.load_adapter(str(adapter), system.adapter)
    if "texts" in surprises:
        surprises["texts"][system.name] = perplexity.of_texts(engine, adapter, texts)
    if "references" in surprises:
        surprises["references"][system.name] = perplexity.of_references(engine, adapter, asked)


def plan(system: System, asked: Sequence[Asked], drawing: Drawing, picker: str | None) -> dict[str, Any]:
    """What answers depend on, as JSON: models by a hash of their files, prompts by one of their keys."""
    keys = hashlib.sha256("\n".join(one.key for one in asked).encode()).hexdigest()[:16]
    return {
        "base": system.base,
        "base_files": _files(Path(system.base)),
        "adapter": None if system.adapter is None else str(system.adapter),
        "adapter_files": None if system.adapter is None else _files(system.adapter),
        "prompts": keys,
        # How many rows share a batch changes speed alone.
        **{name: value for name, value in asdict(drawing).items() if name != "batch"},
        "picker": picker if drawing.candidates > 1 else None,
    }


def finished_groups(found: Sequence[Sample], asked: Sequence[Asked]) -> tuple[list[Sample], int]:
    """The samples of groups that were written whole, and how many groups these are.

    A prompt may have been left out as too long, so a group without all its samples is whole only if a later one began.
    """
    have = {sample.key for sample in found}
    groups = [asked[start : start + GROUP] for start in range(0, len(asked), GROUP)]
    done = 0
    for number, group in enumerate(groups):
        later = any(one.key in have for one in asked[(number + 1) * GROUP :])
        if not later and not all(one.key in have for one in group):
            break
        done += 1
    kept = {one.key for group in groups[:done] for one in group}
    return [sample for sample in found if sample.key in kept], done


def _whole_lines(path: Path) -> list[Sample]:
    """The samples of a file whose last line may have been cut off."""
    found: list[Sample] = []
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                found.append(Sample.model_validate_json(line))
            except ValidationError:
                break
    return found


def _files(folder: Path) -> str | None:
    """A hash over what a model's folder holds; None for a hub id."""
    if not folder.is_dir():
        return None
    digest = hashlib.sha256()
    for path in (*sorted(folder.iterdir()), *sorted((folder / FOLDER).rglob("*"))):
        if path.is_file():
            small = path.stat().st_size < 1 << 25
            digest.update(f"{path.name} {path.stat().st_size}".encode())
            digest.update(path.read_bytes() if small else b"")
    return digest.hexdigest()[:16]
