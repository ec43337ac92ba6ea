"""The end of a run through a Trainer: held-out figures, what it cost, the report. Knows no method."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from training import bases
from training.memory import MemoryWatch
from training.runs import Run, hash_folder

UNINTERESTING = ("_time", "_runtime", "_per_second", "_num_tokens", "_entropy")


def measured(trainer: Any) -> dict[str, float]:
    """Loss and the method's own figures on the held-out rows; {} without such rows."""
    if trainer.eval_dataset is None:
        return {}
    return {name: value for name, value in trainer.evaluate().items() if isinstance(value, float | int)}


def first_measured(run: Run) -> dict[str, float]:
    """The held-out figures from before the first step, as an interrupted run wrote them down."""
    return next((line for line in run.metrics() if line.get("step") == 0 and "eval_loss" in line), {})


def conclude(
    trainer: Any,
    run: Run,
    folder: Path,
    memory: MemoryWatch,
    held_out: Mapping[str, Mapping[str, float]],
    told: Sequence[str],
) -> None:
    """Write the run's last measurements, its pictures and its report; `told` are the method's own lines."""
    parameters = bases.count(trainer.model)
    seconds = float(memory.seconds)
    speed = tokens_seen(trainer) / seconds if seconds else 0.0
    summary = {
        "trainable_parameters": parameters.trainable,
        "parameters": parameters.total,
        "train_seconds": round(seconds, 2),
        "train_cpu_seconds": round(memory.cpu_seconds, 2),
        "tokens_per_second": round(speed, 1),
        **memory.peak(),
    }
    run.measure(step=trainer.state.global_step, **summary)
    run.timeline(memory.timeline)
    lines = [
        f"- trainable parameters: {parameters}",
        f"- steps: {trainer.state.global_step}, {seconds:.1f} s{memory.told()}, about {speed:,.0f} tokens/s",
        f"- memory: {', '.join(f'{name} {value:,.0f} MiB' for name, value in memory.peak().items())}",
        f"- SHA-256: {hash_folder(folder)}",
    ]
    names = [name for name in held_out["after"] if name.startswith("eval_") and not name.endswith(UNINTERESTING)]
    if names:
        lines += ["", "| held out | before | after |", "| --- | --- | --- |"]
        lines += [
            f"| {one[5:]} | {held_out['before'].get(one, math.nan):.4f} | {held_out['after'][one]:.4f} |"
            for one in names
        ]
    run.report([*lines, *(["", *told] if told else [])])


def tokens_seen(trainer: Any) -> int:
    """Tokens that went through training: what the trainer counted itself, or from mean lengths."""
    counted = int(trainer.state.num_input_tokens_seen or 0)
    rows = trainer.train_dataset
    columns = [name for name in rows.column_names if name.endswith("_ids")]
    if counted or not columns:
        return counted
    some = rows.select(range(min(len(rows), 500)))
    mean = sum(len(one) for name in columns for one in some[name]) / max(1, len(some))
    args = trainer.args
    a_step = args.per_device_train_batch_size * args.gradient_accumulation_steps * args.world_size
    return int(mean * a_step * trainer.state.global_step)
