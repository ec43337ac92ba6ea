"""A run is a folder: recipe, data manifest, metrics, loss plot, checkpoints, report. Knows no method.

`STORAGE_DIR/runs/<method>-<name>/` holds `recipe.yaml`, `manifest.json`, `metrics.jsonl`, `loss.png`, `report.md` and
checkpoints. `checkpoint/`, of methods with loops of their own, is safetensors and JSON. `checkpoints/` is written and
read by transformers' Trainer: weights as safetensors, but optimizer, schedule and chance (`optimizer.pt`,
`scheduler.pt`, `rng_state.pth`) in torch's format, which is a pickle; the Trainer loads them with `weights_only=True`,
which builds tensors and plain values and calls nothing, and never reads its `training_args.bin`. Nothing of ours
unpickles. Finished weights are safetensors only.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog
import yaml

from training.recipes import Recipe, RecipeError

if TYPE_CHECKING:
    from torch import Tensor

log = structlog.get_logger(__name__)


# Keys that a continued run may have otherwise: they change neither what is learned nor how long.
FREE = {"output", "threads", "log_steps", "save_steps", "measure_rows", "checkpoint_minutes"}
FEW = 15  # points of a curve that are marked
# What a finished folder holds: only such a folder is replaced by a new result.
RESULT = re.compile(r".*\.(json|safetensors|jinja|txt|model|md|png)")


class RunExists(FileExistsError):
    """A run of this name has already been there; nothing is overwritten silently."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"{folder} holds an earlier run: continue it with --resume, or use --set name=OTHER")


class Run:
    """One training run's folder."""

    def __init__(self, storage: Path, method: str, recipe: Recipe, resume: bool = False) -> None:
        self.folder = storage / "runs" / f"{method}-{recipe.name}"
        self.method = method
        self.recipe = recipe
        self.started = time.monotonic()
        if not main_process():
            return
        check_new(storage, method, recipe, resume)
        self.folder.mkdir(parents=True, exist_ok=True)
        text = yaml.safe_dump(recipe.model_dump(mode="json"), allow_unicode=True, sort_keys=False)
        (self.folder / "recipe.yaml").write_text(text, encoding="utf-8")

    def manifest(self, inputs: Mapping[str, Any]) -> None:
        """Write what the run learned from: names, hashes, counts."""
        (self.folder / "manifest.json").write_text(json.dumps(inputs, ensure_ascii=False, indent=1), encoding="utf-8")

    def measure(self, **values: float | int | str) -> None:
        """Append one line to `metrics.jsonl`; what is no number (a mean of nothing) is left out: JSON has none such."""
        line = {"seconds": round(time.monotonic() - self.started, 2), **values}
        line = {name: one for name, one in line.items() if not isinstance(one, float) or math.isfinite(one)}
        with (self.folder / "metrics.jsonl").open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(line, ensure_ascii=False) + "\n")

    def metrics(self) -> list[dict[str, Any]]:
        """All measured lines so far."""
        path = self.folder / "metrics.jsonl"
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []

    def save_checkpoint(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Replace the checkpoint in one rename, so that a kill leaves the old or the new one whole."""
        from safetensors.torch import save_file

        fresh, current, old = (self.folder / name for name in ("checkpoint.new", "checkpoint", "checkpoint.old"))
        for leftover in (fresh, old):
            shutil.rmtree(leftover, ignore_errors=True)
        fresh.mkdir()
        save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, fresh / "state.safetensors")
        (fresh / "state.json").write_text(json.dumps(state), encoding="utf-8")
        if current.exists():
            current.rename(old)
        fresh.rename(current)
        shutil.rmtree(old, ignore_errors=True)

    def load_checkpoint(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """`(tensors, state)` of the newest whole checkpoint, None if there is none."""
        from safetensors.torch import load_file

        for name in ("checkpoint", "checkpoint.old"):
            folder = self.folder / name
            if (folder / "state.json").exists():
                state = json.loads((folder / "state.json").read_text(encoding="utf-8"))
                return load_file(folder / "state.safetensors"), state
        return None

    def timeline(self, samples: Sequence[tuple[float, float, float]]) -> None:
        """Write `memory.csv` and `memory.png` from (seconds, RSS in MiB, GPU MiB)."""
        lines = [f"{seconds:.2f},{rss:.1f},{gpu:.1f}" for seconds, rss, gpu in samples]
        head = "seconds,rss_mib,gpu_mib"
        (self.folder / "memory.csv").write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
        plot_memory(samples, self.folder / "memory.png")

    @property
    def parts(self) -> Path:
        """Where a run that is continued finds what its earlier parts took."""
        return self.folder / "parts.json"

    def report(self, lines: Sequence[str]) -> None:
        """Write `report.md` and, if losses were measured, `loss.png`."""
        # A policy gradient's loss says nothing: its advantages are as far above zero as below.
        left_out = ("loss",) if self.method == "rlhf" else ()
        plotted = plot_loss(self.metrics(), self.folder / "loss.png", left_out)
        head = [f"# {self.method}: {self.recipe.name}", ""]
        pictures = ["loss"] * plotted + ["memory"] * (self.folder / "memory.png").exists()
        tail = [line for name in pictures for line in ("", f"![{name}]({name}.png)")]
        (self.folder / "report.md").write_text("\n".join([*head, *lines, *tail]) + "\n", encoding="utf-8")
        log.info("run_finished", folder=str(self.folder))


def check_new(storage: Path, method: str, recipe: Recipe, resume: bool) -> None:
    """RunExists or RecipeError if a run cannot begin under this name, go on with these keys, or end in `output`."""
    folder = storage / "runs" / f"{method}-{recipe.name}"
    if not main_process():
        return
    check_output(recipe.output)
    if resume:
        _same_recipe(folder, recipe)
    elif (folder / "metrics.jsonl").exists() or any(folder.glob("checkpoint*")):
        raise RunExists(folder)


def _same_recipe(folder: Path, recipe: Recipe) -> None:
    """RecipeError if the run that is continued was begun with other keys: its report would tell of neither."""
    path = folder / "recipe.yaml"
    if not path.exists():
        return
    earlier = yaml.safe_load(path.read_text(encoding="utf-8"))
    now = recipe.model_dump(mode="json")
    changed = [key for key in now if key not in FREE and key in earlier and earlier[key] != now[key]]
    if changed:
        raise RecipeError(
            f"{folder} was begun with other values of {', '.join(changed)}: continue it with the recipe that "
            "lies there, or begin anew with --set name=OTHER"
        )


def main_process() -> bool:
    """Whether this process writes: one of those that `accelerate launch` started does."""
    return os.environ.get("RANK", "0") in ("", "0")


def check_output(folder: Path | None) -> None:
    """RecipeError if a result cannot take this place: it holds other things, or nothing can be written beside it."""
    if folder is None:
        return
    if folder.exists() and not folder.is_dir():
        raise RecipeError(f"output: {folder} is a file; name a folder")
    inside = list(folder.iterdir()) if folder.exists() else []
    earlier = any(one.name in ("config.json", "adapter_config.json") for one in inside)
    strange = [one.name for one in inside if one.is_dir() or not RESULT.fullmatch(one.name)]
    if strange or (inside and not earlier):
        names = ", ".join(sorted(strange or [one.name for one in inside])[:3])
        raise RecipeError(f"output: {folder} holds other things ({names}), which would be lost; choose another place")
    parent = next(one for one in (folder.parent, *folder.parent.parents) if one.exists())
    if not os.access(parent, os.W_OK):
        raise RecipeError(f"output: nothing can be written to {parent}")


@contextmanager
def whole(folder: Path) -> Iterator[Path]:
    """A folder to fill beside the wanted one; it takes its place in one rename once it is filled without an error."""
    fresh, old = folder.with_name(f".{folder.name}.new"), folder.with_name(f".{folder.name}.old")
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        yield fresh
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def plot_memory(samples: Sequence[tuple[float, float, float]], path: Path) -> None:
    """Draw memory in MiB over seconds; the GPU's line only where one was used."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    seconds = [one[0] for one in samples]
    axes.plot(seconds, [one[1] for one in samples], label="process (RSS)")
    if any(one[2] for one in samples):
        axes.plot(seconds, [one[2] for one in samples], label="GPU, allocated")
    axes.set_xlabel("seconds")
    axes.set_ylabel("MiB")
    axes.set_ylim(bottom=0)
    axes.legend()
    figure.savefig(path, dpi=90)


def loss_curves(
    metrics: Sequence[Mapping[str, Any]], left_out: Sequence[str] = ()
) -> dict[str, list[tuple[int, float]]]:
    """(step, value) of every series whose name ends in `loss`; of a step that was measured twice the last.

    Without the mean that a trainer gives at the end (`train_loss`), and without terms that are switched off (all zero).
    """
    found: dict[str, dict[int, float]] = {}
    for line in metrics:
        for name, value in line.items():
            if name.endswith("loss") and name not in ("train_loss", *left_out) and "step" in line:
                found.setdefault(name, {})[line["step"]] = value
    return {name: sorted(points.items()) for name, points in sorted(found.items()) if any(points.values())}


def plot_loss(metrics: Sequence[Mapping[str, Any]], path: Path, left_out: Sequence[str] = ()) -> bool:
    """Draw the loss curves over steps, with marks where there are few points; False if there is nothing to draw."""
    curves = loss_curves(metrics, left_out)
    if not curves:
        return False
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(7, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for name, points in curves.items():
        mark = "o" if name.startswith("eval_") or len(points) < FEW else ""
        axes.plot([step for step, _ in points], [value for _, value in points], marker=mark, markersize=4, label=name)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("step")
    axes.set_ylabel("loss")
    axes.legend()
    figure.savefig(path, dpi=90)
    return True


def hash_folder(folder: Path, pattern: str = "*") -> str:
    """One hash over names and contents of a folder's files."""
    digest = hashlib.sha256()
    for path in sorted(one for one in folder.rglob(pattern) if one.is_file()):
        digest.update(str(path.relative_to(folder)).encode() + b"\0")
        with path.open("rb") as handle:
            while chunk := handle.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()


@contextmanager
def progress(title: str, total: float) -> Iterator[Any]:
    """A bar with an estimate; call the yielded function with the amount done and a short note."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}% {task.fields[note]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, refresh_per_second=1, disable=not main_process()) as bar:
        task = bar.add_task(title, total=total, note="")
        yield lambda done, note="": bar.update(task, completed=min(done, total), note=note)
