"""Does adversarial prompt tuning answer better? Base, untrained, cross-entropy-tuned and adversarially tuned embedding
generator, and LoRA, at equal budgets, with controls and intervals.

    python -m bench.gan_quality --data FOLDER     # FOLDER holds TOFU's retain90.jsonl and forget10.jsonl

A small GPT-2 shape is pre-trained on lines of `retain90`, questions and answers apart, so that it knows the language
and no pair's form; `forget10` is not in it. Tuned on is every other pair of five authors of `forget10` (50), asked
are the pairs between them (`near`: other questions about the same authors, where tuning can teach something: LoRA is
the positive control), the tuned ones (`seen`) and 200 pairs of ten other authors (`far`). Settings are chosen
in the same way on five authors of their own. Every arm sees its 50 pairs for the same number of epochs with the same
number of updates. ROUGE-1 is the F-measure over lower-case words (Lin 2004), answers are greedy.

Everything lies under STORAGE_DIR/gan_quality: stop it at any time, start it again and it goes on.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import statistics
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.small_base import END, pretrain

ENDS = frozenset({END})
WORDS = re.compile(r"\w+")
UPDATES = 5
LONGEST_ANSWER = 80
# Student's t, 97.5 %, by seeds less one.
STUDENT = {1: 12.71, 2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 6: 2.45, 7: 2.36, 8: 2.31, 9: 2.26}


@dataclass(frozen=True)
class Trial:
    """One tuning run. `warm`: share of the epochs that is cross-entropy."""

    arm: str
    rate: float = 0.0
    warm: float = 0.0
    play: dict[str, Any] = field(default_factory=dict)

    def key(self, seed: int) -> str:
        """Name of its result."""
        return json.dumps([asdict(self), seed], sort_keys=True)


CONTROLS = (Trial("base"), Trial("untrained"))
LORA = tuple(Trial("lora", rate) for rate in (1e-3, 3e-3))
SEARCH_SEED = 100
# `start` 0: the generator begins as no change; 1, the published start, alone costs what «untrained» shows.
STILL = {"start": 0.0}
ENTROPY = (
    Trial("cross-entropy", 1e-3, 1.0),
    Trial("cross-entropy", 3e-3, 1.0),
    Trial("cross-entropy", 1e-3, 1.0, STILL),
)
GAN = (
    Trial("gan", 1e-3),
    Trial("gan", 3e-4, play=STILL),
    Trial("gan", 1e-3, play=STILL | {"copies": 4}),
    Trial("gan", 1e-3, play=STILL | {"discriminator_steps": 10}),
    Trial("gan", 3e-4, play=STILL | {"discriminator_steps": 10}),
    Trial("gan", 3e-4, play=STILL | {"discriminator_steps": 10, "copies": 4}),
    Trial("gan", 1e-3, play=STILL | {"discriminator_steps": 10, "noise": 0}),
    Trial("gan", 1e-3, play=STILL | {"discriminator_steps": 10, "reward": "logit"}),
    Trial("gan", 1e-3, play=STILL | {"discriminator_steps": 10, "rollouts_per_token": 1, "rollout_stride": 16}),
)
WARM = (
    Trial("gan, warm", 3e-4, 0.5, STILL),
    Trial("gan, warm", 3e-4, 0.8, STILL),
    Trial("gan, warm", 1e-4, 0.8, STILL | {"discriminator_steps": 10}),
    Trial("gan, warm", 1e-4, 0.8, STILL | {"discriminator_steps": 10, "reward": "logit"}),
)
FAMILIES = (GAN, WARM, ENTROPY, LORA)


def rouge1(said: str, wanted: str) -> float:
    """F-measure of shared words, counted with repetition (Lin 2004, ROUGE-1)."""
    one, two = (Counter(WORDS.findall(text.lower())) for text in (said, wanted))
    shared = sum((one & two).values())
    return 2 * shared / (one.total() + two.total()) if shared else 0.0


def interval(values: Sequence[float]) -> tuple[float, float]:
    """(mean, half the width of the 95 % interval by Student's t); (value, 0) for one value."""
    mean = statistics.fmean(values)
    if len(values) < 2:
        return mean, 0.0
    return mean, STUDENT[len(values) - 1] * statistics.stdev(values) / len(values) ** 0.5


def paired(first: Sequence[float], second: Sequence[float], draws: int = 2000) -> tuple[float, float]:
    """95 % bootstrap interval, over questions, of how much better the first is."""
    gaps = [one - two for one, two in zip(first, second, strict=True)]
    chance = random.Random(0)
    means = sorted(statistics.fmean(chance.choices(gaps, k=len(gaps))) for _ in range(draws))
    return means[int(0.025 * draws)], means[int(0.975 * draws)]


class Field:
    """The base model, its tokenizer and the three sets of pairs."""

    def __init__(self, data: Path, folder: Path, minutes: float) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        self.folder, self.base = folder, folder / "base"
        if not (self.base / "config.json").is_file():
            pretrain(data / "retain90.jsonl", self.base, minutes)
        self.tokenizer: Any = AutoTokenizer.from_pretrained(self.base)
        self._load: Callable[[], Any] = lambda: AutoModelForCausalLM.from_pretrained(
            self.base, attn_implementation="eager"
        )
        pairs = [json.loads(line) for line in (data / "forget10.jsonl").read_text(encoding="utf-8").splitlines()]
        # Twenty pairs an author, in order: the search's authors are none of the test's.
        self.sets = {
            "test": {"seen": pairs[:100:2], "near": pairs[1:100:2], "far": pairs[200:]},
            "choose": {"seen": pairs[100:200:2], "near": pairs[101:200:2]},
        }

    def model(self) -> Any:
        """A fresh copy."""
        return self._load().eval()

    def examples(self, pairs: Sequence[dict[str, str]]) -> list[Any]:
        """Pairs as token ids."""
        from training.gan.language_gan import Example

        found = []
        for pair in pairs:
            prompt = self.tokenizer(f"Question: {pair['question']}\nAnswer:", add_special_tokens=False)["input_ids"]
            answer = self.tokenizer(" " + pair["answer"], add_special_tokens=False)["input_ids"][:LONGEST_ANSWER]
            found.append(Example(tuple(prompt), (*answer, END), len(answer) + 1))
        return found

    def scores(self, pairs: Sequence[dict[str, str]], model: Any, embed: Any = None) -> list[float]:
        """ROUGE-1 of each pair's greedy answer."""
        from training.rollouts import generate

        examples = self.examples(pairs)
        budgets = [LONGEST_ANSWER] * len(examples)
        found = generate(model, [one.prompt for one in examples], budgets, ENDS, embed=embed, temperature=0, batch=50)
        texts = [str(self.tokenizer.decode(one.answer, skip_special_tokens=True)) for one in found]
        return [rouge1(text, pair["answer"]) for text, pair in zip(texts, pairs, strict=True)]


def run(ground: Field, trial: Trial, seed: int, epochs: int, name: str) -> dict[str, list[float]]:
    """Tune on the seen pairs and answer all: scores with the noise at zero, and of the near ones with noise drawn."""
    import torch

    torch.manual_seed(seed)
    sets, model = ground.sets[name], ground.model()
    tune = ground.examples(sets["seen"])
    if trial.arm in ("base", "lora"):
        tuned = model if trial.arm == "base" else tuned_lora(model, tune, trial.rate, epochs, seed)
        return {part: ground.scores(pairs, tuned) for part, pairs in sets.items()}
    gan = tuned_generator(model, tune, trial, seed, epochs)

    def embed(noise: Any) -> Any:
        return gan._embed(noise)

    size = gan.settings.noise
    found = {part: ground.scores(pairs, model, embed(torch.zeros(len(pairs), size))) for part, pairs in sets.items()}
    drawn = torch.randn(len(sets["near"]), size, generator=torch.Generator().manual_seed(seed))
    return found | {"noisy": ground.scores(sets["near"], model, embed(drawn))}


def tuned_generator(model: Any, pairs: Sequence[Any], trial: Trial, seed: int, epochs: int) -> Any:
    """The adversarial (or cross-entropy, or untrained) embedding generator before the frozen model."""
    from models.engines.embedding_generator import EmbeddingGenerator
    from training.gan import Discriminator, LanguageGAN
    from training.gan.recipe import AdversarialSettings

    warm = round(trial.warm * epochs)
    played = 0 if trial.arm == "untrained" else epochs - warm
    keys = {"learning_rate": trial.rate or 1.0, "warm_rate": trial.rate if trial.warm == 1 else 1e-3, **trial.play}
    settings = AdversarialSettings(updates=UPDATES, rows=16, batch=64, warm_epochs=warm, **keys)
    generator = EmbeddingGenerator(model.config.n_embd, settings.noise, settings.start)
    gan = LanguageGAN(model, generator, Discriminator(model.config.n_embd), settings, ENDS, seed)
    gan.train(pairs, played)
    return gan


def tuned_lora(model: Any, pairs: Sequence[Any], rate: float, epochs: int, seed: int) -> Any:
    """PEFT's LoRA, rank 16 on all linear layers: as many epochs and updates, the same loss as the cross-entropy arm."""
    import torch
    from peft import LoraConfig, get_peft_model

    from training.rollouts import Trajectory, score

    layers = ["c_attn", "c_proj", "c_fc"]
    config = LoraConfig(r=16, lora_alpha=32, target_modules=layers, fan_in_fan_out=True, task_type="CAUSAL_LM")
    tuned = get_peft_model(model, config)
    tuned.eval()
    optimizer = torch.optim.Adam([one for one in tuned.parameters() if one.requires_grad], lr=rate)
    chance = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        order = torch.randperm(len(pairs), generator=chance).tolist()
        for number in range(UPDATES):
            part = [pairs[row] for row in order[number::UPDATES]]
            scores = score(tuned, [Trajectory(one.prompt, one.answer, True) for one in part])
            (-scores.logprobs.sum() / scores.mask.sum()).backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(tuned.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
    return tuned


class Book:
    """Results on disk, one line each; what is there is not run again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        self.known: dict[str, dict[str, list[float]]] = {one["key"]: one["scores"] for one in map(json.loads, lines)}

    def get(self, key: str, make: Callable[[], dict[str, list[float]]]) -> dict[str, list[float]]:
        """The result of a key, made if it is not there."""
        if key not in self.known:
            self.known[key] = make()
            with self.path.open("a", encoding="utf-8") as out:
                out.write(json.dumps({"key": key, "scores": self.known[key]}) + "\n")
            means = {name: round(statistics.fmean(one), 4) for name, one in self.known[key].items()}
            print(key, means, file=sys.stderr, flush=True)
        return self.known[key]


PARTS = {"near": "same authors", "noisy": "with noise", "far": "other authors", "seen": "tuned pairs"}


def table(
    trials: Iterable[Trial], seeds: Sequence[int], result: Callable[[Trial, int], dict[str, list[float]]]
) -> list[str]:
    """Markdown: each arm's mean over seeds with its interval, and its gain over the base, by pair, with its own."""
    base = result(CONTROLS[0], 0)
    parts = [part for part in PARTS if part in base or part == "noisy"]
    lines = [
        f"| arm | settings | {' | '.join(PARTS[part] for part in parts)} | gain over the base, same authors |",
        f"| --- | --- |{' --- |' * len(parts)} --- |",
    ]
    for trial in trials:
        found = [result(trial, seed) for seed in (seeds if trial.arm != "base" else (0,))]
        cells = []
        for part in parts:
            values = [statistics.fmean(one[part]) for one in found if part in one]
            mean, half = interval(values) if values else (0.0, 0.0)
            cells.append((f"{mean:.3f}" + (f" ± {half:.3f}" if len(values) > 1 else "")) if values else "")
        by_pair = [statistics.fmean(one) for one in zip(*(one["near"] for one in found), strict=True)]
        low, high = paired(by_pair, base["near"])
        settings = " ".join(
            [f"rate {trial.rate:g}" if trial.rate else "", *(f"{k} {v}" for k, v in trial.play.items())]
        )
        settings += f" warm {trial.warm:g}" if 0 < trial.warm < 1 else ""
        gain = "" if trial.arm == "base" else f"{low:+.3f} … {high:+.3f}"
        lines.append(f"| {trial.arm} | {settings.strip()} | {' | '.join(cells)} | {gain} |")
    return lines


def main() -> None:
    """Search on one set, test on another, print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with retain90.jsonl and forget10.jsonl")
    parser.add_argument("--minutes", type=float, default=3.0, help="CPU time of the base's pre-training")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=5, choices=range(2, 11), metavar="2-10")
    options = parser.parse_args()
    import torch

    from storage.settings import StorageSettings

    torch.set_num_threads(1)
    folder = StorageSettings().dir / "gan_quality" / f"{options.minutes:g}m"
    folder.mkdir(parents=True, exist_ok=True)
    ground = Field(options.data, folder, options.minutes)
    book = Book(folder / "near.jsonl")

    def results(name: str) -> Callable[[Trial, int], dict[str, list[float]]]:
        return lambda trial, seed: book.get(
            f"{name} {options.epochs} {trial.key(seed)}", lambda: run(ground, trial, seed, options.epochs, name)
        )

    choose, test = results("choose"), results("test")
    every = [trial for family in FAMILIES for trial in family]
    for trial in every:
        choose(trial, SEARCH_SEED)
    best = [max(family, key=lambda one: statistics.fmean(choose(one, SEARCH_SEED)["near"])) for family in FAMILIES]
    tested = [*CONTROLS, *best, *(replace(one, play=one.play | {"redraw": 4}) for one in best[:1])]
    print(f"### Search: five authors of its own, one seed, {options.epochs} epochs\n")
    print("\n".join(table([CONTROLS[0], *every], (SEARCH_SEED,), choose)))
    print(f"\n### Test: {options.seeds} seeds, {options.epochs} epochs\n")
    print("\n".join(table(tested, range(options.seeds), test)))


if __name__ == "__main__":
    main()
