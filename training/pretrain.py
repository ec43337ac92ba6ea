"""Pre-training of the small starter model from nothing: tokenizer, packed mixture, one Llama-shaped network.

The schedule is sized in minutes of wall clock (or steps): warm-up, constant, then a linear decay to zero during which
the mixture changes to conversation. Knows the shape of the data folder; nothing of emotions beyond the seed rows.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from models.subjects import ABOUT
from storage.presets import Presets
from training import recipes
from training.data import corpus, posts, seed_corpus, seed_open, sources
from training.data.hearing import UNKNOWN, Hearing
from training.data.seed_open import KINDS
from training.pretrain_keys import PretrainRecipe as PretrainRecipe
from training.pretrain_keys import Shape as Shape
from training.runs import Run, hash_folder, progress, whole
from training.stopping import Interrupted, asked_to_stop
from training.weights import Originals

# Every so many steps the first six measure one thread against two.
PROBE = 120
IGNORED = -100


def schedule(done: float, warmup: float, decay: float) -> float:
    """Learning-rate factor at the share `done` of the run: linear warm-up, constant, linear decay to zero."""
    if done < warmup:
        return done / warmup
    return min(1.0, max(0.0, (1.0 - done) / decay))


def main(recipe: PretrainRecipe, storage: Path, presets: Presets, resume: bool = False) -> Path:
    """Train, and return the folder of the finished base model."""
    run = Run(storage, "pretrain", recipe, resume)
    tokenizer = _tokenizer(recipe, run, presets)
    names = [name for name in {**recipe.mix, **recipe.final_mix} if name in recipe.mix or name in recipe.final_mix]
    arrays = _arrays(recipe, run, tokenizer, presets, names)
    mixture = corpus.Mixture(arrays, recipe.sequence, recipe.seed)
    for name, weights in (("mix", recipe.mix), ("final_mix", recipe.final_mix)):
        mixture.require(name, weights)
    trainer = Trainer(recipe, mixture, tokenizer)
    if resume and (saved := run.load_checkpoint()):
        trainer.restore(*saved)
    trainer.fit(run)
    folder = recipe.output or run.folder / "base"
    with whole(folder) as fresh:
        trainer.export(fresh, tokenizer)
    lines = run.metrics()
    run.report(
        [
            f"- parameters: {trainer.parameters():,}",
            f"- steps: {trainer.step}, tokens: {trainer.step * recipe.rows * recipe.sequence:,}",
            f"- last training loss: {lines[-1]['loss'] if lines else float('nan')}",
            f"- SHA-256: {hash_folder(folder)}",
        ]
    )
    return folder


def _tokenizer(recipe: PretrainRecipe, run: Run, presets: Presets) -> Any:
    from transformers import AutoTokenizer

    from training.tokenizer import chat_template, special_tokens, train_tokenizer

    folder = run.folder / "tokenizer"
    if recipe.init is not None:
        folder = recipe.init
    elif not folder.exists():
        lines = corpus.raw_lines(recipe.data, {**recipe.mix, **recipe.final_mix}, recipe.tokenizer_lines)
        with whole(folder) as fresh:
            train_tokenizer(lines, recipe.shape.vocabulary, presets).save_pretrained(fresh)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    if set(special_tokens(presets)) <= set(tokenizer.get_vocab()):
        # The template of an earlier starter may leave out what rows are told today.
        tokenizer.chat_template = chat_template(presets)
    return tokenizer


def _arrays(
    recipe: PretrainRecipe, run: Run, tokenizer: Any, presets: Presets, names: list[str]
) -> dict[str, corpus.Tokens]:
    folder = run.folder / "tokens"
    folder.mkdir(exist_ok=True)
    arrays: dict[str, corpus.Tokens] = {}
    for name in names:
        path = folder / f"{name}.npy"
        if not path.exists():
            texts = corpus.documents(recipe.data, name, tokenizer, presets)
            fresh = folder / f"{name}.new.npy"
            whole = recipe.sequence if name in corpus.SEEDS else None
            np.save(fresh, corpus.encode(tokenizer, texts, recipe.seed, whole))
            fresh.rename(path)  # a run that is continued must not find half of it
        arrays[name] = np.load(path)
    hashes = {name: sources.sha256(recipe.data / sources.FILES[name]) for name in corpus.files(names)}
    if not set(names) <= {*sources.FILES, corpus.SEED_OPEN}:
        hashes["seed"] = hash_folder(seed_corpus.FOLDER, "*.txt")
    if recipe.hearing or set(seed_open.SHARES) & set(names):
        hashes[corpus.SEED_OPEN] = hash_folder(seed_open.FOLDER, "*.txt")
    if recipe.hearing or corpus.SEED_KINDS in names:
        hashes["posts"] = hash_folder(posts.FOLDER, "*.tsv")
    run.manifest({"sha256": hashes, "tokens": {name: len(array) for name, array in arrays.items()}})
    return arrays


class Trainer:
    """Network, optimizers and position of one pre-training run.

    The network computes with bfloat16 copies; the optimizers hold float32 originals.
    """

    def __init__(self, recipe: PretrainRecipe, mixture: corpus.Mixture, tokenizer: Any) -> None:
        import torch

        from training.tokenizer import BOT, USER

        torch.manual_seed(recipe.seed)
        torch.set_num_threads(recipe.threads or 2)
        self.recipe = recipe
        self.mixture = mixture
        self.special = np.asarray(tokenizer.all_special_ids)
        known = tokenizer.get_vocab()
        self.end, self.person, bot = tokenizer.eos_token_id, known.get(USER), known.get(BOT)
        for key, needed in (
            ("answers_only", [USER] if recipe.answers_only else []),
            ("hearing", [USER, BOT] if recipe.hearing else []),
        ):
            if missing := [token for token in needed if token not in known]:
                raise recipes.RecipeError(f"{key}: the tokenizer of {recipe.init} has no token {' nor '.join(missing)}")
        self.model = load(recipe.init) if recipe.init else build(recipe.shape, tokenizer)
        named = dict(self.model.named_parameters())
        self.hearing, self.ear = None, None
        if recipe.hearing:
            layers = self.model.config.num_hidden_layers
            if recipe.hearing.layer > layers:
                raise recipes.RecipeError(f"hearing: layer {recipe.hearing.layer} is more than the network's {layers}")
            self.hearing = Hearing(tokenizer, self.end, self.person, bot)
            self.ear = torch.nn.Linear(self.model.config.hidden_size, len(KINDS) + len(ABOUT))
            named |= {f"ear.{name}": weight for name, weight in self.ear.named_parameters()}
        originals = {name: weight.detach().clone() for name, weight in named.items()}
        self.model.to(torch.bfloat16)
        self.weights = Originals(named.items(), originals)
        self.optimizers = self._optimizers()
        self.step = 0
        self.spent = 0.0
        self._pace: dict[int, float] = {}
        self._loss = torch.compile(self._plain_loss) if recipe.compile else self._plain_loss

    def parameters(self) -> int:
        """How many weights there are."""
        return sum(weight.numel() for weight in self.model.parameters())

    def done(self) -> float:
        """Share of the schedule that has passed."""
        if self.recipe.steps is not None:
            return min(1.0, self.step / self.recipe.steps)
        return min(1.0, self.spent / 60 / (self.recipe.minutes or 1))

    def fit(self, run: Run) -> None:
        """Step until the schedule ends, measuring and saving on the way."""
        saved = measured = self.spent
        with progress("pretrain", 1.0) as shown, asked_to_stop() as stopping:
            while self.done() < 1.0:
                begun = time.monotonic()
                self._choose_threads()
                loss = self.advance()
                self.spent += time.monotonic() - begun
                self._pace[self.step % PROBE] = time.monotonic() - begun
                if self.step % 20 == 0 or self.done() >= 1.0:
                    speed = round(20 * self.recipe.rows * self.recipe.sequence / max(self.spent - measured, 1e-9))
                    measured = self.spent
                    run.measure(
                        step=self.step, loss=round(loss, 4), done=round(self.done(), 4), tokens_per_second=speed
                    )
                    shown(self.done(), f"loss {loss:.3f} {speed} tokens/s")
                if self.spent - saved > 60 * self.recipe.checkpoint_minutes:
                    run.save_checkpoint(*self.state())
                    saved = self.spent
                if stopping() and self.done() < 1.0:
                    run.save_checkpoint(*self.state())
                    raise Interrupted(f"stopped at step {self.step}: continue with --resume")
        run.save_checkpoint(*self.state())

    def _choose_threads(self) -> None:
        # With `threads: 0`: on a machine shared with others two threads may be twice as fast as one, or far slower.
        import torch

        if self.recipe.threads:
            return
        place = self.step % PROBE
        if place in (0, 3):
            torch.set_num_threads(1 if place == 0 else 2)
        elif place == 6 and {2, 3, 5, 6} <= self._pace.keys():
            one, two = min(self._pace[2], self._pace[3]), min(self._pace[5], self._pace[6])
            torch.set_num_threads(1 if one < two else 2)

    def advance(self) -> float:
        """One optimizer step; returns its loss."""
        import torch

        done = self.done()
        factor = schedule(done, self.recipe.warmup, self.recipe.decay)
        if self.step == 0:
            factor = max(factor, 1e-3)
        weights = self.recipe.final_mix if done >= 1 - self.recipe.decay else self.recipe.mix
        batch = torch.from_numpy(self.mixture.batch(self.step, self.recipe.rows, weights))
        labels = self._labels(batch)
        told = None if self.hearing is None else torch.from_numpy(self.hearing.labels(batch.numpy())[:, :, :-1])
        loss = self._loss(batch, labels, told)
        loss.backward()
        self.weights.step(self.optimizers, self.recipe.learning_rate * factor)
        self.step += 1
        return float(loss.detach())

    def _labels(self, batch: Any) -> Any:
        """`(rows, sequence - 1)` tokens to predict; IGNORED where the recipe asks for answers alone."""
        import torch

        labels = batch[:, 1:].clone()
        if not self.recipe.answers_only:
            return labels
        read = torch.from_numpy(corpus.read_only(batch.numpy(), self.special, self.end, self.person))
        return labels.masked_fill(read, IGNORED)

    def _plain_loss(self, batch: Any, labels: Any, told: Any) -> Any:
        import torch

        states = self.model.model(input_ids=batch, use_cache=False, output_hidden_states=told is not None)
        hidden = states.last_hidden_state[:, :-1]
        logits = hidden.reshape(-1, hidden.shape[-1]) @ self.model.lm_head.weight.t()
        total = torch.nn.functional.cross_entropy(
            logits.float(), labels.reshape(-1), ignore_index=IGNORED, reduction="sum"
        )
        # A batch that only reads teaches nothing; a mean over nothing would be nan, and so would every weight.
        loss = total / (labels != IGNORED).sum().clamp(min=1)
        if self.recipe.hearing is None or self.ear is None:
            return loss
        inside = states.hidden_states[self.recipe.hearing.layer][:, :-1].float()
        return loss + self.recipe.hearing.weight * self._heard(self.ear, inside, told)

    @staticmethod
    def _heard(ear: Any, inside: Any, told: Any) -> Any:
        """Mean cross-entropy of kinds and of subjects, from `(rows, length, hidden)` states inside the network."""
        import torch

        scores = ear(torch.nn.functional.rms_norm(inside, inside.shape[-1:])).flatten(0, 1)
        parts = scores.split((len(KINDS), len(ABOUT)), dim=-1)
        return sum(
            torch.nn.functional.cross_entropy(part, wanted.flatten(), ignore_index=UNKNOWN, reduction="sum")
            / (wanted != UNKNOWN).sum().clamp(min=1)
            for part, wanted in zip(parts, told, strict=True)
        )

    def _optimizers(self) -> list[Any]:
        import torch

        pairs = list(zip(self.weights.names, self.weights.originals, strict=True))
        matrices = [one for name, one in pairs if name.startswith("model.layers") and one.ndim == 2]
        others = [one for name, one in pairs if not (name.startswith("model.layers") and one.ndim == 2)]
        rate, decay = self.recipe.learning_rate, self.recipe.weight_decay
        if self.recipe.optimizer == "adamw":
            return [
                torch.optim.AdamW(self.weights.originals, lr=rate, betas=(0.9, 0.95), weight_decay=decay, fused=True)
            ]
        return [
            torch.optim.Muon(matrices, lr=rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(others, lr=rate, betas=(0.9, 0.95), weight_decay=0.0, fused=True),
        ]

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """`(tensors, state)` that `restore` continues from."""
        position = {"step": self.step, "spent": self.spent, "cursors": self.mixture.cursors}
        return self.weights.state(self.optimizers), position

    def restore(self, tensors: Mapping[str, Any], state: Mapping[str, Any]) -> None:
        """Continue from a checkpoint."""
        self.weights.restore(self.optimizers, tensors)
        self.step, self.spent = int(state["step"]), float(state["spent"])
        self.mixture.cursors = {name: int(value) for name, value in state["cursors"].items()}

    def export(self, folder: Path, tokenizer: Any) -> None:
        """Write model and tokenizer as transformers loads them, in files under 20 MB."""
        self.model.config.use_cache = True
        if self.recipe.init is not None and self.recipe.blend < 1:
            ear = () if self.ear is None else self.ear.parameters()
            self.weights.blend([*load(self.recipe.init).parameters(), *ear], self.recipe.blend)
        self.model.save_pretrained(folder, max_shard_size="18MB")
        tokenizer.save_pretrained(folder)


def load(folder: Path) -> Any:
    """A finished base model to continue from; RecipeError if the folder holds none."""
    import torch
    from transformers import AutoModelForCausalLM

    if not (folder / "config.json").is_file():
        raise recipes.RecipeError(f"init: {folder} holds no model (no config.json)")
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")


def build(shape: Shape, tokenizer: Any) -> Any:
    """A fresh Llama-shaped model. Eager attention: on rows this short its backward is far faster on CPU."""
    from transformers import LlamaConfig, LlamaForCausalLM

    make: Any = LlamaConfig
    config = make(
        vocab_size=math.ceil(len(tokenizer) / 64) * 64,
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        intermediate_size=shape.inner,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        max_position_embeddings=shape.context,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        attn_implementation="eager",
    )
    model: Any = LlamaForCausalLM(config)
    return model
