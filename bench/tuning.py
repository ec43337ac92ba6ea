"""Supervised tuning side by side in one run: LoRA against all weights, QLoRA against LoRA, ours against plain TRL.

    python -m bench.tuning [--rounds 5] [--steps 20] [--rows 16]

Every run is its own process on the bundled starter and the seed corpus, the variants taking turns. Time is that of the
training loop, by the clock and by the processor (which other programs disturb less), and of the whole run; memory is
the process's peak over what it held when training began. Medians and ratios are printed. GAN against LoRA is
`python -m bench.gan`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

BASE = "models/starter/base"
VARIANTS: dict[str, dict[str, Any]] = {
    "lora": {},
    "full": {"lora": None, "learning_rate": 3e-4},
    "qlora": {"quantization": "nf4", "optimizer": "paged_adamw_8bit"},
}
PAIRS = (("lora", "full"), ("qlora", "lora"), ("lora", "plain"))


def ours(name: str, folder: Path, steps: int, rows: int) -> dict[str, float]:
    """One run by `training.sft`."""
    from storage.presets import load_presets
    from training import sft
    from training.quiet import quiet

    quiet()
    recipe = sft.SftRecipe.model_validate(settings(folder, steps, rows) | VARIANTS[name])
    sft.main(recipe, folder / "ours", load_presets())
    lines = (folder / "ours" / "runs" / "sft-bench" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    last = next(line for line in map(json.loads, reversed(lines)) if "train_seconds" in line)
    return {
        "loop": last["train_seconds"],
        "cpu": last["train_cpu_seconds"],
        "memory": last["peak_rss_mb"] - last["rss_before_mb"],
        "trainable": last["trainable_parameters"] / last["parameters"],
    }


def plain(folder: Path, steps: int, rows: int) -> dict[str, float]:
    """The script that TRL's own examples would have a person write, with the same settings and texts."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    from training.memory import MemoryWatch

    torch.set_num_threads(1)
    given = settings(folder, steps, rows)
    tokenizer = AutoTokenizer.from_pretrained(BASE)
    data = Dataset.from_json(str(folder / "plain.jsonl"))
    config = SFTConfig(
        output_dir=str(folder / "plain"), per_device_train_batch_size=rows, max_steps=steps, seed=0,
        learning_rate=given["learning_rate"], lr_scheduler_type="cosine", warmup_steps=0.03,
        max_length=given["longest"], bf16=False,
        use_cpu=True, activation_checkpointing=False, report_to=[], save_steps=200, shuffle_dataset=False,
        logging_steps=10,
    )  # fmt: skip
    lora = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM")
    model = AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.float32)
    trainer = SFTTrainer(model=model, args=config, train_dataset=data, processing_class=tokenizer, peft_config=lora)
    with MemoryWatch() as memory:
        worked = time.process_time()
        outcome = trainer.train()
        worked = time.process_time() - worked
    trainer.save_model(str(folder / "plain" / "adapter"))
    peak = memory.peak()
    return {
        "loop": outcome.metrics["train_runtime"],
        "cpu": worked,
        "memory": peak["peak_rss_mb"] - peak["rss_before_mb"],
    }


def settings(folder: Path, steps: int, rows: int) -> dict[str, Any]:
    """What both scripts are given."""
    return {
        "name": "bench", "base": BASE, "data": folder / "set", "lora": {"rank": 16, "alpha": 32}, "longest": 160,
        "rows": rows, "steps": steps, "learning_rate": 6e-4, "threads": 1, "measure_rows": 0,
    }  # fmt: skip


def prepare(folder: Path) -> None:
    """The seed corpus as a prepared set, and rendered as texts for the plain script."""
    from transformers import AutoTokenizer

    from storage.presets import Preset, load_presets
    from training.data import conversations, seed_corpus, sets
    from training.data.rows import Answer

    presets = load_presets()
    train, _ = seed_corpus.split(seed_corpus.load())
    rows = []
    for row in train:
        preset = presets.find(row.emotion)
        assert isinstance(preset, Preset)
        rows.append(Answer(prompt=row.turns, answer=row.reply, emotion=preset.id, intensity=row.intensity))
    sets.write(folder / "set", rows, [], {"steps": []})
    tokenizer = AutoTokenizer.from_pretrained(BASE)
    with (folder / "plain.jsonl").open("w", encoding="utf-8") as out:
        for example in conversations.from_seed(train, presets):
            prompt, completion = conversations.render_example(tokenizer, example, presets)
            out.write(json.dumps({"prompt": prompt, "completion": completion}, ensure_ascii=False) + "\n")


def child(name: str, folder: Path, steps: int, rows: int) -> None:
    """One run in this process; its figures are the last line of the output."""
    with tempfile.TemporaryDirectory(dir=folder) as work:
        place = Path(work)
        for file in ("set", "plain.jsonl"):
            (place / file).symlink_to(folder / file)
        figures = plain(place, steps, rows) if name == "plain" else ours(name, place, steps, rows)
    print(json.dumps(figures))


def measure(name: str, folder: Path, steps: int, rows: int) -> dict[str, float]:
    """One run in a process of its own, with its whole time."""
    began = time.monotonic()
    command = [sys.executable, "-m", "bench.tuning", "--child", name, "--folder", str(folder)]
    command += ["--steps", str(steps), "--rows", str(rows)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    said = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    figures: dict[str, float] = json.loads(said.strip().splitlines()[-1])
    return {"whole": time.monotonic() - began, **figures}


def main() -> None:
    """Take turns, then print medians and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rows", type=int, default=16)
    parser.add_argument("--child")
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    if given.child:
        child(given.child, given.folder, given.steps, given.rows)
        return
    names = [*VARIANTS, "plain"]
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory() as work:
        prepare(Path(work))
        for number in range(given.rounds):
            for name in names if number % 2 == 0 else reversed(names):
                found[name].append(measure(name, Path(work), given.steps, given.rows))
    middle = {
        name: {key: statistics.median(one[key] for one in runs) for key in runs[0]} for name, runs in found.items()
    }
    print("| variant | loop s | loop CPU s | whole run s | memory MiB | trainable |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, one in middle.items():
        share = f"{100 * one['trainable']:.2f} %" if "trainable" in one else "as lora"
        times = f"{one['loop']:.1f} | {one['cpu']:.1f}"
        print(f"| {name} | {times} | {one['whole']:.1f} | {one['memory']:.0f} | {share} |")
    print("\n| ratio | loop | loop CPU | whole run | memory |\n| --- | --- | --- | --- | --- |")
    for this, other in PAIRS:
        ratios = [
            statistics.median(a[key] / b[key] for a, b in zip(found[this], found[other], strict=True))
            for key in ("loop", "cpu", "whole", "memory")
        ]
        print(f"| {this} / {other} | {' | '.join(f'{ratio:.2f}' for ratio in ratios)} |")


if __name__ == "__main__":
    main()
