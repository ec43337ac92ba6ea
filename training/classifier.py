"""The emotion classifier: a small BERT from nothing, in two stages.

1. Pretext: masked words and, at the same time, the soft labels of a TF-IDF teacher on many unlabelled lines.
2. Fine-tuning on human labels (multi-label, what a source never labels is masked), an average of the weights kept,
   one threshold a label calibrated on a validation tenth.

Knows the emotion sets and the data folder; nothing of the language model or of presets.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from storage.presets import Presets
from training import recipes
from training.data import emotions, seed_corpus, sources
from training.data.emotion_sets import gather, unlabelled
from training.data.emotions import LABELS, Labelled
from training.evaluation.tfidf import TfIdf
from training.runs import Run, hash_folder, progress

SPECIALS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
ROLES = tuple(f"{role}_token" for role in ("pad", "unk", "cls", "sep", "mask"))
PAD, CLS, MASK = 0, 2, 4


class Shape(BaseModel):
    """The network."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    vocabulary: int = Field(default=12288, ge=100)
    hidden: int = Field(default=256, ge=16)
    layers: int = Field(default=4, ge=1)
    heads: int = Field(default=4, ge=1)
    inner: int = Field(default=768, ge=16)


class ClassifierRecipe(recipes.Recipe):
    """Keys of `recipes/classifier.yaml`."""

    data: Path | None = Field(default=None, description="The public data folder; unset: the seed corpus alone.")
    shape: Shape = Shape()
    longest: int = Field(default=64, ge=8, description="Tokens of a text; the rest is cut.")
    rows: int = Field(default=64, ge=1, description="Texts a step.")
    unlabelled: int = Field(default=0, ge=0, description="Lines of each public source for the pretext stage.")
    pretext_minutes: float = Field(default=0, ge=0)
    pretext_rate: float = Field(default=7e-4, gt=0)
    teacher_weight: float = Field(default=3.0, ge=0, description="Of the soft labels, beside the masked words.")
    epochs: int = Field(default=8, ge=1)
    learning_rate: float = Field(default=2e-4, gt=0)
    repeat: dict[str, int] = Field(default_factory=dict, description="How often a source's rows stand in an epoch.")
    seed_share: float = Field(
        default=0.7, gt=0, le=1, description="Of the seed corpus; the rest is the second judge's."
    )


def train_wordpieces(texts: Sequence[str], size: int) -> Any:
    """A fast tokenizer of lower-cased word pieces, ё as е, punctuation and emoji one by one."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    fast: Any = PreTrainedTokenizerFast
    raw = Tokenizer(models.WordPiece(unk_token=SPECIALS[1]))
    raw.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase(), normalizers.Replace("ё", "е")])
    raw.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    raw.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(
        vocab_size=size, special_tokens=list(SPECIALS), min_frequency=2, limit_alphabet=400, show_progress=False
    )
    raw.train_from_iterator(texts, trainer)
    raw.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", CLS), ("[SEP]", 3)]
    )
    return fast(tokenizer_object=raw, model_max_length=128, **dict(zip(ROLES, SPECIALS, strict=True)))


def main(recipe: ClassifierRecipe, storage: Path, presets: Presets, resume: bool = False) -> Path:
    """Train, calibrate, measure; returns the classifier's folder."""
    import torch

    torch.set_num_threads(recipe.threads or 1)
    torch.manual_seed(recipe.seed)
    run = Run(storage, "classifier", recipe, resume)
    sets = gather(recipe.data, recipe.seed_share)
    lines = unlabelled(recipe.data, recipe.unlabelled, recipe.seed) if recipe.data and recipe.unlabelled else []
    files = [emotions.FILES[name] for name in ("cedr", "brighter", "brighter_dev", "track_b")] if recipe.data else []
    run.manifest(
        {
            "rows": {name: len(rows) for name, rows in sets.items()},
            "unlabelled": len(lines),
            "sha256": {one: sources.sha256(recipe.data / one) for one in files if recipe.data}
            | {"seed": hash_folder(seed_corpus.FOLDER, "*.txt")},
        }
    )
    tokenizer = train_wordpieces([*(row.text for row in sets["train"]), *lines], recipe.shape.vocabulary)
    network = Network(recipe, tokenizer)
    if recipe.pretext_minutes and lines:
        teacher = TfIdf.fit(sets["train"])
        texts = lines + [row.text for row in sets["train"]] * 3
        network.pretext(run, texts, teacher.predict(texts))
    network.tune(run, sets["train"], sets["validation"])
    folder = recipe.output or run.folder / "classifier"
    network.export(folder)
    validation = network.rows([row.text for row in sets["validation"]])
    thresholds = emotions.calibrate(validation, sets["validation"])
    (folder / "thresholds.json").write_text(json.dumps(thresholds, indent=1) + "\n", encoding="utf-8")
    run.report(_report(network, sets, thresholds))
    return folder


class Network:
    """A BERT for sequence classification with its tokenizer, and the two stages that train it."""

    def __init__(self, recipe: ClassifierRecipe, tokenizer: Any) -> None:
        from transformers import BertConfig, BertForSequenceClassification

        shape = recipe.shape
        make: Any = BertConfig
        config = make(
            vocab_size=len(tokenizer),
            hidden_size=shape.hidden,
            num_hidden_layers=shape.layers,
            num_attention_heads=shape.heads,
            intermediate_size=shape.inner,
            max_position_embeddings=128,
            pad_token_id=PAD,
            id2label=dict(enumerate(LABELS)),
            label2id={name: i for i, name in enumerate(LABELS)},
            problem_type="multi_label_classification",
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            classifier_dropout=0.1,
            attn_implementation="eager",
        )
        self.model: Any = BertForSequenceClassification(config)
        self.recipe = recipe
        self.tokenizer = tokenizer

    def pretext(self, run: Run, texts: Sequence[str], soft: Any) -> None:
        """Masked words and the teacher's probabilities together, for `pretext_minutes`."""
        import torch

        ids = self._ids(texts)
        weights = list(self.model.parameters())
        optimizer = torch.optim.AdamW(weights, lr=self.recipe.pretext_rate, weight_decay=0.01, fused=True)
        limit, begun, step = 60 * self.recipe.pretext_minutes, time.monotonic(), 0
        with progress("pretext", limit) as shown:
            for rows in self._forever(ids):
                spent = time.monotonic() - begun
                if spent >= limit:
                    return
                for group in optimizer.param_groups:
                    group["lr"] = self.recipe.pretext_rate * min(1.0, (step + 1) / 300, (1 - spent / limit) / 0.4)
                batch, mask = self._pad([ids[row] for row in rows])
                words, emotion = self._pretext_losses(batch, mask, torch.from_numpy(soft[rows]))
                (words + self.recipe.teacher_weight * emotion).backward()
                torch.nn.utils.clip_grad_norm_(weights, 1.0)
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                step += 1
                if step % 50 == 0:
                    run.measure(
                        step=step,
                        word_loss=round(float(words.detach()), 4),
                        soft_loss=round(float(emotion.detach()), 4),
                    )
                    shown(spent, f"words {float(words.detach()):.2f} labels {float(emotion.detach()):.3f}")

    def _pretext_losses(self, batch: Any, mask: Any, soft: Any) -> tuple[Any, Any]:
        import torch

        hidden_words = (torch.rand(batch.shape) < 0.15) & (batch > MASK)
        shown = torch.where(hidden_words, torch.full_like(batch, MASK), batch)
        with torch.autocast("cpu", torch.bfloat16):
            hidden = self.model.bert(input_ids=shown, attention_mask=mask)
            table = self.model.bert.embeddings.word_embeddings.weight
            words = hidden.last_hidden_state[hidden_words] @ table.t()
            logits = self.model.classifier(hidden.pooler_output)
        emotion = torch.nn.functional.binary_cross_entropy_with_logits(logits.float(), soft)
        return torch.nn.functional.cross_entropy(words.float(), batch[hidden_words]), emotion

    def tune(self, run: Run, train: Sequence[Labelled], validation: Sequence[Labelled]) -> None:
        """Fine-tune on human labels; the model ends as the moving average of its weights."""
        import torch

        rows = [row for row in train for _ in range(self.recipe.repeat.get(row.source, 1))]
        ids = self._ids([row.text for row in rows])
        actual = torch.tensor([[float(label in row.labels) for label in LABELS] for row in rows])
        known = torch.tensor([[float(label in row.known) for label in LABELS] for row in rows])
        weights = list(self.model.parameters())
        average = [weight.detach().clone() for weight in weights]
        optimizer = torch.optim.AdamW(weights, lr=self.recipe.learning_rate, weight_decay=0.05, fused=True)
        total, step = self.recipe.epochs * -(-len(rows) // self.recipe.rows), 0
        with progress("tune", total) as shown:
            for chosen in self._forever(ids):
                if step >= total:
                    break
                for group in optimizer.param_groups:
                    group["lr"] = self.recipe.learning_rate * min(
                        1.0, (step + 1) / (0.06 * total), (total - step) / total
                    )
                loss = self._tune_loss([ids[row] for row in chosen], actual[chosen], known[chosen])
                loss.backward()
                torch.nn.utils.clip_grad_norm_(weights, 1.0)
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
                step += 1
                keep = min(0.998, step / (step + 10))
                with torch.no_grad():
                    for kept, weight in zip(average, weights, strict=True):
                        kept.lerp_(weight, 1 - keep)
                if step % 50 == 0 or step == total:
                    run.measure(step=step, tune_loss=round(float(loss.detach()), 4))
                    shown(step, f"loss {float(loss.detach()):.3f}")
        with torch.no_grad():
            for kept, weight in zip(average, weights, strict=True):
                weight.copy_(kept)

    def _tune_loss(self, ids: Sequence[list[int]], actual: Any, known: Any) -> Any:
        import torch

        self.model.train()
        batch, mask = self._pad(ids)
        # Dropping words keeps a small model from learning texts by heart.
        batch = torch.where((torch.rand(batch.shape) < 0.08) & (batch > MASK), torch.full_like(batch, MASK), batch)
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.model(input_ids=batch, attention_mask=mask).logits
        losses = torch.nn.functional.binary_cross_entropy_with_logits(logits.float(), actual, reduction="none")
        return (losses * known).sum() / known.sum()

    def rows(self, texts: Sequence[str]) -> list[dict[str, float]]:
        """Probabilities of texts by label."""
        import torch

        self.model.eval()
        found: list[dict[str, float]] = []
        ids = self._ids(texts)
        with torch.inference_mode():
            for start in range(0, len(ids), 128):
                batch, mask = self._pad(ids[start : start + 128])
                shares = torch.sigmoid(self.model(input_ids=batch, attention_mask=mask).logits.float()).tolist()
                found += [dict(zip(LABELS, line, strict=True)) for line in shares]
        return found

    def export(self, folder: Path) -> None:
        """Write model and tokenizer in bfloat16, and go on with what was written, so that thresholds fit it."""
        import torch

        self.model.to(torch.bfloat16).save_pretrained(folder)
        self.model.float()
        self.tokenizer.save_pretrained(folder)

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        encoded = self.tokenizer.backend_tokenizer.encode_batch(list(texts))
        return [one.ids[: self.recipe.longest] for one in encoded]

    def _pad(self, ids: Sequence[list[int]]) -> tuple[Any, Any]:
        import torch

        width = max(map(len, ids))
        batch = torch.tensor([[*one, *[PAD] * (width - len(one))] for one in ids])
        return batch, (batch != PAD).long()

    def _forever(self, ids: Sequence[list[int]]) -> Iterator[list[int]]:
        """Batches of row numbers, passes without end; rows of like length stand together, batches in random order."""
        chooser = random.Random(self.recipe.seed)
        while True:
            order = sorted(range(len(ids)), key=lambda row: len(ids[row]) + chooser.random() * 4)
            batches = [order[start : start + self.recipe.rows] for start in range(0, len(order), self.recipe.rows)]
            chooser.shuffle(batches)
            yield from batches


def _report(network: Network, sets: dict[str, list[Labelled]], thresholds: dict[str, float]) -> list[str]:
    """Macro-F1 on every dev set beside TF-IDF fitted on the same training rows."""
    reference = TfIdf.fit(sets["train"])
    plain = dict.fromkeys(LABELS, 0.5)
    lines = ["| dev set | labels | this | TF-IDF, same rows | by label |", "| --- | --- | --- | --- | --- |"]
    for name, labels in {"brighter_dev": LABELS[:6], "cedr_dev": LABELS[:5], "seed_dev": LABELS}.items():
        if name not in sets:
            continue
        texts = [row.text for row in sets[name]]
        scores = emotions.macro_f1(network.rows(texts), sets[name], thresholds, labels)
        other = emotions.macro_f1(reference.rows(texts), sets[name], plain, labels)["macro"]
        each = ", ".join(f"{label} {scores[label]:.2f}" for label in labels)
        lines.append(f"| {name} ({len(texts)}) | {len(labels)} | {scores['macro']:.3f} | {other:.3f} | {each} |")
    return lines
