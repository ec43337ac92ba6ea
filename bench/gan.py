"""Adversarial prompt tuning against LoRA: time and memory of an epoch, the printed algorithm included.

    python -m bench.gan --shape tiny                    # a check in a minute
    python -m bench.gan                                 # GPT-2 small, the figures of docs/measurements.md

Random weights of GPT-2's shape, so no download; 50 question/answer pairs of the lengths that TOFU's first 50 have
(about 16 and 30 tokens), and the published fixed 100 and 50. Every contender runs in a process of its own on one
thread. Time is that process's CPU time for an epoch (50 pairs once), the median of those after the first, so that
neighbours on the machine count little. Memory is the peak of resident memory while tuning less what the process held
before the model was made: weights included. The listing is timed on `--pairs` of the 50 pairs and scaled.

LoRA is PEFT's, rank 8 on GPT-2's `c_attn`. `lora`: as published, one pair a step, the model's own loss. `lora-10`: ten
pairs a step, logits of answer tokens only, and the base made as cheap to pass as ours: no trick is kept from it.
`gan-5x4`: five updates an epoch, and four epochs learn from the same drawn answers, weighted by PPO's clipped ratio;
the time is that of one of the four.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

PROMPTS = (
    "25 15 17 19 18 16 15 17 15 16 17 16 15 23 11 17 17 12 13 16 13 10 15 12 15 "
    "15 18 20 18 20 19 20 20 20 23 11 13 15 12 13 26 16 16 15 17 11 16 12 12 18"
)
ANSWERS = (
    "32 21 45 45 47 52 52 47 45 53 39 42 33 33 34 47 25 34 35 52 13 10 21 13 19 "
    "35 26 32 22 24 33 33 34 30 27 30 33 26 24 31 13 15 15 21 17 11 15 13 9 19"
)
SHAPES: dict[str, dict[str, Any]] = {
    "tiny": {"n_embd": 64, "n_layer": 2, "n_head": 4, "vocab_size": 2000},
    "small": {"n_embd": 768, "n_layer": 12, "n_head": 12, "vocab_size": 50257},
}
END = 1
# gan-U: U generator updates an epoch; gan-UxR: answers drawn anew every R epochs only.
CONTENDERS = ("lora", "lora-10", "gan-1", "gan-5", "gan-1x4", "gan-5x4", "listing-frozen", "listing")


def lengths(kind: str) -> list[tuple[int, int]]:
    """(prompt, answer) tokens of the 50 pairs."""
    if kind == "published":
        return [(100, 50)] * 50
    return list(zip(map(int, PROMPTS.split()), map(int, ANSWERS.split()), strict=True))


def make_model(shape: str, precision: str) -> Any:
    """A random GPT-2 made in its own precision, so that no larger copy of it is ever held."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16 if precision == "bfloat16" else torch.float32)
    config = GPT2Config(**SHAPES[shape], n_positions=1024, bos_token_id=None, eos_token_id=None)
    model: Any = GPT2LMHeadModel(config)
    torch.set_default_dtype(torch.float32)
    model.config.use_cache = False
    return model.eval()


def examples(kind: str, vocabulary: int) -> list[Any]:
    """The pairs as random token ids."""
    from training.gan.language_gan import Example

    chance = random.Random(0)

    def ids(count: int) -> tuple[int, ...]:
        return tuple(chance.randrange(2, vocabulary) for _ in range(count))

    return [Example(ids(prompt), (*ids(answer - 1), END), answer) for prompt, answer in lengths(kind)]


def lean(model: Any) -> None:
    """What our method does to its base."""
    from training.gan.frozen import attention_for, fuse_activations

    fuse_activations(model)
    model.set_attn_implementation(attention_for(model.device))


def lora(model: Any, pairs: Sequence[Any], rows: int) -> Callable[[], None]:
    """An epoch of LoRA, `rows` pairs a step."""
    import torch
    from peft import LoraConfig, get_peft_model

    from training.rollouts import Trajectory, score

    config = LoraConfig(r=8, lora_alpha=16, target_modules=["c_attn"], fan_in_fan_out=True, task_type="CAUSAL_LM")
    tuned = get_peft_model(model, config, autocast_adapter_dtype=False).train()
    optimizer = torch.optim.AdamW([one for one in tuned.parameters() if one.requires_grad], lr=2e-4)

    if rows > 1:
        lean(model)

    def published(part: Sequence[Any]) -> Any:
        ids = torch.tensor([part[0].prompt + part[0].answer])
        labels = ids.clone()
        labels[:, : len(part[0].prompt)] = -100
        return tuned(input_ids=ids, labels=labels).loss

    def answers_only(part: Sequence[Any]) -> Any:
        scores = score(tuned, [Trajectory(one.prompt, one.answer, True) for one in part])
        return -scores.logprobs.sum() / scores.mask.sum()

    def epoch() -> None:
        # Of like length side by side, as the rollouts have it: little of a batch is padding.
        ordered = sorted(pairs, key=lambda one: len(one.prompt) + len(one.answer)) if rows > 1 else pairs
        for start in range(0, len(ordered), rows):
            part = ordered[start : start + rows]
            (published(part) if rows == 1 else answers_only(part)).backward()
            optimizer.step()
            optimizer.zero_grad()

    return epoch


def gan(model: Any, pairs: Sequence[Any], name: str, rows: int, batch: int) -> tuple[Callable[[], None], int]:
    """An epoch of ours and how many of them go together: rollouts, two discriminator updates, generator updates."""
    from models.engines.embedding_generator import EmbeddingGenerator
    from training.gan import Discriminator, LanguageGAN
    from training.gan.recipe import AdversarialSettings

    lean(model)
    size = model.config.n_embd
    updates, _, redraw = name.removeprefix("gan-").partition("x")
    settings = AdversarialSettings(
        updates=int(updates), redraw=int(redraw or 1), rows=rows, batch=batch, discriminator_warm_steps=0
    )
    player = LanguageGAN(model, EmbeddingGenerator(size), Discriminator(size), settings, frozenset({END}))
    count = iter(range(1_000_000))

    def epoch() -> None:
        number = next(count)
        player.train(pairs, number + 1, begin=number)

    return epoch, settings.redraw


def listing(model: Any, pairs: Sequence[Any], inputs: int, outputs: int, frozen: bool) -> Callable[[], None]:
    """An epoch as printed, over these pairs."""
    from training.gan.listing import ListingGAN

    player = ListingGAN(model, frozenset({END}), 0, inputs, outputs, frozen=frozen)
    return lambda: player.train(pairs, 1, lambda epoch, figures: None)


def contender(options: argparse.Namespace) -> dict[str, float]:
    """Run one contender in this process."""
    import psutil
    import torch
    import transformers  # noqa: F401

    from training import gan as _gan  # noqa: F401

    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    process = psutil.Process()
    __import__("peft")
    before = process.memory_info().rss
    model = make_model(options.shape, options.precision)
    pairs = examples(options.lengths, model.config.vocab_size)
    scale, together = 1.0, 1
    if options.one.startswith("lora"):
        epoch = lora(model, pairs, 1 if options.one == "lora" else 10)
    elif options.one.startswith("gan"):
        epoch, together = gan(model, pairs, options.one, options.rows, options.batch)
    else:
        scale = len(pairs) / options.pairs
        inputs, outputs = lengths("published")[0] if options.lengths == "published" else (26, 53)
        epoch = listing(model, pairs[: options.pairs], inputs, outputs, options.one.endswith("frozen"))
    loaded = process.memory_info().rss
    seconds = []
    forget_peak()
    for _ in range(options.epochs + 1 if scale == 1 else 1):
        begun = time.process_time()
        for _ in range(together):
            epoch()
        seconds.append((time.process_time() - begun) * scale / together)
    return {
        "seconds": statistics.median(seconds[1:] or seconds),
        "memory": (peak() - before) / 1e6,
        "working": (peak() - loaded) / 1e6,
    }


def forget_peak() -> None:
    """Let the kernel count the peak of resident memory anew (Linux)."""
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def peak() -> int:
    """Peak of resident memory in bytes."""
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def measure(options: argparse.Namespace, name: str, kind: str) -> dict[str, float]:
    """One contender in a fresh process."""
    command = [sys.executable, "-m", "bench.gan", "--one", name, "--lengths", kind, "--shape", options.shape]
    for key in ("precision", "epochs", "pairs", "rows", "batch"):
        command += [f"--{key}", str(getattr(options, key))]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "268435456"}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def table(options: argparse.Namespace, kind: str, names: Sequence[str]) -> list[str]:
    """Markdown of all contenders at these lengths: medians of the rounds."""
    rounds: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for number in range(options.repeats):
        for name in names:
            if number == 0 or not name.startswith("listing"):
                rounds[name].append(measure(options, name, kind))
                print(f"{kind} {name} {rounds[name][-1]}", file=sys.stderr, flush=True)
    found = {
        name: {key: statistics.median(one[key] for one in done) for key in done[0]} for name, done in rounds.items()
    }
    lines = [
        f"### {kind} lengths, {options.shape} GPT-2, {options.precision}",
        "",
        "| | updates an epoch | s an epoch | memory, MB | of that, working | time to lora | memory to lora "
        "| time to lora-10 | memory to lora-10 |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    updates = {"lora": "50", "lora-10": "5"} | {name: name[4] for name in names if name.startswith("gan")}
    for name, one in found.items():
        ratios = [
            f"{one[key] / found[other][key]:.2f}" for other in ("lora", "lora-10") for key in ("seconds", "memory")
        ]
        lines.append(
            f"| {name} | {updates.get(name, '50')} | {one['seconds']:.2f} | {one['memory']:.0f} | {one['working']:.0f} "
            f"| {' | '.join(ratios)} |"
        )
    return [*lines, ""]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=sorted(SHAPES), default="small")
    parser.add_argument("--precision", choices=("bfloat16", "float32"), default="bfloat16")
    parser.add_argument("--lengths", choices=("real", "published", "both"), default="both")
    parser.add_argument("--epochs", type=int, default=2, help="timed epochs after a first one")
    parser.add_argument("--repeats", type=int, default=3, help="rounds over all contenders; the listing runs once")
    parser.add_argument("--pairs", type=int, default=1, help="pairs that the listing is timed on")
    parser.add_argument("--rows", type=int, default=5, help="answers in one scoring pass")
    parser.add_argument("--batch", type=int, default=50, help="answers generated at once")
    parser.add_argument("--contenders", nargs="+", choices=CONTENDERS, default=CONTENDERS)
    parser.add_argument("--one", choices=CONTENDERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        print(json.dumps(contender(options)))
        return
    names = list(dict.fromkeys(["lora", "lora-10", *options.contenders]))
    for kind in ("real", "published") if options.lengths == "both" else (options.lengths,):
        print("\n".join(table(options, kind, names)))


if __name__ == "__main__":
    main()
