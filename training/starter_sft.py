"""Supervised tuning of the bundled starter, sized for a CPU: all weights or a LoRA adapter, loss on answers only.

Prompts come from the renderer that serves. Knows the seed corpus and public dialogues; nothing of ratings.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from storage.presets import Presets
from training import recipes
from training.data import conversations, corpus, posts, seed_corpus, seed_open, sources
from training.data.conversations import Example
from training.runs import Run, hash_folder, progress, whole
from training.stopping import Interrupted, asked_to_stop
from training.weights import Originals

IGNORED = -100
# Rows of so many steps are drawn together and cut by length, so that little of a batch is padding.
POOL = 8
SHARES = ("seed", "seed_plain", "seed_swapped", "seed_narrow", *seed_open.SHARES, "public", "public_emotion")
Row = tuple[list[int], int]  # token ids, and where the answer begins


class Lora(BaseModel):
    """The adapter."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rank: int = Field(default=32, ge=1)
    alpha: int = Field(default=64, ge=1)
    dropout: float = Field(default=0.05, ge=0, lt=1)


class StarterRecipe(recipes.Recipe):
    """Keys of `recipes/starter_*.yaml`."""

    base: Path = Field(description="Folder of the model to tune.")
    data: Path | None = Field(default=None, description="The public data folder; needed by the `public` shares.")
    classifier: Path | None = Field(default=None, description="Labels public turns; needed by `public_emotion`.")
    lora: Lora | None = Field(default=None, description="Unset: all weights are tuned.")
    shares: dict[str, float] = Field(description=f"Of rows: {', '.join(SHARES)}.")
    public_sources: tuple[str, ...] = ("anekdots", "films", "drama", "prose_dialogues")
    public_rows: int = Field(default=60000, ge=1)
    longest: int = Field(default=160, ge=16, description="Tokens of prompt and answer; longer rows are left out.")
    rows: int = Field(default=32, ge=1)
    minutes: float | None = Field(default=None, gt=0)
    steps: int | None = Field(default=None, ge=1)
    learning_rate: float = Field(default=3e-4, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    warmup: float = Field(default=0.05, ge=0, lt=1)

    @model_validator(mode="after")
    def _complete(self) -> StarterRecipe:
        if (self.minutes is None) == (self.steps is None):
            raise ValueError("give either `minutes` or `steps`")
        unknown = set(self.shares) - set(SHARES)
        if unknown or not self.shares:
            raise ValueError(f"shares: unknown or empty: {', '.join(sorted(unknown))}")
        if any(name.startswith("public") for name in self.shares) and self.data is None:
            raise ValueError("shares of public turns need `data`")
        if "public_emotion" in self.shares and self.classifier is None:
            raise ValueError("the share public_emotion needs `classifier`")
        return self


def main(recipe: StarterRecipe, storage: Path, presets: Presets, resume: bool = False) -> Path:
    """Tune, and return the folder of the adapter or the tuned model."""
    from transformers import AutoTokenizer

    if not (recipe.base / "config.json").is_file():
        raise recipes.RecipeError(f"base: {recipe.base} holds no model (no config.json)")
    run = Run(storage, "starter", recipe, resume)
    tokenizer = AutoTokenizer.from_pretrained(recipe.base)
    train, held = seed_corpus.split(seed_corpus.load())
    groups = gather(recipe, train, presets)
    encoded = {name: encode(tokenizer, rows, presets, recipe) for name, rows in groups.items()}
    test = encode(tokenizer, conversations.from_seed(held, presets), presets, recipe)
    _manifest(run, recipe, encoded, len(test))
    tuner = Tuner(recipe, encoded)
    if resume and (saved := run.load_checkpoint()):
        tuner.restore(*saved)
    before = tuner.perplexity(test)
    tuner.fit(run)
    after = tuner.perplexity(test)
    folder = recipe.output or run.folder / ("adapter" if recipe.lora else "base")
    with whole(folder) as fresh:
        tuner.export(fresh, tokenizer)
    run.measure(step=tuner.step, held_out_perplexity=round(after, 3))
    run.report(
        [
            f"- base: {hash_folder(recipe.base)}",
            f"- rows: { {name: len(rows) for name, rows in encoded.items()} }",
            f"- steps: {tuner.step}",
            f"- perplexity on {len(test)} held-out seed replies: {before:.2f} before, {after:.2f} after",
            f"- SHA-256: {hash_folder(folder)}",
        ]
    )
    return folder


def gather(recipe: StarterRecipe, train: Sequence[seed_corpus.SeedRow], presets: Presets) -> dict[str, list[Example]]:
    """The groups of examples that `shares` speaks of."""
    rows = list(seed_corpus.reworded(train))
    seed = conversations.from_seed(rows, presets)
    groups: dict[str, list[Example]] = {"seed": seed, "seed_plain": conversations.plain(seed, presets)}
    if recipe.shares.get(corpus.SEED_SWAPPED, 0) > 0:
        swapped = corpus.about_other_things(rows, recipe.data, times=1, seed=recipe.seed)
        groups[corpus.SEED_SWAPPED] = conversations.from_seed(swapped, presets)
    if recipe.shares.get(corpus.SEED_NARROW, 0) > 0:
        own = list(seed_corpus.reworded(seed_corpus.narrow(train)))
        groups[corpus.SEED_NARROW] = conversations.from_seed(own, presets)
    for name in seed_open.SHARES:
        if recipe.shares.get(name, 0) > 0:
            groups[name] = corpus.examples(name, None, presets)
    if recipe.data is not None and any(name.startswith("public") for name in recipe.shares):
        turns = list(conversations.public(recipe.data, recipe.public_sources))
        random.Random(recipe.seed).shuffle(turns)
        groups["public"] = turns[: recipe.public_rows]
        if recipe.classifier is not None and "public_emotion" in recipe.shares:
            # Short answers say too little to carry an emotion.
            candidates = [one for one in turns if len(one.reply) >= 15][: 2 * recipe.public_rows]
            found = conversations.classify(recipe.classifier, [one.reply for one in candidates])
            groups["public_emotion"] = conversations.with_emotion(candidates, found, presets)
    return {name: rows for name, rows in groups.items() if recipe.shares.get(name, 0) > 0}


def encode(tokenizer: Any, examples: Sequence[Example], presets: Presets, recipe: StarterRecipe) -> list[Row]:
    """Token ids of every example that is not too long."""
    chooser = random.Random(recipe.seed)
    pairs = [conversations.render_example(tokenizer, conversations.retype(one, chooser), presets) for one in examples]
    prompts = tokenizer([prompt for prompt, _ in pairs], add_special_tokens=False)["input_ids"] if pairs else []
    answers = tokenizer([answer for _, answer in pairs], add_special_tokens=False)["input_ids"] if pairs else []
    joined = [(one + two, len(one)) for one, two in zip(prompts, answers, strict=True)]
    return [row for row in joined if len(row[0]) <= recipe.longest]


def draw(
    groups: Mapping[str, Sequence[Row]], shares: Mapping[str, float], step: int, rows: int, seed: int
) -> list[Row]:
    """The rows of one step: a pure function of seed and step, mixed by share, of like length."""
    pool, place = divmod(step, POOL)
    chooser = random.Random(f"{seed}:{pool}")
    names = [name for name in groups if groups[name]]
    chosen = chooser.choices(names, weights=[shares[name] for name in names], k=rows * POOL)
    drawn = sorted((chooser.choice(groups[name]) for name in chosen), key=lambda row: len(row[0]))
    order = list(range(POOL))
    chooser.shuffle(order)
    return drawn[order[place] * rows : (order[place] + 1) * rows]


class Tuner:
    """Network, optimizer and position of one tuning run."""

    def __init__(self, recipe: StarterRecipe, groups: Mapping[str, Sequence[Row]]) -> None:
        import torch
        from transformers import AutoModelForCausalLM

        torch.manual_seed(recipe.seed)
        torch.set_num_threads(recipe.threads or 1)
        self.recipe, self.groups = recipe, groups
        # Eager attention: with rows this short its backward is far faster on CPU than the fused one.
        self.model: Any = AutoModelForCausalLM.from_pretrained(
            recipe.base, dtype=torch.bfloat16, attn_implementation="eager"
        )
        if recipe.lora is not None:
            self.model = _with_adapter(self.model, recipe.lora)
        self.pad = self.model.config.pad_token_id or 0
        named = [(name, weight) for name, weight in self.model.named_parameters() if weight.requires_grad]
        self.weights = Originals(named)
        self.optimizer = torch.optim.AdamW(
            self.weights.originals,
            lr=recipe.learning_rate,
            weight_decay=recipe.weight_decay,
            betas=(0.9, 0.98),
            fused=True,
        )
        self.step, self.spent = 0, 0.0

    def done(self) -> float:
        """Share of the schedule that has passed."""
        if self.recipe.steps is not None:
            return min(1.0, self.step / self.recipe.steps)
        return min(1.0, self.spent / 60 / (self.recipe.minutes or 1))

    def fit(self, run: Run) -> None:
        """Step until the schedule ends."""
        saved = self.spent
        with progress("starter", 1.0) as shown, asked_to_stop() as stopping:
            while self.done() < 1.0:
                begun = time.monotonic()
                loss = self.advance()
                self.spent += time.monotonic() - begun
                if self.step % 10 == 0 or self.done() >= 1.0:
                    run.measure(step=self.step, loss=round(loss, 4), done=round(self.done(), 4))
                    shown(self.done(), f"loss {loss:.3f}")
                if self.spent - saved > 180:
                    run.save_checkpoint(*self.state())
                    saved = self.spent
                if stopping() and self.done() < 1.0:
                    run.save_checkpoint(*self.state())
                    raise Interrupted(f"stopped at step {self.step}: continue with --resume")
        run.save_checkpoint(*self.state())

    def advance(self) -> float:
        """One optimizer step; returns its loss a token of answer."""
        done = self.done()
        warm = min(1.0, done / self.recipe.warmup) if self.recipe.warmup else 1.0
        rate = self.recipe.learning_rate * max(warm, 0.01) * (0.5 + 0.5 * math.cos(math.pi * done))
        self.model.train()
        batch = draw(self.groups, self.recipe.shares, self.step, self.recipe.rows, self.recipe.seed)
        total, count = self._loss(batch)
        loss = total / count
        loss.backward()
        self.weights.step([self.optimizer], rate)
        self.step += 1
        return float(loss.detach())

    def perplexity(self, rows: Sequence[Row], batch: int = 64) -> float:
        """Of answers, by token."""
        import torch

        self.model.eval()
        total = count = 0.0
        ordered = sorted(rows, key=lambda row: len(row[0]))
        with torch.no_grad():
            for start in range(0, len(ordered), batch):
                loss, tokens = self._loss(ordered[start : start + batch])
                total, count = total + float(loss), count + tokens
        return math.exp(total / count) if count else float("nan")

    def _loss(self, rows: Sequence[Row]) -> tuple[Any, int]:
        """Summed negative log-likelihood of the answers' tokens, and how many there are."""
        import torch

        width = max(len(ids) for ids, _ in rows)
        batch = torch.tensor([ids + [self.pad] * (width - len(ids)) for ids, _ in rows])
        wanted = torch.tensor(
            [[IGNORED] * begin + ids[begin:] + [IGNORED] * (width - len(ids)) for ids, begin in rows]
        )[:, 1:]
        # Padding stands right of everything that is read, so causal attention needs no mask.
        inner = self.model.get_base_model() if self.recipe.lora else self.model
        hidden = inner.model(input_ids=batch, use_cache=False).last_hidden_state[:, :-1]
        asked = wanted != IGNORED
        logits = inner.lm_head(hidden[asked])
        return torch.nn.functional.cross_entropy(logits.float(), wanted[asked], reduction="sum"), int(asked.sum())

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """`(tensors, state)` that `restore` continues from."""
        return self.weights.state([self.optimizer]), {"step": self.step, "spent": self.spent}

    def restore(self, tensors: Mapping[str, Any], state: Mapping[str, Any]) -> None:
        """Continue from a checkpoint."""
        self.weights.restore([self.optimizer], tensors)
        self.step, self.spent = int(state["step"]), float(state["spent"])

    def export(self, folder: Path, tokenizer: Any) -> None:
        """Write the adapter, or the whole model with its tokenizer, as safetensors."""
        self.model.save_pretrained(folder, **({} if self.recipe.lora else {"max_shard_size": "18MB"}))
        (folder / "README.md").unlink(missing_ok=True)  # PEFT's empty card
        if self.recipe.lora is None:
            tokenizer.save_pretrained(folder)


def _with_adapter(model: Any, lora: Lora) -> Any:
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, config, autocast_adapter_dtype=False)


def _manifest(run: Run, recipe: StarterRecipe, groups: Mapping[str, Sequence[Row]], held: int) -> None:
    hashes = {"seed": hash_folder(seed_corpus.FOLDER, "*.txt"), "base": hash_folder(recipe.base)}
    if recipe.data is not None and any(name.startswith("public") for name in groups):
        hashes |= {name: sources.sha256(recipe.data / sources.FILES[name]) for name in recipe.public_sources}
    if set(seed_open.SHARES) & set(groups):
        hashes[corpus.SEED_OPEN] = hash_folder(seed_open.FOLDER, "*.txt")
    if corpus.SEED_KINDS in groups:
        hashes["posts"] = hash_folder(posts.FOLDER, "*.tsv")
    if corpus.SEED_SWAPPED in groups and recipe.data is not None:
        hashes |= {name: sources.sha256(recipe.data / sources.FILES[name]) for name in corpus.files(groups)}
    if recipe.classifier is not None:
        hashes["classifier"] = hash_folder(recipe.classifier)
    run.manifest(
        {
            "sha256": hashes,
            "rows": {name: len(rows) for name, rows in groups.items()},
            "held_out": held,
        }
    )
