"""`otklik train gan`: from a recipe to an adapter of kind `gan` that the worker serves. Knows files and runs."""

from __future__ import annotations

import math
import os
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.engines.embedding_generator import EmbeddingGenerator, GeneratorConfig, base_mark, save_generator
from models.engines.loading import name_of
from models.engines.prompts import end_tokens
from storage.presets import Presets
from training import bases
from training.data.build import prepared
from training.data.rows import Answer
from training.gan.discriminator import Discriminator
from training.gan.frozen import attention_for
from training.gan.language_gan import Example, LanguageGAN
from training.gan.listing import ListingGAN
from training.gan.recipe import GanRecipe
from training.gan.weight_change import WeightChange, plot, weights_hash
from training.memory import MemoryWatch
from training.recipes import RecipeError
from training.rollouts import Trajectory, score
from training.runs import Run, hash_folder, progress, whole
from training.stopping import Interrupted, asked_to_stop
from training.tokens import answer_ids, prompt_ids

NO_MIDDLE = "mode listing keeps no state to resume from, as printed; start it anew with --set name=OTHER"


def main(recipe: GanRecipe, storage: Path, presets: Presets, resume: bool = False) -> Path:
    """Tune, and return the adapter's folder."""
    if resume and recipe.mode == "listing":
        raise RecipeError(NO_MIDDLE)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise RecipeError("gan runs in one process: start it without `accelerate launch`")
    run = Run(storage, "gan", recipe, resume)
    torch.manual_seed(recipe.seed)
    if recipe.threads:
        torch.set_num_threads(recipe.threads)
    tokenizer = bases.load_tokenizer(recipe.base, recipe.revision)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    attention = recipe.attention or attention_for(device)
    model = bases.load_model(recipe.base, revision=recipe.revision, precision=recipe.precision, attention=attention).to(
        device
    )
    data = prepared(recipe.data, storage, presets, recipe.seed)
    longest = bases.room(recipe.base, recipe.revision, recipe.longest)
    recipe = recipe.model_copy(update={"longest": longest})
    counts: Counter[str] = Counter()
    examples = encoded(tokenizer, data.train(Answer), presets, recipe, counts)
    held = encoded(tokenizer, data.held_out(Answer), presets, recipe, Counter())[: recipe.measure_rows]
    if not examples:
        raise RecipeError(f"data: no row fits into longest={recipe.longest} tokens")
    _manifest(run, recipe, data.manifest, counts)
    ends = end_tokens(tokenizer, model.generation_config)
    kind = _Listing if recipe.mode == "listing" else _Right
    return kind(recipe, run, model, ends, int(tokenizer.pad_token_id)).run_all(examples, held, resume)


def encoded(
    tokenizer: Any, rows: Iterable[Answer], presets: Presets, recipe: GanRecipe, counts: Counter[str]
) -> list[Example]:
    """Rows as token ids; those that are too long are left out and counted."""
    found = []
    for row in rows:
        prompt = prompt_ids(tokenizer, row, row.prompt, presets)
        answer = answer_ids(tokenizer, row.answer)
        budget = recipe.answer_tokens or len(answer)
        fits = len(prompt) + max(len(answer), budget) <= recipe.longest
        counts["kept" if fits else "too_long"] += 1
        if fits:
            found.append(Example(tuple(prompt), tuple(answer), budget))
    return found


def adapter_id(folder: Path) -> str:
    """The name of a finished adapter: what it is, and the hash of its files."""
    return f"gan-{hash_folder(folder)[:12]}"


class _Fitting(ABC):
    """One run of either mode: what both do around their epochs."""

    gan: Any
    generator: EmbeddingGenerator
    discriminator: Any

    def __init__(self, recipe: GanRecipe, run: Run, model: Any) -> None:
        self.recipe, self.run, self.model = recipe, run, model
        self.base_before = weights_hash(model)
        self.done = self.kept = 0
        self._latest: tuple[dict[str, Tensor], dict[str, Any]] | None = None

    @abstractmethod
    def _tune(self, examples: Sequence[Example], after: Any) -> None:
        """Teach the generator; `after` is called with every epoch."""

    def _restartable(self) -> bool:
        return True

    @abstractmethod
    def _state(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """What `_restore` goes on from; None where nothing is kept."""

    def _restore(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Go on from what `_state` gave."""
        raise RuntimeError(f"{type(self).__name__} keeps no checkpoints to go on from")

    def run_all(self, examples: Sequence[Example], held: Sequence[Example], resume: bool) -> Path:
        """Tune from the start or the newest checkpoint, save, report."""
        total = self.recipe.epochs + self.recipe.play.warm_epochs * (self.recipe.mode == "right")
        parts = {"base": self.model, "generator": self.generator, "discriminator": self.discriminator}
        change = WeightChange(parts, sampled=("base",))
        before = self.perplexity(held, untouched=True)
        if resume and (saved := self.run.load_checkpoint()):
            self._restore(*saved)
            self.kept = self.done
        # An epoch that was measured after the newest checkpoint comes again, with the same figures.
        known = {line["step"] for line in self.run.metrics()}

        with (
            MemoryWatch(self.run.parts, resume) as memory,
            progress("gan", total) as shown,
            asked_to_stop() as stopping,
        ):
            self.gan.between = lambda: self._stop(total) if stopping() else None

            def after(epoch: int, figures: dict[str, float]) -> None:
                self.done = epoch + 1
                moved = {f"change_{name}": round(value, 6) for name, value in change.now().items()}
                if self.done not in known:
                    self.run.measure(step=self.done, **{k: round(v, 5) for k, v in figures.items()}, **moved)
                shown(self.done, " ".join(f"{name} {value:.3f}" for name, value in figures.items() if "loss" in name))
                if self.done == total or self._restartable():
                    self._keep(self.done == total or self.done % self.recipe.save_epochs == 0)

            self._tune(examples, after)
        return self._conclude(len(examples), before, self.perplexity(held), memory)

    def _keep(self, on_disk: bool) -> None:
        """Remember the present epoch's end: as a checkpoint, or for one that a signal asks for."""
        if (state := self._state()) is None:
            return
        self.kept = self.done
        if on_disk:
            self.run.save_checkpoint(*state)
            self._latest = None
        else:
            # Off the GPU, whose memory is measured.
            self._latest = {name: one.detach().cpu().clone() for name, one in state[0].items()}, state[1]

    def _stop(self, total: int) -> None:
        """Interrupted, after the epochs that are whole were saved: the one under way is done again."""
        if self._latest:
            self.run.save_checkpoint(*self._latest)
        if self.recipe.mode == "listing":
            raise Interrupted(f"stopped in epoch {self.done + 1} of {total}: {NO_MIDDLE}")
        raise Interrupted(f"stopped in epoch {self.done + 1} of {total}, {self.kept} are kept: continue with --resume")

    @torch.no_grad()
    def perplexity(self, examples: Sequence[Example], untouched: bool = False) -> float:
        """Of real answers, by token, with the noise at zero; `untouched`: of the base without the generator."""
        if not examples:
            return float("nan")
        total = count = 0.0
        embedding = self.model.get_input_embeddings()

        def embed(tokens: Tensor, rows: Tensor) -> Tensor:
            noise = torch.zeros(*tokens.shape, self.generator.noise, device=tokens.device)
            return self.generator(embedding(tokens), noise)  # type: ignore[no-any-return]

        for start in range(0, len(examples), self.recipe.play.rows):
            real = [Trajectory(one.prompt, one.answer, True) for one in examples[start : start + self.recipe.play.rows]]
            scores = score(self.model, real, embed=None if untouched else embed)
            total, count = total - float(scores.logprobs.sum()), count + int(scores.mask.sum())
        return float(torch.tensor(total / count).exp())

    def _conclude(self, examples: int, before: float, after: float, memory: MemoryWatch) -> Path:
        recipe, run = self.recipe, self.run
        unchanged = weights_hash(self.model) == self.base_before
        folder = recipe.output or run.folder / "adapter"
        config = GeneratorConfig(
            size=self.generator.size,
            noise=self.generator.noise,
            base=name_of(recipe.base, bases.commit(recipe.base, recipe.revision) or recipe.revision),
            base_mark=base_mark(self.model),
            sampled_noise=recipe.sampled_noise,
        )
        with whole(folder) as fresh:
            save_generator(fresh, self.generator, config)
        trained = sum(weight.numel() for weight in self.generator.parameters())
        judge = sum(weight.numel() for weight in self.discriminator.parameters())
        run.measure(
            step=self.done, held_out_perplexity=round(after, 3), train_seconds=round(memory.seconds, 2), **memory.peak()
        )
        run.timeline(memory.timeline)
        plot(run.metrics(), run.folder / "weight_change.png")
        run.report(
            [
                f"- adapter: {adapter_id(folder)}, noise {'drawn' if recipe.sampled_noise else 'off'} when served",
                f"- rows: {examples}; epochs: {self.done}; mode: {recipe.mode}",
                f"- weights: {trained:,} in the generator, {judge:,} in the discriminator",
                f"- base model: {'unchanged' if unchanged else 'CHANGED'} (SHA-256 {self.base_before})",
                f"- perplexity on held-out answers: {_told(before, after)}",
                f"- time: {memory.seconds:.1f} s{memory.told()}",
                f"- memory: {', '.join(f'{name} {value:,.0f} MiB' for name, value in memory.peak().items())}",
                f"- SHA-256: {hash_folder(folder)}",
                "",
                "![weight change](weight_change.png)",
            ]
        )
        return folder


class _Right(_Fitting):
    def __init__(self, recipe: GanRecipe, run: Run, model: Any, ends: frozenset[int], pad: int) -> None:
        super().__init__(recipe, run, model)
        size = int(model.get_input_embeddings().weight.shape[1])
        self.generator = EmbeddingGenerator(size, recipe.play.noise, recipe.play.start)
        self.discriminator = Discriminator(size)
        self.gan = LanguageGAN(model, self.generator, self.discriminator, recipe.play, ends, recipe.seed)
        self.optimizers = {"generator": self.gan.optimizer, "discriminator": self.gan.judge_optimizer}

    def _tune(self, examples: Sequence[Example], after: Any) -> None:
        self.gan.train(examples, self.recipe.epochs, begin=self.done, after=after)

    def _restartable(self) -> bool:
        return bool(self.gan.draws_anew(self.done))

    def _state(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        tensors: dict[str, Tensor] = {}
        for name, module in (("generator", self.generator), ("discriminator", self.discriminator)):
            tensors |= {f"{name}.{key}": weight for key, weight in module.state_dict().items()}
            for index, moments in self.optimizers[name].state_dict()["state"].items():
                tensors |= {f"{name}_moments.{index}.{key}": value for key, value in moments.items()}
        return tensors, {"epochs": self.done}

    def _restore(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        for name, module in (("generator", self.generator), ("discriminator", self.discriminator)):
            module.load_state_dict({key: tensors[f"{name}.{key}"] for key in module.state_dict()})
            moments: dict[int, dict[str, Tensor]] = {}
            for key, value in tensors.items():
                if key.startswith(f"{name}_moments."):
                    _, index, moment = key.split(".", 2)
                    moments.setdefault(int(index), {})[moment] = value
            optimizer = self.optimizers[name]
            optimizer.load_state_dict({**optimizer.state_dict(), "state": moments})
        self.done = int(state["epochs"])


class _Listing(_Fitting):
    def __init__(self, recipe: GanRecipe, run: Run, model: Any, ends: frozenset[int], pad: int) -> None:
        super().__init__(recipe, run, model)
        inputs, outputs = recipe.listing_tokens
        rate = recipe.play.learning_rate
        self.gan = ListingGAN(model, ends, pad, inputs, outputs, noise=recipe.play.noise, rate=rate)
        self.gan.to(model.device)
        self.generator, self.discriminator = self.gan.generator, self.gan.discriminator

    def _tune(self, examples: Sequence[Example], after: Any) -> None:
        self.gan.train(examples, self.recipe.epochs, after)

    def _state(self) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        return None  # as printed


def _told(before: float, after: float) -> str:
    if math.isnan(after):
        return "not measured, no row is held out"
    return f"{before:.2f} base, {after:.2f} with the generator, noise at zero"


def _manifest(run: Run, recipe: GanRecipe, data: Mapping[str, Any], counts: Mapping[str, int]) -> None:
    run.manifest(
        {
            "base": bases.provenance(recipe.base, recipe.revision),
            "data": dict(data),
            "encoded": dict(counts),
            "longest": recipe.longest,
        }
    )
