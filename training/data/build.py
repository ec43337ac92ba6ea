"""`build`: a data recipe becomes a prepared set, streamed. `prepared`: the set that a tuning run asks for, built once.

Knows the order of things – sources, their steps, mixing, common steps, split, manifest – and no step or format.
"""

from __future__ import annotations

import errno
import fcntl
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import structlog

from storage.presets import Presets
from training.data import manifest, sets
from training.data.data_recipe import DataRecipe, load
from training.data.mixing import by_shares, in_order
from training.data.reading import Rows, open_source
from training.data.rows import Row
from training.data.sets import EmptySet, PreparedSet
from training.data.splitting import Splitter
from training.data.steps.part import Context, Counts, Part, run
from training.recipes import RecipeError
from training.runs import progress

log = structlog.get_logger(__name__)

SHOWN = 1000  # rows between two looks at the progress bar
Show = Callable[[float, str], object]


class Pipeline:
    """One pass over all sources. The counts grow while rows are drawn."""

    def __init__(self, recipe: DataRecipe, presets: Presets, seed: int, work: Path, show: Show) -> None:
        self.recipe = recipe
        self.presets = presets
        self.seed = seed
        self.work = work
        self.show = show
        self.sources: dict[str, Rows] = {}
        self.given: Counter[str] = Counter()
        self.counts: list[tuple[str, str, Counts]] = []

    def rows(self) -> Iterator[Row]:
        """All rows that are left, in their final order."""
        streams = {name: self._source(name) for name in self.recipe.order}
        mix = self.recipe.mix
        mixed = by_shares(streams, mix) if isinstance(mix, dict) else in_order(streams, self.recipe.order)
        return self._through(self.recipe.steps, mixed, "all")

    def report(self) -> list[dict[str, Any]]:
        """The manifest's `steps`."""
        return [{"step": step, "of": place, **counts.as_json()} for place, step, counts in self.counts]

    def heaviest(self) -> str:
        """Which step dropped most, in words; empty if none dropped a row."""
        place, step, counts = max(self.counts, key=lambda one: one[2].dropped.total(), default=("", "", Counts()))
        if not counts.dropped:
            return ""
        reasons = ", ".join(f"{reason} {count}" for reason, count in counts.dropped.most_common())
        where = "" if place == "all" else f" of source '{place}'"
        return f"step '{step}'{where} dropped {counts.dropped.total()} of {counts.entered} rows ({reasons})"

    def context(self, name: str) -> Context:
        """A step's own empty folder, and what all steps share."""
        folder = self.work / name
        folder.mkdir()
        return Context(self.presets, self.seed, folder)

    def _source(self, name: str) -> Iterator[Row]:
        feed = self.recipe.sources[name]
        self.sources[name] = open_source(feed.source, self.presets)
        return self._given(name, self._through(feed.steps, self._shown(self.sources[name]), name))

    def _given(self, name: str, rows: Iterator[Row]) -> Iterator[Row]:
        for row in rows:
            self.given[name] += 1
            yield row

    def _shown(self, rows: Rows) -> Iterator[Row]:
        for row in rows:
            if rows.counts.rows % SHOWN == 0:
                done = sum(one.fraction or 0 for one in self.sources.values()) / len(self.recipe.sources)
                self.show(done * 0.99, f"{self.read:,} rows read")
            yield row

    @property
    def read(self) -> int:
        """Rows read so far."""
        return sum(one.counts.rows for one in self.sources.values())

    def _through(self, steps: tuple[Part, ...], rows: Iterator[Row], place: str) -> Iterator[Row]:
        for part in steps:
            counts = Counts()
            name = type(part).model_fields["step"].default
            self.counts.append((place, name, counts))
            rows = run(part, rows, counts, self.context(f"{len(self.counts):02}-{name}"))
        return rows


def build(
    recipe: DataRecipe, folder: Path, presets: Presets, seed: int = 0, read: Mapping[str, Any] | None = None
) -> PreparedSet:
    """Build a set into `folder`, whole or not at all. `read`: the hashes of what is read, where they are known.

    Raises RecipeError for a source that cannot be read, EmptySet naming the step that dropped most.
    """
    seed = seed if recipe.seed is None else recipe.seed
    entry: dict[str, Any] = {
        "recipe": recipe.model_dump(mode="json"),
        **(manifest.inputs(recipe) if read is None else read),
        "tools": manifest.tools(recipe),
        "seed": seed,
    }
    _check_place(folder)
    with _workshop(folder) as work, progress(f"data {folder.name[:16]}", 1) as show:
        pipeline = Pipeline(recipe, presets, seed, work, show)
        splitter = Splitter(recipe.split, pipeline.context("split"))
        try:
            built = sets.write(folder, splitter.train(pipeline.rows()), _last(pipeline, splitter, entry), entry)
        except EmptySet:
            raise EmptySet(_nothing_left(pipeline)) from None
        finally:
            splitter.close()
        show(1)
    log.info("set_built", folder=str(folder), rows=built.manifest["rows"])
    return built


def prepared(data: DataRecipe | Path, storage: Path, presets: Presets, seed: int = 0) -> PreparedSet:
    """The set that a run learns from: a finished one's folder, or a recipe (or its file), built once.

    Built sets lie in `STORAGE_DIR/sets/<hash of recipe and sources>`; who asks for the same again gets the same, also
    when several processes ask at once.
    """
    if isinstance(data, Path):
        if data.suffix not in (".yaml", ".yml"):
            return sets.load(data)
        data = load(data)
    read = manifest.inputs(data)
    name = manifest.identity(data, read, presets, seed if data.seed is None else data.seed)[:32]
    folder = storage / "sets" / name
    with _alone(folder):
        if (folder / sets.MANIFEST).is_file():
            return sets.load(folder)
        return build(data, folder, presets, seed, read)


def summary(entry: Mapping[str, Any]) -> list[str]:
    """A manifest as lines for a person: every step with its counts, the split, the sizes."""
    lines = [
        f"{name}: {one['rows']} rows read as {one['reader']}, {entry['mixed'].get(name, 0)} into the set's steps"
        for name, one in entry["read"].items()
    ]
    for one in entry["steps"]:
        notes = [f"{one['in']} → {one['out']}"]
        notes += [f"{one['changed']} changed"] if "changed" in one else []
        notes += [f"{reason} {count}" for name in ("dropped", "found") for reason, count in one.get(name, {}).items()]
        lines.append(f"{one['step']} ({one['of']}): {', '.join(notes)}")
    lines += [f"split: {reason} {count}" for reason, count in entry["split"].items()]
    return [*lines, *(f"{name}: {count} rows" for name, count in entry["rows"].items())]


def _last(pipeline: Pipeline, splitter: Splitter, entry: dict[str, Any]) -> Iterator[Row]:
    """The held-out rows; after the last one all counts are known, and `write` has not written the manifest yet."""
    yield from splitter.held_out()
    entry["read"] = {name: {"reader": one.reader, **asdict(one.counts)} for name, one in pipeline.sources.items()}
    entry["mixed"] = dict(pipeline.given)
    entry["steps"] = pipeline.report()
    entry["split"] = dict(sorted(splitter.counts.items()))


def _nothing_left(pipeline: Pipeline) -> str:
    if not pipeline.read:
        return f"data: no row was read from {', '.join(pipeline.sources)}"
    why = pipeline.heaviest() or "every row was held out; lower split.held_out"
    return f"data: no row was left to learn from, of {pipeline.read} read; {why}"


def _check_place(folder: Path) -> None:
    own = {sets.TRAIN, sets.HELD_OUT, sets.MANIFEST}
    if folder.is_file() or (folder.exists() and {one.name for one in folder.iterdir()} not in (set(), own)):
        raise RecipeError(f"data: {folder} holds other things than a prepared set; choose another place")


@contextmanager
def _workshop(folder: Path) -> Iterator[Path]:
    """An empty folder beside the set's, which goes with all that a failed build leaves."""
    work = folder.with_name(f".{folder.name}.work")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        yield work
    except sqlite3.OperationalError as error:
        raise OSError(errno.ENOSPC, f"no place for the near-duplicate index ({error})", str(work)) from None
    finally:
        for leftover in (work, folder.with_name(f"{folder.name}.new")):
            shutil.rmtree(leftover, ignore_errors=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time: others wait until the set is there."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
